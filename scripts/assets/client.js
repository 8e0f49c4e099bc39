// What app/devserver/static/better-auth-client.js holds: the official client, as a page of an
// application imports it, and its version.

export { createAuthClient } from "better-auth/client";
export const version = VERSION;
