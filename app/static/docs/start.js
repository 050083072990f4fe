// A file of its own: the page's Content-Security-Policy runs no script that stands in the page.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  showExtensions: true,
  showCommonExtensions: true,
  validatorUrl: null, // it would send the OpenAPI to somebody else's server
});
