// What an application writes with types made of the description: it has to compile, and to run.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const [url, origin, key] = process.argv.slice(2) as [string, string, string];
// the other media types of rows are CSV and one object
const api = createClient<paths, "application/json">({ baseUrl: url, headers: { origin } });

const person = { name: "Ada", email: "ada@example.com", password: "correct horse battery" };
const signedUp = await api.POST("/api/auth/sign-up/email", { body: person });
assert.ok(signedUp.data);
const user: components["schemas"]["User"] = signedUp.data.user;
const name: string = user.name;
assert.equal(name, "Ada");
const token: string | null = signedUp.data.token;
assert.ok(token);

const again = await api.POST("/api/auth/sign-up/email", { body: person });
assert.ok(again.error);
assert.equal(again.response.status, 422);
assert.ok("code" in again.error);
const code:
  | "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL"
  | "FAILED_TO_CREATE_USER" = again.error.code as never;
assert.equal(code, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL");

// @ts-expect-error: an address is missing
const bad = await api.POST("/api/auth/sign-up/email", { body: { name, password: "x" } });
assert.equal(bad.response.status, 400);

const cookie = signedUp.response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
const current = await api.GET("/api/auth/get-session", { headers: { cookie } });
assert.equal(current.data?.user.email, person.email);

const found = await api.GET("/rest/v1/users", {
  headers: { apikey: key },
  params: { query: { email: "eq.ada@example.com", select: "*,sessions(*)" } },
});
const [row] = found.data ?? [];
assert.equal(row?.name, "Ada");
const verified: boolean | undefined = row?.email_verified;
assert.equal(verified, false);
assert.equal(row?.sessions?.length, 1);

const made = await api.POST("/rest/v1/users", {
  headers: { apikey: key },
  params: { header: { Prefer: "return=representation" } },
  body: { name: "Grace", email: "grace@example.com" },
});
assert.equal(made.data?.[0]?.email, "grace@example.com");

const changes: components["schemas"]["users_update"] = {
  name: "Grace H.",
  // @ts-expect-error: only a key with `secrets` changes an address
  email: "other@example.com",
};
const refused = await api.PATCH("/rest/v1/users", {
  headers: { apikey: key },
  params: { query: { email: "eq.grace@example.com" } },
  body: changes,
});
assert.equal(refused.response.status, 403);
assert.equal(refused.error?.code, "42501");
console.log("all calls made");
