// SPDX-License-Identifier: Apache-2.0
//! The REST API: each handler decodes, calls the engine, encodes.

mod app;
mod document;
mod extract;
mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub(crate) mod health;
mod log;
mod metrics;
pub(crate) mod problem;
mod query;
mod refresh;
mod release;
mod server;
mod snippets;
pub(crate) mod time;
mod upload;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts};
use http::Uri;
use http::request::Parts;
use lithouse_engine::engine::Engine;
use lithouse_engine::snippets::Snippets;
use url::Url;
use utoipa::openapi::Paths;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use crate::edge::AccessLog;
use crate::metrics::RequestCounts;
use crate::refresh::Refresher;
use crate::serve::Wishes;
use crate::{docs, portal};
use problem::{Code, Problem};
pub(crate) use server::Facts;

/// What every handler works with.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) engine: Engine,
    /// None where the operator turned it off.
    pub(crate) snippets: Option<Snippets>,
    pub(crate) links: Arc<Links>,
    pub(crate) refresher: Refresher,
    pub(crate) facts: Arc<Facts>,
    pub(crate) wishes: Wishes,
    pub(crate) counts: Arc<RequestCounts>,
    pub(crate) access: AccessLog,
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

    /// The base itself.
    pub(crate) fn without_slash(&self) -> &str {
        &self.0
    }

    /// The portal.
    pub(crate) fn home(&self) -> String {
        format!("{}/", self.0)
    }
}

/// Marks requests that came over the control socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FromControlSocket;

/// Names a request in the logs and in problems.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Marks requests of people whom we do not know, at the paths that answer them too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stranger;

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
    let (router, document) = documented().split_for_parts();
    let bare = query::Bare::of(&document);
    router
        .route_layer(axum::middleware::from_fn(move |request, next| bare.clone().check(request, next)))
        .merge(docs::router(&document::finish(document)))
        .merge(portal::router())
        .fallback(no_such_path)
        .method_not_allowed_fallback(method_not_allowed)
        // Uploads have limits of their own, told by name and field.
        .layer(DefaultBodyLimit::disable())
        .with_state(site)
}

/// The API: what is registered here stands in its document, one line a path. How a handler says what it takes and answers is told
/// in `document`.
fn documented() -> OpenApiRouter<Site> {
    OpenApiRouter::with_openapi(document::frame())
        .routes(routes!(app::list, app::create))
        .routes(routes!(app::get, app::change, app::delete))
        .routes(routes!(app::start))
        .routes(routes!(app::stop))
        .routes(routes!(app::restart))
        .routes(routes!(release::list, release::create))
        .routes(routes!(release::activate))
        .routes(routes!(file::list))
        .routes(routes!(file::read, file::write))
        .routes(routes!(log::read))
        .routes(routes!(snippets::execute))
        .routes(routes!(snippets::validate))
        .routes(routes!(snippets::templates))
        .routes(under_api(routes!(snippets::execute)))
        .routes(under_api(routes!(snippets::validate)))
        .routes(under_api(routes!(snippets::templates)))
        .routes(routes!(refresh::refresh))
        .routes(routes!(health::read))
        .routes(under_api(routes!(health::read)))
        .routes(routes!(metrics::read))
        .routes(routes!(server::get))
        .routes(routes!(server::stop))
        .routes(routes!(server::restart))
}

/// The same at `/api` and its path, for whoever passes on that folder alone. Its operation has a name of its own.
fn under_api((schemas, paths, router): UtoipaMethodRouter<Site>) -> UtoipaMethodRouter<Site> {
    let mut moved = Paths::new();
    for (path, mut item) in paths.paths {
        for operation in document::operations(&mut item) {
            operation.operation_id = operation.operation_id.take().map(|name| format!("{name}_under_api"));
        }
        moved.paths.insert(format!("/api{path}"), item);
    }
    (schemas, moved, router)
}

async fn no_such_path(uri: Uri) -> Problem {
    Problem::new(Code::NoSuchPath, format!("there is nothing at `{}`", uri.path()))
        .hint("the apps are listed at `/` and at `/api/apps`")
}

async fn method_not_allowed(method: http::Method, uri: Uri) -> Problem {
    let detail = format!("`{method}` is not possible at `{}`", uri.path());
    Problem::new(Code::MethodNotAllowed, detail)
}
