// The official client (better-auth/client), unchanged, against the auth API.
//
// A device is one that has only the bearer token. ../test_client.py starts the services this is
// given by its environment: one with its defaults, one that wants addresses verified, and one whose
// reads never write. MAIL_FILE and MAIL_FILE_STRICT are where their mails go.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createAuthClient } from "better-auth/client";
import { PASSWORD, address, bad, browser, current, good, sent, signedIn, signedUp } from "./browser.mjs";

const { AUTH_URL, AUTH_URL_DEFERRED, AUTH_URL_STRICT, MAIL_FILE, MAIL_FILE_STRICT, ORIGIN } =
  process.env;
const NEW_PASSWORD = "a better password";

/** Wait for what comes by itself. */
async function eventually(condition) {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 500, `never came: ${condition}`);
    await sleep(20);
  }
}

/** The newest mail of this kind to this address. */
async function mail(kind, email, file = MAIL_FILE) {
  let found;
  await eventually(() => {
    const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
    const mails = lines.map((line) => JSON.parse(line));
    found = mails.findLast((one) => one.kind === kind && one.email === email);
    return found;
  });
  return found;
}

after(() => console.log(`calls ${sent.calls}`));

describe("sign-up", () => {
  test("signs in, and dates are dates", async () => {
    const one = await signedUp({ name: "Ada L.", image: "https://example.com/a.png" });
    assert.equal(one.user.email, one.email);
    assert.equal(one.user.emailVerified, false);
    assert.equal(one.user.image, "https://example.com/a.png");
    const { session, user } = await current(one);
    assert.deepEqual(user, one.user);
    assert.equal(session.token, one.token);
    assert.equal(session.userId, user.id);
    assert.equal(session.userAgent, "the official client");
    for (const time of [user.createdAt, user.updatedAt, session.createdAt, session.expiresAt])
      assert.ok(time instanceof Date);
    const life = session.expiresAt - session.createdAt;
    assert.ok(Math.abs(life - 7 * 24 * 3600 * 1000) < 1000, `${life} ms`);
  });

  test("refuses a taken address, in any capitals", async () => {
    const { email } = await signedUp();
    const again = { name: "Bob", email: email.toUpperCase(), password: PASSWORD };
    const code = "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL";
    await bad(browser().auth.signUp.email(again), 422, code);
  });

  test("refuses bad input", async () => {
    const { auth } = browser();
    const body = { name: "Ada", email: address(), password: PASSWORD };
    await bad(auth.signUp.email({ ...body, password: "short" }), 400, "PASSWORD_TOO_SHORT");
    await bad(auth.signUp.email({ ...body, password: "x".repeat(129) }), 400, "PASSWORD_TOO_LONG");
    await bad(auth.signUp.email({ ...body, email: "nobody" }), 400, "VALIDATION_ERROR");
    assert.equal(await current({ auth }), null);
  });
});

describe("sign-in and sign-out", () => {
  test("by address and password", async () => {
    const person = await signedUp();
    const one = browser();
    const data = await good(one.auth.signIn.email({ email: person.email, password: PASSWORD }));
    assert.equal(data.redirect, false);
    assert.deepEqual(data.user, person.user);
    assert.notEqual(data.token, person.token);
    assert.equal((await current(one)).session.token, data.token);
    assert.equal((await current(person)).session.token, person.token);
  });

  test("with a callbackURL", async () => {
    const { email } = await signedUp();
    const body = { email, password: PASSWORD, callbackURL: "/dashboard" };
    const data = await good(browser().auth.signIn.email(body));
    assert.deepEqual([data.redirect, data.url], [true, "/dashboard"]);
    const strange = { ...body, callbackURL: "https://stranger.example" };
    await bad(browser().auth.signIn.email(strange), 403, "INVALID_CALLBACK_URL");
  });

  test("a wrong password and an unknown address look alike", async () => {
    const { email } = await signedUp();
    const { auth, jar } = browser();
    const wrong = { email, password: "wrong" };
    const one = await bad(auth.signIn.email(wrong), 401, "INVALID_EMAIL_OR_PASSWORD");
    const nobody = { ...wrong, email: address() };
    const other = await bad(auth.signIn.email(nobody), 401, "INVALID_EMAIL_OR_PASSWORD");
    assert.deepEqual(one, other);
    assert.equal(jar.header, "");
  });

  test("rememberMe: false ends with the browser", async () => {
    const person = await signedUp();
    const one = await signedIn(person, { rememberMe: false });
    const kept = [...one.jar.cookies].map(([name, cookie]) => [name, cookie.attributes]);
    assert.deepEqual(kept.map(([name]) => name.replace(/.*\./, "")).sort(), [
      "dont_remember",
      "session_token",
    ]);
    for (const [, attributes] of kept)
      assert.ok(!attributes.some((text) => /^(max-age|expires)/i.test(text)));
    const { session } = await current(one);
    assert.ok(session.expiresAt - session.createdAt <= 24 * 3600 * 1000);
  });

  test("sign-out ends this session and no other", async () => {
    const person = await signedUp();
    const other = await signedIn(person);
    const before = person.jar.header;
    assert.deepEqual(await good(person.auth.signOut()), { success: true });
    assert.equal(person.jar.header, "");
    assert.equal(await current(person), null);
    assert.notEqual(await current(other), null);
    // the old cookie opens nothing
    const thief = await fetch(`${AUTH_URL}/api/auth/get-session`, { headers: { cookie: before } });
    assert.equal(await thief.json(), null);
  });

  test("by a provider there is none of", async () => {
    const { auth } = browser();
    await bad(auth.signIn.social({ provider: "github" }), 404, "PROVIDER_NOT_FOUND");
  });
});

