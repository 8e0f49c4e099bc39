// The page's script: esbuild puts it and Better Auth's client into one file, static/client.js.
import { createAuthClient } from "better-auth/client";

const auth = createAuthClient({ baseURL: document.body.dataset.gatepost });
const element = (id) => document.getElementById(id);
const say = (text) => {
  element("greeting").textContent = text;
};

const names = { credential: "Password", github: "GitHub", google: "Google" };
const nameOf = (provider) => names[provider] ?? `the ${provider} provider`;
const providers = document.body.dataset.providers.split(",").filter(Boolean);

/** Buttons that lead to the providers; both ends lead back here. */
const buttons = (verb, begin) =>
  providers.map((provider) => {
    const button = document.createElement("button");
    button.textContent = `${verb} ${nameOf(provider)}`;
    button.addEventListener("click", async () => {
      const here = location.origin + location.pathname;
      const { error } = await begin({ provider, callbackURL: here, errorCallbackURL: here });
      if (error) say(error.message);
    });
    return button;
  });
element("providers").append(...buttons("Sign in with", auth.signIn.social));
element("links").append(...buttons("Link", auth.linkSocial));

const item = (text, label, action) => {
  const [line, span] = [document.createElement("li"), document.createElement("span")];
  span.textContent = text;
  line.append(span);
  if (label) {
    const button = document.createElement("button");
    button.textContent = label;
    button.addEventListener("click", action);
    line.append(button);
  }
  return line;
};

const show = async () => {
  const { data } = await auth.getSession();
  element("sign").hidden = element("providers").hidden = Boolean(data);
  element("inside").hidden = !data;
  say((await (await fetch("/greeting")).json()).text);
  if (!data) return;
  const notes = await (await fetch("/notes")).json();
  element("notes").replaceChildren(...notes.map((text) => item(text)));
  const accounts = (await auth.listAccounts()).data ?? [];
  element("accounts").replaceChildren(
    ...accounts.map(({ id, providerId }) => {
      if (accounts.length === 1) return item(nameOf(providerId));
      return item(nameOf(providerId), "Unlink", async () => {
        const { error } = await auth.unlinkAccount({ accountId: id });
        if (error) return say(error.message);
        await show();
      });
    }),
  );
  const devices = (await auth.listSessions()).data ?? [];
  element("devices").replaceChildren(
    ...devices.map(({ token, userAgent }) => {
      if (token === data.session.token) return item(`${userAgent} (this one)`);
      return item(userAgent, "End", async () => {
        await auth.revokeSession({ token });
        await show();
      });
    }),
  );
};

element("sign").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { email, password } = Object.fromEntries(new FormData(event.target));
  const { error } =
    event.submitter.value === "up"
      ? await auth.signUp.email({ email, password, name: email.split("@")[0] })
      : await auth.signIn.email({ email, password });
  if (error) return say(error.message);
  await show();
});
element("write").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify(Object.fromEntries(new FormData(event.target)));
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("/notes", { method: "POST", headers, body });
  event.target.reset();
  if (!answer.ok) return say((await answer.json()).detail);
  await show();
});
element("out").addEventListener("click", async () => {
  await auth.signOut({ disableRedirect: true }); // and stay signed in at the provider
  await show();
});
await show();
const failure = new URLSearchParams(location.search).get("error");
if (failure) say(`That did not work: ${failure.replaceAll("_", " ")}`);
