// SPDX-License-Identifier: Apache-2.0
// Starts Redoc on the document beside this page.
const fonts = "system-ui, sans-serif";
const options = {
  nativeScrollbars: true,
  theme: { typography: { fontFamily: fonts, headings: { fontFamily: fonts }, code: { fontFamily: "ui-monospace, monospace" } } },
};
Redoc.init("openapi.json", options, document.getElementById("operations"));
