// The official JavaScript client of PostgREST (@supabase/postgrest-js), unchanged, on the REST
// API.
//
// Every test makes its calls through the client's own methods, on the few rows below, which are
// inserted through the client too. The same script in Python: ../test_postgrest_py.py, which also
// starts the service this one is given by its environment.
// What is expected is what PostgREST answers, or what docs/API.md says is ours.

import assert from "node:assert/strict";
import { afterEach, before, beforeEach, describe, test } from "node:test";
import { PostgrestClient, PostgrestError } from "@supabase/postgrest-js";

const { GATEPOST_URL, GATEPOST_KEY_ALL, GATEPOST_KEY_BACKEND, GATEPOST_KEY_READER } = process.env;

const id = (n) => `00000000-0000-4000-8000-0000000000${n}`;
const [ADA, BOB, CYD, DAN, EVE, GIL, HAL] = ["01", "02", "03", "04", "05", "a1", "a2"].map(id);
const NOBODY = id("ff");
const CYD_NAME = 'Cyd, "the (quoted) one"';
const NEVER = "2100-01-01T00:00:00Z";

const picture = (name) => `https://img.example.com/${name}.png`;

const person = (key, name, email, more = {}) => ({
  id: key,
  name,
  email,
  email_verified: false,
  image: null,
  ...more,
});

const device = (user, number, agent) => ({
  user_id: user,
  token: `token-number-${number}-`.padEnd(32, "x"),
  expires_at: NEVER,
  ip_address: `10.0.0.${number}`,
  user_agent: agent,
});

const PEOPLE = [
  person(ADA, "Ada Lovelace", "ada@example.com", { email_verified: true, image: picture("ada") }),
  person(BOB, "Bob Stone", "bob@example.com"),
  person(CYD, CYD_NAME, "cyd@example.org", { email_verified: true }),
  person(DAN, "Dan O'Neil_50%", "dan@example.org", { image: picture("dan") }),
  person(EVE, "Ève 🌍", "eve@example.net", { email_verified: true }),
].map((row, day) => ({ ...row, created_at: new Date(Date.UTC(2026, 0, day + 1, 9, 14, 0, 123)) }));

const DEVICES = [
  device(ADA, 1, "Firefox/140"),
  device(ADA, 2, "Safari/19"),
  device(ADA, 3, "Firefox/139"),
  device(BOB, 4, "Chrome/150"),
  device(CYD, 5, ""),
];

// The clients

const calls = new Set(); // the distinct requests
let last; // the last answer

async function countingFetch(url, init) {
  const { authorization, prefer, accept } = init.headers;
  calls.add(JSON.stringify([init.method, url, authorization, prefer, accept, init.body]));
  last = await fetch(url, init);
  return last;
}

const connect = (headers, options = {}) =>
  new PostgrestClient(GATEPOST_URL, { headers, fetch: countingFetch, ...options });
const bearer = (key) => ({ Authorization: `Bearer ${key}` });

const rest = connect(bearer(GATEPOST_KEY_ALL)); // every scope
const backend = connect(bearer(GATEPOST_KEY_BACKEND)); // read and write, no secrets
const reader = connect({ apikey: GATEPOST_KEY_READER });

/** The answer of a query that must succeed: { data, count, status }. */
const answer = (query) => query.throwOnError();

/** The rows of a query that must succeed. */
const rows = async (query) => (await answer(query)).data;

/** The people in the rows of a query, in their order: "ada bob". */
const who = async (query) =>
  (await rows(query)).map(({ email }) => email.split("@")[0]).join(" ");

/** The query must fail with this status and code; gives the error. */
async function refused(query, status, code) {
  const { error, data, status: got } = await query;
  assert.deepEqual([got, error?.code], [status, code], error?.message);
  assert.equal(data, null);
  assert.deepEqual(Object.keys(error).sort(), ["code", "details", "hint", "message"]);
  return error;
}

const users = (columns, options) => rest.from("users").select(columns, options);
const sessions = (columns, options) => rest.from("sessions").select(columns, options);

const guestNames = async () =>
  (await rows(users("name").like("email", "*@guests.example").order("email"))).map((r) => r.name);

/** Two more users, one with a session, around each test that writes. */
function withGuests() {
  beforeEach(async () => {
    const gil = person(GIL, "Gil", "gil@guests.example");
    const hal = person(HAL, "Hal", "hal@guests.example");
    await answer(rest.from("users").insert([gil, hal]));
    await answer(rest.from("sessions").insert(device(GIL, 9, "Opera/1")));
  });
  afterEach(() => answer(rest.from("users").delete().like("email", "*@guests.example")));
}

before(async () => {
  const filled = await answer(rest.from("users").insert(PEOPLE));
  assert.deepEqual([filled.status, filled.data], [201, null]);
  await answer(rest.from("sessions").insert(DEVICES));
});

