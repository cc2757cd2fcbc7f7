// SPDX-License-Identifier: Apache-2.0
// What Streamlit's own client says on the console of a page that is cut off for a while, and why that is no fault of ours.

/** A browser tells of every answer that is no success, and of every request that got none. */
export const AWAY = [
  { pattern: /^answer: 50[23] \S+\/_stcore\/(health|host-config)$/, why: "it asks whether the app is there, and it is not yet" },
  { pattern: /^console: Failed to load resource: .* 50[23] .*\/_stcore\/(health|host-config)\)$/, why: "the browser tells the same" },
];

export const LOOKING = [
  { pattern: /^answer: 404 \S+\/_stcore\/(health|host-config)$/, why: "not knowing where the app begins, it asks one level up and down, too" },
  { pattern: /^console: Failed to load resource: .* 404 .*\/_stcore\/(health|host-config)\)$/, why: "the browser tells the same" },
];

export const CUT = [
  { pattern: /Cannot send rerun backMessage when disconnected/, why: "the timer of a fragment fires while there is no socket" },
  { pattern: /WebSocket is already in CLOSING or CLOSED state/, why: "the timer of a fragment fires while its socket ends" },
];

export const UNREACHABLE = [
  { pattern: /^failed: \S+\/_stcore\/(health|host-config) net::ERR_/, why: "it asks whether anybody is there, and nobody is" },
  { pattern: /^console: Failed to load resource: net::ERR_\S+ \(\S+\/_stcore\/(health|host-config)\)$/, why: "the browser tells the same" },
  { pattern: /^console: Client Error in reaching server endpoint - No response received .*\/_stcore\/(health|host-config)/, why: "the client tells the same" },
  { pattern: /^console: Streamlit server is not responding/, why: "the client tells the same" },
  { pattern: /^console: WebSocket connection to '\S+\/_stcore\/stream' failed/, why: "it tries its socket while nobody is there" },
];

export const LEAVING = [
  { pattern: /^failed: \S+\/portal\/(apps|[0-9a-f]+\/icon\.svg) net::ERR_ABORTED$/, why: "whoever leaves the page ends what it is asking for" },
  { pattern: /^failed: \S+\/apps\/\S+ net::ERR_ABORTED$/, why: "a frame that is loaded again ends what it was asking for" },
];

// A browser tells of a page whose answer is no success, and that is what a page in place of an app is.
export const STANDS_IN = [
  { pattern: /^answer: (503|404) \S+\/apps\/[a-z-]+\/$/, why: "the page that the test asks for" },
  { pattern: /^console: Failed to load resource: .* (503|404) .*\/apps\/[a-z-]+\/\)$/, why: "the browser tells the same" },
];
