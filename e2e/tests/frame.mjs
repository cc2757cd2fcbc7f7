// SPDX-License-Identifier: Apache-2.0
// Apps in the portal's frame: one goes from one to the other, and each works in there as it does by itself.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { describe, test } from "node:test";

import { AWAY, CUT, LEAVING, LOOKING, STANDS_IN } from "../lib/allowances.mjs";
import { assertAccessible } from "../lib/axe.mjs";
import { picture, withPage, withProfile } from "../lib/browser.mjs";
import { stop } from "../lib/harbour.mjs";
import { countTo } from "./count.mjs";
import { LOOKS } from "./portal.mjs";

const LIMIT = { timeout: 600_000 };

/** The app that is seen. */
const seen = (page) => page.frameLocator("iframe:not([hidden])");
const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.title || document.activeElement.textContent);

/** Goes to another app by the field in the bar. */
async function switchTo(page, typed) {
  await page.getByRole("combobox", { name: "Switch to another app" }).click();
  await page.keyboard.type(typed);
  await page.keyboard.press("Enter");
}

export function frame(lab, server) {
  describe("apps in the frame", () => {
    const visit = (path, act, { profile = lab.profile, allowed = [] } = {}) =>
      withPage(profile, `${server().origin}${path}`, act, { allowed: [...LEAVING, ...allowed] });

    test("switching between two apps keeps the session of each", LIMIT, () => visit("/", async (page, watch) => {
      await page.getByRole("link", { name: "Night watch", exact: true }).click();
      await countTo(seen(page), 1);
      await countTo(seen(page), 2);
      const session = await seen(page).getByText(/^session [0-9a-f]{32}$/).textContent();
      await switchTo(page, "sales");
      await seen(page).getByText("Sales dashboard", { exact: true }).first().waitFor();
      assert.equal(await page.title(), "Sales by region · Lithouse");
      await switchTo(page, "night w");
      await seen(page).getByText(session).waitFor();
      await countTo(seen(page), 3);
      assert.equal(await page.locator("iframe:not([hidden])").count(), 1);
      // One load of our own page; what the frames load counts for them.
      assert.equal(watch.loads, 1);
    }));

    test("back and forward go through what was seen, and the address can be sent to somebody", LIMIT, () => visit("/", async (page) => {
      const { origin } = server();
      await page.getByRole("link", { name: "Night watch", exact: true }).click();
      await countTo(seen(page), 1);
      await switchTo(page, "harbour");
      await page.waitForURL(`${origin}/?app=archive`);
      await seen(page).getByText("Harbour archive is stopped").first().waitFor();
      await page.goBack();
      await page.waitForURL(`${origin}/?app=watch`);
      await seen(page).getByText("count is 1", { exact: true }).waitFor();
      assert.equal(await page.title(), "Night watch · Lithouse");
      await page.goBack();
      await page.getByRole("heading", { name: "Apps", level: 1 }).waitFor();
      assert.equal(await page.title(), "Apps · Lithouse");
      assert.equal(await focused(page), "Night watch", "the focus is on the card one comes from");
      await page.goForward();
      await seen(page).getByText("count is 1", { exact: true }).waitFor();
      await withPage(lab.profile, page.url(), async (other) => {
        await seen(other).getByText("count is 0", { exact: true }).waitFor();
        assert.equal(await other.title(), "Night watch · Lithouse");
        assert.equal(await other.getByRole("combobox").inputValue(), "Night watch");
      }, { allowed: LEAVING });
    }, { allowed: STANDS_IN }));

    test("the keyboard alone is enough", LIMIT, () => visit("/", async (page) => {
      const press = (key) => page.keyboard.press(key);
      await press("Tab");
      assert.equal(await focused(page), "Skip to the apps");
      await press("Enter");
      await press("Tab");
      assert.equal(await focused(page), "Ferry queue");
      await press("/");
      assert.equal(await focused(page), "q");
      await page.keyboard.type("night watch");
      await press("ArrowDown");
      assert.equal(await focused(page), "Night watch");
      const outline = await page.locator(".card:has(.open:focus-visible)").evaluate((card) => getComputedStyle(card).outlineStyle);
      assert.equal(outline, "solid", "the focus is seen");
      await press("Enter");
      await countTo(seen(page), 1);
      // From the frame into the bar.
      await page.getByRole("link", { name: "All apps" }).focus();
      await press("Tab");
      assert.equal(await focused(page), "switch");
      await press("ArrowDown");
      const field = page.getByRole("combobox", { name: "Switch to another app" });
      assert.equal(await field.getAttribute("aria-expanded"), "true");
      const active = async () => page.locator(`#${await field.getAttribute("aria-activedescendant")}`).innerText();
      assert.match(await active(), /^Night watch/);
      await press("ArrowDown");
      assert.match(await active(), /^Sales by region/);
      await press("Escape");
      assert.equal(await field.getAttribute("aria-expanded"), "false");
      assert.equal(await field.inputValue(), "Night watch");
      await page.keyboard.type("sal");
      await press("Enter");
      await seen(page).getByText("Sales dashboard", { exact: true }).first().waitFor();
      assert.equal(await focused(page), "Sales by region", "the focus goes into the app");
      await page.getByRole("link", { name: "All apps" }).focus();
      await press("Enter");
      await page.getByRole("heading", { name: "Apps", level: 1 }).waitFor();
    }));

    test("files go up and come down, tables fill the window, and the socket stays", LIMIT, () => visit("/?app=kitchen", async (page) => {
      const app = seen(page);
      await app.getByText("the end of the page").waitFor();
      const content = randomBytes(1 << 20);
      await app.locator("input[type=file]").setInputFiles({ name: "some.bin", mimeType: "application/octet-stream", buffer: content });
      await app.getByText(`received ${content.length} bytes, sha256 ${createHash("sha256").update(content).digest("hex")}`).waitFor();
      const [download] = await Promise.all([page.waitForEvent("download"), app.getByRole("button", { name: "Take the bytes" }).click()]);
      assert.equal(download.suggestedFilename(), "bytes.bin");
      const table = app.getByTestId("stDataFrame");
      await table.locator("canvas").first().waitFor();
      await table.hover();
      const toolbar = app.getByTestId("stElementToolbar").first();
      await toolbar.getByRole("button", { name: "Fullscreen" }).press("Enter");
      await toolbar.getByRole("button", { name: "Close fullscreen" }).press("Enter");
      await toolbar.getByRole("button", { name: "Fullscreen" }).waitFor();
      await countTo(app, 1);
    }));

    test("the direct link opens the app alone, and a reload begins it anew", LIMIT, () => visit("/?app=watch", async (page) => {
      await countTo(seen(page), 1);
      const [alone] = await Promise.all([page.waitForEvent("popup"), page.getByRole("link", { name: "Open alone, in a new tab" }).click()]);
      await alone.getByText("count is 0", { exact: true }).waitFor();
      assert.equal(alone.url(), `${server().origin}/apps/watch/`);
      await alone.close();
      await page.getByRole("button", { name: "Reload the app" }).click();
      await seen(page).getByText("count is 0", { exact: true }).waitFor();
    }));

    test("the last few apps stay as they were left, and no more", LIMIT, () => visit("/?app=archive", async (page) => {
      for (const [typed, name] of [["watch", "Night watch"], ["forecast", "Tide forecast"], ["sales", "Sales by region"], ["kitchen", "Kitchen sink"], ["image", "Image lab"]]) {
        await switchTo(page, typed);
        await page.locator(`iframe[title="${name}"]:not([hidden])`).waitFor();
      }
      const kept = await page.locator("iframe").evaluateAll((frames) => frames.map(({ title }) => title));
      assert.deepEqual(kept, ["Tide forecast", "Sales by region", "Kitchen sink", "Image lab"]);
    }, { allowed: STANDS_IN }));

    test("an app that is stopped says so, and is there again by itself once it runs", LIMIT, () => visit("/", async (page) => {
      await stop(server(), "watch");
      await page.getByRole("link", { name: "Night watch", exact: true }).click();
      await seen(page).getByText("Night watch is stopped").first().waitFor();
      await page.locator("#framed-state").getByText("Stopped").waitFor();
      await picture(page, "frame-stopped");
      await server().api("POST", "/apps/watch/start");
      await seen(page).getByText("count is 0", { exact: true }).waitFor();
      await page.locator("#framed-state").getByText("Running").waitFor();
    }, { allowed: [...STANDS_IN, ...AWAY, ...LOOKING, ...CUT] }));

    test("an app in the frame is as dark or as light as the system asks for", LIMIT, () => withProfile(lab.browser, { colorScheme: "dark" }, (profile) => visit("/?app=watch", async (page) => {
      await seen(page).getByText("count is 0", { exact: true }).waitFor();
      const ground = await seen(page).getByTestId("stApp").evaluate((app) => getComputedStyle(app).backgroundColor);
      assert.ok(ground.match(/\d+/g).every((part) => Number(part) < 60), ground);
    }, { profile })));

    test("an app that is removed meanwhile is told", LIMIT, () => visit("/?app=watch", async (page) => {
      await seen(page).getByText("count is 0", { exact: true }).waitFor();
      // As the server's answer is when it is gone.
      await page.route("**/portal/apps", async (route) => {
        const answer = await route.fetch({ headers: {} });
        const body = (await answer.text()).replace(/<li class="card" data-app="watch"[^]*?<\/li>/, "");
        await route.fulfill({ response: answer, body });
      });
      await page.locator("#framed-state").getByText("Removed").waitFor();
      await page.getByRole("link", { name: "All apps" }).click();
      await page.getByText("8 apps").waitFor();
      assert.equal(await page.getByRole("link", { name: "Night watch", exact: true }).count(), 0);
      await page.unrouteAll({ behavior: "ignoreErrors" });
    }));

    for (const { name, ...look } of LOOKS) {
      test(`the bar is slim, fits its window and breaks no rule of axe: ${name}`, LIMIT, () => withProfile(lab.browser, look, (profile) => visit("/?app=sales", async (page) => {
        await seen(page).getByTestId("stPlotlyChart").first().locator(".main-svg").first().waitFor();
        const [over, bar, rest] = await page.evaluate(() => [
          document.documentElement.scrollWidth - document.documentElement.clientWidth,
          document.querySelector(".bar").getBoundingClientRect().height,
          innerHeight - document.querySelector("iframe").getBoundingClientRect().height,
        ]);
        assert.equal(over, 0, `${over} pixels too wide`);
        assert.ok(bar <= 44 && rest === bar, `a bar of ${bar} pixels leaves ${rest} to others than the app`);
        await picture(page, `frame-${name}`);
        await assertAccessible(page, "the frame");
        await page.getByRole("combobox", { name: "Switch to another app" }).click();
        await page.getByRole("option", { name: /Image lab/ }).waitFor();
        await assertAccessible(page, "the list of apps to switch to");
        await picture(page, `switcher-${name}`);
      }, { profile })));
    }
  });
}