describe("the session", () => {
  test("the store follows sign-in and sign-out", async () => {
    const person = await signedUp();
    const one = browser();
    const seen = [];
    const stop = one.auth.useSession.subscribe(({ data }) => seen.push(data?.user.email ?? null));
    // nobody asks it to: signing in and out make it read the session again
    const until = async (email) => {
      await eventually(() => seen.at(-1) === email);
      assert.equal(one.auth.useSession.get().data?.user.email ?? null, email);
    };
    await one.auth.useSession.get().refetch();
    await until(null);
    await good(one.auth.signIn.email({ email: person.email, password: PASSWORD }));
    await until(person.email);
    await good(one.auth.signOut());
    await until(null);
    stop();
    assert.deepEqual([seen[0], seen.includes(person.email), seen.at(-1)], [null, true, null]);
  });

  test("queries reach the server", async () => {
    const person = await signedUp();
    const query = { disableRefresh: true, disableCookieCache: true };
    const { session } = await good(person.auth.getSession({ query }));
    assert.equal(session.token, person.token);
    assert.equal(person.seen.response.headers.get("cache-control"), "no-store");
  });

  test("listSessions", async () => {
    const person = await signedUp();
    const other = await signedIn(person);
    const list = await good(person.auth.listSessions());
    assert.deepEqual(list.map(({ token }) => token).sort(), [person.token, other.token].sort());
    assert.ok(list.every(({ createdAt }) => createdAt instanceof Date));
    await bad(browser().auth.listSessions(), 401, "UNAUTHORIZED");
  });

  test("revokeSession", async () => {
    const person = await signedUp();
    const [second, stranger] = [await signedIn(person), await signedUp()];
    assert.deepEqual(await good(person.auth.revokeSession({ token: second.token })), {
      status: true,
    });
    assert.equal(await current(second), null);
    await good(person.auth.revokeSession({ token: stranger.token }));
    assert.notEqual(await current(stranger), null);
  });

  test("revokeOtherSessions", async () => {
    const person = await signedUp();
    const others = [await signedIn(person), await signedIn(person)];
    assert.deepEqual(await good(person.auth.revokeOtherSessions()), { status: true });
    assert.equal((await current(person)).session.token, person.token);
    for (const other of others) assert.equal(await current(other), null);
  });

  test("revokeSessions", async () => {
    const person = await signedUp();
    const other = await signedIn(person);
    assert.deepEqual(await good(person.auth.revokeSessions()), { status: true });
    assert.equal(await current(person), null);
    assert.equal(await current(other), null);
    assert.equal(person.jar.header, "");
  });

  test("updateSession has no fields of its own", async () => {
    const person = await signedUp();
    const error = await bad(person.auth.updateSession({ colour: "red" }), 400, undefined);
    assert.equal(error.message, "No fields to update");
  });

  test("deferred: the store refreshes by POST", async () => {
    const person = await signedUp({}, AUTH_URL_DEFERRED);
    const data = await current(person);
    assert.equal(data.needsRefresh, true); // there the age from which it is due is 0
    const stop = person.auth.useSession.subscribe(() => {});
    await person.auth.useSession.get().refetch();
    await eventually(() => person.auth.useSession.get().data !== null);
    const renewed = person.auth.useSession.get().data;
    stop();
    assert.equal(renewed.session.token, person.token);
    assert.ok(renewed.session.expiresAt >= data.session.expiresAt);
    assert.equal(renewed.needsRefresh, undefined);
  });
});

