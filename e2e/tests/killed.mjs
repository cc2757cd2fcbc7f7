// SPDX-License-Identifier: Apache-2.0
// The server is killed while visitors are there: apps, sessions and logs go on as if nothing had been.

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { describe, test } from "node:test";

import { AWAY, LOOKING, UNREACHABLE } from "../lib/allowances.mjs";
import { appFiles, VERSIONS } from "../lib/apps.mjs";
import { withPages } from "../lib/browser.mjs";
import { waitUntil } from "../lib/wait.mjs";
import { countTo } from "./count.mjs";

// More bytes than any buffer between an app and its log holds.
const MUCH_BYTES = 16 * 1024;

export function killed(lab) {
  describe("a server that is killed", { skip: lab.plain && "there is no server" }, () => {
    test("comes back to the same processes, sessions and logs", { timeout: 600_000 }, async () => {
      const { server } = lab;
      const deploy = ({ label, requirements }) => server.running({ key: `steady-${label}`, files: appFiles("steady"), requirements });
      const apps = await Promise.all(VERSIONS.map(deploy));
      let killedAt;
      let backAt;
      await withPages(lab.profile, apps.map(({ url }) => url), async (visits) => {
        const each = (act) => Promise.all(visits.map(act));
        const session = ({ page }) => page.getByText(/^session [0-9a-f]{32}$/).textContent();
        await each(({ page }) => countTo(page, 1));
        await each(({ page }) => countTo(page, 2));
        const sessions = await each(session);

        await server.kill();
        killedAt = new Date().toISOString();
        await each(({ page }) => page.getByText(/connecting/i).first().waitFor());
        const sizes = apps.map((app) => sizeOfLog(app));
        await waitUntil("the apps to write on", () => apps.every((app, index) => sizeOfLog(app) > sizes[index] + MUCH_BYTES));
        backAt = new Date().toISOString();
        await server.launch();

        await each(({ page }) => countTo(page, 3));
        assert.deepEqual(await each(session), sessions);
        assert.deepEqual(await each(({ watch }) => watch.loads), visits.map(() => 1));
      }, { allowed: [...AWAY, ...LOOKING, ...UNREACHABLE] });

      for (const app of apps) {
        const { status, pid, restarts } = await server.get(app.app_id);
        assert.deepEqual({ status, pid, restarts }, { status: "running", pid: app.pid, restarts: 0 });
        everyLineIsThere(await server.log(app), killedAt, backAt);
      }

      function sizeOfLog(app) {
        return statSync(server.logFile(app)).size;
      }
    });
  });
}

function everyLineIsThere(log, killedAt, backAt) {
  const lines = [...log.matchAll(/^(\S+) out \| line (\d+)$/gm)].map(([, time, number]) => ({ time, number: Number(number) }));
  const lost = lines.find(({ number }, index) => number !== index + 1);
  assert.equal(lost, undefined, "a line is lost, doubled, or out of its order");
  assert.ok(lines.filter(({ time }) => time > killedAt && time < backAt).length > 100, "lines of the time without a server");
  assert.ok(lines.at(-1).time > backAt, "lines of the time after it");
}
