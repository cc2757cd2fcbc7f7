// SPDX-License-Identifier: Apache-2.0
// A server of its own with the apps of a team: most run, two are stopped, one has crashed, one could not be built. For tests that look at all of them.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { appFiles, filesBelow } from "./apps.mjs";
import { Lithouse } from "./server.mjs";
import { waitUntil } from "./wait.mjs";

const EXAMPLES = fileURLToPath(new URL("../../examples/apps/", import.meta.url));
const example = (key) => filesBelow(`${EXAMPLES}${key}`);
const REQUIREMENTS = readFileSync(`${EXAMPLES}sales-dashboard/requirements.txt`, "utf8");

const APPS = [
  { key: "sales", name: "Sales by region", description: "Two years of coffee, tea and spices: what sold, where, and at which margin.", files: () => example("sales-dashboard") },
  { key: "image-lab", name: "Image lab", description: "A dark room for pictures. Upload one, turn the knobs, compare, take it away.", files: () => example("image-lab") },
  { key: "signals", name: "Live signals", description: "What the sensors say, second by second, with a journal for the night shift.", files: () => example("live-signals") },
  { key: "watch", name: "Night watch", description: "Counts who passes the pier between dusk and dawn.", files: () => appFiles("steady") },
  { key: "kitchen", name: "Kitchen sink", description: "One of everything that an app can show, to try a new release with.", files: () => appFiles("kitchen-sink") },
  { key: "archive", name: "Harbour archive", description: "Tides and lights of past years, one page each.", files: () => appFiles("multipage") },
  { key: "freight", name: "Freight planner", description: "Which ship takes what, and when the crane is free.", files: () => appFiles("steady") },
  { key: "queue", name: "Ferry queue", description: "How many cars wait for the next ferry to the islands.", files: () => appFiles("steady") },
  { key: "forecast", name: "Tide forecast", description: "High water for the next ten days, by harbour.", files: () => appFiles("steady"), requirements: "pandas==0.0.0\n" },
];

/** Starts the server, and answers it when each app has come to where it stays. */
export async function harbour() {
  const server = await Lithouse.start();
  try {
    for (const { files, ...app } of APPS) await server.deploy({ requirements: REQUIREMENTS, ...app, files: files() });
    await Promise.all(APPS.map(({ key }) => (key === "forecast" ? server.settled(key) : server.runs(key))));
    await Promise.all([stop(server, "archive"), stop(server, "freight"), crash(server, "queue")]);
    return server;
  } catch (error) {
    await server.stop().catch(() => {});
    throw error;
  }
}

/** Stops an app, and waits until it is. */
export async function stop(server, key) {
  await server.api("POST", `/apps/${key}/stop`);
  await waitUntil(`${key} to stop`, async () => (await server.get(key)).status === "stopped");
}

/** Ends an app's process for good. */
async function crash(server, key) {
  const { pid } = await server.api("PATCH", `/apps/${key}`, { restart_on_crash: false });
  process.kill(pid, "SIGKILL");
  await waitUntil(`${key} to crash`, async () => (await server.get(key)).status === "crashed");
}
