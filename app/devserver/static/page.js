// The page of the development server. What comes from people, such as names and user agents, is
// only ever set as text.

import { createAuthClient, version } from "./better-auth-client.js";

const auth = createAuthClient({ baseURL: location.origin });
const $ = (id) => document.getElementById(id);

/** An element with a class, and text or elements in it. */
function make(tag, className = "", ...content) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function setTime(element, date) {
  element.dateTime = new Date(date).toISOString();
  element.textContent = moment.format(new Date(date));
  return element;
}

const say = (text, failed = false) => {
  $("message").textContent = text;
  $("message").classList.toggle("failed", failed);
};

/** The data of a call of the client; what went wrong is said, and gives undefined. */
async function attempt(call) {
  try {
    const { data, error } = await call();
    if (!error) return data;
    say(error.message || `The answer was ${error.status} ${error.statusText}.`, true);
  } catch {
    say("The service does not answer. Does it still run?", true);
  }
  return undefined;
}

// ---- who is signed in ----

let shownSession = "";
let shownDevices = "";
let resetToken = null;

function showView(name) {
  for (const view of ["signed-out", "signed-in", "resetting"]) $(view).hidden = view !== name;
}

/** Ask who is signed in, and show it. */
async function showSession() {
  if (resetToken) return showView("resetting");
  const current = await attempt(() => auth.getSession());
  if (current === undefined) return undefined;
  if (!current) return showView("signed-out");
  const { session, user } = current;
  if (shownSession !== JSON.stringify(current)) {
    shownSession = JSON.stringify(current);
    $("user-name").textContent = `Signed in as ${user.name || user.email}`;
    $("user-email").textContent = user.email;
    $("user-verified").textContent = user.emailVerified ? "verified" : "not verified";
    $("user-verified").classList.toggle("good", user.emailVerified);
    $("verify").hidden = user.emailVerified;
    setTime($("session-ends"), session.expiresAt);
    const answer = { user, session: { ...session, token: `${session.token.slice(0, 4)}…` } };
    $("answer").textContent = JSON.stringify(answer, null, 2);
  }
  await Promise.all([showDevices(session), showAccounts()]);
  return showView("signed-in");
}

