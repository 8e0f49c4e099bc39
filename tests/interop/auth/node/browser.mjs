// The official client in a browser of its own, and what a test asks of it.
//
// A browser is a client whose fetch keeps cookies and sends Origin, as a browser's does.

import assert from "node:assert/strict";
import { createAuthClient } from "better-auth/client";

const { AUTH_URL, ORIGIN } = process.env;
export const PASSWORD = "correct horse battery";

let people = 0;

/** How many requests were sent. */
export const sent = { calls: 0 };

/** An address that nobody has had before. */
export const address = () => `person${++people}.${process.pid}@example.com`;

/** What a browser keeps: cookies by name, without those whose time is over. */
export class Jar {
  cookies = new Map();

  take(response) {
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split("; ");
      const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
      if (attributes.includes("Max-Age=0")) this.cookies.delete(name);
      else this.cookies.set(name, { value, attributes });
    }
  }

  get header() {
    return [...this.cookies].map(([name, { value }]) => `${name}=${value}`).join("; ");
  }
}

/** The official client in a browser of its own; redirects are not followed, as they leave us. */
export function browser(baseURL = AUTH_URL, plugins = []) {
  const jar = new Jar();
  const seen = {};
  const customFetchImpl = async (url, init) => {
    sent.calls++;
    const headers = new Headers(init?.headers);
    if (jar.header) headers.set("cookie", jar.header);
    headers.set("origin", ORIGIN);
    headers.set("user-agent", "the official client");
    seen.response = await fetch(url, { ...init, headers, redirect: "manual" });
    jar.take(seen.response);
    return seen.response;
  };
  const auth = createAuthClient({ baseURL, plugins, fetchOptions: { customFetchImpl } });
  return { auth, jar, seen };
}

/** The data of a call that must succeed. */
export async function good(call) {
  const { data, error } = await call;
  assert.equal(error, null, JSON.stringify(error));
  return data;
}

/** The call must fail with this status and code. */
export async function bad(call, status, code) {
  const { data, error } = await call;
  assert.equal(data, null);
  assert.deepEqual([error.status, error.code], [status, code]);
  return error;
}

/** A browser with a new user signed in. */
export async function signedUp(more = {}, url = AUTH_URL) {
  const email = address();
  const one = browser(url);
  const body = { name: "Ada", email, password: PASSWORD, ...more };
  const { token, user } = await good(one.auth.signUp.email(body));
  return { ...one, email, token, user };
}

/** A further browser of the same person. */
export async function signedIn({ email }, more = {}) {
  const one = browser();
  const { token } = await good(one.auth.signIn.email({ email, password: PASSWORD, ...more }));
  return { ...one, email, token };
}

export const current = async (one) => (await good(one.auth.getSession())) ?? null;
