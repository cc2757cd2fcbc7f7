// SPDX-License-Identifier: Apache-2.0
// The apps under test and the versions of Streamlit they are deployed with.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL("../apps/", import.meta.url));

/** Oldest and newest that we support; `E2E_VERSIONS=newest` runs the one only. */
export const VERSIONS = [
  { label: "oldest", requirements: "streamlit==1.40.*\nplotly\n" },
  { label: "newest", requirements: "streamlit>=1.57\nplotly\n" },
].filter(({ label }) => (process.env.E2E_VERSIONS ?? "oldest,newest").split(",").includes(label));

/** The files below `folder`, as a map from path to content. */
export function filesBelow(folder) {
  const paths = readdirSync(folder, { recursive: true })
    .map((path) => join(folder, path))
    .filter((path) => statSync(path).isFile() && !path.includes("__pycache__"));
  return Object.fromEntries(paths.sort().map((path) => [relative(folder, path), readFileSync(path)]));
}

/** The files of one app under test. */
export function appFiles(name) {
  return filesBelow(join(HERE, name));
}

/** The app of that name in that version, deployed by whichever test asks first. Only for tests that leave it as it was. */
export function sharedApp(lab, name, { label, requirements }) {
  const key = `${name}-${label}`;
  lab.shared ??= new Map();
  if (!lab.shared.has(key)) lab.shared.set(key, lab.server.running({ key, files: appFiles(name), requirements }));
  return lab.shared.get(key);
}
