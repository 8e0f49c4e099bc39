// OpenID providers for tests: oidc-provider, as it is certified, on two ports of 127.0.0.1, called
// localhost, so that they are another site than a service on 127.0.0.1.
// PORTS: {"post": 1, "basic": 2}; REDIRECTS: {"post": [...], "basic": [...]}, where each sends its
// browsers back to; CONTROL: a port where GET / gives the requests that came, and forgets them.

import { createServer } from "node:http";
import Provider from "oidc-provider";

const ports = JSON.parse(process.env.PORTS);
const redirects = JSON.parse(process.env.REDIRECTS);
const SECRET = "s:cr t/with+%&=~";
const asked = [];

const person = (id) => {
  const [name] = id.split("@");
  return {
    name: name[0].toUpperCase() + name.slice(1),
    email: id,
    email_verified: !name.startsWith("unverified"),
    picture: `https://pictures.test/${name}.png`,
  };
};

const clients = (name) => [
  {
    client_id: `${name}-client`,
    client_secret: SECRET,
    redirect_uris: redirects[name],
    post_logout_redirect_uris: redirects[name].map((uri) => new URL("/bye", uri).href),
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: name === "basic" ? "client_secret_basic" : "client_secret_post",
    application_type: "web",
  },
];

function configuration(name) {
  return {
    clients: clients(name),
    cookies: { keys: ["a key of the tests"] },
    claims: { openid: ["sub"], profile: ["name", "picture"], email: ["email", "email_verified"] },
    // one has the claims in the ID token, of the other they are asked for
    conformIdTokenClaims: name === "basic",
    scopes: ["openid", "offline_access"],
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
    pkce: { required: () => name === "post" },
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, client, code) =>
      client.grantTypeAllowed("refresh_token") && code.scopes.has("offline_access"),
    ttl: { AccessToken: 600, IdToken: 600, RefreshToken: 86400, Session: 3600, Grant: 86400, Interaction: 600 },
    findAccount: (_ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...person(id) }),
    }),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  };
}

// A login_hint signs in without a page; else a form asks who it is.
async function interact(provider, request, response) {
  const details = await provider.interactionDetails(request, response);
  const { prompt, params, grantId, session } = details;
  if (prompt.name === "login") {
    const given = request.method === "POST" ? new URLSearchParams(await body(request)).get("email") : null;
    const who = given || params.login_hint;
    if (!who) {
      response.setHeader("content-type", "text/html; charset=utf-8");
      response.end(`<!doctype html><html lang="en"><title>Sign in</title><h1>Example ID</h1>
        <form method="post" action="/interaction/${details.uid}"><label>Email <input name="email"></label>
        <button>Continue</button></form></html>`);
      return;
    }
    const result = who === "nobody"
      ? { error: "access_denied", error_description: "End-User aborted interaction" }
      : { login: { accountId: who } };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
    return;
  }
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const consent = { consent: { grantId: await grant.save() } };
  await provider.interactionFinished(request, response, consent, { mergeWithLastSubmission: true });
}

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

for (const [name, port] of Object.entries(ports)) {
  const issuer = `http://localhost:${port}`;
  const provider = new Provider(issuer, configuration(name));
  const answer = provider.callback();
  createServer((request, response) => {
    asked.push({ provider: name, method: request.method, url: request.url, authorization: (request.headers.authorization ?? "").split(" ")[0] });
    if (request.url.startsWith("/interaction/")) {
      interact(provider, request, response).catch((error) => {
        response.statusCode = 500;
        response.end(String(error));
      });
    } else {
      answer(request, response);
    }
  }).listen(port, "127.0.0.1");
}

createServer((_request, response) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(asked.splice(0)));
}).listen(Number(process.env.CONTROL), "127.0.0.1");
