// SPDX-License-Identifier: Apache-2.0
// The list of apps at `/`, and the pages that stand in for an app that is not there.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { LEAVING, STANDS_IN } from "../lib/allowances.mjs";
import { appFiles } from "../lib/apps.mjs";
import { assertAccessible } from "../lib/axe.mjs";
import { picture, withPage, withProfile } from "../lib/browser.mjs";
import { harbour, stop } from "../lib/harbour.mjs";
import { waitUntil } from "../lib/wait.mjs";
import { frame } from "./frame.mjs";

const LIMIT = { timeout: 600_000 };
export const LOOKS = [
  { name: "light", colorScheme: "light", viewport: { width: 1280, height: 800 } },
  { name: "dark", colorScheme: "dark", viewport: { width: 1280, height: 800 } },
  { name: "narrow", colorScheme: "light", viewport: { width: 360, height: 740 } },
  // As small as a page must still work, which is also a window of 1280 pixels at 400 %.
  { name: "smallest", colorScheme: "dark", viewport: { width: 320, height: 560 } },
];

/** The card of an app. */
const card = (page, name) => page.getByRole("listitem").filter({ has: page.getByRole("heading", { name, exact: true }) });
const names = (page) => page.locator("#apps > li:not([hidden]) h2").allTextContents();
const shows = (page, expected) => waitUntil(`the cards ${expected}`, async () => {
  const seen = await names(page);
  if (seen.join() !== expected.join()) throw new Error(`${seen}`);
  return true;
});
const ALL = ["Ferry queue", "Freight planner", "Harbour archive", "Image lab", "Kitchen sink", "Live signals", "Night watch", "Sales by region", "Tide forecast"];

