// SPDX-License-Identifier: Apache-2.0
// The app that everybody tries first: Streamlit's own demonstration, deployed as a bundle of its files.

import { describe, test } from "node:test";

import { filesBelow, sharedApp } from "../lib/apps.mjs";
import { withPage } from "../lib/browser.mjs";

// Whoever asks this port for the way outside gets no answer: the two demonstrations of remote data say so on any machine.
const NO_WAY_OUT = { https_proxy: "http://127.0.0.1:1", HTTPS_PROXY: "http://127.0.0.1:1" };

const allowed = [
  { pattern: /https:\/\/fonts\.gstatic\.com\/s\/i\//, why: "its pages name Material symbols as icons, which the client fetches from there" },
  { pattern: /^failed: \S+\/media\/[0-9a-f]+\.jpg net::ERR_ABORTED$/, why: "the animation replaces its picture while the browser fetches it" },
  { pattern: /^answer: 404 \S+\/media\/[0-9a-f]+\.jpg$/, why: "the animation replaces its picture before the browser fetches it" },
  { pattern: /^console: Failed to load resource: .* 404 .*\/media\/[0-9a-f]+\.jpg\)$/, why: "the browser tells the same" },
  { pattern: /^console: Client Error: Image source error - \S+\/media\/[0-9a-f]+\.jpg /, why: "and so does the page" },
];

export function hello(lab, version) {
  describe("streamlit hello", () => {
    test("it runs as a bundle, and each of its pages shows what it has", { timeout: 600_000 }, async () => {
      const { requirements, label } = version;
      const source = await sharedApp(lab, "multipage", version);
      const files = filesBelow(lab.server.packageFolder(source, "streamlit/hello"));
      const app = await lab.server.running({ key: `hello-${label}`, files, requirements, env: NO_WAY_OUT });
      await withPage(lab.profile, app.url, async (page) => {
        const open = async (name) => {
          await page.getByTestId("stSidebarNav").getByRole("link", { name }).click();
          await page.getByRole("heading", { name, level: 1 }).waitFor();
        };
        const cannotReach = page.getByTestId("stAlert").getByText("This demo requires internet access");
        await page.getByText("Welcome to Streamlit").first().waitFor();
        await open("DataFrame demo");
        await cannotReach.waitFor();
        await open("Plotting demo");
        await page.getByText("100% complete").waitFor();
        await page.getByTestId("stVegaLiteChart").locator("canvas, svg").first().waitFor();
        await open("Mapping demo");
        await cannotReach.waitFor();
        await open("Animation demo");
        await page.getByTestId("stImage").locator("img").first().waitFor();
        await page.getByTestId("stSidebarNav").getByRole("link", { name: "Hello" }).click();
        await page.getByText("Welcome to Streamlit").first().waitFor();
      }, { allowed });
    });
  });
}
