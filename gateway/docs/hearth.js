// The page of /api/docs/. A separate file, because the page's policy allows no inline scripts.
"use strict";

window.ui = SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false, // a token does not belong into the browser's storage
  tryItOutEnabled: true,
  validatorUrl: null,
  operationsSorter: "alpha",
  tagsSorter: "alpha",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
