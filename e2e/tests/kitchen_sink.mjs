// SPDX-License-Identifier: Apache-2.0
// What a visitor does with widgets, files, pictures and a connection that drops, on one page from the first claim to the last.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { CUT, LOOKING, UNREACHABLE } from "../lib/allowances.mjs";
import { appFiles } from "../lib/apps.mjs";
import { Tab } from "../lib/browser.mjs";
import { waitUntil } from "../lib/wait.mjs";
import { countTo } from "./count.mjs";

const LIMIT = { timeout: 600_000 };

export function kitchenSink(lab, version) {
  describe("one of everything", () => {
    let app;
    let tab;
    const claim = (name, act, options) => test(name, LIMIT, () => tab.act(act, options));

    before(async () => {
      const files = appFiles("kitchen-sink");
      app = await lab.server.running({ key: `sink-${version.label}`, files, requirements: version.requirements });
      tab = await Tab.open(lab.profile, app.url);
    }, { timeout: 600_000 });
    after(() => tab?.close());

    claim("the page renders to its end", async (page) => {
      await page.goto(app.url);
      await page.getByText("the end of the page").waitFor();
      assert.equal(await page.title(), "Kitchen sink");
      assert.match(await page.getByText(/^streamlit 1\./).textContent(), version.label === "oldest" ? /1\.40\./ : /1\./);
    });

    claim("slider and button rerun the script over the socket, without loading the page again", async (page, watch) => {
      const { frames, loads } = watch;
      await page.getByRole("slider").focus();
      await page.keyboard.press("ArrowRight");
      await page.getByText("level is 11", { exact: true }).waitFor();
      await countTo(page, 1);
      await countTo(page, 2);
      assert.ok(watch.frames >= frames + 3, `${watch.frames - frames} frames for three reruns`);
      assert.equal(watch.loads, loads);
    });

    claim("20 MB arrive as they were sent", async (page) => {
      const folder = mkdtempSync(join(tmpdir(), "lithouse-upload-"));
      try {
        const content = randomBytes(20 * 1024 * 1024);
        writeFileSync(join(folder, "big.bin"), content);
        await page.locator("input[type=file]").setInputFiles(join(folder, "big.bin"));
        const hash = createHash("sha256").update(content).digest("hex");
        await page.getByText(`received ${content.length} bytes, sha256 ${hash}`).waitFor({ timeout: 60_000 });
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    claim("a download gives the bytes back", async (page) => {
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Take the bytes" }).click(),
      ]);
      assert.equal(download.suggestedFilename(), "bytes.bin");
      const expected = Buffer.concat(Array(4096).fill(Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))));
      assert.ok(readFileSync(await download.path()).equals(expected));
    });

    claim("data frame, picture and chart are drawn", async (page) => {
      await page.getByTestId("stDataFrame").locator("canvas").first().waitFor();
      const picture = page.getByTestId("stImage").locator("img");
      await picture.waitFor();
      await waitUntil("the picture's pixels", () => picture.evaluate((image) => image.complete && image.naturalWidth === 160));
      await page.getByTestId("stPlotlyChart").locator(".bars .point").nth(2).waitFor();
      await page.getByText("Ships by city").waitFor();
    });

    claim("a fragment ticks by itself", async (page) => {
      const tick = page.getByText(/^tick \d+$/);
      await tick.waitFor();
      const read = async () => Number((await tick.textContent()).slice(5));
      const first = await read();
      await waitUntil("three more ticks", async () => (await read()) >= first + 3);
    });

    claim("a reload of the page works, and begins a session of its own", async (page) => {
      await page.waitForLoadState("networkidle"); // a reload would abort what is still loading, and be told so
      await page.reload();
      await page.getByText("count is 0", { exact: true }).waitFor();
      await countTo(page, 1);
    });

    claim("a dropped socket recovers and keeps the session", async (page, watch) => {
      const { loads } = watch;
      const opened = await page.evaluate(() => window.socketsOpened());
      assert.equal(await page.evaluate(() => window.cutSockets()), 1);
      await waitUntil("another socket", () => page.evaluate((before) => window.socketsOpened() > before, opened));
      await countTo(page, 2);
      assert.equal(watch.loads, loads);
    }, { allowed: CUT });

    claim("a network that goes and comes back leaves the session as it was", async (page, watch) => {
      const { loads } = watch;
      // Cut by hand: the browser's own way to be offline waits up to a minute for the end of a socket.
      await page.route("**/_stcore/**", (route) => route.abort("internetdisconnected"));
      assert.equal(await page.evaluate(() => window.cutSockets()), 1);
      await page.getByText(/connecting/i).first().waitFor();
      await page.unroute("**/_stcore/**");
      await countTo(page, 3);
      assert.equal(watch.loads, loads);
    }, { allowed: [...CUT, ...LOOKING, ...UNREACHABLE] });
  });
}
