// Checks tokens with jose, as a service on Node would: a JSON object a line on standard input with
// jwks (the address of the keys), issuer, audience and token; a line with true or false for each.
import { createInterface } from "node:readline";
import { createRemoteJWKSet, jwtVerify } from "jose";

const sets = new Map();
const keys = (url) => {
  if (!sets.has(url)) sets.set(url, createRemoteJWKSet(new URL(url), { cooldownDuration: 0 }));
  return sets.get(url);
};

for await (const line of createInterface({ input: process.stdin })) {
  const { jwks, issuer, audience, token } = JSON.parse(line);
  const verified = jwtVerify(token, keys(jwks), { issuer, audience, requiredClaims: ["sub", "exp"] });
  console.log(await verified.then(() => true, () => false));
}
