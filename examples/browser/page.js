// page.js: what this page does with comet.js. A page of your own will do something else.

"use strict";

const { endpoint } = document.body.dataset;
const comet = new Comet(endpoint);

const state = document.querySelector("#state");
const log = document.querySelector("#log");
const longest = 100; // entries of the log

comet.onstate = (name, error, seconds) => {
  document.body.dataset.state = name;
  state.textContent = {
    connecting: "connecting …",
    connected: "connected: waiting for events",
    lost: `no connection (${error?.message}), next attempt in ${seconds} s; nothing gets lost meanwhile`,
    stopped: "stopped",
  }[name];
};

for (const event of document.querySelectorAll(".event")) {
  const id = event.dataset.event;
  comet.subscribe(id, (id, stamp) => {
    show(event.querySelector(".last"), stamp);
    flash(event);
    note(id, "published", stamp);
  });

  // Without this, the link would work as well: it is the URL that publishes, and shows the endpoint's answer.
  const link = event.querySelector(".publish");
  link.href = address({ publish: id });
  link.addEventListener("click", async (click) => {
    if (click.ctrlKey || click.metaKey || click.shiftKey) return; // whoever wants the answer in a window of its own
    click.preventDefault();
    try {
      await comet.publish(id);
    } catch (error) {
      note(id, `not published: ${error.message}`);
    }
  });
}

for (const span of document.querySelectorAll(".endpoint")) span.textContent = `'${address()}`;

comet.start();

function address(query = {}) {
  const url = new URL(endpoint, location.href);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url.href;
}

// Adds a line to the log, the newest on top.
function note(id, text, stamp) {
  const line = document.createElement("li");
  line.dataset.event = id;
  const name = document.createElement("b");
  name.textContent = id;
  line.append(name, ` ${text} `);
  if (stamp) line.append(show(document.createElement("time"), stamp));
  log.prepend(line);
  while (log.children.length > longest) log.lastElementChild.remove();
}

// Writes a stamp as the reader's time of day, and keeps it to the microsecond.
function show(element, stamp) {
  const when = new Date(stamp * 1000);
  element.dataset.stamp = stamp.toFixed(6);
  element.title = when.toLocaleString();
  element.textContent = when.toLocaleTimeString([], { hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
  return element;
}

function flash(element) {
  element.classList.remove("fresh");
  void element.offsetWidth; // so that the animation starts anew
  element.classList.add("fresh");
}