describe("the user", () => {
  test("updateUser", async () => {
    const person = await signedUp();
    const change = { name: "Ada Lovelace", image: "https://example.com/b.png" };
    assert.deepEqual(await good(person.auth.updateUser(change)), { status: true });
    const { user } = await current(person);
    assert.deepEqual([user.name, user.image], [change.name, change.image]);
    assert.ok(user.updatedAt >= person.user.updatedAt);
    await good(person.auth.updateUser({ image: null }));
    assert.equal((await current(person)).user.image, null);
    const mine = { email: address() };
    await bad(person.auth.updateUser(mine), 400, "EMAIL_CAN_NOT_BE_UPDATED");
    await bad(browser().auth.updateUser({ name: "Nobody" }), 401, "UNAUTHORIZED");
  });

  test("changeEmail, when the new address has answered", async () => {
    const person = await signedUp();
    const newEmail = address();
    const call = person.auth.changeEmail({ newEmail, callbackURL: "/settings" });
    assert.deepEqual(await good(call), { status: true });
    assert.equal((await current(person)).user.email, person.email);
    const { token, userId, url } = await mail("verify-email", newEmail);
    assert.equal(userId, person.user.id);
    assert.equal(new URL(url).searchParams.get("callbackURL"), "/settings");
    const data = await good(person.auth.verifyEmail({ query: { token } }));
    assert.equal(data.user.email, newEmail);
    assert.equal((await current(person)).user.email, newEmail);
    await bad(person.auth.verifyEmail({ query: { token } }), 401, "INVALID_TOKEN");
    await good(browser().auth.signIn.email({ email: newEmail, password: PASSWORD }));
  });

  test("changeEmail to a taken address tells nobody", async () => {
    const [person, other] = [await signedUp(), await signedUp()];
    const call = person.auth.changeEmail({ newEmail: other.email });
    assert.deepEqual(await good(call), { status: true });
    assert.equal((await current(person)).user.email, person.email);
  });

  test("deleteUser by password", async () => {
    const person = await signedUp();
    await bad(person.auth.deleteUser({ password: "wrong" }), 400, "INVALID_PASSWORD");
    const data = await good(person.auth.deleteUser({ password: PASSWORD }));
    assert.deepEqual(data, { success: true, message: "User deleted" });
    assert.equal(person.jar.header, "");
    const login = { email: person.email, password: PASSWORD };
    await bad(browser().auth.signIn.email(login), 401, "INVALID_EMAIL_OR_PASSWORD");
  });

  test("deleteUser in a fresh session", async () => {
    const person = await signedUp();
    assert.equal((await good(person.auth.deleteUser())).message, "User deleted");
    assert.equal(await current(person), null);
  });

  test("listAccounts and unlinkAccount", async () => {
    const person = await signedUp();
    const [account, ...more] = await good(person.auth.listAccounts());
    assert.deepEqual(more, []);
    assert.deepEqual(
      [account.providerId, account.accountId, account.scopes, "password" in account],
      ["credential", person.user.id, [], false],
    );
    const call = person.auth.unlinkAccount({ accountId: account.id });
    await bad(call, 400, "FAILED_TO_UNLINK_LAST_ACCOUNT");
    await bad(person.auth.linkSocial({ provider: "github" }), 404, "PROVIDER_NOT_FOUND");
    const tokens = person.auth.getAccessToken({ accountId: account.id });
    await bad(tokens, 400, "PROVIDER_NOT_SUPPORTED");
  });
});

describe("the password", () => {
  test("changePassword", async () => {
    const person = await signedUp();
    const other = await signedIn(person);
    const change = { currentPassword: PASSWORD, newPassword: NEW_PASSWORD };
    const wrong = { ...change, currentPassword: "wrong" };
    await bad(person.auth.changePassword(wrong), 400, "INVALID_PASSWORD");
    const { token, user } = await good(person.auth.changePassword(change));
    assert.deepEqual([token, user.id], [null, person.user.id]);
    assert.notEqual(await current(other), null);
    const login = { email: person.email, password: PASSWORD };
    await bad(browser().auth.signIn.email(login), 401, "INVALID_EMAIL_OR_PASSWORD");
    await good(browser().auth.signIn.email({ ...login, password: NEW_PASSWORD }));
  });

  test("changePassword and revokeOtherSessions", async () => {
    const person = await signedUp();
    const other = await signedIn(person);
    const change = { currentPassword: PASSWORD, newPassword: NEW_PASSWORD };
    const call = person.auth.changePassword({ ...change, revokeOtherSessions: true });
    const { token } = await good(call);
    assert.notEqual(token, person.token);
    assert.equal((await current(person)).session.token, token);
    assert.equal(await current(other), null);
  });

  test("requestPasswordReset and resetPassword", async () => {
    const person = await signedUp();
    const { auth } = browser();
    const answer = await good(auth.requestPasswordReset({ email: address() }));
    const call = auth.requestPasswordReset({ email: person.email, redirectTo: "/new-password" });
    assert.deepEqual(await good(call), answer);
    const { token, url, userId } = await mail("reset-password", person.email);
    assert.equal(userId, person.user.id);
    // what the link in the mail does
    const link = new URL(url);
    const followed = await fetch(new URL(link.pathname + link.search, AUTH_URL), {
      redirect: "manual",
    });
    assert.equal(followed.status, 302);
    assert.equal(followed.headers.get("location"), `${ORIGIN}/new-password?token=${token}`);
    const reset = { newPassword: NEW_PASSWORD, token };
    await bad(auth.resetPassword({ ...reset, newPassword: "short" }), 400, "PASSWORD_TOO_SHORT");
    assert.deepEqual(await good(auth.resetPassword(reset)), { status: true });
    await bad(auth.resetPassword(reset), 400, "INVALID_TOKEN");
    await good(auth.signIn.email({ email: person.email, password: NEW_PASSWORD }));
  });
});

