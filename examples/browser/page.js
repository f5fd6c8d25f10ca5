// page.js shows how a page uses novcomet.js. Your own page will do other things.

/* global NovComet */

const { endpoint = "", directory = "", events = "" } = document.body.dataset;
const longest = 100; // entries of the log
const example = '{"text":"hello"}';
const plausible = 1000; // ms: the longest latency that is shown before the clocks are compared
const quick = 2000; // ms: a publication that took longer to arrive is too inexact to compare the clocks

/** @type {(id: string) => HTMLElement} */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @type {(within: ParentNode, selector: string) => HTMLElement} */
const part = (within, selector) => /** @type {HTMLElement} */ (within.querySelector(selector));
/** @type {(id: string) => HTMLElement} */
const copyOf = (id) => /** @type {HTMLElement} */ (
  part(/** @type {HTMLTemplateElement} */ (element(id)).content, "li").cloneNode(true));

const choice = /** @type {HTMLSelectElement} */ (element("choice"));
const field = /** @type {HTMLInputElement} */ (element("name"));

/** @type {Map<string, HTMLElement>} */
const cards = new Map(); // id → its element
/** @typedef {{ id: string, text?: string, sent: number, answered?: boolean }} Publication */
/** @type {Publication[]} */
let sent = []; // this page's publications that have not arrived yet
/** @type {number | undefined} */
let ahead; // ms by which the server's clock is ahead of this machine's; undefined before they are compared
let retry = 0; // when the next attempt to connect begins, or 0

NovComet.init(endpoint);
NovComet.on("open", () => {
  state("connected", "Connected.");
  for (const id of cards.keys()) showLast(id);
});
NovComet.on("error", (error, seconds) => {
  state("lost", `No connection (${error.message}). No event is lost.`, Date.now() + seconds * 1000);
});
NovComet.on("close", () => state("stopped", "Stopped. Events published now arrive after the next start."));

const named = new URLSearchParams(location.hash.slice(1)).getAll("event");
for (const id of named.length ? named : events.split(",")) follow(id);
start();
setInterval(countDown, 250);

element("toggle").addEventListener("click", () =>
  document.body.dataset.state === "stopped" ? start() : NovComet.stop());

element("follow").addEventListener("submit", (submit) => {
  submit.preventDefault();
  follow(field.value.trim());
  remember();
  field.value = "";
});

choice.addEventListener("change", showLines);

for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", () => copy(/** @type {HTMLElement} */ (button)));
}

function start() {
  state("connecting", "Connecting …");
  NovComet.run();
}

/** @type {(name: string, words: string, next?: number) => void} */
function state(name, words, next = 0) {
  document.body.dataset.state = name;
  element("state").textContent = words;
  element("toggle").textContent = name === "stopped" ? "Start" : "Stop";
  retry = next;
  countDown();
}

function countDown() {
  const seconds = Math.ceil((retry - Date.now()) / 1000);
  element("countdown").textContent = !retry ? "" : seconds > 0 ? `Next attempt in ${seconds} s.` : "Trying again …";
}

/** @type {(id: string) => void} */
function follow(id) {
  if (!id || cards.has(id)) return;
  const card = copyOf("event");
  card.dataset.event = id;
  part(card, "h3").textContent = id;
  part(card, ".publish").setAttribute("aria-label", `Publish ${id}`);
  part(card, ".value").setAttribute("aria-label", `The data of ${id}: text or JSON`);
  part(card, "form").addEventListener("submit", (submit) => {
    submit.preventDefault();
    publish(id, card);
  });
  part(card, ".drop").setAttribute("aria-label", `Stop following ${id}`);
  part(card, ".drop").addEventListener("click", () => drop(id));
  cards.set(id, card);
  element("events").append(card);
  choice.append(new Option(id));
  // It shows "never published" until the stamp is known.
  if (document.body.dataset.state === "connected") showLast(id);
  showLines();
  // The callback without data is called first, and only for a new publication.
  let isNew = false;
  NovComet.subscribe(id, () => { isNew = true; });
  NovComet.subscribe(id, (k, data) => {
    arrive(id, card, asText(data), isNew);
    isNew = false;
  }, { data: true });
}

/** @type {(id: string, card: HTMLElement, text: string, isNew: boolean) => void} */
function arrive(id, card, text, isNew) {
  const now = Date.now();
  const stamp = NovComet.last(id) ?? 0;
  const own = isNew ? takeOwn(id, text) : undefined;
  if (own) compareClocks(stamp * 1000 - now, stamp * 1000 - own.sent);
  const latency = Math.round(now - stamp * 1000 + (ahead ?? 0));
  const isPlausible = latency >= 0 && (ahead !== undefined || latency <= plausible);
  showLast(id);
  fill(part(card, ".data"), text);
  card.classList.remove("fresh");
  void card.offsetWidth; // restarts the animation
  card.classList.add("fresh");
  const line = copyOf("line");
  Object.assign(line.dataset, { event: id, kind: !isNew ? "earlier" : own ? "own" : "other" });
  part(line, "b").textContent = id;
  part(line, ".how").textContent = !isNew ? "published earlier" : own ? "published here" : "published";
  show(part(line, "time"), stamp);
  const delay = latency < 10_000 ? `after ${latency} ms` : `after ${Math.round(latency / 1000)} s`;
  if (isNew && isPlausible) part(line, ".delay").textContent = delay;
  const log = element("log");
  log.prepend(line); // the newest first
  fill(part(line, "code"), text);
  while (log.children.length > longest) log.lastElementChild?.remove();
}

