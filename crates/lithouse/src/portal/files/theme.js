// SPDX-License-Identifier: Apache-2.0
// The theme that this browser was told to remember, set before anything is drawn.
try {
  const theme = localStorage.getItem("lithouse-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser that stores nothing follows the system.
}
