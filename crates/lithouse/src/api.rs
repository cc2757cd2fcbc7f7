// SPDX-License-Identifier: Apache-2.0
//! The REST API: each handler decodes, calls the engine, encodes.

pub(crate) mod app;
mod extract;
mod file;
mod log;
pub(crate) mod problem;
mod release;
mod upload;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts};
use axum::routing::{get, post};
use http::Uri;
use http::request::Parts;
use lithouse_engine::engine::Engine;
use url::Url;

use crate::portal;
use problem::Problem;

/// What every handler works with.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) engine: Engine,
    pub(crate) links: Arc<Links>,
}

/// What absolute links are built from.
#[derive(Debug)]
pub(crate) struct Links {
    /// Governs every link when it is set; without a final slash.
    pub(crate) public_base: Option<String>,
    /// Where we listen.
    pub(crate) listen: SocketAddr,
}

impl Links {
    pub(crate) fn new(public_base: Option<&Url>, listen: SocketAddr) -> Self {
        Self { public_base: public_base.map(|url| url.as_str().trim_end_matches('/').to_owned()), listen }
    }

    /// The base of links where no request tells a host: in the start-up log and on the control socket.
    pub(crate) fn own(&self) -> Base {
        Base(self.public_base.clone().unwrap_or_else(|| format!("http://{}", self.listen)))
    }

    /// The base of links in the answer to a request that came with this host.
    pub(crate) fn for_host(&self, host: Option<&str>) -> Base {
        match (&self.public_base, host) {
            (None, Some(host)) => Base(format!("http://{host}")),
            _ => self.own(),
        }
    }
}

/// The beginning of absolute links, without a final slash.
#[derive(Debug, Clone)]
pub(crate) struct Base(String);

impl Base {
    /// An app's page.
    pub(crate) fn app(&self, path_name: &str) -> String {
        format!("{}/apps/{path_name}/", self.0)
    }

    /// The portal.
    pub(crate) fn home(&self) -> String {
        format!("{}/", self.0)
    }
}

/// Marks requests that came over the control socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FromControlSocket;

impl FromRequestParts<Site> for Base {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Self::Rejection> {
        if parts.extensions.get::<FromControlSocket>().is_some() {
            return Ok(site.links.own());
        }
        let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        Ok(site.links.for_host(host))
    }
}

/// Every route but `/apps/`, which is the proxy's.
pub(crate) fn router(site: Site) -> Router {
    Router::new()
        .route("/", get(portal::page))
        .route("/health", get(health))
        .route("/api/apps", get(app::list).post(app::create))
        .route("/api/apps/{app}", get(app::get).patch(app::change).delete(app::delete))
        .route("/api/apps/{app}/start", post(app::start))
        .route("/api/apps/{app}/stop", post(app::stop))
        .route("/api/apps/{app}/restart", post(app::restart))
        .route("/api/apps/{app}/releases", get(release::list).post(release::create))
        .route("/api/apps/{app}/releases/{release}/activate", post(release::activate))
        .route("/api/apps/{app}/files", get(file::list))
        .route("/api/apps/{app}/files/{*path}", get(file::read).put(file::write))
        .route("/api/apps/{app}/logs", get(log::read))
        .fallback(no_such_path)
        .method_not_allowed_fallback(method_not_allowed)
        // Uploads have limits of their own, told by name and field.
        .layer(DefaultBodyLimit::disable())
        .with_state(site)
}

async fn health() -> axum::Json<serde_json::Value> {
    axum::Json(serde_json::json!({ "status": "up" }))
}

async fn no_such_path(uri: Uri) -> Problem {
    Problem::not_found("no_such_path", format!("there is nothing at `{}`", uri.path()))
        .hint("the apps are listed at `/` and at `/api/apps`")
}

async fn method_not_allowed(method: http::Method, uri: Uri) -> Problem {
    let detail = format!("`{method}` is not possible at `{}`", uri.path());
    Problem::new(http::StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
