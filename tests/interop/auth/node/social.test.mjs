// The official client (better-auth/client), unchanged, and a provider.
//
// ../test_client.py starts the service, AUTH_URL_SOCIAL, and its providers, where whoever is hinted
// at is signed in without a question: "oidc" and "plain" of the scenarios, and oidc-provider, which
// is certified, as "post" and "basic".

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Jar, address, bad, browser, current, good, sent, signedUp } from "./browser.mjs";

const { AUTH_URL_SOCIAL, ORIGIN } = process.env;
const places = { callbackURL: "/in", newUserCallbackURL: "/new", errorCallbackURL: "/oops" };

/** What a browser does between two pages: to the provider, and back; gives where it ends. */
async function follow({ jar }, url) {
  const there = new Jar();
  let next = new URL(url);
  let posted;
  while (next.origin !== ORIGIN) {
    const answer = await fetch(next, { headers: { cookie: there.header }, redirect: "manual" });
    there.take(answer);
    const location = answer.headers.get("location");
    if (location) {
      next = new URL(location, next);
      continue;
    }
    const page = await answer.text();
    next = new URL(page.match(/<form[^>]* action="([^"]+)"/)[1]);
    posted = new URLSearchParams(
      [...page.matchAll(/name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    );
  }
  let here = next.pathname + next.search;
  if (posted) {
    // another site's form brings no cookies
    const options = { method: "POST", body: posted, redirect: "manual" };
    const answer = await fetch(new URL(here, AUTH_URL_SOCIAL), options);
    const { pathname, search } = new URL(answer.headers.get("location"));
    here = pathname + search;
  }
  const back = await fetch(new URL(here, AUTH_URL_SOCIAL), {
    headers: { cookie: jar.header },
    redirect: "manual",
  });
  jar.take(back);
  assert.equal(back.status, 302);
  return back.headers.get("location");
}

/** A browser with somebody signed in. */
async function arrived(email = address(), provider = "oidc") {
  const one = browser(AUTH_URL_SOCIAL);
  const call = one.auth.signIn.social({ provider, loginHint: email, ...places });
  const { url, redirect } = await good(call);
  assert.equal(redirect, true);
  return { ...one, email, end: await follow(one, url) };
}

const accounts = async ({ auth }) => await good(auth.listAccounts());
const account = async (one, provider = "oidc") =>
  (await accounts(one)).find(({ providerId }) => providerId === provider);

for (const provider of ["oidc", "plain"])
  test(`signIn.social with ${provider}`, async () => {
    const one = await arrived(address(), provider);
    assert.equal(one.end, "/new");
    const { user } = await current(one);
    assert.deepEqual([user.email, user.name, user.emailVerified], [one.email, "Ada", true]);
    assert.deepEqual([...one.jar.cookies.keys()], ["better-auth.session_token"]);
    const again = await arrived(one.email, provider);
    assert.equal(again.end, "/in");
    assert.equal((await current(again)).user.id, user.id);
    const [{ providerId, accountId, scopes }, ...more] = await accounts(one);
    assert.deepEqual([providerId, accountId, more], [provider, one.email, []]);
    assert.deepEqual(scopes, ["openid", "email"]);
  });

test("signIn.social, and the user does not want to", async () => {
  const one = browser(AUTH_URL_SOCIAL);
  const { url, redirect } = await good(
    one.auth.signIn.social({ provider: "oidc", disableRedirect: true, ...places }),
  );
  assert.equal(redirect, false);
  assert.equal(one.seen.response.headers.get("location"), null);
  assert.equal(await follow(one, url), "/oops?error=access_denied");
  assert.equal(await current(one), null);
});

test("signIn.social in two tabs", async () => {
  const [one, email] = [browser(AUTH_URL_SOCIAL), address()];
  const begin = () => one.auth.signIn.social({ provider: "oidc", loginHint: email, ...places });
  const [first, second] = [await good(begin()), await good(begin())];
  assert.equal(await follow(one, second.url), "/new");
  assert.equal(await follow(one, first.url), "/in");
  assert.equal((await current(one)).user.email, email);
});

test("signIn.social with an ID token", async () => {
  const one = await arrived();
  const { idToken } = await good(
    one.auth.getAccessToken({ accountId: (await account(one)).id }),
  );
  const device = browser(AUTH_URL_SOCIAL);
  const given = { provider: "oidc", idToken: { token: idToken } };
  const { user, token, redirect } = await good(device.auth.signIn.social(given));
  assert.deepEqual([user.email, redirect], [one.email, false]);
  assert.equal((await current(device)).session.token, token);
  const forged = { provider: "oidc", idToken: { token: `${idToken}x` } };
  await bad(device.auth.signIn.social(forged), 401, "INVALID_TOKEN");
  const opaque = { provider: "plain", idToken: { token: "x" } };
  await bad(device.auth.signIn.social(opaque), 404, "ID_TOKEN_NOT_SUPPORTED");
});

test("signIn.social is refused", async () => {
  const { auth } = browser(AUTH_URL_SOCIAL);
  await bad(auth.signIn.social({ provider: "nobody" }), 404, "PROVIDER_NOT_FOUND");
  const away = { provider: "oidc", callbackURL: "https://evil.example" };
  await bad(auth.signIn.social(away), 403, "INVALID_CALLBACK_URL");
  await bad(auth.linkSocial({ provider: "oidc" }), 401, "UNAUTHORIZED");
  // somebody has registered the address and never shown that it is theirs
  const { email } = await signedUp({}, AUTH_URL_SOCIAL);
  assert.equal((await arrived(email)).end, "/oops?error=account_not_linked");
});

test("linkSocial and unlinkAccount", async () => {
  const one = await signedUp({}, AUTH_URL_SOCIAL);
  const begin = (provider, loginHint = one.email) =>
    good(one.auth.linkSocial({ provider, loginHint, ...places }));
  for (const provider of ["oidc", "plain"])
    assert.equal(await follow(one, (await begin(provider)).url), "/in");
  const ids = (await accounts(one)).map(({ providerId }) => providerId).sort();
  assert.deepEqual(ids, ["credential", "oidc", "plain"]);
  const other = await begin("oidc", address());
  assert.equal(await follow(one, other.url), "/oops?error=email_does_not_match");
  const { id } = await account(one);
  assert.deepEqual(await good(one.auth.unlinkAccount({ accountId: id })), { status: true });
  await bad(one.auth.unlinkAccount({ accountId: id }), 400, "ACCOUNT_NOT_FOUND");
  assert.equal(await account(one), undefined);
});

test("linkSocial with an ID token", async () => {
  const from = await arrived();
  const { idToken } = await good(
    from.auth.getAccessToken({ accountId: (await account(from)).id }),
  );
  const given = { provider: "oidc", idToken: { token: idToken } };
  const stranger = await signedUp({}, AUTH_URL_SOCIAL);
  const taken = stranger.auth.linkSocial(given);
  await bad(taken, 409, "SOCIAL_ACCOUNT_ALREADY_LINKED");
  const { status } = await good(from.auth.linkSocial(given));
  assert.equal(status, true);
});

test("getAccessToken, refreshToken and accountInfo", async () => {
  for (const provider of ["oidc", "plain"]) {
    const one = await arrived(address(), provider);
    const accountId = (await account(one, provider)).id;
    const before = await good(one.auth.getAccessToken({ accountId }));
    assert.match(before.accessToken, /^[A-Za-z0-9]{32}$/);
    assert.ok(before.accessTokenExpiresAt > new Date());
    assert.deepEqual(before.scopes, ["openid", "email"]);
    const info = await good(one.auth.accountInfo({ query: { accountId } }));
    assert.deepEqual([info.user.email, info.account.id], [one.email, accountId]);
    assert.equal(info.data.email, one.email);
    const renewed = await good(one.auth.refreshToken({ accountId }));
    assert.notEqual(renewed.accessToken, before.accessToken);
    assert.deepEqual([renewed.providerId, renewed.accountId], [provider, accountId]);
    const after = await good(one.auth.getAccessToken({ accountId }));
    assert.equal(after.accessToken, renewed.accessToken);
    // the provider refuses the next one
    const code = "FAILED_TO_REFRESH_ACCESS_TOKEN";
    await bad(one.auth.refreshToken({ accountId }), 400, code);
    const stranger = await arrived();
    await bad(stranger.auth.getAccessToken({ accountId }), 400, "ACCOUNT_NOT_FOUND");
    await bad(browser(AUTH_URL_SOCIAL).auth.getAccessToken({ accountId }), 401, undefined);
  }
});

test("signOut ends the provider's session, too", async () => {
  const one = await arrived();
  const { success, url, redirect } = await good(one.auth.signOut());
  assert.deepEqual([success, redirect], [true, true]);
  const { pathname, searchParams } = new URL(url);
  assert.equal(pathname, "/oidc/logout");
  assert.match(searchParams.get("id_token_hint"), /^eyJ/);
  assert.equal(await current(one), null);
  const other = await arrived(address(), "plain");
  assert.deepEqual(await good(other.auth.signOut()), { success: true });
});

for (const provider of ["post", "basic"])
  test(`every call with oidc-provider as ${provider}`, async () => {
    const one = await arrived(address(), provider);
    assert.equal(one.end, "/new");
    const { user } = await current(one);
    assert.deepEqual([user.email, user.emailVerified], [one.email, true]);
    assert.equal((await arrived(one.email, provider)).end, "/in");
    const { id: accountId, scopes } = await account(one, provider);
    assert.ok(scopes.includes("offline_access"));
    const before = await good(one.auth.getAccessToken({ accountId }));
    const info = await good(one.auth.accountInfo({ query: { accountId } }));
    assert.deepEqual([info.user.email, info.account.accountId], [one.email, one.email]);
    const renewed = await good(one.auth.refreshToken({ accountId }));
    assert.notEqual(renewed.accessToken, before.accessToken);
    const again = await good(one.auth.refreshToken({ accountId }));
    assert.notEqual(again.refreshToken, renewed.refreshToken); // each is good once
    const other = await signedUp({}, AUTH_URL_SOCIAL);
    const call = other.auth.linkSocial({ provider, loginHint: other.email, ...places });
    assert.equal(await follow(other, (await good(call)).url), "/in");
    const linked = await account(other, provider);
    await good(other.auth.unlinkAccount({ accountId: linked.id }));
    const { url } = await good(one.auth.signOut());
    assert.match(url, /^http:\/\/localhost:\d+\/session\/end\?id_token_hint=eyJ/);
  });

after(() => console.log(`calls ${sent.calls}`));
