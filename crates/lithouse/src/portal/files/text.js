// SPDX-License-Identifier: Apache-2.0
// @ts-check
// Words: how long ago something was, how many there are, and whether a text is what is looked for. The server says the same.

/** @type {[number, string][]} */
const UNITS = [[365 * 86400, "year"], [30 * 86400, "month"], [86400, "day"], [3600, "hour"], [60, "minute"]];

/** @param {number} then in milliseconds since 1970-01-01 UTC */
export function ago(then, now = Date.now()) {
  const seconds = Math.floor((now - then) / 1000);
  for (const [size, unit] of UNITS) {
    const many = Math.floor(seconds / size);
    if (many >= 1) return many === 1 ? `1 ${unit} ago` : `${many} ${unit}s ago`;
  }
  return "just now";
}

/** @param {number} count */
export function apps(count) {
  return count === 1 ? "1 app" : `${count} apps`;
}

/** Whether a text in small letters says every word of a query. @param {string} text @param {string} query */
export function says(text, query) {
  return query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