export function portal(lab) {
  describe("the portal", { skip: lab.plain && "there is no server" }, () => {
    let server;
    before(async () => {
      server = await harbour();
    }, { timeout: 400_000 });
    after(() => server?.stop(), { timeout: 60_000 });
    const visit = (act, { path = "/", profile = lab.profile, allowed = [] } = {}) =>
      withPage(profile, `${server.origin}${path}`, act, { allowed: [...LEAVING, ...allowed] });

    test("it shows every app with what it is doing, why, and when it was used", LIMIT, () => visit(async (page) => {
      await shows(page, ALL);
      assert.match(await card(page, "Sales by region").innerText(), /Two years of coffee[^]*Running\s+not used yet/);
      assert.match(await card(page, "Harbour archive").innerText(), /Stopped/);
      assert.match(await card(page, "Ferry queue").innerText(), /ended by signal 9 \(SIGKILL\)[^]*Crashed/);
      assert.match(await card(page, "Tide forecast").innerText(), /pandas==0\.0\.0[^]*Failed/);
      assert.equal(await page.locator("#count").innerText(), "9 apps");
      await fetch(`${server.origin}/apps/sales/`);
      await card(page, "Sales by region").getByText("used just now").waitFor();
      assert.equal(await card(page, "Sales by region").getByRole("link", { name: /direct/i }).getAttribute("href"), "/apps/sales/");
    }));

    test("typing narrows the list, says how far, and stands in the address", LIMIT, () => visit(async (page) => {
      await page.getByRole("searchbox").fill("night");
      await shows(page, ["Live signals", "Night watch"]);
      assert.equal(await page.locator("#count").innerText(), "2 of 9 apps");
      await page.getByRole("searchbox").fill("NIGHT dusk");
      await shows(page, ["Night watch"]);
      await page.waitForURL(`${server.origin}/?q=NIGHT+dusk`);
      await page.reload();
      await shows(page, ["Night watch"]);
      await page.getByRole("searchbox").fill("no such thing");
      await page.getByText("No app matches").waitFor();
      await page.getByRole("link", { name: "Show all apps" }).click();
      await shows(page, ALL);
      assert.equal(page.url(), `${server.origin}/`);
    }));

    test("the list is sorted by the last use when that is wanted", LIMIT, () => visit(async (page) => {
      await fetch(`${server.origin}/apps/signals/`);
      await card(page, "Live signals").getByText("used just now").waitFor();
      await page.getByLabel("Sort by").selectOption("used");
      assert.equal((await names(page))[0], "Live signals");
      assert.equal(page.url(), `${server.origin}/?sort=used`);
      await page.getByLabel("Sort by").selectOption("name");
      await shows(page, ALL);
    }));

    test("what happens to apps is seen and told without loading the page again", LIMIT, () => visit(async (page, watch) => {
      const { loads } = watch;
      const link = card(page, "Night watch").getByRole("link", { name: "Night watch", exact: true });
      await link.focus();
      await stop(server, "watch");
      await card(page, "Night watch").getByText("Stopped").waitFor();
      await page.getByRole("status").filter({ hasText: "Night watch: Stopped" }).waitFor();
      assert.ok(await link.evaluate((element) => element === document.activeElement), "the focus stays where it was");
      await server.api("POST", "/apps/watch/start");
      await card(page, "Night watch").getByText("Running").waitFor();

      const added = await server.deploy({ key: "added", name: "<img src=x onerror=alert(1)>", files: appFiles("steady"), requirements: "pandas==0.0.0\n" });
      await card(page, "<img src=x onerror=alert(1)>").waitFor();
      assert.equal(await page.locator("#count").innerText(), "10 apps");
      await server.settled(added.app_id);
      await server.api("DELETE", "/apps/added");
      await shows(page, ALL);
      assert.equal(watch.loads, loads);
    }));

    test("a server that is away is told, and one that is back is asked again", LIMIT, () => visit(async (page) => {
      await page.route("**/portal/apps", (route) => route.abort("connectionrefused"));
      await page.getByText("Lithouse does not answer").waitFor();
      await page.unroute("**/portal/apps");
      await page.getByText("Lithouse does not answer").waitFor({ state: "hidden" });
    }, { allowed: [
      { pattern: /^failed: \S+\/portal\/apps net::ERR_CONNECTION_REFUSED$/, why: "the test refuses it" },
      { pattern: /^console: Failed to load resource: net::ERR_CONNECTION_REFUSED .*\/portal\/apps\)$/, why: "the browser tells the same" },
    ] }));

    test("a theme that is chosen is remembered", LIMIT, () => withProfile(lab.browser, { colorScheme: "light" }, (profile) => visit(async (page) => {
      const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = await ground();
      await page.getByRole("button", { name: "Theme: auto" }).click();
      await page.getByRole("button", { name: "Theme: light" }).click();
      await page.getByRole("button", { name: "Theme: dark" }).waitFor();
      const dark = await ground();
      assert.notEqual(dark, light);
      await page.reload();
      await page.getByRole("button", { name: "Theme: dark" }).click();
      await page.getByRole("button", { name: "Theme: auto" }).waitFor();
      assert.equal(await ground(), light, "auto follows the system again");
    }, { profile })));

    test("without a script the list is searched, and apps are opened", LIMIT, () => withProfile(lab.browser, { javaScriptEnabled: false }, (profile) => visit(async (page) => {
      await page.getByRole("searchbox").fill("region");
      await page.getByRole("button", { name: "Search" }).click();
      assert.deepEqual(await names(page), ["Sales by region"]);
      await page.getByRole("link", { name: "Sales by region", exact: true }).click();
      assert.equal(page.url(), `${server.origin}/?app=sales`);
      assert.equal(await page.locator("iframe").getAttribute("title"), "Sales by region");
      await page.getByRole("link", { name: "All apps" }).click();
      assert.deepEqual(await names(page), ALL);
    }, { profile, allowed: [{ pattern: /^failed: \S+\.js csp$/, why: "scripts are off" }] })));

    test("an app that is not there is told, with those that are", LIMIT, () => visit(async (page) => {
      await page.getByText("There is no app called “nowhere”").waitFor();
      await shows(page, ALL);
    }, { path: "/?app=nowhere", allowed: [
      { pattern: /^answer: 404 \S+\/\?app=nowhere$/, why: "the page that the test asks for" },
      { pattern: /^console: Failed to load resource: .* 404 .*\?app=nowhere\)$/, why: "the browser tells the same" },
    ] }));

    test("nothing moves for those who do not want it", LIMIT, () => withProfile(lab.browser, { reducedMotion: "reduce" }, (profile) => visit(async (page) => {
      const moving = () => page.evaluate(() => {
        document.querySelector("#apps .state").dataset.status = "building";
        return document.getAnimations().filter((animation) => animation.playState === "running").length;
      });
      assert.equal(await moving(), 0);
      await page.emulateMedia({ reducedMotion: "no-preference" });
      assert.ok((await moving()) > 0, "and it does for others");
    }, { profile })));

    frame(lab, () => server);

    for (const { name, ...look } of LOOKS) {
      test(`the list is whole, fits its window and breaks no rule of axe: ${name}`, LIMIT, () => withProfile(lab.browser, look, (profile) => visit(async (page) => {
        await shows(page, ALL);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.equal(over, 0, `${over} pixels too wide`);
        await picture(page, `portal-${name}`);
        await assertAccessible(page, "the list");
        await page.getByRole("searchbox").fill("no such thing");
        await page.getByText("No app matches").waitFor();
        await assertAccessible(page, "the list with nothing in it");
      }, { profile })));
    }

    test("the page of an unknown app fits a phone", LIMIT, () => withProfile(lab.browser, LOOKS[2], (profile) => visit(async (page) => {
      await page.getByRole("heading", { level: 1 }).waitFor();
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(over, 0, `${over} pixels too wide`);
      await picture(page, "unknown-narrow");
    }, { profile, path: "/apps/nowhere/", allowed: STANDS_IN })));

    test("a stopped app says so, and is there again once it is started", LIMIT, () => visit(async (page) => {
      await page.getByText("Harbour archive is stopped").first().waitFor();
      assert.equal(await page.locator("meta[http-equiv=refresh]").count(), 0, "a page that waits for what does not come by itself");
      await picture(page, "stopped");
      await server.api("POST", "/apps/archive/start");
      const { pid } = await waitUntil("its new process", async () => {
        const now = await server.get("archive");
        return now.pid !== null && now;
      });
      // As slow to start as any app, until the page was asked for.
      process.kill(pid, "SIGSTOP");
      const url = `${server.origin}/apps/archive/`;
      const asked = page.waitForRequest(url);
      const loaded = page.reload();
      await asked.finally(() => process.kill(pid, "SIGCONT"));
      await loaded;
      await page.getByText("this is the first page").waitFor();
    }, { path: "/apps/archive/", allowed: STANDS_IN }));
  });
}

/** Has to come first: it looks at an app whose environment is not there yet. */
export function building(lab) {
  test("the page of an app that is being built turns into the app by itself", { ...LIMIT, timeout: 600_000, skip: lab.plain && "nothing is built" }, async () => {
    await withPage(lab.profile, `${lab.server.origin}/apps/sales-dashboard/`, async (page, watch) => {
      await page.getByText(/sales-dashboard is (being built|starting)/i).first().waitFor();
      await page.locator("meta[http-equiv=refresh]").waitFor({ state: "attached" });
      await picture(page, "building");
      await page.getByText("Sales dashboard", { exact: true }).first().waitFor({ timeout: 240_000 });
      assert.ok(watch.loads > 1, "it was loaded again");
    }, { allowed: STANDS_IN });
  });
}
