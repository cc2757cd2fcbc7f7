// SPDX-License-Identifier: Apache-2.0
// Starts Swagger UI on the document beside this page.
window.ui = SwaggerUIBundle({
  url: "openapi.json",
  domNode: document.getElementById("operations"),
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  // A badge from a server of its maker's.
  validatorUrl: null,
  requestInterceptor: leaveOutEmptyFields,
});

// A form sends an empty text for every field that nobody filled in, unless each is unticked. No field of ours means anything by it.
function leaveOutEmptyFields(request) {
  if (request.body instanceof FormData) {
    const filled = [...request.body.keys()].filter((name) => request.body.get(name) !== "");
    request.body = filled.reduce((form, name) => (form.append(name, request.body.get(name)), form), new FormData());
  }
  return request;
}
