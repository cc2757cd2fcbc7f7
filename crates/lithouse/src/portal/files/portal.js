// SPDX-License-Identifier: Apache-2.0
// @ts-check
// Makes the page live. Without it the same addresses lead to the same views, made by the server.

import { Frames } from "./frame.js";
import { List } from "./list.js";
import { Live } from "./live.js";
import { Switcher, state } from "./switcher.js";

const MINUTE = 60_000;
/** Long enough that typing is not written into the address letter by letter: browsers refuse too many changes. */
const TYPING = 300;
/** More changes at once than anybody wants to have read out. */
const TOLD = 3;

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const [listView, frameView, news] = ["list-view", "frame-view", "news"].map(byId);
const list = new List();
const frames = new Frames();
const switcher = new Switcher(() => list.apps(), (app) => go(`/?app=${encodeURIComponent(app)}`));
const live = new Live(take, (is) => tell(byId("lost"), is ? "Lithouse does not answer. What is shown may be out of date." : ""));
/** How far down the list was left. */
let left = 0;
/** The app that is seen; none in the list. @type {string | undefined} */
let shown = frames.current?.dataset.app;

/** Says it once. @param {HTMLElement} place @param {string} text */
function tell(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** Goes to an address of this page, as a link would. @param {string} address */
function go(address) {
  history.pushState(null, "", address);
  show(true);
}

/** Shows what the address says. @param {boolean} isWanted whether somebody asked for it just now, rather than going back and forth */
function show(isWanted) {
  const asked = new URLSearchParams(location.search);
  const app = list.app(asked.get("app") ?? "");
  if (app) return showApp(app, isWanted);
  // A name that the list does not know by heart, or no longer: the server knows better.
  if (asked.get("app") && asked.get("app") !== shown) return location.reload();
  list.field.value = asked.get("q") ?? "";
  list.order.value = asked.get("sort") === "used" ? "used" : "name";
  list.search();
  showList();
}

/** @param {import("./list.js").App} app @param {boolean} isWanted */
function showApp(app, isWanted) {
  if (document.body.dataset.view === "list") left = scrollY;
  view("frame");
  shown = app.app;
  const frame = frames.show(app.app, app.name);
  tellApp(app);
  if (isWanted) frame.focus();
}

function showList() {
  const from = shown;
  shown = undefined;
  const isOther = document.body.dataset.view !== "list";
  view("list");
  document.querySelector(".notice")?.remove();
  document.title = "Apps · Lithouse";
  if (!isOther) return;
  scrollTo(0, left);
  list.link(from)?.focus({ preventScroll: left > 0 });
}

/** @param {"list" | "frame"} name */
function view(name) {
  document.body.dataset.view = name;
  listView.hidden = name !== "list";
  frameView.hidden = name !== "frame";
}

/** What the bar says of the app that is seen. @param {import("./list.js").App} app */
function tellApp(app) {
  document.title = `${app.name} · Lithouse`;
  byId("framed-name").textContent = app.name;
  byId("framed-state").replaceChildren(state(app.status, app.word));
  /** @type {HTMLAnchorElement} */ (byId("alone")).href = `/apps/${app.app}/`;
  switcher.show(app);
}

/** @param {import("./list.js").App | undefined} app the one that is seen, as the list has it */
function tellShown(app) {
  if (app) return tellApp(app);
  const place = byId("framed-state");
  if (place.textContent !== "Removed") {
    place.replaceChildren(state("stopped", "Removed"));
    tell(news, "This app was removed");
  }
}

/** Takes the list as it is now. @param {string} html */
function take(html) {
  const changed = list.take(html);
  for (const { app } of changed) frames.changed(app);
  frames.clear((app) => list.cards.has(app));
  if (shown !== undefined) tellShown(list.app(shown));
  const told = changed.filter(({ app }) => shown === undefined || shown === app);
  if (told.length > TOLD) tell(news, `${told.length} apps have changed`);
  else if (told.length > 0) tell(news, told.map(({ name, word }) => `${name}: ${word}`).join(", "));
  return list.cards.size;
}

/** Whether a click should do what it always does. @param {MouseEvent} event */
function isSpecial(event) {
  return event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
}

document.addEventListener("click", (event) => {
  const link = /** @type {HTMLElement} */ (event.target).closest?.("a.open, a.brand, #back, #none a");
  if (!(link instanceof HTMLAnchorElement) || isSpecial(event)) return;
  event.preventDefault();
  go(link.href);
});

addEventListener("popstate", () => show(false));

/** @type {number | undefined} */
let typing;
list.field.addEventListener("input", () => {
  list.search();
  clearTimeout(typing);
  typing = setTimeout(remember, TYPING);
});
list.order.addEventListener("change", () => {
  list.sort();
  remember();
});
list.field.form?.addEventListener("submit", (event) => {
  event.preventDefault();
  list.link()?.focus();
});
list.field.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown") return;
  event.preventDefault();
  list.link()?.focus();
});

/** Writes what is looked for into the address, so that it can be sent to somebody. */
function remember() {
  if (shown !== undefined) return;
  const asked = new URLSearchParams();
  if (list.field.value.trim()) asked.set("q", list.field.value);
  if (list.order.value !== "name") asked.set("sort", list.order.value);
  history.replaceState(null, "", asked.size > 0 ? `/?${asked}` : "/");
}

document.addEventListener("keydown", (event) => {
  const isTyped = /** @type {HTMLElement} */ (event.target).matches?.("input, select, textarea");
  if (event.key !== "/" || isTyped || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const field = shown === undefined ? list.field : switcher.field;
  field.focus();
  field.select();
});

byId("reload").addEventListener("click", () => frames.reload());

// Auto follows the system.
const THEMES = ["auto", "light", "dark"];
const theme = byId("theme");
const root = document.documentElement;
const themeNow = () => root.dataset.theme ?? "auto";
const tellTheme = () => tell(/** @type {HTMLElement} */ (theme.querySelector("span")), `Theme: ${themeNow()}`);
theme.addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(themeNow()) + 1) % THEMES.length];
  if (next === "auto") delete root.dataset.theme;
  else root.dataset.theme = next;
  try {
    localStorage.setItem("lithouse-theme", next);
  } catch {
    // A browser that stores nothing follows the system the next time.
  }
  tellTheme();
});
tellTheme();

history.scrollRestoration = "manual";
for (const id of ["theme", "reload", "switcher"]) byId(id).hidden = false;
byId("framed-name").classList.add("unseen");
byId("go").hidden = true;
// An app may be asked for by another of its names.
if (shown !== undefined) {
  history.replaceState(null, "", `/?app=${encodeURIComponent(shown)}`);
  switcher.show({ app: shown, name: byId("framed-name").textContent ?? "", status: "", word: "" });
}
setInterval(() => list.tellTimes(), MINUTE);
list.tellTimes();
live.look();
