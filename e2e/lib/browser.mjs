// SPDX-License-Identifier: Apache-2.0
// A real Chromium, and a watch over everything a page complains about.

import assert from "node:assert/strict";
import { join } from "node:path";

import { chromium } from "playwright-core";

const FLAGS = [
  // Names do not resolve, so that no test waits for a network or hangs on what it answers.
  "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
];

// The most that a page may take for anything, on a machine that does much else.
const PATIENCE = 120_000;

/** Starts the browser once for all tests. */
export function launchBrowser() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: FLAGS });
}

/** A profile: pages of one share cookies and cache, as a visitor's tabs do, and need not load Streamlit's client again. */
export async function newProfile(browser, options = {}) {
  const profile = await browser.newContext({ acceptDownloads: true, viewport: { width: 1280, height: 900 }, ...options });
  await profile.addInitScript(rememberSockets);
  return profile;
}

/** Opens `url` in a tab of its own, runs `visit(page, watch)` as `Tab.act` does, and closes it. */
export async function withPage(profile, url, visit, options) {
  const tab = await Tab.open(profile, url);
  try {
    await tab.act(async (page, watch) => {
      await page.goto(url);
      await visit(page, watch);
    }, options);
  } finally {
    await tab.close();
  }
}

/** A tab that is watched. */
export class Tab {
  static async open(profile, url) {
    const tab = new Tab();
    tab.page = await profile.newPage();
    tab.page.setDefaultTimeout(PATIENCE);
    tab.watch = new Watch(tab.page, url);
    return tab;
  }

  /**
   * Runs `visit(page, watch)`, and fails if the page complained meanwhile.
   *
   * Nothing is allowed to complain but what the test names: `allowed` is a list of `{ pattern, why }`.
   */
  async act(visit, { allowed = [] } = {}) {
    const { page, watch } = this;
    watch.complaints = [];
    try {
      await visit(page, watch);
      assert.deepEqual(watch.unexpected(allowed), [], "the browser complained");
    } catch (error) {
      await picture(page, `failed-${Date.now()}`).catch(() => {});
      throw new Error(`${error.message}\n  complaints: ${JSON.stringify(watch.complaints)}`, { cause: error });
    }
  }

  close() {
    return this.page.close();
  }
}

/** The same for several pages at once, for `visit([{ page, watch }, …])`. */
export function withPages(profile, urls, visit, options, opened = []) {
  if (urls.length === 0) return visit(opened);
  const [url, ...others] = urls;
  return withPage(profile, url, (page, watch) => withPages(profile, others, visit, options, [...opened, { page, watch }]), options);
}

/** A profile of its own: for tests that change it, or that need an empty one. */
export async function withProfile(browser, options, act) {
  const profile = await newProfile(browser, options);
  try {
    await act(profile);
  } finally {
    await profile.close();
  }
}

/** A picture for a person to look at, where `E2E_SCREENSHOTS` names a folder. */
export async function picture(page, name) {
  const folder = process.env.E2E_SCREENSHOTS;
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

/** Collects errors of the console, uncaught errors, failing requests, and requests to anyone but the app's own origin. */
class Watch {
  constructor(page, url) {
    this.complaints = [];
    this.frames = 0;
    this.loads = 0;
    const { origin } = new URL(url);
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(`console: ${message.text()} (${message.location().url})`);
    });
    page.on("pageerror", (error) => this.complaints.push(`error: ${error.message}`));
    page.on("requestfailed", (request) => this.complaints.push(`failed: ${request.url()} ${request.failure()?.errorText}`));
    page.on("response", (response) => {
      if (response.status() >= 400) this.complaints.push(`answer: ${response.status()} ${response.url()}`);
    });
    page.on("request", (request) => {
      const asked = new URL(request.url());
      if (asked.protocol.startsWith("http") && asked.origin !== origin) this.complaints.push(`elsewhere: ${asked.href}`);
    });
    page.on("websocket", (socket) => socket.on("framesent", () => (this.frames += 1)));
    page.on("domcontentloaded", () => (this.loads += 1));
  }

  unexpected(allowed) {
    return this.complaints.filter((complaint) => !allowed.some(({ pattern }) => pattern.test(complaint)));
  }
}

// Runs in the page before its own code, so that a test can cut the connection from inside.
function rememberSockets() {
  const sockets = [];
  const Original = window.WebSocket;
  window.WebSocket = class extends Original {
    constructor(...args) {
      super(...args);
      sockets.push(this);
    }
  };
  window.cutSockets = () => {
    const open = sockets.filter((socket) => socket.readyState === Original.OPEN);
    for (const socket of open) socket.close();
    return open.length;
  };
  window.socketsOpened = () => sockets.length;
}
