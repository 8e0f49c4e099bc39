"use strict";
// A form with data-api asks this path of the auth API with its fields as JSON. Its method is post, so
// that without this script no field gets into an address.
//   data-next       where to go when it worked; without it the screen is loaded again
//   data-stay       neither of them
//   data-follow     the field of the answer that says where to go
//   data-done       what is said when it worked
//   data-type       the text to type before it is done, asked for by the input named "confirmation"
//   data-anonymous  without the session
// An input named "data.name" is the field "name" of the object "data". One with data-type="number",
// "boolean" or "list" (of texts, with commas) is sent as that, and an empty one not at all, unless it
// has data-keep; then an empty number is null.
//
// A form with data-search puts what its address shows, with its fields, in the place of the element
// of this id as one types, and says its data-said in the element "said".

const problem = document.getElementById("problem");
const done = document.getElementById("done");
const LATER = "gatepost-done";

const show = (text) => {
  problem.textContent = text;
  problem.hidden = false;
  problem.scrollIntoView({ block: "nearest" });
};

const say = (text) => {
  done.textContent = text;
  done.scrollIntoView({ block: "nearest" });
};

const value = (field) => {
  switch (field.dataset.type) {
    case "number": return field.value === "" ? null : Number(field.value);
    case "boolean": return field.value === "true";
    case "list": return field.value.split(",").map((each) => each.trim());
    default: return field.value;
  }
};

const read = (form) => {
  const given = {};
  for (const field of form.elements) {
    if (!field.name || field.name === "confirmation") continue;
    if (field.value === "" && field.dataset.keep === undefined) continue;
    const path = field.name.split(".");
    const last = path.pop();
    const place = path.reduce((object, name) => (object[name] ??= {}), given);
    place[last] = field.type === "checkbox" ? field.checked : value(field);
  }
  return given;
};

const ask = async (form, button) => {
  const { api, next, follow, type, stay, anonymous } = form.dataset;
  if (type !== undefined && form.elements.confirmation.value !== type) {
    show(`Type ${type} to confirm.`);
    return;
  }
  problem.hidden = true;
  done.textContent = "";
  button.disabled = true;
  try {
    const response = await fetch(`/api/auth${api}`, {
      method: "POST",
      credentials: anonymous === undefined ? "same-origin" : "omit",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(read(form)),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    const answer = text ? JSON.parse(text) : null;
    if (response.status === 401 && text === "") {
      show("Your session has ended. Load this page again to sign in.");
    } else if (!response.ok) {
      show(answer?.message ?? `The service answered ${response.status}.`);
    } else if (stay !== undefined) {
      say(form.dataset.done);
    } else {
      if (form.dataset.done) sessionStorage.setItem(LATER, form.dataset.done);
      if (follow) location.assign(answer[follow]);
      else if (next) location.assign(next);
      else location.reload();
    }
  } catch {
    show("The service does not answer.");
  } finally {
    button.disabled = false;
  }
};

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.api === undefined) return;
  event.preventDefault();
  ask(form, event.submitter ?? form.querySelector("button"));
});

// said after the text is there, or a screen reader keeps silent
const later = sessionStorage.getItem(LATER);
sessionStorage.removeItem(LATER);
if (later) setTimeout(() => say(later));

// A Document comes of a request without a sink of Trusted Types, and runs no script.
const load = (url, signal) => new Promise((resolve, reject) => {
  const request = new XMLHttpRequest();
  request.responseType = "document";
  request.open("GET", url);
  request.onload = () => resolve(request);
  request.onerror = reject;
  signal.addEventListener("abort", () => request.abort());
  request.send();
});

const search = (form) => {
  const found = document.getElementById(form.dataset.search);
  const said = document.getElementById("said");
  let waiting;
  let asked = new AbortController();
  let current = new URLSearchParams(new FormData(form)).toString();

  const look = async () => {
    const query = new URLSearchParams(new FormData(form)).toString();
    if (query === current) return;
    current = query;
    asked.abort();
    asked = new AbortController();
    const url = new URL(form.action);
    url.search = query;
    try {
      const { response, responseURL } = await load(url, asked.signal);
      const news = response?.getElementById(found.id);
      if (!news || new URL(responseURL).pathname !== url.pathname) {
        location.assign(url);
        return;
      }
      found.replaceChildren(...document.importNode(news, true).childNodes);
      said.textContent = news.dataset.said;
      problem.hidden = true;
      history.replaceState(null, "", url);
    } catch {
      show("The service does not answer.");
    }
  };

  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(look, 150);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    look();
  });
};

for (const form of document.querySelectorAll("form[data-search]")) search(form);
