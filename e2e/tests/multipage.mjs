// SPDX-License-Identifier: Apache-2.0
// Apps of several pages, whose addresses lie below the app's own path.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { LOOKING } from "../lib/allowances.mjs";
import { sharedApp } from "../lib/apps.mjs";
import { withPage } from "../lib/browser.mjs";

const LIMIT = { timeout: 600_000 };

export function multipage(lab, version) {
  describe("several pages", () => {
    let app;
    before(async () => {
      app = await sharedApp(lab, "multipage", version);
    }, { timeout: 600_000 });

    test("links lead from page to page within one session", LIMIT, () => withPage(lab.profile, app.url, async (page, watch) => {
      await page.getByText("this is the first page").waitFor();
      await page.getByTestId("stSidebarNav").getByRole("link", { name: "Tides" }).click();
      await page.getByText("the tide at 6 is high").waitFor();
      assert.equal(page.url(), `${app.url}Tides`);
      await page.getByText("seen the first page 1 times").waitFor();
      await page.goBack();
      await page.getByText("this is the first page").waitFor();
      assert.equal(watch.loads, 1);
    }));

    test("a page further down loads, works and reloads by its own address", LIMIT, () => withPage(lab.profile, `${app.url}Tides`, async (page) => {
      await page.getByText("the tide at 6 is high").waitFor();
      await page.waitForLoadState("networkidle"); // a reload would abort what is still loading, and be told so
      await page.reload();
      await page.getByText("the tide at 6 is high").waitFor();
      await page.getByRole("spinbutton").fill("20");
      await page.getByRole("spinbutton").press("Enter");
      await page.getByText("the tide at 20 is low").waitFor();
    }, { allowed: LOOKING }));

    test("query parameters reach the page", LIMIT, () => withPage(lab.profile, `${app.url}Lights?colour=green`, async (page) => {
      await page.getByText("the colour is green").waitFor();
    }, { allowed: LOOKING }));

    test("an address without its last slash leads to the app", LIMIT, () => withPage(lab.profile, app.url.slice(0, -1), async (page) => {
      await page.getByText("this is the first page").waitFor();
    }));
  });
}