describe("the address", () => {
  test("sendVerificationEmail and verifyEmail", async () => {
    const person = await signedUp();
    const { auth, email } = person;
    assert.deepEqual(await good(auth.sendVerificationEmail({ email, callbackURL: "/hello" })), {
      status: true,
    });
    const { token } = await mail("verify-email", email);
    const one = browser();
    assert.deepEqual(await good(one.auth.verifyEmail({ query: { token } })), {
      status: true,
      user: null,
    });
    assert.equal((await current(person)).user.emailVerified, true);
    await bad(auth.sendVerificationEmail({ email }), 400, "EMAIL_ALREADY_VERIFIED");
    await bad(auth.sendVerificationEmail({ email: address() }), 400, "EMAIL_MISMATCH");
    await bad(auth.verifyEmail({ query: { token: "nonsense" } }), 401, "INVALID_TOKEN");
  });

  test("where it must be verified first", async () => {
    const person = await signedUp({}, AUTH_URL_STRICT);
    assert.equal(person.token, null);
    assert.equal(person.jar.header, "");
    const login = { email: person.email, password: PASSWORD };
    await bad(person.auth.signIn.email(login), 403, "EMAIL_NOT_VERIFIED");
    // the address is taken, and nobody is told
    const again = await signedUp({ email: person.email }, AUTH_URL_STRICT);
    assert.equal(again.token, null);
    assert.notEqual(again.user.id, person.user.id);
    const { token } = await mail("verify-email", person.email, MAIL_FILE_STRICT);
    await good(person.auth.verifyEmail({ query: { token } }));
    assert.equal((await current(person)).user.emailVerified, true);
    await good(person.auth.signIn.email(login));
  });

  test("deleteUser, when the address has answered", async () => {
    const person = await signedUp({}, AUTH_URL_STRICT);
    const { token } = await mail("verify-email", person.email, MAIL_FILE_STRICT);
    await good(person.auth.verifyEmail({ query: { token } }));
    const data = await good(person.auth.deleteUser({ callbackURL: "/bye" }));
    assert.equal(data.message, "Verification email sent");
    const deletion = await mail("delete-account", person.email, MAIL_FILE_STRICT);
    await bad(person.auth.deleteUser({ token: "nonsense" }), 404, "INVALID_TOKEN");
    const done = await good(person.auth.deleteUser({ token: deletion.token }));
    assert.deepEqual(done, { success: true, message: "User deleted" });
    assert.equal(await current(person), null);
  });
});

describe("a device with a bearer token", () => {
  test("needs no cookie", async () => {
    const { email } = await signedUp();
    let token = "";
    let cookies = 0;
    const device = createAuthClient({
      baseURL: AUTH_URL,
      fetchOptions: {
        auth: { type: "Bearer", token: () => token },
        customFetchImpl: (url, init) => {
          sent.calls++;
          const headers = new Headers(init?.headers);
          headers.set("origin", ORIGIN); // Node's fetch says Sec-Fetch-Mode, so sign-in wants it
          if (headers.has("cookie")) cookies++;
          return fetch(url, { ...init, headers });
        },
        onSuccess: ({ response }) => {
          token = response.headers.get("set-auth-token") ?? token;
        },
      },
    });
    await good(device.signIn.email({ email, password: PASSWORD }));
    assert.match(token, /^[A-Za-z0-9]{32}\.[A-Za-z0-9+/]{43}=$/);
    assert.equal((await good(device.getSession())).user.email, email);
    await good(device.updateUser({ name: "By a device" }));
    assert.equal((await good(device.listSessions())).length, 2);
    const change = { currentPassword: PASSWORD, newPassword: NEW_PASSWORD };
    const before = token;
    await good(device.changePassword({ ...change, revokeOtherSessions: true }));
    assert.notEqual(token, before);
    assert.equal((await good(device.getSession())).user.name, "By a device");
    await good(device.signOut());
    assert.equal((await device.getSession()).data, null);
    assert.equal(cookies, 0);
  });
});
