// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The field in the bar by which one goes to another app: a combobox with a list of those whose names are typed.

import { says } from "./text.js";

/** @typedef {import("./list.js").App} App */

/** More than anybody looks through; typing leads to the rest. */
const MOST = 60;

export class Switcher {
  /**
   * @param {() => App[]} apps
   * @param {(app: string) => void} choose
   */
  constructor(apps, choose) {
    this.apps = apps;
    this.choose = choose;
    this.field = /** @type {HTMLInputElement} */ (document.getElementById("switch"));
    this.list = /** @type {HTMLElement} */ (document.getElementById("choices"));
    /** @type {App | undefined} */
    this.current = undefined;
    /** @type {App[]} */
    this.choices = [];
    this.active = -1;
    this.field.addEventListener("click", () => this.open(""));
    this.field.addEventListener("input", () => this.open(this.field.value));
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.field.addEventListener("blur", () => this.close());
    // The field keeps the focus while an entry is pressed.
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const entry = /** @type {HTMLElement} */ (event.target).closest("li");
      if (entry) this.take(this.choices[Number(entry.dataset.index)]);
    });
  }

  get isOpen() {
    return !this.list.hidden;
  }

  /** Says which app is shown. @param {App} app */
  show(app) {
    this.current = app;
    if (!this.isOpen) this.field.value = app.name;
  }

  /** @param {string} query */
  open(query) {
    if (!this.isOpen && query === "") this.field.select();
    const found = this.apps().filter(({ app, name }) => says(`${name}\n${app}`.toLowerCase(), query));
    this.choices = found.slice(0, MOST);
    this.list.replaceChildren(...this.choices.map((app, index) => this.entry(app, index)));
    const rest = found.length - this.choices.length;
    if (found.length === 0) this.list.append(remark("No app matches"));
    if (rest > 0) this.list.append(remark(`${rest} more: type to find them`));
    this.list.hidden = false;
    this.field.setAttribute("aria-expanded", "true");
    const current = this.choices.findIndex(({ app }) => app === this.current?.app);
    this.activate(query === "" ? current : Math.min(0, found.length - 1));
  }

  close() {
    this.list.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
    if (this.current) this.field.value = this.current.name;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      if (!this.isOpen) return this.open("");
      const many = this.choices.length;
      if (many > 0) this.activate((Math.max(this.active, step < 0 ? 0 : -1) + step + many) % many);
    } else if (event.key === "Enter" && this.isOpen) {
      event.preventDefault();
      this.take(this.choices[this.active]);
    } else if (event.key === "Escape" && this.isOpen) {
      event.preventDefault();
      this.close();
      this.field.select();
    }
  }

  /** @param {number} index */
  activate(index) {
    this.active = index;
    for (const entry of this.list.querySelectorAll("li[data-index]")) {
      const is = Number(/** @type {HTMLElement} */ (entry).dataset.index) === index;
      entry.setAttribute("aria-selected", String(is));
      if (is) {
        this.field.setAttribute("aria-activedescendant", entry.id);
        entry.scrollIntoView({ block: "nearest" });
      }
    }
    if (index < 0) this.field.removeAttribute("aria-activedescendant");
  }

  /** @param {App | undefined} app */
  take(app) {
    if (!app) return;
    this.close();
    this.choose(app.app);
  }

  /** @param {App} app @param {number} index */
  entry({ app, name, status, word }, index) {
    const entry = element("li", { id: `choice-${index}`, role: "option", "data-index": String(index), "aria-selected": "false" });
    if (app === this.current?.app) entry.setAttribute("aria-current", "true");
    entry.append(element("span", { class: "name" }, name), state(status, word));
    return entry;
  }
}

/** What an app is doing, as the server writes it. @param {string} status @param {string} word */
export function state(status, word) {
  const shown = element("span", { class: "state", "data-status": status });
  shown.append(element("span", { class: "word" }, word));
  return shown;
}

/** @param {string} text */
function remark(text) {
  return element("li", { role: "option", "aria-disabled": "true", "aria-selected": "false" }, text);
}

/** @param {string} name @param {Record<string, string>} attributes */
function element(name, attributes, text = "") {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.textContent = text;
  return made;
}
