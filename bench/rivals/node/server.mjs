// Better Auth on Gatepost's tables, with the options that docs/better-auth.md prints.
//
// DATABASE_URL, BETTER_AUTH_SECRET, BETTER_AUTH_URL and PORT say where and with what. COOKIE_CACHE
// and JOINS, each "on" or not, turn on what Better Auth's documentation recommends for speed.
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { toNodeHandler } from "better-auth/node";
import pg from "pg";

const { COOKIE_CACHE, DATABASE_URL, JOINS, PORT } = process.env;

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const named = (names) => Object.fromEntries(names.map((name) => [name, snake(name)]));
const table = (modelName, ...names) => ({
  modelName,
  fields: named([...names, "createdAt", "updatedAt"]),
});
const tokens = ["accessToken", "refreshToken", "idToken"];
const ends = ["accessTokenExpiresAt", "refreshTokenExpiresAt"];

const auth = betterAuth({
  database: new pg.Pool({ connectionString: DATABASE_URL }),
  advanced: { database: { generateId: "uuid", joins: JOINS === "on" } },
  user: table("users", "emailVerified"),
  session: {
    ...table("sessions", "userId", "expiresAt", "ipAddress", "userAgent"),
    cookieCache: { enabled: COOKIE_CACHE === "on" },
  },
  account: table("accounts", "userId", "accountId", "providerId", ...tokens, ...ends),
  verification: table("verifications", "expiresAt"),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: true, storage: "memory" },
  telemetry: { enabled: false },
  logger: { disabled: true },
});

createServer(toNodeHandler(auth)).listen(Number(PORT), "127.0.0.1");
