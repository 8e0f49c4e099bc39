// Every few seconds the table gets what came after the last event, at its top, as the server has
// drawn it: a document that is parsed runs nothing, and nodes move from it into this one. Nothing
// else is touched, so the focus stays where it is. It stops while nobody sees the page.

const table = document.getElementById("events");
const body = table.tBodies[0];
const said = document.getElementById("live");
const pause = document.getElementById("pause");
const PERIOD = 5_000;
const MOST = 500; // rows; the oldest go
let timer;
let asking = false;
let missed = 0;

const wanted = () => {
  const url = new URL(location.href);
  url.searchParams.set("since", table.dataset.last);
  url.searchParams.delete("after");
  return url;
};

const ask = () => new Promise((resolve, reject) => {
  const request = new XMLHttpRequest();
  request.open("GET", wanted());
  request.responseType = "document";
  request.timeout = 20_000;
  request.onload = () => resolve(request);
  request.onerror = request.ontimeout = () => reject(new Error("no answer"));
  request.send();
});

const stop = (text) => {
  said.textContent = text;
  pause.hidden = true;
  clearTimeout(timer);
  timer = undefined;
};

const add = (rows) => {
  const top = body.firstElementChild;
  for (const row of rows) body.insertBefore(document.adoptNode(row), top);
  while (body.rows.length > MOST && !body.lastElementChild.contains(document.activeElement)) {
    body.lastElementChild.remove();
  }
};

const look = async () => {
  if (asking) return;
  asking = true;
  try {
    const { status, response } = await ask();
    const found = response?.querySelector("table[data-last]");
    if (status === 429 || status >= 500) throw new Error(`${status}`);
    if (!found) return stop("This page may see no more. Load it again to sign in.");
    missed = 0;
    if (found.dataset.full !== undefined) {
      return stop("Many events came at once. Load the page again to see the newest.");
    }
    table.dataset.last = found.dataset.last;
    const rows = [...found.tBodies[0].rows];
    add(rows);
    if (rows.length) said.textContent = rows.length === 1 ? "1 new event" : `${rows.length} new events`;
    else if (said.textContent.startsWith("The service")) said.textContent = "";
  } catch {
    missed += 1;
    if (missed === 2) said.textContent = "The service does not answer. It is asked again.";
  } finally {
    asking = false;
  }
  plan();
};

const isPaused = () => pause.getAttribute("aria-pressed") === "true";

const plan = () => {
  clearTimeout(timer);
  timer = undefined;
  if (pause.hidden || isPaused() || document.hidden) return;
  timer = setTimeout(look, Math.min(PERIOD * 2 ** Math.min(missed, 4), 60_000));
};

pause.hidden = false;
pause.addEventListener("click", () => {
  pause.setAttribute("aria-pressed", String(!isPaused()));
  plan();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden || isPaused() || pause.hidden) plan();
  else look();
});
plan();
