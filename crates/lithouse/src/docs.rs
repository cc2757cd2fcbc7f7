// SPDX-License-Identifier: Apache-2.0
//! The documentation of the API: the document for programs, and two pages that show it to people. All of it is in the binary, and
//! no page asks another server for anything.
//!
//! What the pages are made with is fetched by `scripts/vendor-docs.sh`, which a build does not run.

use axum::Router;
use axum::routing::{MethodRouter, get};
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};

use crate::asset::Asset;

/// Swagger UI sets styles of its own by script alone, and draws its icons inline.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Redoc writes its styles into the page, and searches in a worker that it makes of its own text.
const REDOC_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// What comes from others, as it was fetched.
const SWAGGER_UI: Asset = Asset::packed(SCRIPT, include_bytes!("../assets/docs/swagger-ui-bundle.js.gz"));
const SWAGGER_UI_STYLE: Asset = Asset::packed("text/css; charset=utf-8", include_bytes!("../assets/docs/swagger-ui.css.gz"));
const REDOC: Asset = Asset::packed(SCRIPT, include_bytes!("../assets/docs/redoc.standalone.js.gz"));

/// The routes of the documentation, given the document.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(document: &str) -> Router<S> {
    Router::new()
        .route("/openapi.json", serve(Asset::text("application/json", document)))
        .route("/openapi.json/", to("/openapi.json"))
        .route("/docs/", to("/docs"))
        .route("/redoc/", to("/redoc"))
        .route("/docs", serve(Asset::page(DOCS_POLICY, include_str!("docs/docs.html"))))
        .route("/docs/start.js", serve(Asset::text(SCRIPT, include_str!("docs/docs.js"))))
        .route("/docs/swagger-ui-bundle.js", serve(SWAGGER_UI))
        .route("/docs/swagger-ui.css", serve(SWAGGER_UI_STYLE))
        .route("/docs/licences.txt", serve(Asset::text("text/plain; charset=utf-8", include_str!("../assets/docs/licences.txt"))))
        .route("/redoc", serve(Asset::page(REDOC_POLICY, include_str!("docs/redoc.html"))))
        .route("/redoc/start.js", serve(Asset::text(SCRIPT, include_str!("docs/redoc.js"))))
        .route("/redoc/redoc.standalone.js", serve(REDOC))
}

fn serve<S: Clone + Send + Sync + 'static>(asset: Asset) -> MethodRouter<S> {
    get(async move |headers: HeaderMap| asset.answer(&headers))
}

/// What is asked for with a slash behind it is at the path without it. Both may lie beneath somebody else's path.
fn to<S: Clone + Send + Sync + 'static>(path: &'static str) -> MethodRouter<S> {
    get(async move || (StatusCode::PERMANENT_REDIRECT, [(LOCATION, format!("..{path}"))]))
}