/** Publishes what the form of the card contains. @type {(id: string, card: HTMLElement) => Promise<void>} */
async function publish(id, card) {
  const input = /** @type {HTMLInputElement} */ (part(card, ".value"));
  const problem = part(card, ".problem");
  const text = input.value;
  const data = parsed(text);
  const own = { id, text: text && asText(data), sent: Date.now(), answered: false };
  sent.push(own);
  input.value = problem.textContent = "";
  try {
    await NovComet.publish(id, data);
    own.answered = true;
  } catch (error) {
    sent = sent.filter((publication) => publication !== own);
    input.value ||= text; // unless the visitor has already typed something else
    const which = input.value === text ? "" : ` “${text}”`;
    problem.textContent = `Not published${which}: ${/** @type {Error} */ (error).message}`;
  }
}

// Returns the publication of this page that has arrived, undefined if another program published. A
// publication without data keeps the data of the event, so any text matches. If the server has already
// answered an earlier publication, it cannot arrive any more: an event is a state.
/** @type {(id: string, text: string) => Publication | undefined} */
function takeOwn(id, text) {
  const own = sent.find((publication) => publication.id === id && (!publication.text || publication.text === text));
  sent = sent.filter((publication) => publication.id !== id || publication !== own && !publication.answered);
  return own;
}

// The server stamps a publication after it was sent and before it arrives. So its clock is ahead by at least
// the stamp minus the time of arrival, and at most the stamp minus the time of sending.
/** @type {(least: number, most: number) => void} */
function compareClocks(least, most) {
  if (most - least <= quick) ahead = least <= 0 && most >= 0 ? 0 : (least + most) / 2;
}

/** Shows data. Keys can scroll it if it is long. @type {(where: HTMLElement, text: string) => void} */
function fill(where, text) {
  where.textContent = text;
  where.tabIndex = where.scrollHeight > where.clientHeight ? 0 : -1;
}

// Returns the data for an input: a JSON value if the text is JSON, undefined if it is empty, else the text.
/** @type {(text: string) => unknown} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text || undefined;
  }
}

/** Data from visitors is untrusted: it is shown as text, never as HTML. @type {(data: unknown) => string} */
function asText(data) {
  return typeof data === "string" ? data : JSON.stringify(data) ?? "";
}

/** @type {(id: string) => void} */
function drop(id) {
  NovComet.unsubscribe(id);
  cards.get(id)?.remove();
  cards.delete(id);
  [...choice.options].find((option) => option.value === id)?.remove();
  remember();
  element("events").focus(); // The focused button is gone.
}

// Keeps the followed events in the URL, so that the page can be reloaded, bookmarked and sent to others.
function remember() {
  history.replaceState(null, "", `#${new URLSearchParams([...cards.keys()].map((id) => ["event", id]))}`);
  showLines();
}

/** @type {(id: string) => void} */
function showLast(id) {
  const last = part(/** @type {HTMLElement} */ (cards.get(id)), ".last");
  const stamp = NovComet.last(id);
  if (stamp) show(last, stamp, "published ");
  else last.textContent = "never published";
}

// Shows a stamp as local time. data-stamp has it with microseconds.
/** @type {(where: HTMLElement, stamp: number, before?: string) => void} */
function show(where, stamp, before = "") {
  const when = new Date(stamp * 1000);
  const today = when.toDateString() === new Date().toDateString();
  where.dataset.stamp = stamp.toFixed(6);
  where.title = when.toLocaleString();
  where.textContent = before + (today ? "" : `${when.toLocaleDateString()} `) +
    when.toLocaleTimeString([], {
      hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3,
    });
}

// Shows the URL of this page, and the shell commands for the chosen event.
function showLines() {
  const id = choice.value || "news";
  const url = new URL(endpoint, location.href).href;
  const separator = url.includes("?") ? "&" : "?";
  element("write").textContent = `echo ${quoted(example)} > ${quoted(`${directory}/${id}.comet`)}`;
  const publication = `${url}${separator}publish=${encodeURIComponent(id)}`;
  const wait = `${url}${separator}subscribed[${encodeURIComponent(id)}]=now&data=1`;
  element("publish").textContent = `curl -d ${quoted(example)} ${quoted(publication)}`;
  element("wait").textContent = `curl -g ${quoted(wait)}`;
  const here = /** @type {HTMLAnchorElement} */ (element("here"));
  here.textContent = here.href = location.href;
}

/** @type {(word: string) => string} */
function quoted(word) {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** @type {(button: HTMLElement) => Promise<void>} */
async function copy(button) {
  const source = element(button.dataset.copy ?? "");
  try {
    await navigator.clipboard.writeText(source.textContent ?? "");
  } catch { // Without https there is no clipboard API.
    getSelection()?.selectAllChildren(source);
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}
