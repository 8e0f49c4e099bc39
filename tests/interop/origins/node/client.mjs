// Uses a client of docs/ORIGINS.md, CLIENT, in Node. https://auth.example.com is the service at SERVICE.
// Prints a line of JSON: the cookies of each request, and what the calls gave.
const { CLIENT, SERVICE } = process.env;
const ann = { name: "Ann", email: "ann@example.com", password: "correct horse" };
const send = globalThis.fetch;
const requests = [];
let set = "";

globalThis.fetch = async (url, init) => {
  const headers = Object.fromEntries(new Headers(init?.headers));
  requests.push(headers);
  const response = await send(String(url).replace("https://auth.example.com", SERVICE), init);
  set ||= response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  return response;
};

const { auth } = await import(CLIENT);
// an app keeps its cookies; a server has those of its visitors, and passes them on
const withCookie = () => (CLIENT.includes("expo") ? {} : { headers: { cookie: set } });
const signedUp = await auth.signUp.email(ann);
const changed = await auth.updateUser({ name: "Ann B.", fetchOptions: withCookie() });
const session = await auth.getSession({ fetchOptions: withCookie() });
const signedOut = await auth.signOut({ fetchOptions: withCookie() });
const after = await auth.getSession({ fetchOptions: withCookie() });
console.log(JSON.stringify({ requests, signedUp, changed, session, signedOut, after }));
process.exit();