describe("filters: each operator, alone and joined by logic", () => {
  const filters = {
    eq: [(q) => q.eq("name", "Bob Stone"), "bob"],
    "eq a boolean": [(q) => q.eq("email_verified", true), "ada cyd eve"],
    "eq a uuid": [(q) => q.eq("id", CYD), "cyd"],
    "eq is not trimmed or unquoted": [(q) => q.eq("name", CYD_NAME), "cyd"],
    "eq any script": [(q) => q.eq("name", "Ève 🌍"), "eve"],
    neq: [(q) => q.neq("email", "bob@example.com"), "ada cyd dan eve"],
    "neq leaves nulls out": [(q) => q.neq("image", picture("ada")), "dan"],
    gt: [(q) => q.gt("created_at", "2026-01-04T09:14:00.122Z"), "dan eve"],
    gte: [(q) => q.gte("email", "dan@example.org"), "dan eve"],
    lt: [(q) => q.lt("created_at", "2026-01-02T04:14:00.123-05:00"), "ada"],
    lte: [(q) => q.lte("email", "bob@example.com"), "ada bob"],
    "a range": [(q) => q.gt("email", "b").lt("email", "d"), "bob cyd"],
    "like with %": [(q) => q.like("name", "%Stone"), "bob"],
    "like with *": [(q) => q.like("email", "*@example.org"), "cyd dan"],
    "like minds case": [(q) => q.like("name", "ada*"), ""],
    "like escaped": [(q) => q.like("name", "%\\_50\\%"), "dan"],
    likeAllOf: [(q) => q.likeAllOf("name", ["A%", "%lace"]), "ada"],
    likeAnyOf: [(q) => q.likeAnyOf("name", ["Ada*", "Bob*"]), "ada bob"],
    ilike: [(q) => q.ilike("name", "%STONE"), "bob"],
    ilikeAllOf: [(q) => q.ilikeAllOf("name", ["a%", "%LACE"]), "ada"],
    ilikeAnyOf: [(q) => q.ilikeAnyOf("name", ["ADA*", "bob*"]), "ada bob"],
    regexMatch: [(q) => q.regexMatch("name", "^[AB]"), "ada bob"],
    regexIMatch: [(q) => q.regexIMatch("name", "^[ab].*E$"), "ada bob"],
    "is null": [(q) => q.is("image", null), "bob cyd eve"],
    "not is null": [(q) => q.not("image", "is", null), "ada dan"],
    "is not_null": [(q) => q.filter("image", "is", "not_null"), "ada dan"],
    "is true": [(q) => q.is("email_verified", true), "ada cyd eve"],
    "is false": [(q) => q.is("email_verified", false), "bob dan"],
    "is unknown": [(q) => q.filter("email_verified", "is", "unknown"), ""],
    in: [(q) => q.in("email", ["ada@example.com", "eve@example.net", "x@y.z"]), "ada eve"],
    "in with quotes": [(q) => q.in("name", ["Bob Stone", "Stone, Bob (the other)"]), "bob"],
    "in nothing": [(q) => q.in("email", []), ""],
    notIn: [(q) => q.notIn("id", [ADA, BOB, CYD]), "dan eve"],
    isDistinct: [(q) => q.isDistinct("image", picture("ada")), "bob cyd dan eve"],
    "not isdistinct": [(q) => q.not("image", "isdistinct", picture("ada")), "ada"],
    "eq(any)": [(q) => q.filter("id", "eq(any)", `{${ADA},${EVE}}`), "ada eve"],
    "gte(all)": [(q) => q.filter("email", "gte(all)", "{b,d}"), "dan eve"],
    "not like(any)": [(q) => q.not("email", "like(any)", "{*.com,*.net}"), "cyd dan"],
    match: [(q) => q.match({ email_verified: true, name: "Ada Lovelace" }), "ada"],
    or: [(q) => q.or("name.eq.Bob Stone,image.not.is.null"), "ada bob dan"],
    "or beside a filter": [
      (q) => q.eq("email_verified", true).or("email.like.a*,email.like.b*"),
      "ada",
    ],
    "or, nested": [
      (q) =>
        q.or(
          "and(email_verified.is.true,image.is.null)," +
            "and(email_verified.is.false,or(email.like.*.com,email.like.*.net))",
        ),
      "bob cyd eve",
    ],
    "or with not.and": [
      (q) => q.or(`id.eq.${ADA},not.and(email_verified.is.true,email.gt.a)`),
      "ada bob dan",
    ],
    "or with not.or": [(q) => q.or("not.or(email.like.a*,email_verified.is.false)"), "cyd eve"],
    "two ors": [(q) => q.or("email.lt.c,email.gt.e").or("image.is.null,email.gt.e"), "bob eve"],
    "or with a quoted value": [
      (q) => q.or('name.eq."Cyd, \\"the (quoted) one\\"",email.eq.nobody'),
      "cyd",
    ],
    "or with in and like(any)": [
      (q) => q.or(`id.in.(${ADA},${BOB}),email.like(any).{dan*,eve*}`),
      "ada bob dan eve",
    ],
  };
  for (const [name, [narrow, expected]] of Object.entries(filters)) {
    test(name, async () => {
      assert.equal(await who(narrow(users("email")).order("email")), expected);
    });
  }
});