const BROWSERS = [
  [/\bEdg\//, "Edge"], [/\bOPR\//, "Opera"], [/\bFirefox\//, "Firefox"],
  [/\b(Headless)?Chrome\//, "Chrome"], [/\bSafari\//, "Safari"], [/^curl\//, "curl"],
];
const SYSTEMS = [
  [/\b(iPhone|iPad)\b/, "iOS"], [/\bAndroid\b/, "Android"], [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b/, "macOS"], [/\bLinux\b/, "Linux"],
];

/** What a person calls a user agent; one that is not known has its own name. */
function deviceName(agent) {
  const find = (list) => list.find(([pattern]) => pattern.test(agent))?.[1];
  const browser = find(BROWSERS);
  const system = find(SYSTEMS);
  if (!browser) return agent || "Unknown device";
  return system ? `${browser} on ${system}` : browser;
}

async function showDevices(current) {
  const sessions = await attempt(() => auth.listSessions());
  if (!sessions || shownDevices === JSON.stringify([sessions, current.token])) return;
  shownDevices = JSON.stringify([sessions, current.token]);
  const newestFirst = sessions.toSorted((a, b) => new Date(b.createdAt) - new Date(a.createdAt));
  $("devices").replaceChildren(...newestFirst.map((session) => device(session, current)));
}

function device(session, current) {
  const name = deviceName(session.userAgent ?? "");
  const own = session.token === current.token;
  const since = make("p", "hint", "since ", setTime(make("time"), session.createdAt));
  if (session.ipAddress) since.append(`, from ${session.ipAddress}`);
  const item = make("li", "item", make("div", "", make("strong", "", name), since));
  if (own) {
    item.append(make("span", "badge good", "this one"));
    return item;
  }
  const button = make("button", "", "End session", make("span", "visually-hidden", ` of ${name}`));
  button.type = "button";
  button.addEventListener("click", async () => {
    if (!(await attempt(() => auth.revokeSession({ token: session.token })))) return;
    say(`The session of ${name} has ended.`);
    await refresh();
    $("user-name").focus();
  });
  item.append(button);
  return item;
}

// ---- providers ----

let providers = [];
let accounts = [];

const providerName = (id) =>
  id === "credential" ? "Password" : (providers.find(([known]) => known === id)?.[1] ?? id);
const capitalized = (text) => text[0].toUpperCase() + text.slice(1);

/** A button for each provider; an error brings the browser back here, with ?provider=…&error=…. */
function providerButtons(id, label, begin) {
  const buttons = providers.map(([provider, name]) => {
    const button = make("button", "", label(name));
    button.type = "button";
    button.addEventListener("click", () => {
      const errorCallbackURL = `/?${new URLSearchParams({ provider })}`;
      return attempt(() => begin({ provider, callbackURL: "/?signed-in", errorCallbackURL }));
    });
    return make("li", "", button);
  });
  $(id).replaceChildren(...buttons);
}

function showProviders(state) {
  if (JSON.stringify(providers) === JSON.stringify(state.providers)) return;
  providers = state.providers;
  for (const part of document.querySelectorAll(".providers")) part.hidden = !providers.length;
  $("local-hint").hidden = !providers.some(([id]) => id === "local");
  providerButtons("sign-in-with", capitalized, auth.signIn.social);
  providerButtons("link-with", (name) => `Link ${name}`, auth.linkSocial);
  drawAccounts(); // the names of providers stand there, too, and either may come first
}

async function showAccounts() {
  const found = await attempt(() => auth.listAccounts());
  if (!found || JSON.stringify(found) === JSON.stringify(accounts)) return;
  accounts = found;
  drawAccounts();
}

function drawAccounts() {
  $("accounts").replaceChildren(...accounts.map(accountItem));
}

function accountItem(account) {
  const name = capitalized(providerName(account.providerId));
  const since = make("p", "hint", "since ", setTime(make("time"), account.createdAt));
  const item = make("li", "item", make("div", "", make("strong", "", name), since));
  if (accounts.length === 1) {
    item.append(make("span", "badge", "the only one"));
    return item;
  }
  const button = make("button", "", "Unlink", make("span", "visually-hidden", ` ${name}`));
  button.type = "button";
  button.addEventListener("click", async () => {
    if (!(await attempt(() => auth.unlinkAccount({ accountId: account.id })))) return;
    say(`${name} is unlinked.`);
    await refresh();
    $("user-name").focus();
  });
  item.append(button);
  return item;
}

// ---- the forms ----

const signsUp = () => document.querySelector("input[name=way]:checked").value === "up";

function showWay() {
  const up = signsUp();
  $("name-field").hidden = !up;
  $("name").required = up;
  $("password-hint").hidden = !up;
  $("password").autocomplete = up ? "new-password" : "current-password";
  $("sign-button").textContent = up ? "Sign up" : "Sign in";
  $("forgot").hidden = up;
}

function showWayIn() {
  document.querySelector("input[name=way][value=in]").checked = true;
  showWay();
}

/** Run a handler at an event, but not twice at once. */
function handle(id, event, handler) {
  let busy = false;
  $(id).addEventListener(event, async (happened) => {
    happened.preventDefault();
    if (busy) return;
    busy = true;
    say("");
    try {
      await handler();
    } finally {
      busy = false;
    }
  });
}

for (const input of document.querySelectorAll("input[name=way]")) {
  input.addEventListener("change", () => {
    say("");
    showWay();
  });
}

handle("sign", "submit", async () => {
  const [name, email, password] = ["name", "email", "password"].map((id) => $(id).value);
  const callbackURL = "/?verified";
  const done = await attempt(() =>
    signsUp()
      ? auth.signUp.email({ name, email, password, callbackURL })
      : auth.signIn.email({ email, password }),
  );
  await refresh({ mail: true });
  if (!done) return;
  $("password").value = "";
  if (done.token) {
    say(signsUp() ? "You are signed up, and signed in." : "You are signed in.");
    $("user-name").focus();
  } else {
    showWayIn();
    say("You are signed up. If a mail was sent, follow the link in it; then sign in.");
  }
});

handle("forgot", "click", async () => {
  if (!$("email").reportValidity()) return;
  const email = $("email").value;
  const sent = await attempt(() => auth.requestPasswordReset({ email, redirectTo: "/" }));
  if (!sent) return;
  say("If somebody has this address, a mail with a link was sent to it: see under Mails.");
  await refresh({ mail: true });
});

handle("reset", "submit", async () => {
  const newPassword = $("new-password").value;
  const done = await attempt(() => auth.resetPassword({ newPassword, token: resetToken }));
  if (!done) return;
  resetToken = null;
  $("new-password").value = "";
  showWayIn();
  say("The password is changed. Sign in with the new one.");
  await refresh({ mail: true });
  $("email").focus();
});

handle("cancel-reset", "click", async () => {
  resetToken = null;
  await showSession();
});

handle("verify", "click", async () => {
  const email = $("user-email").textContent;
  const callbackURL = "/?verified";
  if (!(await attempt(() => auth.sendVerificationEmail({ email, callbackURL })))) return;
  say("A mail was sent: follow the link in it, under Mails.");
  await refresh({ mail: true });
});

handle("sign-out", "click", async () => {
  // a provider would have the browser sign out there, too, and come back
  const stay = { callbackURL: "/?signed-out", disableRedirect: true };
  if (!(await attempt(() => auth.signOut(stay)))) return;
  showWayIn();
  say("You are signed out.");
  await refresh();
  $("email").focus();
});

// ---- what runs, and the mails ----

let shownMails = null;

function fact(term, description) {
  return make("div", "", make("dt", "", term), make("dd", "", description));
}

const number = ({ count, exact }) => `${exact ? "" : "about "}${count.toLocaleString()}`;

function showFacts({ address, database, python, version: own }) {
  const { applied, embedded, error, pending, place, sessions, users, version } = database;
  const facts = [fact("Gatepost", `${own}, on Python ${python}`)];
  if (error) {
    facts.push(fact("PostgreSQL", error));
  } else {
    const more = pending.length ? `; pending: ${pending.join(", ")}` : "";
    facts.push(
      fact("PostgreSQL", `${version}, ${embedded ? "its own" : "yours"}`),
      fact("Migrations", `${applied} applied${more}`),
      fact("Users", number(users)),
      fact("Sessions", number(sessions)),
    );
  }
  facts.push(
    fact("Address", make("code", "", address)),
    fact(embedded ? "Data folder" : "Database", make("code", "", place)),
  );
  $("facts").replaceChildren(...facts);
}

function showCommands({ address, commands, keyFile, keys }) {
  const lines = [
    'import { createAuthClient } from "better-auth/client";',
    "",
    `const auth = createAuthClient({ baseURL: "${address}" });`,
    "const { data } = await auth.getSession();",
  ];
  $("command-page").textContent = lines.join("\n");
  $("command-device").textContent = commands.auth;
  $("command-rest").textContent = commands.rest;
  $("command-tables").textContent = commands.tables;
  const names = make("strong", "", keys.join(", "));
  $("key-text").replaceChildren(
    ...(keyFile
      ? ["The key is called ", names, " and is in ", make("code", "", keyFile), "."]
      : ["Take one of your keys: ", names, "."]),
  );
}

function showMails({ mailFile, mails, mailsAreSent }) {
  if (shownMails === JSON.stringify(mails)) return;
  shownMails = JSON.stringify(mails);
  $("mails").replaceChildren(...mails.map(mailItem));
  const sent = mailsAreSent ? "They go to your mail server. " : "No mail leaves this machine. ";
  const kept = ["They are kept in ", make("code", "", mailFile), " and shown here, newest first."];
  $("mails-text").replaceChildren(
    sent,
    ...(mailFile ? kept : ["Set MAIL_FILE to see them here as well."]),
    mailFile && !mails.length ? " There is none yet." : "",
  );
}

function mailItem({ link, subject, text, to, url }) {
  const head = make("div", "", make("strong", "", subject), make("p", "hint", `to ${to}`));
  if (text) head.append(make("p", "", text));
  if (url && /^https?:/i.test(url)) {
    const anchor = make("a", "", link);
    anchor.href = url;
    head.append(make("p", "", anchor));
  }
  return make("li", "item", head);
}

function showLinks({ links }) {
  const known = [...$("links").querySelectorAll("a")].map((link) => link.getAttribute("href"));
  const fresh = links.filter(([path]) => !known.includes(path));
  const items = fresh.map(([path, text]) => {
    const anchor = make("a", "", path);
    anchor.href = path;
    return make("li", "", anchor, " ", make("span", "", text));
  });
  $("links").prepend(...items);
}

function showDocs({ docs }) {
  $("docs").textContent = docs;
  $("docs").closest("li").hidden = !docs;
}

function showOrigin({ address, baseUrl, signInHere }) {
  if (signInHere) return;
  $("trouble").textContent =
    `Sign-in does not work on this page: GATEPOST_BASE_URL is ${baseUrl}, and ${address} is not in ` +
    "GATEPOST_TRUSTED_ORIGINS.";
  $("trouble").hidden = false;
}

async function showState() {
  const response = await fetch("/dev/state");
  if (!response.ok) throw new Error(`${response.status}`);
  const state = await response.json();
  showFacts(state);
  showCommands(state);
  showMails(state);
  showProviders(state);
  showLinks(state);
  showDocs(state);
  showOrigin(state);
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Show everything as it is now. A mail is written after its answer, so it is waited for a while. */
async function refresh({ mail = false } = {}) {
  const before = shownMails;
  try {
    await Promise.all([showState(), showSession()]);
    for (let tries = 0; mail && shownMails === before && tries < 3; tries++) {
      await pause(150);
      await showState();
    }
  } catch {
    say("The service does not answer. Does it still run?", true);
  }
}

handle("refresh", "click", () => refresh());
window.addEventListener("focus", () => refresh());

// ---- copying ----

for (const block of document.querySelectorAll(".code[data-label]")) {
  const label = make("span", "", "Copy");
  const rest = make("span", "visually-hidden", ` ${block.dataset.label}`);
  const button = make("button", "copy", label, rest);
  button.type = "button";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("code").textContent);
    label.textContent = "Copied";
    await pause(1500);
    label.textContent = "Copy";
  });
  block.append(button);
}

// ---- the start ----

$("client-version").textContent = version;
const query = new URLSearchParams(location.search);
resetToken = query.get("token");
// the token is good once: it need not stay in the history
if (location.search) history.replaceState(null, "", location.pathname);
showWay();
await refresh();
if (query.has("verified")) say("The address is verified.");
if (query.has("signed-in") && shownSession) say("You are signed in.");
if (query.has("error")) {
  const text = query.get("error").replaceAll("_", " ");
  say(`${capitalized(providerName(query.get("provider")))} did not sign you in: ${text}.`, true);
}
if (resetToken) $("new-password").focus();
