// SPDX-License-Identifier: Apache-2.0
// One server and one browser for all claims: apps that want the same packages share one build, pages share one cache.

import { after, before, describe } from "node:test";

import { launchBrowser, newProfile } from "../lib/browser.mjs";
import { Plain } from "../lib/plain.mjs";
import { Lithouse } from "../lib/server.mjs";
import { VERSIONS } from "../lib/apps.mjs";
import { documentation } from "./documentation.mjs";
import { examples, layOut } from "./examples.mjs";
import { failures } from "./failures.mjs";
import { hello } from "./hello.mjs";
import { killed } from "./killed.mjs";
import { kitchenSink } from "./kitchen_sink.mjs";
import { multipage } from "./multipage.mjs";
import { building, portal } from "./portal.mjs";

const plain = process.env.E2E_PLAIN === "1";
const lab = { plain };

before(async () => {
  lab.browser = await launchBrowser();
  lab.profile = await newProfile(lab.browser);
  lab.server = await (plain ? Plain.start() : Lithouse.start(layOut));
}, { timeout: 600_000 });

after(async () => {
  await lab.browser?.close();
  await lab.server?.stop();
}, { timeout: 600_000 });

// One lane a version, each with one test at a time: more pages at once than a small machine has cores only wait for each other.
describe("everything", { concurrency: VERSIONS.length }, () => {
  for (const version of VERSIONS) {
    describe(`with the ${version.label} Streamlit`, { concurrency: 1 }, () => {
      if (version === VERSIONS.at(-1)) building(lab);
      kitchenSink(lab, version);
      multipage(lab, version);
      failures(lab, version);
      hello(lab, version);
      examples(lab, version);
      if (version === VERSIONS.at(-1)) {
        portal(lab);
        documentation(lab, version);
      }
    });
  }
});

// Nothing else may be going on when the server is killed.
killed(lab);