describe("what is selected", () => {
  test("star is every column, in JSON types", async () => {
    const row = await rows(users().eq("id", EVE).single());
    const { updated_at, ...rest } = row;
    const standing = { role: null, banned: false, ban_reason: null, ban_expires: null };
    const created_at = "2026-01-05T09:14:00.123+00:00";
    assert.deepEqual(rest, { ...PEOPLE[4], ...standing, created_at });
    assert.match(updated_at, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?\+00:00$/);
  });

  test("alias and cast", async () => {
    const query = users("key: id, who: name, checked: email_verified::text").eq("id", ADA);
    assert.deepEqual(await rows(query), [{ key: ADA, who: "Ada Lovelace", checked: "true" }]);
  });

  test("order puts nulls where told", async () => {
    const first = users("email").is("email_verified", true).order("image", { nullsFirst: true });
    assert.equal(await who(first.order("email", { ascending: false })), "eve cyd ada");
    const end = users("email").order("image", { ascending: false, nullsFirst: false });
    assert.equal(await who(end.order("email")), "dan ada bob cyd eve");
  });

  test("nulls stripped", async () => {
    const two = users("name,image").in("id", [BOB, DAN]).order("email").stripNulls();
    assert.deepEqual(await rows(two), [
      { name: "Bob Stone" },
      { name: "Dan O'Neil_50%", image: picture("dan") },
    ]);
    const one = users("name,image").eq("id", BOB).single().stripNulls();
    assert.deepEqual(await rows(one), { name: "Bob Stone" });
  });

  test("csv", async () => {
    const verified = users("email,email_verified,image").in("id", [ADA, CYD]);
    const lines = (await rows(verified.order("email").csv())).trimEnd().split("\n");
    assert.deepEqual(lines, [
      "email,email_verified,image",
      `ada@example.com,t,${picture("ada")}`,
      "cyd@example.org,t,",
    ]);
    const name = (await rows(users("name").eq("id", CYD).csv())).trimEnd();
    assert.equal(name, 'name\n"Cyd, ""the (quoted) one"""');
    assert.equal(last.headers.get("content-type"), "text/csv; charset=utf-8");
  });

  test("single", async () => {
    const query = users("email").eq("id", ADA).single();
    assert.deepEqual(await rows(query), { email: "ada@example.com" });
    assert.match(last.headers.get("content-type"), /^application\/vnd\.pgrst\.object\+json/);
  });

  test("maybeSingle", async () => {
    assert.equal(await rows(users("email").eq("id", NOBODY).maybeSingle()), null);
    const one = await rows(users("email").eq("id", BOB).maybeSingle());
    assert.deepEqual(one, { email: "bob@example.com" });
    const { error, status } = await users("email").maybeSingle();
    assert.deepEqual([status, error.code], [406, "PGRST116"]);
  });
});

describe("pages and counts", () => {
  for (const count of ["exact", "estimated"]) {
    test(`${count} count of a page`, async () => {
      const page = await answer(users("email", { count }).order("email").limit(2));
      assert.deepEqual([page.data.length, page.count, page.status], [2, 5, 206]);
      assert.equal(last.headers.get("content-range"), "0-1/5");
    });
  }

  test("planned count is the planner's", async () => {
    const { count } = await answer(users("email", { count: "planned" }).eq("id", ADA));
    assert.equal(count, 1); // a look-up by a unique key is planned as one row
  });

  test("pages follow each other", async () => {
    const pages = [];
    for (const start of [0, 2, 4]) {
      const page = users("email", { count: "exact" }).order("email").range(start, start + 1);
      pages.push(await who(page));
    }
    assert.deepEqual(pages, ["ada bob", "cyd dan", "eve"]);
    assert.equal(last.headers.get("content-range"), "4-4/5");
  });

  test("without a count the total is open", async () => {
    const page = await answer(users("email").order("email").range(3, 3));
    assert.deepEqual([page.data[0].email, page.count, page.status], ["dan@example.org", null, 200]);
    assert.equal(last.headers.get("content-range"), "3-3/*");
  });

  for (const [name, page] of [
    ["of no rows", (q) => q.limit(0)],
    ["at the very end", (q) => q.range(5, 9)],
  ]) {
    test(`a page ${name} is no error`, async () => {
      const { data, count, status } = await answer(page(users("email", { count: "exact" })));
      assert.deepEqual([data, count, status], [[], 5, 206]);
      assert.equal(last.headers.get("content-range"), "*/5");
    });
  }

  test("head counts without rows", async () => {
    const query = users("*", { count: "exact", head: true }).eq("email_verified", true);
    const { data, count, status } = await answer(query);
    assert.deepEqual([data, count, status], [null, 3, 200]);
  });

  test("range headers", async () => {
    const query = users("email", { count: "exact" }).order("email");
    query.setHeader("Range-Unit", "items").setHeader("Range", "1-2");
    assert.equal(await who(query), "bob cyd");
    assert.deepEqual([last.status, last.headers.get("content-range")], [206, "1-2/5"]);
  });
});

