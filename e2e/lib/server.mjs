// SPDX-License-Identifier: Apache-2.0
// Lithouse itself: started over an empty folder, spoken to over its public API, ended with all it started.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { freePort } from "./port.mjs";
import { cleanEnvironment, end, processesNaming, start } from "./process.mjs";
import { final, waitUntil } from "./wait.mjs";
import { zip } from "./zip.mjs";

const BINARY = process.env.LITHOUSE_BIN ?? fileURLToPath(new URL("../../target/debug/lithouse", import.meta.url));
const SETTLED = new Set(["running", "failed", "crashed", "stopped"]);
// A first deploy builds an environment; later ones share it.
const BUILD_MILLISECONDS = 240_000;

/** One running server. */
export class Lithouse {
  /** Starts the binary over an empty data folder; `fill(folder)` may put apps into a folder that is served in place. */
  static async start(fill) {
    const server = new Lithouse();
    server.folder = mkdtempSync(join(tmpdir(), "lithouse-e2e-"));
    server.data = join(server.folder, "data");
    server.apps = join(server.folder, "apps");
    fill?.(server.apps);
    // One that stays the server's when it is started again: a port that the system chose may be given to others meanwhile.
    server.port = await freePort();
    server.args = ["serve", ...(fill ? [server.apps] : []), "--data", server.data, "--listen", `127.0.0.1:${server.port}`];
    await server.launch().catch(async (error) => {
      await server.stop().catch(() => {});
      throw error;
    });
    return server;
  }

  /** Starts the binary, again after `kill`, and waits for the line that says where it listens. */
  async launch() {
    const child = start(BINARY, this.args, { cwd: this.folder, env: cleanEnvironment() });
    this.child = child;
    this.origin = await waitUntil("the server to listen", () => {
      if (child.exitCode !== null) throw final(`\`${BINARY}\` ended: ${child.said}`);
      // A line is written in pieces: half an address is none.
      return child.said.match(/listening on (http:\/\/127\.0\.0\.1:\d+)\s/)?.[1];
    });
  }

  /** Ends the server as a power cut would: it gets no chance to do anything about it. */
  async kill() {
    this.child.kill("SIGKILL");
    await this.child.ended;
  }

  /** Sends one request to the API and answers the JSON, or fails with the problem. */
  async api(method, path, body) {
    const json = body !== undefined && !(body instanceof FormData);
    const headers = json ? { "content-type": "application/json" } : {};
    const response = await fetch(`${this.origin}/api${path}`, { method, headers, body: json ? JSON.stringify(body) : body });
    const text = await response.text();
    if (!response.ok) throw final(`${method} /api${path} answered ${response.status}: ${text}`);
    return text === "" ? null : JSON.parse(text);
  }

  /** Deploys an app, as two files where it has one and as a zip where it has more. Answers its resource at once. */
  async deploy({ key, name = key, description = "", files, requirements }) {
    const form = new FormData();
    form.set("key", key);
    form.set("name", name);
    form.set("description", description);
    const content = { ...files, "requirements.txt": Buffer.from(requirements) };
    if (Object.keys(files).join() === "app.py") {
      form.set("requirements", new Blob([requirements]), "requirements.txt");
      form.set("app", new Blob([files["app.py"]]), "app.py");
    } else {
      form.set("bundle", new Blob([zip(content)], { type: "application/zip" }), "app.zip");
    }
    const app = await this.api("POST", "/apps", form);
    return { ...app, url: app.access_url };
  }

  /** The app's resource now. */
  async get(id) {
    const app = await this.api("GET", `/apps/${id}`);
    return { ...app, url: app.access_url };
  }

  /** Waits until the app is settled, and answers its resource. */
  settled(id) {
    return waitUntil(`app ${id} to settle`, async () => {
      const app = await this.get(id);
      return SETTLED.has(app.status) ? app : undefined;
    }, BUILD_MILLISECONDS);
  }

  /** Waits until the app runs, and answers its resource. */
  async runs(id) {
    const app = await this.settled(id);
    if (app.status !== "running") throw final(`${id} is ${app.status}: ${app.reason}\n${JSON.stringify(app.reason_log)}`);
    return app;
  }

  /** Deploys an app and waits until it runs, with the variables that it is given. */
  async running({ env, ...app }) {
    const deployed = await this.runs((await this.deploy(app)).app_id);
    if (env === undefined) return deployed;
    await this.api("PATCH", `/apps/${deployed.app_id}`, { env });
    await this.api("POST", `/apps/${deployed.app_id}/restart`);
    return waitUntil(`${app.key} to run anew`, async () => {
      const now = await this.runs(deployed.app_id);
      return now.pid !== deployed.pid && now;
    });
  }

  /** Waits until snippets are run: their environment is built first. */
  runsSnippets() {
    return waitUntil("snippets to be run", async () => {
      const headers = { "content-type": "application/json" };
      const response = await fetch(`${this.origin}/execute`, { method: "POST", headers, body: JSON.stringify({ code: "1" }) });
      const answer = await response.json();
      if (!response.ok && answer.code !== "environment_building") throw final(`a snippet is answered ${response.status}: ${JSON.stringify(answer)}`);
      return response.ok;
    }, BUILD_MILLISECONDS);
  }

  /** Where the app's log lies, for tests that read it while no server answers. */
  logFile(app) {
    return join(this.data, "logs", `${app.key}.log`);
  }

  /** The whole log of an app, by the API. */
  async log(app) {
    return (await fetch(`${this.origin}/api/apps/${app.app_id}/logs?tail=100000`)).text();
  }

  /** The folder of a package inside an app's environment. */
  packageFolder(app, path) {
    return findPackage(join(this.data, "apps", app.app_id, "venv"), path);
  }

  /** Ends the server and everything it started, and fails if something had to be forced. */
  async stop() {
    const how = await end(this.child, 40_000);
    const left = processesNaming(this.folder);
    const names = left.map((pid) => `${pid} ${commandOf(pid)}`);
    for (const pid of left) killIfThere(pid);
    rmSync(this.folder, { recursive: true, force: true });
    if (how !== 0 || left.length > 0) {
      throw new Error(`the server ended with ${how} and left processes ${names.join(", ") || "none"}:\n${this.child.said}`);
    }
  }
}

/** Finds `path` in the packages of an environment. */
export function findPackage(environment, path) {
  const library = join(environment, "lib");
  return join(library, readdirSync(library).find((name) => name.startsWith("python3")), "site-packages", path);
}

function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").trim();
  } catch {
    return "(gone)";
  }
}

function killIfThere(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself in the meantime.
  }
}
