// Better Auth's own adapter tests, with its Kysely adapter, on our tables.
//
// GATEPOST_AUTH is the module that docs/better-auth.md prints, DATABASE_URL a database that may be
// dropped and cloned again from GATEPOST_TEMPLATE, and GATEPOST_ADMIN_URL another on the server.
import { randomUUID } from "node:crypto";
import {
  authFlowTestSuite,
  caseInsensitiveTestSuite,
  joinsTestSuite,
  normalTestSuite,
  testAdapter,
  transactionsTestSuite,
  uuidTestSuite,
} from "@better-auth/test-utils/adapter";
import { deepmerge } from "@better-auth/core/db/adapter";
import { kyselyAdapter } from "@better-auth/kysely-adapter";
import { getMigrations } from "better-auth/db/migration";
import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";

const { DATABASE_URL, GATEPOST_ADMIN_URL, GATEPOST_AUTH, GATEPOST_TEMPLATE } = process.env;
const { database, ...printed } = (await import(/* @vite-ignore */ GATEPOST_AUTH)).auth.options;

const name = new URL(DATABASE_URL.replace("@/", "@localhost/")).pathname.slice(1);
let kysely;

const connect = () => {
  const pool = new pg.Pool({ connectionString: DATABASE_URL });
  kysely = new Kysely({ dialect: new PostgresDialect({ pool }) });
};

// Our migrations each time. On top comes what the test asks for: another name for the table of users
// or for its email (it stays our table, with its constraints), a plugin's table, a field more.
const runMigrations = async (options) => {
  await kysely.destroy();
  const admin = new pg.Client({ connectionString: GATEPOST_ADMIN_URL });
  await admin.connect();
  await admin.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
  await admin.query(`CREATE DATABASE "${name}" TEMPLATE "${GATEPOST_TEMPLATE}"`);
  await admin.end();
  connect();
  const { modelName, fields } = options.user;
  if (fields.email) {
    await sql`ALTER TABLE users RENAME COLUMN email TO ${sql.id(fields.email)}`.execute(kysely);
  }
  if (modelName !== "users") {
    await sql`ALTER TABLE users RENAME TO ${sql.id(modelName)}`.execute(kysely);
  }
  const { runMigrations: more } = await getMigrations({
    ...options,
    database: { db: kysely, type: "postgres" },
  });
  await more();
};

connect();
const { execute } = await testAdapter({
  adapter: () => (options) =>
    kyselyAdapter(kysely, { type: "postgres", transaction: true })(options),
  runMigrations,
  overrideBetterAuthOptions: (asked) => deepmerge(printed, asked),
  customIdGenerator: randomUUID,
  onFinish: () => kysely.destroy(),
  tests: [
    normalTestSuite(),
    transactionsTestSuite(),
    authFlowTestSuite(),
    joinsTestSuite(),
    uuidTestSuite(),
    caseInsensitiveTestSuite(),
  ],
});
execute();
