// SPDX-License-Identifier: Apache-2.0
// Child processes that never outlive the tests.

import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const DROPPED = /^(LITHOUSE_|STREAMLIT_|PYTHON|PORT$|LOG_LEVEL$|MAX_WORKERS$|TIMEOUT_SECONDS$)/;

/** The environment of a process under test: the machine's, without what would configure it behind the test's back. */
export function cleanEnvironment(more = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !DROPPED.test(name));
  return { ...Object.fromEntries(kept), ...more };
}

/** Starts a program and collects what it says. */
export function start(command, args, options) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  child.said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (child.said += chunk));
  child.ended = new Promise((resolve) => {
    child.once("error", (error) => {
      child.said += error.message;
      resolve(error.message);
    });
    child.once("exit", (code, signal) => resolve(signal ?? code));
  });
  return child;
}

/** Asks a child to end, and insists after the grace. Answers how it ended. */
export async function end(child, graceMilliseconds = 20_000) {
  if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
  const insist = setTimeout(() => child.kill("SIGKILL"), graceMilliseconds);
  const how = await child.ended;
  clearTimeout(insist);
  return how;
}

/** The ids of processes that name `mark`, a path only one test knows, in their command line or environment. */
export function processesNaming(mark) {
  const own = String(process.pid);
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && entry !== own)
    .filter((pid) => ["cmdline", "environ"].some((file) => readIfThere(`/proc/${pid}/${file}`).includes(mark)))
    .map(Number);
}

function readIfThere(path) {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
