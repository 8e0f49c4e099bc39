// A service on Node that asks nobody: it checks the tokens of Gatepost's jwt plugin by its keys.
// node main.mjs, then: curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8001/me
import { createServer } from "node:http";
import { createRemoteJWKSet, jwtVerify } from "jose";

const gatepost = process.env.GATEPOST_URL ?? "http://127.0.0.1:8000";
const issuer = process.env.GATEPOST_ISSUER ?? gatepost; // its GATEPOST_BASE_URL
const keys = createRemoteJWKSet(new URL("/api/auth/jwks", gatepost));

// the claims of a good token, or null
const claimsOf = async (header = "") => {
  const [scheme, token = ""] = header.split(" ");
  if (scheme.toLowerCase() !== "bearer") return null;
  const algorithms = ["EdDSA", "ES256", "ES512", "RS256", "PS256"];
  try {
    const { payload } = await jwtVerify(token, keys, { algorithms, audience: issuer, issuer });
    return payload;
  } catch (error) {
    // a token that is no good is nobody's; keys that cannot be had are another matter
    if (error.code?.startsWith("ERR_J") && error.code !== "ERR_JWKS_TIMEOUT") return null;
    throw error;
  }
};

const send = (response, status, body) =>
  response
    .writeHead(status, { "Content-Type": "application/json" })
    .end(`${JSON.stringify(body)}\n`);

createServer(async (request, response) => {
  if (request.url !== "/me") return send(response, 404, { error: "Not found" });
  try {
    const claims = await claimsOf(request.headers.authorization);
    if (claims === null) return send(response, 401, { error: "Nobody is signed in" });
    return send(response, 200, { id: claims.sub, email: claims.email });
  } catch {
    return send(response, 503, { error: "It cannot be said now who this is" });
  }
}).listen(Number(process.env.PORT ?? 8001), "127.0.0.1");
