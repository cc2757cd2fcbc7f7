// SPDX-License-Identifier: Apache-2.0
// The example apps that `make run` shows first: they open, answer, and complain about nothing.

import { cpSync, readFileSync } from "node:fs";
import { before, describe, test } from "node:test";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { filesBelow } from "../lib/apps.mjs";
import { picture, withPage } from "../lib/browser.mjs";
import { waitUntil } from "../lib/wait.mjs";

const FOLDER = fileURLToPath(new URL("../../examples/apps/", import.meta.url));
const KEYS = ["sales-dashboard", "image-lab", "live-signals"];
const LIMIT = { timeout: 600_000 };

/** Lays the apps out as `serve` takes them. */
export function layOut(folder) {
  for (const key of KEYS) cpSync(join(FOLDER, key), join(folder, key), { recursive: true, filter: (path) => !path.includes("__pycache__") });
}

// As they are they ask for the newest; for another version they are deployed with other requirements.
function isServedInPlace(lab, version) {
  return !lab.plain && version.label === "newest";
}

export function examples(lab, version) {
  describe("the example apps", () => {
    const apps = {};
    const visit = async (key, act, options) => {
      await withPage(lab.profile, apps[key].url, async (page, watch) => {
        await act(page, (name) => picture(page, `${key}-${version.label}-${name}`), watch);
        if ((await page.getByTestId("stException").count()) > 0) {
          throw new Error(await page.getByTestId("stException").first().innerText());
        }
      }, options);
    };

    before(async () => {
      for (const key of KEYS) apps[key] = await (isServedInPlace(lab, version) ? lab.server.runs(key) : deploy(key));
    }, { timeout: 600_000 });

    function deploy(key) {
      const files = filesBelow(join(FOLDER, key));
      const wanted = readFileSync(join(FOLDER, key, "requirements.txt"), "utf8");
      const requirements = wanted.replace(/^streamlit.*$/m, version.requirements.split("\n")[0]);
      return lab.server.running({ key: `${key}-${version.label}`, files, requirements });
    }

    test("the dashboard shows its figures and follows a filter", LIMIT, () => visit("sales-dashboard", async (page, shot) => {
      await page.getByTestId("stPlotlyChart").nth(2).locator(".main-svg").first().waitFor();
      await page.getByTestId("stDataFrame").locator("canvas").first().waitFor();
      const revenue = page.getByTestId("stMetricValue").first();
      const before = await revenue.innerText();
      await shot("first");
      await page.getByTestId("stSidebar").getByTestId("stSelectbox").locator("input").click();
      await page.getByRole("option", { name: "Last 30 days" }).click();
      await waitUntil("another revenue", async () => (await revenue.innerText()) !== before);
      await shot("filtered");
    }));

    test("the lab develops a picture by preset and takes one in", LIMIT, () => visit("image-lab", async (page, shot) => {
      const shown = page.getByTestId("stImage").locator("img").first();
      const address = () => shown.getAttribute("src");
      await shown.waitFor();
      const first = await address();
      await shot("first");
      await page.getByTestId("stSelectbox").first().locator("input").click();
      await page.getByRole("option", { name: "Two inks" }).click();
      await waitUntil("another picture", async () => (await address()) !== first);
      await page.getByText("960 by 600 pixels").waitFor();
      await waitUntil("its pixels", () => shown.evaluate((image) => image.complete && image.naturalWidth === 960));
      await shot("two-inks");
      await page.locator("input[type=file]").setInputFiles({ name: "white.png", mimeType: "image/png", buffer: WHITE });
      await page.getByText("1 by 1 pixels").waitFor();
    }));

    test("the signals move by themselves, and every page opens", LIMIT, () => visit("live-signals", async (page, shot) => {
      const value = page.getByTestId("stMetricValue").first();
      await value.waitFor();
      const first = await value.innerText();
      await waitUntil("another value", async () => (await value.innerText()) !== first);
      await page.getByTestId("stPlotlyChart").locator(".scatterlayer .trace").nth(2).waitFor();
      await shot("live");
      const pages = page.getByTestId("stSidebarNav");
      await pages.getByRole("link", { name: "Spectrum" }).click();
      await page.getByText(/The strongest swell of/).waitFor();
      await page.getByTestId("stPlotlyChart").locator(".scatterlayer .trace").first().waitFor();
      await shot("spectrum");
      await pages.getByRole("link", { name: "Journal" }).click();
      await page.getByText(/No signal has passed its limit yet|Download as CSV/).first().waitFor();
      await shot("journal");
    }));
  });
}

const WHITE = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==", "base64");
