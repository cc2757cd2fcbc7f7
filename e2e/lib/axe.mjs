// SPDX-License-Identifier: Apache-2.0
// What axe finds on a page of ours. Apps in frames are their authors' affair.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Fails with every rule that the page breaks, and where. */
export async function assertAccessible(page, what) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { violations, passes } = await window.axe.run(document, { iframes: false });
    const told = violations.map(({ id, help, nodes }) => `${id}: ${help} (${nodes.map(({ target, failureSummary }) => `${target}: ${failureSummary}`).join("; ")})`);
    return { told, passes: passes.length };
  });
  assert.deepEqual(found.told, [], `${what} breaks rules`);
  assert.ok(found.passes > 10, `${what}: only ${found.passes} rules applied`);
}
