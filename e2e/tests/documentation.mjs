// SPDX-License-Identifier: Apache-2.0
// The documentation of the API as two pages: each shows every operation, asks nobody but us, and one of them can be used.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { appFiles } from "../lib/apps.mjs";
import { picture, withPage } from "../lib/browser.mjs";

const LIMIT = { timeout: 600_000 };

/** Opens an operation of the page for trying it out. */
async function tryOutOn(page, tag, id) {
  const operation = page.locator(`#operations-${tag}-${id}`);
  await operation.locator(".opblock-summary-control").click();
  await operation.getByRole("button", { name: "Try it out" }).click();
  return operation;
}

/** Executes it as it is filled in now, and waits until the page shows an answer with this status. */
async function answered(operation, status) {
  await operation.getByRole("button", { name: "Execute", exact: true }).click();
  await operation.locator(".live-responses-table .response-col_status").filter({ hasText: String(status) }).waitFor();
}

/** What the page shows of the JSON that was answered. */
async function shownBy(operation) {
  return JSON.parse(await operation.locator(".live-responses-table .response-col_description .highlight-code pre").first().innerText());
}

export function documentation(lab, version) {
  describe("the documentation of the API", { skip: lab.plain && "there is no server" }, () => {
    const operations = async () => {
      const { paths } = await (await fetch(`${lab.server.origin}/openapi.json`)).json();
      return Object.values(paths).flatMap((item) => Object.values(item));
    };

    test("/docs shows every operation, with what it takes and answers", { timeout: 600_000 }, () => withPage(lab.profile, `${lab.server.origin}/docs`, async (page) => {
      for (const { operationId, tags, summary } of await operations()) {
        const operation = page.locator(`#operations-${tags[0]}-${operationId}`);
        const control = operation.locator(".opblock-summary-control");
        await operation.getByText(summary, { exact: true }).waitFor();
        await control.click();
        await operation.locator(".responses-table").first().waitFor();
        // The more is open, the longer the page takes for the next.
        await control.click();
      }
      await picture(page, "docs");
    }));

    test("/redoc shows every operation, and finds them by their words", LIMIT, () => withPage(lab.profile, `${lab.server.origin}/redoc`, async (page) => {
      for (const { operationId, tags, summary } of await operations()) {
        const section = page.locator(`[id="tag/${tags[0]}/operation/${operationId}"]`);
        await section.locator("h2").filter({ hasText: summary }).waitFor();
      }
      await page.getByPlaceholder("Search...").fill("active one");
      await page.getByRole("search").getByText("Make a release that is there the active one").waitFor();
      await picture(page, "redoc");
    }));

    test("both are found with a slash behind their names, too", LIMIT, async () => {
      for (const [name, operation] of [["docs", "#operations-apps-create_app"], ["redoc", '[id="tag/apps/operation/create_app"]']]) {
        await withPage(lab.profile, `${lab.server.origin}/${name}/`, async (page) => {
          assert.equal(new URL(page.url()).pathname, `/${name}`);
          await page.locator(operation).waitFor();
        });
      }
    });

    test("the apps can be asked for, and a snippet run, on the page", { timeout: 600_000 }, async () => {
      await lab.server.runsSnippets();
      await withPage(lab.profile, `${lab.server.origin}/docs`, async (page) => {
        const there = await lab.server.api("GET", "/apps");
        const list = await tryOutOn(page, "apps", "list_apps");
        await answered(list, 200);
        // Others may be deployed meanwhile.
        const { apps } = await shownBy(list);
        assert.deepEqual(apps.slice(0, there.apps.length).map((app) => app.app_id), there.apps.map((app) => app.app_id));

        const execute = await tryOutOn(page, "snippets", "execute");
        await execute.locator("textarea").fill(JSON.stringify({ code: "print(6 * 7)" }));
        await answered(execute, 200);
        const { output } = await shownBy(execute);
        assert.equal(output.stdout, "42\n");
      });
    });

    test("an operation can be tried out on the page, files and all", LIMIT, () => withPage(lab.profile, `${lab.server.origin}/docs`, async (page) => {
      const tryOut = (id) => tryOutOn(page, "apps", id);
      const create = await tryOut("create_app");
      const field = (name) => create.locator(`tr[data-property-name=${name}]`);
      const file = (name, content) => ({ name, mimeType: "text/plain", buffer: Buffer.from(content) });
      await field("requirements").locator("input[type=file]").setInputFiles(file("requirements.txt", version.requirements));
      await field("app").locator("input[type=file]").setInputFiles(file("app.py", appFiles("steady")["app.py"]));
      await field("key").locator("input[type=text]").fill("tried-out");
      await field("name").locator("input[type=text]").fill("");
      await answered(create, 201);
      const app = await lab.server.get("tried-out");
      assert.equal(app.name, "tried-out", "the field that was emptied is not sent");
      assert.equal(app.description, "What sold, by month");

      const change = await tryOut("change_app");
      await change.getByPlaceholder("app", { exact: true }).fill("tried-out");
      await change.locator("textarea").fill(JSON.stringify({ name: "Tried out" }));
      await answered(change, 200);
      assert.equal((await lab.server.get("tried-out")).name, "Tried out");

      const remove = await tryOut("delete_app");
      await remove.getByPlaceholder("app", { exact: true }).fill("tried-out");
      await answered(remove, 204);
      assert.equal((await fetch(`${lab.server.origin}/api/apps/tried-out`)).status, 404);
    }));
  });
}
