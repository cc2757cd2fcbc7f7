// SPDX-License-Identifier: Apache-2.0
// The pages of Lithouse itself: the list of apps, and what stands in for an app that is not there.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { appFiles } from "../lib/apps.mjs";
import { picture, withPage, withProfile } from "../lib/browser.mjs";
import { waitUntil } from "../lib/wait.mjs";

const LIMIT = { timeout: 120_000 };
const LOOKS = [
  { name: "light", colorScheme: "light" },
  { name: "dark", colorScheme: "dark" },
  { name: "narrow", colorScheme: "light", viewport: { width: 360, height: 740 } },
];
// A browser tells of a page whose answer is no success, and that is what a page in place of an app is.
const STANDS_IN = [
  { pattern: /^answer: (503|404) \S+\/apps\/[a-z-]+\/$/, why: "the page that the test asks for" },
  { pattern: /^console: Failed to load resource: .* (503|404) .*\/apps\/[a-z-]+\/\)$/, why: "the browser tells the same" },
];

export function portal(lab, version) {
  describe("our own pages", { skip: lab.plain && "there is no server" }, () => {
    const name = "Lamps & <lights>";
    const description = "When each lamp is lit, and by whom.";
    let app;
    before(async () => {
      app = await lab.server.running({ key: "lamps", name, description, files: appFiles("multipage"), requirements: version.requirements });
    }, { timeout: 300_000 });

    test("the portal lists every app, and leads to it", LIMIT, () => withPage(lab.profile, `${lab.server.origin}/`, async (page) => {
      const { apps } = await lab.server.api("GET", "/apps");
      assert.ok(apps.length > 3, `${apps.length} apps`);
      for (const { name } of apps) await page.getByRole("heading", { name, exact: true }).waitFor();
      const card = page.getByRole("listitem").filter({ has: page.getByRole("heading", { name, exact: true }) });
      assert.match(await card.innerText(), /Lamps & <lights>\s+When each lamp is lit, and by whom\.\s+Running/);
      await card.getByRole("link", { name, exact: true }).click();
      await page.frameLocator("iframe").getByText("this is the first page").waitFor();
      assert.equal(page.url(), `${lab.server.origin}/?app=lamps`);
    }, { allowed: STANDS_IN }));

    for (const { name, ...look } of LOOKS) {
      test(`the pages are whole and fit their window: ${name}`, LIMIT, () => withProfile(lab.browser, look, async (profile) => {
        for (const [what, path] of [["portal", "/"], ["unknown", "/apps/nowhere/"]]) {
          await withPage(profile, `${lab.server.origin}${path}`, async (page) => {
            await page.getByRole("heading", { level: 1 }).waitFor();
            const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
            assert.equal(over, 0, `${what} is ${over} pixels too wide`);
            await picture(page, `${what}-${name}`);
          }, { allowed: STANDS_IN });
        }
      }));
    }

    test("a stopped app says so, and is there again once it is started", LIMIT, async () => {
      await lab.server.api("POST", "/apps/lamps/stop");
      await waitUntil("the app to stop", async () => (await lab.server.get("lamps")).status === "stopped");
      await withPage(lab.profile, app.url, async (page) => {
        await page.getByText(`${name} is stopped`).first().waitFor();
        assert.equal(await page.locator("meta[http-equiv=refresh]").count(), 0, "a page that waits for what does not come by itself");
        await picture(page, "stopped");
        await lab.server.api("POST", "/apps/lamps/start");
        const { pid } = await waitUntil("its new process", async () => {
          const now = await lab.server.get("lamps");
          return now.pid !== null && now;
        });
        // As slow to start as any app, until the page was asked for.
        process.kill(pid, "SIGSTOP");
        const asked = page.waitForRequest(app.url);
        const loaded = page.reload();
        await asked.finally(() => process.kill(pid, "SIGCONT"));
        await loaded;
        await page.getByText("this is the first page").waitFor();
      }, { allowed: STANDS_IN });
    });
  });
}

/** Has to come first: it looks at an app whose environment is not there yet. */
export function building(lab) {
  test("the page of an app that is being built turns into the app by itself", { ...LIMIT, timeout: 300_000, skip: lab.plain && "nothing is built" }, async () => {
    await withPage(lab.profile, `${lab.server.origin}/apps/sales-dashboard/`, async (page, watch) => {
      await page.getByText(/sales-dashboard is (being built|starting)/i).first().waitFor();
      await page.locator("meta[http-equiv=refresh]").waitFor({ state: "attached" });
      await picture(page, "building");
      await page.getByText("Sales dashboard", { exact: true }).first().waitFor({ timeout: 240_000 });
      assert.ok(watch.loads > 1, "it was loaded again");
    }, { allowed: STANDS_IN });
  });
}
