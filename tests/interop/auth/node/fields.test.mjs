// The official client with additional fields: what inferAdditionalFields declares goes out and comes
// back. ../test_client.py starts the service that AUTH_URL names.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createAuthClient } from "better-auth/client";
import { inferAdditionalFields } from "better-auth/client/plugins";

const { AUTH_URL, ORIGIN } = process.env;
const PASSWORD = "correct horse battery";
let calls = 0;
let cookies = {};

const customFetchImpl = async (url, init) => {
  calls++;
  const headers = new Headers(init?.headers);
  const line = Object.entries(cookies).map(([name, value]) => `${name}=${value}`);
  if (line.length) headers.set("cookie", line.join("; "));
  headers.set("origin", ORIGIN);
  const response = await fetch(url, { ...init, headers });
  for (const set of response.headers.getSetCookie()) {
    const [name, value] = set.split(";")[0].split("=");
    if (set.includes("Max-Age=0")) delete cookies[name];
    else cookies[name] = value;
  }
  return response;
};

const auth = createAuthClient({
  baseURL: AUTH_URL,
  fetchOptions: { customFetchImpl },
  plugins: [
    inferAdditionalFields({
      user: {
        plan: { type: "string", required: false },
        company: { type: "string" },
        bornAt: { type: "date", required: false },
        tags: { type: "string[]", required: false },
      },
      session: { theme: { type: "string", required: false } },
    }),
  ],
});

async function good(call) {
  const { data, error } = await call;
  assert.equal(error, null, JSON.stringify(error));
  return data;
}

const person = { name: "Ada", email: `ada.${process.pid}@example.com`, password: PASSWORD };

test("fields given at sign-up come back", async () => {
  const bornAt = new Date("2001-02-03T04:05:06.789Z");
  const given = { company: "Acme", bornAt, tags: ["a", "b"] };
  const { user } = await good(auth.signUp.email({ ...person, ...given }));
  assert.deepEqual([user.plan, user.company, user.tags], ["free", "Acme", ["a", "b"]]);
  const found = await good(auth.getSession());
  assert.deepEqual(found.user, user);
  assert.ok(found.user.bornAt instanceof Date);
  assert.equal(found.user.bornAt.getTime(), bornAt.getTime());
  assert.equal(found.session.theme, "light");
});

test("fields are updated", async () => {
  await good(auth.updateUser({ plan: "pro", bornAt: null }));
  const { session } = await good(auth.updateSession({ theme: "dark" }));
  assert.equal(session.theme, "dark");
  const found = await good(auth.getSession());
  assert.deepEqual([found.user.plan, found.user.bornAt], ["pro", null]);
  assert.equal(found.session.theme, "dark");
});

test("fields that are missing or not to be set are refused", async () => {
  const { error } = await auth.signUp.email({ ...person, email: "bob@example.com" });
  assert.deepEqual([error.status, error.code], [400, "MISSING_FIELD"]);
  const refused = await auth.updateUser({ customerId: "x" });
  assert.deepEqual([refused.error.status, refused.error.code], [400, "FIELD_NOT_ALLOWED"]);
});

after(() => process.stdout.write(`calls ${calls}\n`));
