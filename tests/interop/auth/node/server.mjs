// A real Better Auth server on Gatepost's tables: what Gatepost's auth API is compared with.
//
// DATABASE_URL is its database, PORT a port of 127.0.0.1, SECRET its secret, MAIL_FILE where mails
// go, one JSON object a line. MAILS lists the mails it can send, OPTIONS is a JSON object of Better
// Auth's options, laid over those below, and JWT and ADMIN, where they are given, one of these plugins'.
// GENERIC_PROVIDERS is the list of the genericOAuth plugin's providers, and HTTPS_PROXY, where it is
// given, the proxy through which all providers are asked.
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { toNodeHandler } from "better-auth/node";
import { admin, bearer, genericOAuth, jwt } from "better-auth/plugins";
import defu from "defu";
import pg from "pg";

const { ADMIN, DATABASE_URL, GENERIC_PROVIDERS, HTTPS_PROXY, JWT, MAIL_FILE, MAILS, OPTIONS, PORT, SECRET } =
  process.env;
const times = { createdAt: "created_at", updatedAt: "updated_at" };

if (HTTPS_PROXY) {
  const { EnvHttpProxyAgent, setGlobalDispatcher } = await import("undici");
  setGlobalDispatcher(new EnvHttpProxyAgent());
}
const generic = JSON.parse(GENERIC_PROVIDERS);

// the sender of one kind of mail, where MAILS names it
const sender = (option, kind) =>
  MAILS.split(",").includes(kind)
    ? {
        [option]: async ({ user, url, token }) =>
          appendFileSync(
            MAIL_FILE,
            `${JSON.stringify({ kind, email: user.email, userId: user.id, url, token })}\n`,
          ),
      }
    : {};

const keys = {
  schema: {
    jwks: {
      modelName: "jwks",
      fields: {
        publicKey: "public_key",
        privateKey: "private_key",
        createdAt: "created_at",
        expiresAt: "expires_at",
      },
    },
  },
};

const roles = {
  schema: {
    user: { fields: { banReason: "ban_reason", banExpires: "ban_expires" } },
    session: { fields: { impersonatedBy: "impersonated_by" } },
  },
};

const options = defu(JSON.parse(OPTIONS), {
  secret: SECRET,
  telemetry: { enabled: false },
  logger: { level: "error" },
  advanced: { database: { generateId: "uuid" } },
  user: {
    modelName: "users",
    fields: { emailVerified: "email_verified", ...times },
    deleteUser: sender("sendDeleteAccountVerification", "delete-account"),
  },
  session: {
    modelName: "sessions",
    fields: {
      userId: "user_id",
      expiresAt: "expires_at",
      ipAddress: "ip_address",
      userAgent: "user_agent",
      ...times,
    },
  },
  account: {
    modelName: "accounts",
    fields: {
      userId: "user_id",
      accountId: "account_id",
      providerId: "provider_id",
      accessToken: "access_token",
      refreshToken: "refresh_token",
      idToken: "id_token",
      accessTokenExpiresAt: "access_token_expires_at",
      refreshTokenExpiresAt: "refresh_token_expires_at",
      ...times,
    },
  },
  verification: {
    modelName: "verifications",
    fields: { expiresAt: "expires_at", ...times },
  },
  rateLimit: {
    enabled: false,
    modelName: "rate_limits",
    fields: { lastRequest: "last_request" },
  },
  emailAndPassword: { enabled: true, ...sender("sendResetPassword", "reset-password") },
  emailVerification: sender("sendVerificationEmail", "verify-email"),
  plugins: [
    bearer({ requireSignature: true }),
    ...(JWT ? [jwt({ ...keys, ...JSON.parse(JWT) })] : []),
    ...(ADMIN ? [admin({ ...roles, ...JSON.parse(ADMIN) })] : []),
    ...(generic.length > 0 ? [genericOAuth({ config: generic })] : []),
  ],
});

const pool = new pg.Pool({ connectionString: DATABASE_URL });
const handler = toNodeHandler(betterAuth({ ...options, database: pool }));
createServer(handler).listen(Number(PORT), "127.0.0.1");
