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

// A form sends an empty text for every field that nobody filled in, unless each is unticked, and where the document gives the field a
// type of content, a nameless file without any. No field of ours means anything by either; a file that somebody chose has its name.
function leaveOutEmptyFields(request) {
  if (request.body instanceof FormData) {
    const isEmpty = (value) => value === "" || (value.size === 0 && value.name === "blob");
    const filled = [...request.body].filter(([, value]) => !isEmpty(value));
    request.body = filled.reduce((form, [name, value]) => (form.append(name, value), form), new FormData());
  }
  return request;
}
