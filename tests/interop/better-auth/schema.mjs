// What Better Auth thinks of the tables: its migrator's plan, and its answer to a first request,
// before which it checks them. Lies beside auth.mjs when it is run.
import { getMigrations } from "better-auth/db/migration";
import { auth } from "./auth.mjs";

const { runMigrations, compileMigrations, ...plan } = await getMigrations(auth.options);
const sql = await compileMigrations();
const request = new Request(`${process.env.BETTER_AUTH_URL}/api/auth/get-session`);
const answer = await auth.handler(request).then(
  ({ status }) => status,
  ({ code }) => code,
);
process.stdout.write(JSON.stringify({ plan, sql, answer }));
process.exit(0);
