// The official client with adminClient, unchanged: every call of it. ../test_client.py starts the
// service that AUTH_URL names, and has made ADMIN_EMAIL an administrator of it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { adminClient } from "better-auth/client/plugins";
import { PASSWORD, address, bad, browser, current, good, sent, signedIn, signedUp } from "./browser.mjs";

const { ADMIN_EMAIL, AUTH_URL } = process.env;
const root = browser(AUTH_URL, [adminClient()]);
const { admin } = root.auth;

before(() => good(root.auth.signIn.email({ email: ADMIN_EMAIL, password: PASSWORD })));
after(() => console.log(`calls ${sent.calls}`));

describe("users", () => {
  test("are created with a role, changed and removed", async () => {
    const email = address();
    const { user } = await good(
      admin.createUser({ email, name: "Eve", password: PASSWORD, role: "user", data: { image: "i" } }),
    );
    assert.deepEqual([user.email, user.role, user.banned, user.image], [email, "user", false, "i"]);
    await bad(
      admin.createUser({ email, name: "Eve", password: PASSWORD }),
      400,
      "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL",
    );
    const changed = await good(admin.updateUser({ userId: user.id, data: { name: "Eve B." } }));
    assert.equal(changed.name, "Eve B.");
    const { user: promoted } = await good(admin.setRole({ userId: user.id, role: "admin" }));
    assert.equal(promoted.role, "admin");
    assert.equal((await good(admin.getUser({ query: { id: user.id } }))).role, "admin");
    assert.deepEqual(await good(admin.removeUser({ userId: user.id })), { success: true });
    await bad(admin.getUser({ query: { id: user.id } }), 404, "USER_NOT_FOUND");
  });

  test("are listed, searched and filtered", async () => {
    const mark = `m${process.pid}`;
    for (const name of ["a", "b", "c"])
      await good(admin.createUser({ email: address(), name: `${name} ${mark}`, data: {} }));
    const search = { searchValue: mark, searchField: "name", sortBy: "name" };
    const page = await good(admin.listUsers({ query: { ...search, limit: 2, offset: 1 } }));
    assert.deepEqual([page.total, page.limit, page.offset], [3, 2, 1]);
    assert.deepEqual(
      page.users.map((user) => user.name),
      [`b ${mark}`, `c ${mark}`],
    );
    assert.ok(page.users[0].createdAt instanceof Date);
    const filter = { filterField: "role", filterValue: "admin", filterOperator: "eq" };
    const { users } = await good(admin.listUsers({ query: { ...filter, sortDirection: "desc" } }));
    assert.ok(users.some((user) => user.email === ADMIN_EMAIL));
  });

  test("get a password that signs them in", async () => {
    const ada = await signedUp();
    const newPassword = "a better password";
    await good(admin.setUserPassword({ userId: ada.user.id, newPassword }));
    assert.equal(await current(ada), null);
    await good(browser().auth.signIn.email({ email: ada.email, password: newPassword }));
  });
});

describe("bans", () => {
  test("end sessions and refuse sign-in until they are lifted", async () => {
    const ada = await signedUp();
    const { user } = await good(
      admin.banUser({ userId: ada.user.id, banReason: "spam", banExpiresIn: 60 }),
    );
    assert.deepEqual([user.banned, user.banReason], [true, "spam"]);
    assert.ok(user.banExpires instanceof Date);
    assert.equal(await current(ada), null);
    const credentials = { email: ada.email, password: PASSWORD };
    await bad(browser().auth.signIn.email(credentials), 403, "BANNED_USER");
    await good(admin.unbanUser({ userId: ada.user.id }));
    await signedIn(ada);
  });
});

describe("sessions", () => {
  test("are listed and ended", async () => {
    const ada = await signedUp();
    const other = await signedIn(ada);
    const { sessions } = await good(admin.listUserSessions({ userId: ada.user.id }));
    assert.deepEqual(new Set(sessions.map((one) => one.token)), new Set([ada.token, other.token]));
    await good(admin.revokeUserSession({ sessionToken: ada.token }));
    assert.equal(await current(ada), null);
    assert.notEqual(await current(other), null);
    await good(admin.revokeUserSessions({ userId: ada.user.id }));
    assert.equal(await current(other), null);
  });

  test("are borrowed and given back", async () => {
    const ada = await signedUp();
    const { user } = await good(admin.impersonateUser({ userId: ada.user.id }));
    assert.equal(user.id, ada.user.id);
    const { session } = await current(root);
    assert.ok(session.impersonatedBy);
    await bad(admin.listUsers({ query: {} }), 403, "YOU_ARE_NOT_ALLOWED_TO_LIST_USERS");
    const back = await good(admin.stopImpersonating());
    assert.equal(back.user.email, ADMIN_EMAIL);
    assert.equal((await current(root)).user.email, ADMIN_EMAIL);
    assert.notEqual(await current(ada), null);
  });
});

describe("permissions", () => {
  test("are the role's, asked of the server and known to the client", async () => {
    const permissions = { user: ["ban"], session: ["revoke"] };
    assert.equal((await good(admin.hasPermission({ permissions }))).success, true);
    assert.equal(admin.checkRolePermission({ permissions, role: "user" }), false);
    const ada = browser(AUTH_URL, [adminClient()]);
    const body = { email: address(), name: "Ada", password: PASSWORD };
    await good(ada.auth.signUp.email(body));
    assert.equal((await good(ada.auth.admin.hasPermission({ permissions }))).success, false);
    const { user } = await current(ada);
    await bad(
      ada.auth.admin.setRole({ userId: user.id, role: "admin" }),
      403,
      "YOU_ARE_NOT_ALLOWED_TO_CHANGE_USERS_ROLE",
    );
  });
});