describe("embedding, along the foreign key in both directions", () => {
  const addresses = async (query) => (await rows(query)).sessions.map((s) => s.ip_address);

  test("to many", async () => {
    const query = users("email,sessions(ip_address,user_agent)")
      .lte("email", "bob@example.com")
      .order("email")
      .order("ip_address", { referencedTable: "sessions" });
    const embedded = (await rows(query)).map((row) => row.sessions);
    assert.deepEqual(embedded, [
      [
        { ip_address: "10.0.0.1", user_agent: "Firefox/140" },
        { ip_address: "10.0.0.2", user_agent: "Safari/19" },
        { ip_address: "10.0.0.3", user_agent: "Firefox/139" },
      ],
      [{ ip_address: "10.0.0.4", user_agent: "Chrome/150" }],
    ]);
  });

  test("to one", async () => {
    const query = sessions("ip_address,users(name,email_verified)").eq("ip_address", "10.0.0.4");
    assert.deepEqual(await rows(query), [
      { ip_address: "10.0.0.4", users: { name: "Bob Stone", email_verified: false } },
    ]);
  });

  for (const embed of [
    "owner:users(name)",
    "owner:users!sessions_user_id_fkey(name)",
    "owner:user_id(name)",
  ]) {
    test(`by alias and hint: ${embed}`, async () => {
      const query = sessions(embed).eq("ip_address", "10.0.0.4").single();
      assert.deepEqual(await rows(query), { owner: { name: "Bob Stone" } });
    });
  }

  test("there and back", async () => {
    const query = sessions("users(name,sessions(user_agent))")
      .eq("ip_address", "10.0.0.2")
      .order("user_agent", { ascending: false, referencedTable: "users.sessions" })
      .single();
    const { users: ada } = await rows(query);
    assert.equal(ada.name, "Ada Lovelace");
    const agents = ada.sessions.map((s) => s.user_agent);
    assert.deepEqual(agents, ["Safari/19", "Firefox/140", "Firefox/139"]);
  });

  test("nobody on the other side", async () => {
    const query = users("name,sessions(id)").eq("id", EVE).single();
    assert.deepEqual(await rows(query), { name: "Ève 🌍", sessions: [] });
  });

  test("inner keeps the rows that match", async () => {
    const query = users("email,sessions!inner(user_agent)");
    const [ada, ...others] = await rows(query.like("sessions.user_agent", "Firefox/*"));
    assert.deepEqual([ada.email, others], ["ada@example.com", []]);
    assert.deepEqual(ada.sessions.map((s) => s.user_agent).sort(), ["Firefox/139", "Firefox/140"]);
  });

  test("a filter on a left embed keeps every row", async () => {
    const query = users("email,sessions!left(user_agent)")
      .eq("sessions.user_agent", "Chrome/150")
      .order("email");
    assert.deepEqual((await rows(query)).map((row) => row.sessions.length), [0, 1, 0, 0, 0]);
  });

  test("filter by the other side", async () => {
    const query = sessions("ip_address,users!inner()").eq("users.email_verified", false);
    assert.deepEqual(await rows(query), [{ ip_address: "10.0.0.4" }]);
  });

  test("rows with or without an embed", async () => {
    const having = users("email,sessions()").not("sessions", "is", null).order("email");
    assert.equal(await who(having), "ada bob cyd");
    const lacking = users("email,sessions()").is("sessions", null).order("email");
    assert.deepEqual(await rows(lacking), [
      { email: "dan@example.org" },
      { email: "eve@example.net" },
    ]);
  });

  test("or across an embed", async () => {
    const query = users("email,sessions()").or("sessions.is.null,image.not.is.null");
    assert.equal(await who(query.order("email")), "ada dan eve");
  });

  test("or inside an embed", async () => {
    const either = "user_agent.eq.Safari/19,ip_address.eq.10.0.0.3";
    const query = users("sessions(ip_address)")
      .eq("id", ADA)
      .or(either, { referencedTable: "sessions" })
      .order("ip_address", { referencedTable: "sessions" });
    assert.deepEqual(await addresses(query.single()), ["10.0.0.2", "10.0.0.3"]);
  });

  test("the number of rows, and of embedded rows", async () => {
    assert.deepEqual(await rows(users("count()")), [{ count: 5 }]);
    const query = users("name, sessions(count)").in("id", [ADA, EVE]).order("email");
    assert.deepEqual((await rows(query)).map((row) => row.sessions), [
      [{ count: 3 }],
      [{ count: 0 }],
    ]);
    const verified = users("email_verified, count()").order("email_verified");
    assert.deepEqual(await rows(verified), [
      { email_verified: false, count: 2 },
      { email_verified: true, count: 3 },
    ]);
  });

  test("a page inside an embed", async () => {
    const newest = users("devices:sessions(ip_address)")
      .eq("id", ADA)
      .order("ip_address", { ascending: false, referencedTable: "devices" })
      .limit(1, { referencedTable: "devices" });
    assert.deepEqual(await rows(newest.single()), { devices: [{ ip_address: "10.0.0.3" }] });
    const middle = users("sessions(ip_address)")
      .eq("id", ADA)
      .order("ip_address", { referencedTable: "sessions" })
      .range(1, 2, { referencedTable: "sessions" });
    assert.deepEqual(await addresses(middle.single()), ["10.0.0.2", "10.0.0.3"]);
  });

  test("twice, by alias", async () => {
    const query = users("foxes:sessions(ip_address),others:sessions(ip_address)")
      .eq("id", ADA)
      .like("foxes.user_agent", "Firefox/*")
      .not("others.user_agent", "like", "Firefox/*")
      .order("ip_address", { referencedTable: "foxes" });
    assert.deepEqual(await rows(query.single()), {
      foxes: [{ ip_address: "10.0.0.1" }, { ip_address: "10.0.0.3" }],
      others: [{ ip_address: "10.0.0.2" }],
    });
  });

  test("order by the other side", async () => {
    const query = sessions("ip_address,users(email)")
      .order("users(email)", { ascending: false })
      .order("ip_address");
    const order = (await rows(query)).map((row) => row.ip_address.at(-1));
    assert.deepEqual(order, ["5", "4", "1", "2", "3"]);
  });

  test("spread to one", async () => {
    const query = sessions("ip_address,...users(owner:email)").eq("ip_address", "10.0.0.5");
    assert.deepEqual(await rows(query), [{ ip_address: "10.0.0.5", owner: "cyd@example.org" }]);
  });

  test("spread to many", async () => {
    const query = users("name,...sessions(addresses:ip_address)")
      .eq("id", ADA)
      .order("ip_address", { referencedTable: "sessions" });
    const [{ addresses }] = await rows(query);
    assert.deepEqual(addresses, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  });
});

describe("insert", () => {
  withGuests();
  const ivy = { name: "Ivy", email: "ivy@guests.example" };
  const jon = { name: "Jon", email: "jon@guests.example" };

  test("one, with defaults filled in", async () => {
    const { data, status } = await answer(rest.from("users").insert(ivy).select());
    const [row] = data;
    assert.equal(status, 201);
    assert.deepEqual(row, { ...row, ...ivy, email_verified: false, image: null });
    assert.match(row.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(row.created_at, row.updated_at);
  });

  test("one, nothing returned", async () => {
    const { data, status } = await answer(rest.from("users").insert(ivy));
    assert.deepEqual([data, status], [null, 201]);
    assert.deepEqual(await guestNames(), ["Gil", "Hal", "Ivy"]);
  });

  test("one, and where it is", async () => {
    const query = rest.from("users").insert({ ...ivy, id: NOBODY });
    await answer(query.setHeader("Prefer", "return=headers-only"));
    const location = last.headers.get("location");
    assert.match(location, new RegExp(`/users\\?id=eq\\.${NOBODY}$`));
  });

  test("in bulk, with a count", async () => {
    const many = Array.from({ length: 50 }, (_, n) => ({
      name: `Guest ${n}`,
      email: `${n}@guests.example`,
    }));
    const query = rest.from("users").insert(many, { count: "exact" }).select("name");
    const { data, count, status } = await answer(query);
    assert.deepEqual(data, many.map(({ name }) => ({ name })));
    assert.deepEqual([count, status], [50, 201]);
  });

  test("in bulk, of nothing", async () => {
    const { data, status } = await answer(rest.from("users").insert([]).select());
    assert.deepEqual([data, status], [[], 201]);
  });

  test("in bulk, what is missing is null or the default", async () => {
    const uneven = [{ ...ivy, email_verified: true }, jon];
    await refused(rest.from("users").insert(uneven), 400, "23502"); // email_verified of jon is null
    const query = rest.from("users").insert(uneven, { defaultToNull: false });
    const verified = await rows(query.select("email_verified"));
    assert.deepEqual(verified, [{ email_verified: true }, { email_verified: false }]);
  });

  test("and return an embed", async () => {
    const query = rest.from("sessions").insert(device(HAL, 8, "Edge/1"));
    const inserted = await rows(query.select("user_agent, users(name)").single());
    assert.deepEqual(inserted, { user_agent: "Edge/1", users: { name: "Hal" } });
  });

  test("a session without a token gets one", async () => {
    const two = [GIL, HAL].map((user_id) => ({ user_id, expires_at: NEVER }));
    const made = await rows(rest.from("sessions").insert(two).select("token,ip_address"));
    for (const { token, ip_address } of made) {
      assert.match(token, /^[A-Za-z0-9]{32}$/);
      assert.equal(ip_address, "");
    }
    assert.equal(new Set(made.map(({ token }) => token)).size, 2);
  });
});

describe("upsert", () => {
  withGuests();
  const ivy = { name: "Ivy", email: "ivy@guests.example" };

  test("merges by primary key", async () => {
    const query = rest.from("users").upsert(person(GIL, "Gil II", "gil@guests.example"));
    const { data, status } = await answer(query.select("name"));
    assert.deepEqual([data, status], [[{ name: "Gil II" }], 200]); // nothing was inserted
    assert.deepEqual(await guestNames(), ["Gil II", "Hal"]);
  });

  test("merges by another unique column", async () => {
    const two = [{ name: "Gil III", email: "gil@guests.example" }, ivy];
    const query = rest.from("users").upsert(two, { onConflict: "email" }).select("id,name");
    const { data, status } = await answer(query);
    assert.deepEqual([data[0], status], [{ id: GIL, name: "Gil III" }, 201]);
    assert.deepEqual(await guestNames(), ["Gil III", "Hal", "Ivy"]);
  });

  test("can ignore duplicates", async () => {
    const two = [{ name: "Other", email: "gil@guests.example" }, ivy];
    const options = { onConflict: "email", ignoreDuplicates: true, count: "exact" };
    const { data, count } = await answer(rest.from("users").upsert(two, options).select("name"));
    assert.deepEqual([data, count], [[{ name: "Ivy" }], 1]);
    assert.deepEqual(await guestNames(), ["Gil", "Hal", "Ivy"]);
  });
});

describe("update and delete", () => {
  withGuests();

  test("update by filter", async () => {
    const before = await rows(users().eq("id", GIL).single());
    const query = rest.from("users").update({ name: "Gilbert" }).eq("id", GIL).select();
    const { data, status } = await answer(query);
    const [after] = data;
    assert.equal(status, 200);
    assert.deepEqual(after, { ...before, name: "Gilbert", updated_at: after.updated_at });
    assert.ok(after.updated_at > before.updated_at);
  });

  test("update several, with a count", async () => {
    const query = rest
      .from("users")
      .update({ image: picture("guest") }, { count: "exact" })
      .like("email", "*@guests.example")
      .is("image", null);
    const { data, count } = await answer(query.select("image"));
    assert.deepEqual(data, [{ image: picture("guest") }, { image: picture("guest") }]);
    assert.equal(count, 2);
  });

  test("update to null, by logic", async () => {
    await answer(rest.from("users").update({ image: "x" }).in("id", [GIL, HAL]));
    const query = rest.from("users").update({ image: null }).or("name.eq.Gil,name.eq.Nobody");
    assert.deepEqual(await rows(query.select("name,image")), [{ name: "Gil", image: null }]);
  });

  test("update, nothing returned", async () => {
    const query = rest.from("users").update({ name: "G" }).eq("id", GIL);
    const { data, status } = await answer(query);
    assert.deepEqual([data, status, await guestNames()], [null, 204, ["G", "Hal"]]);
  });

  test("update of nothing", async () => {
    const { data, status } = await answer(rest.from("users").update({}).eq("id", GIL).select());
    assert.deepEqual([data, status], [[], 200]);
  });

  test("update of nobody", async () => {
    const query = rest.from("users").update({ name: "x" }).eq("id", NOBODY).select();
    const { data, status } = await answer(query);
    assert.deepEqual([data, status], [[], 200]);
  });

  test("delete ends the sessions of a user", async () => {
    const left = () => answer(sessions("id", { count: "exact", head: true }).eq("user_id", GIL));
    assert.equal((await left()).count, 1);
    const query = rest.from("users").delete().eq("id", GIL).select("email");
    assert.equal(await who(query), "gil");
    assert.equal(last.status, 200);
    assert.equal((await left()).count, 0);
  });

  test("delete, with a count", async () => {
    const query = rest.from("users").delete({ count: "exact" }).like("email", "*@guests.example");
    const { data, count, status } = await answer(query.gt("email", "h"));
    assert.deepEqual([data, count, status], [null, 1, 204]);
    assert.deepEqual(await guestNames(), ["Gil"]);
  });

  test("maxAffected", async () => {
    const everyone = rest.from("users").delete().like("email", "*@guests.example").maxAffected(1);
    await refused(everyone, 400, "PGRST124");
    assert.deepEqual(await guestNames(), ["Gil", "Hal"]);
    const one = rest.from("users").update({ name: "G" }).eq("id", GIL).maxAffected(1);
    assert.deepEqual(await rows(one.select("name")), [{ name: "G" }]);
    assert.match(last.headers.get("preference-applied"), /max-affected=1/);
  });

  test("a single write of several rows is undone", async () => {
    const both = rest.from("users").update({ name: "x" }).in("id", [GIL, HAL]).select().single();
    await refused(both, 406, "PGRST116");
    assert.deepEqual(await guestNames(), ["Gil", "Hal"]);
  });

  test("rollback", async () => {
    const query = rest.from("users").update({ name: "x" }).eq("id", GIL).select("name").rollback();
    assert.deepEqual(await rows(query), [{ name: "x" }]);
    assert.match(last.headers.get("preference-applied"), /tx=rollback/);
    assert.deepEqual(await guestNames(), ["Gil", "Hal"]);
  });

  test("a backend changes a session it cannot read", async () => {
    const made = { user_id: HAL, expires_at: NEVER };
    await refused(backend.from("sessions").insert(made), 403, "42501");
    await rows(rest.from("sessions").insert(made).select());
    const query = backend.from("sessions").update({ user_agent: "Other/1" }).eq("user_id", HAL);
    const [row] = await rows(query.select());
    assert.deepEqual([row.user_id, row.user_agent], [HAL, "Other/1"]);
    assert.ok(!("token" in row));
  });
});

describe("strict preferences", () => {
  test("an unknown one is refused", async () => {
    const query = users("email").eq("id", ADA).setHeader("Prefer", "handling=strict, colour=blue");
    assert.match((await refused(query, 400, "PGRST122")).details, /colour=blue/);
  });

  test("or ignored, when lenient", async () => {
    const query = users("email").eq("id", ADA).setHeader("Prefer", "handling=lenient, colour=blue");
    assert.equal(await who(query), "ada");
  });
});

describe("errors: status and code of each", () => {
  const table = (name) => rest.from(name);
  const errors = {
    "no such table": [() => table("pets").select(), 404, "PGRST205"],
    "no such function": [() => rest.rpc("hello"), 404, "PGRST202"],
    "no such schema": [() => rest.schema("private").from("users").select(), 406, "PGRST106"],
    "no such column": [() => users("colour"), 400, "42703"],
    "filter on no such column": [() => users("id").eq("colour", "blue"), 400, "42703"],
    "order by no such column": [() => users("id").order("colour"), 400, "42703"],
    "write to no such column": [() => table("users").insert([{ colour: 1 }]), 400, "PGRST204"],
    "update no such column": [
      () => table("users").update({ colour: 1 }).eq("id", ADA),
      400,
      "PGRST204",
    ],
    "no such relation": [() => users("id,pets(*)"), 400, "PGRST200"],
    "filter on no embed": [
      () => users("id").eq("sessions.ip_address", "10.0.0.1"),
      400,
      "PGRST108",
    ],
    "order by a to-many embed": [
      () => users("id,sessions(id)").order("sessions(ip_address)"),
      400,
      "PGRST118",
    ],
    "compare an embed": [() => users("id,sessions(id)").eq("sessions", 1), 400, "PGRST120"],
    "broken logic": [() => users("id").or("and(name.eq.x"), 400, "PGRST100"],
    "broken select": [() => users("id,sessions("), 400, "PGRST100"],
    "no such operator": [() => users("id").filter("name", "sounds", "bob"), 400, "PGRST100"],
    "is something else": [() => users("id").is("email_verified", "maybe"), 400, "PGRST100"],
    "not a uuid": [() => users("id").eq("id", "bob"), 400, "22P02"],
    "not a boolean": [() => users("id").eq("email_verified", "perhaps"), 400, "22P02"],
    "not a uuid in a body": [
      () => table("users").insert(person("bob", "", "x@guests.example")),
      400,
      "22P02",
    ],
    aggregate: [() => users("id.max()"), 400, "PGRST123"],
    "JSON path": [() => users("image->>size"), 400, "PGRST127"],
    "text search": [() => users("id").textSearch("name", "ada"), 400, "PGRST127"],
    "text search in a language": [
      () => users("id").textSearch("name", "ada", { type: "websearch", config: "english" }),
      400,
      "PGRST127",
    ],
    "array operator": [() => users("id").contains("name", ["ada"]), 400, "PGRST127"],
    "range operator": [() => users("id").rangeAdjacent("name", "[a,b)"), 400, "PGRST127"],
    "past the last page": [() => users("id", { count: "exact" }).range(10, 19), 416, "PGRST103"],
    "negative limit": [() => users("id").limit(-1), 416, "PGRST103"],
    "single of none": [() => users("id").eq("id", NOBODY).single(), 406, "PGRST116"],
    "single of several": [() => users("id").single(), 406, "PGRST116"],
    "query plan": [() => users("id").explain(), 406, "PGRST107"],
    GeoJSON: [() => users("id").geojson(), 406, "PGRST107"],
    unique: [() => table("users").insert({ name: "", email: "ada@example.com" }), 409, "23505"],
    "foreign key": [() => table("sessions").insert(device(NOBODY, 7, "")), 409, "23503"],
    "not null": [() => table("users").insert({ email: "x@guests.example" }), 400, "23502"],
    check: [() => table("users").insert({ name: "", email: "UPPER@X.ORG" }), 400, "23514"],
    "check of two columns": [
      () => table("sessions").insert({ ...device(ADA, 7, ""), expires_at: "1999-01-01T00:00:00Z" }),
      400,
      "23514",
    ],
    "conflict on no unique column": [
      () => table("users").upsert({ name: "", email: "x@y.zz" }, { onConflict: "name" }),
      400,
      "42P10",
    ],
    "delete without a filter": [() => table("users").delete(), 400, "21000"],
    "update without a filter": [() => table("users").update({ name: "x" }), 400, "21000"],
  };
  for (const [name, [call, status, code]] of Object.entries(errors)) {
    test(name, async () => {
      assert.ok((await refused(call(), status, code)).message);
    });
  }

  test("thrown, when asked for", async () => {
    const query = users("id").eq("id", "bob").throwOnError();
    await assert.rejects(async () => query, (error) => {
      assert.ok(error instanceof PostgrestError);
      assert.equal(error.code, "22P02");
      return true;
    });
  });

  test("of a HEAD request, in a header", async () => {
    const { status } = await users("colour", { head: true });
    assert.deepEqual([status, last.headers.get("proxy-status")], [400, "PostgREST; error=42703"]);
  });

  test("none changed a row", async () => {
    const columns = "id,name,email,email_verified,image";
    const expected = PEOPLE.map(({ created_at, ...row }) => row);
    assert.deepEqual(await rows(users(columns).order("email")), expected);
    const { count } = await answer(sessions("id", { count: "exact", head: true }));
    assert.equal(count, DEVICES.length);
  });
});

describe("keys and their scopes", () => {
  const forbidden = {
    "reader inserts": () => reader.from("users").insert(person(NOBODY, "", "x@y.zz")),
    "reader upserts": () => reader.from("users").upsert(person(ADA, "", "x@y.zz")),
    "reader updates": () => reader.from("users").update({ name: "" }).eq("id", ADA),
    "reader deletes": () => reader.from("users").delete().eq("id", ADA),
    "token selected": () => backend.from("sessions").select("id,token"),
    "token filtered": () => backend.from("sessions").select("id").like("token", "t*"),
    "token in logic": () => backend.from("sessions").select("id").or("token.gt.a"),
    "token ordered": () => backend.from("sessions").select("id").order("token"),
    "token embedded": () => backend.from("users").select("id,sessions(token)"),
    "token written": () => backend.from("sessions").insert(device(ADA, 7, "")),
    "token changed": () =>
      backend.from("sessions").update({ token: "t".repeat(32) }).eq("user_id", ADA),
  };
  for (const [name, call] of Object.entries(forbidden)) {
    test(`forbidden: ${name}`, () => refused(call(), 403, "42501"));
  }

  test("a reader reads", async () => {
    assert.equal(await who(reader.from("users").select("email").eq("id", ADA)), "ada");
  });

  test("no key and a wrong key", async () => {
    await refused(connect({}).from("users").select("id"), 401, "PGRST302");
    assert.match(last.headers.get("www-authenticate"), /^Bearer/);
    await refused(connect(bearer("wrong")).from("users").select("id"), 401, "PGRST301");
  });

  test("star leaves secrets out", async () => {
    const [row] = await rows(backend.from("sessions").select("*").eq("user_id", BOB));
    assert.ok(!("token" in row));
    const user = backend.from("users").select("sessions(*)").eq("id", BOB).single();
    assert.deepEqual(await rows(user), { sessions: [row] });
    const [full] = await rows(sessions("*").eq("user_id", BOB));
    assert.deepEqual(full, { ...row, token: DEVICES[3].token });
  });

  test("a refusal does not tell a secret", async () => {
    const query = backend.from("sessions").update({ ip_address: "1".repeat(46) });
    const error = await refused(query.eq("user_id", BOB), 400, "23514"); // the detail is the row
    assert.ok(!JSON.stringify(error).includes(DEVICES[3].token));
  });
});

describe("the description", () => {
  test("is OpenAPI, of the tables served", async () => {
    const { data, error } = await rest.getOpenApiSpec();
    assert.equal(error, null);
    assert.equal(data.swagger, "2.0");
    const served = ["accounts", "erasures", "events", "session_policies", "sessions", "users", "verifications"];
    assert.deepEqual(Object.keys(data.definitions).sort(), served);
    assert.ok(data.paths["/users"].get);
    const { email } = data.definitions.users.properties;
    assert.deepEqual([email.type, email.format], ["string", "text"]);
  });

  test("of a schema named by the client", async () => {
    const named = connect(bearer(GATEPOST_KEY_ALL), { schema: "public" });
    assert.equal(await who(named.from("users").select("email").eq("id", ADA)), "ada");
  });
});

test("the script makes at least 40 calls", (t) => {
  t.diagnostic(`distinct calls: ${calls.size}`);
  assert.ok(calls.size >= 40);
});
