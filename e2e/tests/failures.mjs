// SPDX-License-Identifier: Apache-2.0
// Apps that fail: the visitor sees why, and the page that is still open finds the app again.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { AWAY, LOOKING } from "../lib/allowances.mjs";
import { appFiles } from "../lib/apps.mjs";
import { withPage } from "../lib/browser.mjs";
import { waitUntil } from "../lib/wait.mjs";

const LIMIT = { timeout: 600_000 };

export function failures(lab, version) {
  describe("apps that fail", () => {
    test("an exception of the script is shown on the page, and the app runs on", LIMIT, async () => {
      const files = appFiles("raises");
      const app = await lab.server.running({ key: `raises-${version.label}`, files, requirements: version.requirements });
      await withPage(lab.profile, app.url, async (page) => {
        for (const run of [1, 2]) {
          await page.getByText(`so far so good, for run ${run}`).waitFor();
          await page.getByTestId("stException").getByText("the chart is upside down").first().waitFor();
          await page.getByRole("button", { name: "Again" }).click();
        }
        await page.getByText("so far so good, for run 3").waitFor();
      });
      const { status, pid, restarts } = await lab.server.runs(app.app_id);
      assert.deepEqual({ status, pid, restarts }, { status: "running", pid: app.pid, restarts: 0 });
    });

    test("an app whose process ends comes back, and the open page goes on with it", { ...LIMIT, skip: lab.plain && "nothing restarts it" }, async () => {
      const files = appFiles("exits");
      const app = await lab.server.running({ key: `exits-${version.label}`, files, requirements: version.requirements });
      await withPage(lab.profile, app.url, async (page, watch) => {
        await page.getByText(`process ${app.pid} serves this page`).waitFor();
        await page.getByRole("button", { name: "Crash" }).click();
        const back = await waitUntil("another process", async () => {
          const now = await lab.server.get(app.app_id);
          return now.status === "running" && now.pid !== app.pid && now;
        });
        await page.getByText(`process ${back.pid} serves this page`).waitFor();
        assert.equal(back.restarts, 1);
        assert.equal(watch.loads, 1);
      }, { allowed: [...AWAY, ...LOOKING] });
      assert.match(await lab.server.log(app), /ended with exit code 3/);
    });
  });
}
