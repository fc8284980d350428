// Keeps the page up to date: takes the sections that have changed, and says how long ago things were.
// The server makes all the markup; without this script the page is the same, but still.
"use strict";

const STALE_MS = 30_000;
const AGAIN_MS = 5_000;
const live = document.getElementById("live");
let heardAt = Date.now();
let ahead = 0; // milliseconds that the server's clock is ahead of this one

// Make `old` like `fresh`, touching only what differs: focus, selection and scrolling stay where they are.
function follow(old, fresh) {
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
  } else if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
  } else if (!(old.dateTime && old.dateTime === fresh.dateTime)) {
    followAttributes(old, fresh);
    const [before, now] = [[...old.childNodes], [...fresh.childNodes]];
    now.forEach((child, number) => (before[number] ? follow(before[number], child) : old.append(child)));
    before.slice(now.length).forEach((child) => child.remove());
  }
}

function followAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
}

function ago(seconds) {
  if (seconds < 60) return `${Math.max(0, seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

function tellAges() {
  const now = Date.now() + ahead;
  for (const time of document.querySelectorAll("time[data-age]")) {
    const said = ago(Math.floor((now - Date.parse(time.dateTime)) / 1000));
    if (time.textContent !== said) time.textContent = said;
    time.title = time.dateTime;
  }
}

function say(text) {
  if (live.textContent !== text) live.textContent = text;
}

function heard(event) {
  const { now, sections } = JSON.parse(event.data);
  heardAt = Date.now();
  ahead = now * 1000 - heardAt;
  for (const [key, markup] of Object.entries(sections)) {
    const made = document.createElement("template");
    made.innerHTML = markup;
    follow(document.getElementById(key), made.content.firstElementChild);
  }
  tellAges();
  say("Live");
  document.body.classList.remove("stale");
}

function tick() {
  tellAges();
  if (Date.now() - heardAt < STALE_MS) return;
  say(`Stale since ${new Date(heardAt).toISOString().slice(11, 19)} UTC: nothing was heard since, trying again`);
  document.body.classList.add("stale");
}

// A browser connects again by itself, unless it was answered with an error.
function connect() {
  const stream = new EventSource("api/stream");
  stream.onmessage = heard;
  stream.onerror = () => {
    if (!document.body.classList.contains("stale")) say("Not connected, trying again");
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, AGAIN_MS);
  };
}

connect();
setInterval(tick, 1000);
