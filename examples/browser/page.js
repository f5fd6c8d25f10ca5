// page.js shows how a page uses novcomet.js. Your own page will do other things.

import NovComet from "./novcomet.mjs";

const { endpoint = "", directory = "", events = "" } = document.body.dataset;
const longest = 100; // entries of the log
const widest = 300; // characters of an entry's data
const example = '{"text":"hello"}';

/** @type {(id: string) => HTMLElement} */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @type {(within: ParentNode, selector: string) => HTMLElement} */
const part = (within, selector) => /** @type {HTMLElement} */ (within.querySelector(selector));
/** @type {(id: string) => HTMLElement} */
const copyOf = (id) => {
  const template = /** @type {HTMLTemplateElement} */ (element(id));
  return part(/** @type {HTMLElement} */ (template.content.cloneNode(true)), "li");
};

const choice = /** @type {HTMLSelectElement} */ (element("choice"));
const field = /** @type {HTMLInputElement} */ (element("name"));

/** @type {Map<string, HTMLElement>} */
const cards = new Map(); // id → its element

NovComet.init(endpoint);
NovComet.on("open", () => {
  state("connected", "connected: waiting for events");
  for (const id of cards.keys()) showLast(id);
});
NovComet.on("error", (error, seconds) => {
  state("lost", `no connection (${error.message}), next attempt in ${Math.ceil(seconds)} s; no event is lost`);
});
NovComet.on("close", () => state("stopped", "stopped; events published now arrive after the next start"));

const named = new URLSearchParams(location.hash.slice(1)).getAll("event");
for (const id of named.length ? named : events.split(",")) follow(id);
start();

element("toggle").addEventListener("click", () => {
  if (document.body.dataset.state === "stopped") start();
  else NovComet.stop();
});

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
  state("connecting", "connecting …");
  NovComet.run();
}

/** @type {(name: string, words: string) => void} */
function state(name, words) {
  document.body.dataset.state = name;
  element("state").textContent = words;
  element("toggle").textContent = name === "stopped" ? "Start" : "Stop";
}

/** @type {(id: string) => void} */
function follow(id) {
  if (!id || cards.has(id)) return;
  const card = copyOf("event");
  card.dataset.event = id;
  part(card, "h3").textContent = id;
  part(card, ".publish").setAttribute("aria-label", `Publish ${id}`);
  const value = /** @type {HTMLInputElement} */ (part(card, ".value"));
  value.setAttribute("aria-label", `The data of ${id}: text or JSON`);
  part(card, "form").addEventListener("submit", (submit) => {
    submit.preventDefault();
    NovComet.publish(id, meant(value.value)).catch((error) => note(id, `was not published: ${error.message}`));
    value.value = "";
  });
  part(card, ".drop").setAttribute("aria-label", `Stop following ${id}`);
  part(card, ".drop").addEventListener("click", () => drop(id));
  cards.set(id, card);
  element("events").append(card);
  choice.append(new Option(id));
  showLines();
  NovComet.subscribe(id, (k, data) => {
    const text = written(data);
    showLast(id);
    part(card, ".data").textContent = text;
    flash(card);
    note(id, "published", text, NovComet.last(id));
  }, { data: true });
}

// Returns the data for an input: a JSON value if the text is JSON, undefined if it is empty, otherwise
// the text.
/** @type {(text: string) => unknown} */
function meant(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text || undefined;
  }
}

/** Data from visitors is untrusted: it is shown as text, never as HTML. @type {(data: unknown) => string} */
function written(data) {
  return typeof data === "string" ? data : JSON.stringify(data) ?? "";
}

/** @type {(id: string) => void} */
function drop(id) {
  NovComet.unsubscribe(id);
  cards.get(id)?.remove();
  cards.delete(id);
  [...choice.options].find((option) => option.value === id)?.remove();
  remember();
  showLines();
}

// Keeps the followed events in the URL, so that the page can be reloaded, bookmarked and sent to others.
function remember() {
  history.replaceState(null, "", `#${new URLSearchParams([...cards.keys()].map((id) => ["event", id]))}`);
}

/** @type {(id: string) => void} */
function showLast(id) {
  const last = part(/** @type {HTMLElement} */ (cards.get(id)), ".last");
  const stamp = NovComet.last(id);
  if (stamp) show(last, stamp);
  else last.textContent = "never yet";
}

/** Adds a line to the log, newest first. @type {(id: string, text: string, data?: string, stamp?: number) => void} */
function note(id, text, data = "", stamp) {
  const line = copyOf("line");
  line.dataset.event = id;
  part(line, "b").textContent = id;
  part(line, "span").textContent = text;
  part(line, "code").textContent = data.length > widest ? `${data.slice(0, widest)} …` : data;
  if (stamp) show(part(line, "time"), stamp);
  const log = element("log");
  log.prepend(line);
  while (log.children.length > longest) log.lastElementChild?.remove();
}

// Shows a stamp as local time. data-stamp has it with microseconds.
/** @type {(where: HTMLElement, stamp: number) => void} */
function show(where, stamp) {
  const when = new Date(stamp * 1000);
  const today = when.toDateString() === new Date().toDateString();
  where.dataset.stamp = stamp.toFixed(6);
  where.title = when.toLocaleString();
  where.textContent = (today ? "" : `${when.toLocaleDateString()} `) +
    when.toLocaleTimeString([], {
      hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3,
    });
}

// Shows the shell commands for the chosen event.
function showLines() {
  const id = choice.value || "news";
  const url = new URL(endpoint, location.href).href;
  const separator = url.includes("?") ? "&" : "?";
  element("write").textContent = `echo ${quoted(example)} > ${quoted(`${directory}/${id}.comet`)}`;
  const publish = `${url}${separator}publish=${encodeURIComponent(id)}`;
  const wait = `${url}${separator}subscribed[${encodeURIComponent(id)}]=now&data=1`;
  element("publish").textContent = `curl -d ${quoted(example)} ${quoted(publish)}`;
  element("wait").textContent = `curl -g ${quoted(wait)}`;
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

/** @type {(card: HTMLElement) => void} */
function flash(card) {
  card.classList.remove("fresh");
  void card.offsetWidth; // restarts the animation
  card.classList.add("fresh");
}
