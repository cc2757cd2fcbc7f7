// SPDX-License-Identifier: Apache-2.0
// A stand-in for the server, to tell whether a failure lies in a test or in Lithouse: each app by the launcher alone.

import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { freePort } from "./port.mjs";
import { cleanEnvironment, end, start } from "./process.mjs";
import { findPackage } from "./server.mjs";
import { final, waitUntil } from "./wait.mjs";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));
const UV = process.env.LITHOUSE_TEST_UV ?? "uv";
const ENTRIES = ["app.py", "streamlit_app.py", "main.py", "Home.py", "Hello.py"];

/** The same surface as `Lithouse`, without a server. */
export class Plain {
  static async start() {
    const plain = new Plain();
    plain.folder = mkdtempSync(join(tmpdir(), "lithouse-e2e-plain-"));
    plain.apps = new Map();
    return plain;
  }

  async deploy({ key, files, requirements, env: more }) {
    const environment = buildEnvironment(requirements);
    const folder = join(this.folder, key);
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    const port = await freePort();
    const entry = ENTRIES.find((name) => name in files);
    const env = cleanEnvironment({
      ...more,
      PORT: String(port),
      STREAMLIT_SERVER_PORT: String(port),
      STREAMLIT_SERVER_ADDRESS: "127.0.0.1",
      STREAMLIT_SERVER_BASE_URL_PATH: `/apps/${key}`,
      STREAMLIT_SERVER_HEADLESS: "true",
      STREAMLIT_SERVER_FILE_WATCHER_TYPE: "none",
      STREAMLIT_SERVER_RUN_ON_SAVE: "false",
      STREAMLIT_BROWSER_GATHER_USAGE_STATS: "false",
    });
    const args = [join(REPOSITORY, "python/launch.py"), "streamlit", entry];
    const child = start(join(environment, "bin/python"), args, { cwd: folder, env });
    const app = { app_id: key, key, pid: child.pid, url: `http://127.0.0.1:${port}/apps/${key}/`, child, environment };
    this.apps.set(key, app);
    return app;
  }

  async running(app) {
    const deployed = await this.deploy(app);
    await waitUntil(`${app.key} to be healthy`, async () => {
      if (deployed.child.exitCode !== null) throw final(deployed.child.said);
      const response = await fetch(`${deployed.url}_stcore/health`);
      return response.ok;
    });
    return this.runs(app.key);
  }

  async runs(id) {
    return { ...this.apps.get(id), status: "running", restarts: 0 };
  }

  packageFolder(app, path) {
    return findPackage(app.environment, path);
  }

  async stop() {
    await Promise.all([...this.apps.values()].map(({ child }) => end(child)));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function buildEnvironment(requirements) {
  const name = createHash("sha256").update(requirements).digest("hex").slice(0, 12);
  const place = join(REPOSITORY, ".cache/e2e-envs", name);
  const complete = join(place, "complete");
  if (!existsSync(complete)) {
    rmSync(place, { recursive: true, force: true });
    const options = { env: cleanEnvironment(), input: requirements };
    execFileSync(UV, ["venv", "--quiet", place], options);
    const install = ["pip", "install", "--quiet", "--compile-bytecode", "--python", join(place, "bin/python"), "-r", "-"];
    execFileSync(UV, install, options);
    writeFileSync(complete, "");
  }
  return place;
}
