// SPDX-License-Identifier: Apache-2.0
// A port that nobody has, and that nobody is given by chance.

import { randomInt } from "node:crypto";
import { createServer } from "node:net";

// Below the ports that systems give to outgoing connections, and above those of the apps. A browser that tries a closed port
// again and again would otherwise be given that very port in the end, and talk to itself.
const FIRST = 10_000;
const LAST = 32_000;

/** A free port of the loopback address. */
export async function freePort() {
  for (;;) {
    const port = randomInt(FIRST, LAST);
    if (await isFree(port)) return port;
  }
}

function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
