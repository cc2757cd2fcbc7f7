// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The cards: searched, sorted, and renewed one by one as the server tells of changes.

import { ago, apps, says } from "./text.js";

/** More apps than a browser draws in no time; the server has the same number. */
const MANY = 100;

/** @typedef {{ app: string, name: string, status: string, word: string }} App */

export class List {
  constructor() {
    this.place = /** @type {HTMLElement} */ (document.getElementById("apps"));
    this.field = /** @type {HTMLInputElement} */ (document.getElementById("q"));
    this.order = /** @type {HTMLSelectElement} */ (document.getElementById("sort"));
    this.count = /** @type {HTMLElement} */ (document.getElementById("count"));
    this.none = /** @type {HTMLElement} */ (document.getElementById("none"));
    /** @type {Map<string, HTMLElement>} by the app's name in paths */
    this.cards = new Map();
    /** @type {WeakMap<HTMLElement, string>} what a search looks through */
    this.texts = new WeakMap();
    for (const card of this.place.querySelectorAll("li")) this.cards.set(nameOf(card), card);
  }

  /** @param {string} app @returns {App | undefined} */
  app(app) {
    const card = this.cards.get(app);
    return card && {
      app,
      name: textOf(card, ".open"),
      status: card.dataset.status ?? "",
      word: textOf(card, ".state .word"),
    };
  }

  /** All apps, by name. */
  apps() {
    return [...this.cards.keys()].map((app) => /** @type {App} */ (this.app(app))).sort((a, b) => compare(a.name.toLowerCase(), b.name.toLowerCase()));
  }

  /**
   * Takes the server's list, and tells whose status is another than before.
   *
   * @param {string} html
   */
  take(html) {
    const fresh = [...new DOMParser().parseFromString(html, "text/html").querySelectorAll("li")];
    const names = new Set(fresh.map(nameOf));
    const changed = [];
    let isSorted = true;
    for (const [app, card] of this.cards) {
      if (names.has(app)) continue;
      card.remove();
      this.cards.delete(app);
    }
    for (const card of fresh) {
      const app = nameOf(card);
      const old = this.cards.get(app);
      if (old?.dataset.print === card.dataset.print) continue;
      this.cards.set(app, card);
      if (old === undefined) {
        this.place.append(card);
        isSorted = false;
        continue;
      }
      renew(old, card);
      if (old.dataset.status !== card.dataset.status) changed.push(/** @type {App} */ (this.app(app)));
    }
    this.place.classList.toggle("many", this.cards.size > MANY);
    if (!isSorted) this.sort();
    this.search();
    this.tellTimes();
    return changed;
  }

  /** Shows the cards that the search field asks for. */
  search() {
    const query = this.field.value;
    let shown = 0;
    for (const card of this.cards.values()) {
      const is = says(this.textOf(card), query);
      if (card.hidden === is) card.hidden = !is;
      shown += Number(is);
    }
    const all = this.cards.size;
    const told = shown === all ? apps(all) : `${shown} of ${apps(all)}`;
    // Saying the same again would be read out again.
    if (this.count.textContent !== told) this.count.textContent = told;
    this.none.hidden = all === 0 || shown > 0;
    const nothing = document.getElementById("nothing");
    if (nothing) nothing.hidden = all > 0;
    /** @type {HTMLElement} */ (this.field.form).hidden = all === 0;
  }

  sort() {
    const by = this.order.value === "used" ? (/** @type {HTMLElement} */ card) => usedOf(card) : () => "";
    const keys = new Map([...this.cards.values()].map((card) => [card, { used: by(card), name: textOf(card, ".open").toLowerCase() }]));
    const sorted = [...keys].sort(([, a], [, b]) => compare(b.used, a.used) || compare(a.name, b.name));
    this.place.append(...sorted.map(([card]) => card));
  }

  /** Says anew how long ago each app was used. */
  tellTimes() {
    for (const time of this.place.querySelectorAll("time")) {
      const told = ago(Date.parse(time.dateTime));
      if (time.textContent !== told) time.textContent = told;
    }
  }

  /** The link of the first card that is shown, or of an app's. @param {string} [app] */
  link(app) {
    const card = app === undefined ? [...this.place.children].find((card) => !(/** @type {HTMLElement} */ (card).hidden)) : this.cards.get(app);
    return /** @type {HTMLElement | null | undefined} */ (card?.querySelector(".open"));
  }

  /** @param {HTMLElement} card */
  textOf(card) {
    let text = this.texts.get(card);
    if (text === undefined) {
      text = `${textOf(card, ".open")}\n${textOf(card, ".about")}\n${nameOf(card)}`.toLowerCase();
      this.texts.set(card, text);
    }
    return text;
  }
}

/** Puts a card in the place of another, with the focus where it was. @param {HTMLElement} old @param {HTMLElement} card */
function renew(old, card) {
  const focused = [".open", ".alone"].find((part) => old.querySelector(part) === document.activeElement);
  old.replaceWith(card);
  if (focused) /** @type {HTMLElement | null} */ (card.querySelector(focused))?.focus({ preventScroll: true });
}

/** @param {HTMLElement} card */
function nameOf(card) {
  return card.dataset.app ?? "";
}

/** When it was used; written so that texts sort as times. @param {HTMLElement} card */
function usedOf(card) {
  return card.querySelector("time")?.dateTime ?? "";
}

/** @param {HTMLElement} card @param {string} part */
function textOf(card, part) {
  return card.querySelector(part)?.textContent ?? "";
}

/** @param {string} a @param {string} b */
function compare(a, b) {
  return a < b ? -1 : Number(a > b);
}
