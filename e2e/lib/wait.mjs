// SPDX-License-Identifier: Apache-2.0
// Waiting for facts: until they hold, with a deadline, and with the last thing seen in the failure.

/** Waits until `probe` answers something truthy, and returns it. */
export async function waitUntil(what, probe, milliseconds = 120_000) {
  const end = Date.now() + milliseconds;
  let seen;
  while (Date.now() < end) {
    try {
      seen = await probe();
      if (seen) return seen;
    } catch (error) {
      if (error.final) throw error;
      seen = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited ${milliseconds / 1000} s for ${what}; last seen: ${seen?.message ?? JSON.stringify(seen)}`);
}

/** An error that waiting does not mend. */
export function final(message) {
  return Object.assign(new Error(message), { final: true });
}
