// SPDX-License-Identifier: Apache-2.0
//! The server itself: what it is, and how it is told to end or to be replaced.

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Site;
use super::app::Status;
use super::document::problems::{ASKED, WRITTEN, problems};
use super::extract::Controller;
use super::problem::{Code, Problem};
use super::time::rfc3339;
use crate::serve::Replacement;

/// What does not change of a server for as long as it runs.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) started_at_ms: i64,
    pub(crate) data: PathBuf,
    pub(crate) config: Option<PathBuf>,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) log: PathBuf,
}

/// The server.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Server)]
pub(super) struct ServerResource {
    /// Its process.
    #[schema(example = 4242)]
    pid: u32,
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// When this process began to serve.
    #[schema(required, format = DateTime, example = "2026-01-02T03:04:05.678Z")]
    started_at: Option<String>,
    /// Where it listens.
    #[schema(example = "127.0.0.1:8080")]
    listen: String,
    /// Its front page.
    #[schema(example = "http://127.0.0.1:8080/")]
    url: String,
    /// The folder that holds everything it owns.
    #[schema(example = "/var/lib/lithouse")]
    data: String,
    /// The configuration that it has read; null if there was none.
    #[schema(required, example = json!(null))]
    config: Option<String>,
    /// The folder of apps that it serves in place; null if there is none.
    #[schema(required, example = "/srv/apps")]
    folder: Option<String>,
    /// Its own log.
    #[schema(example = "/var/lib/lithouse/logs/controller.log")]
    log: String,
    /// How many apps have each status.
    #[schema(value_type = BTreeMap<String, usize>, example = json!({ "running": 12, "stopped": 1 }))]
    apps: BTreeMap<Status, usize>,
}

/// One server in the place of another.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Replacement)]
pub(super) struct ReplacementResource {
    /// The process that serves now.
    #[schema(example = 4343)]
    pid: u32,
    /// Its version.
    #[schema(example = "0.1.0")]
    version: String,
    /// How many seconds requests to this API waited. Those to apps did not.
    #[schema(example = 0.042)]
    gap: f64,
}

problems!(Getting: ASKED);
/// Tell the server
#[utoipa::path(
    get, path = "/api/server", operation_id = "get_server", tag = "server",
    responses((status = OK, description = "The server", body = ServerResource), Getting),
)]
pub(super) async fn get(State(site): State<Site>) -> Json<ServerResource> {
    let mut apps = BTreeMap::new();
    for app in site.engine.apps() {
        *apps.entry(app.status.into()).or_default() += 1;
    }
    let text = |path: &PathBuf| path.display().to_string();
    let facts = &site.facts;
    Json(ServerResource {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION"),
        started_at: rfc3339(facts.started_at_ms),
        listen: site.links.listen.to_string(),
        url: site.links.own().home(),
        data: text(&facts.data),
        config: facts.config.as_ref().map(text),
        folder: facts.folder.as_ref().map(text),
        log: text(&facts.log),
        apps,
    })
}

problems!(Stopping: ASKED, WRITTEN, [Code::ControlSocketOnly]);
/// End the server, with all apps
///
/// Only over the control socket. What people want of the apps stays as it is: the next start brings them back.
#[utoipa::path(
    post, path = "/api/server/stop", operation_id = "stop_server", tag = "server",
    responses((status = ACCEPTED, description = "It ends; the control socket is gone when it has ended"), Stopping),
)]
pub(super) async fn stop(State(site): State<Site>, _: Controller) -> StatusCode {
    site.wishes.stop();
    StatusCode::ACCEPTED
}

problems!(Restarting: ASKED, WRITTEN, [Code::ControlSocketOnly, Code::NotReplaced]);
/// Replace the server by the program that lies in its place now
///
/// Only over the control socket. Apps and their sessions live on, and no connection is refused. A successor that cannot serve,
/// because of a wrong configuration for instance, changes nothing: the answer tells why, and this server goes on.
#[utoipa::path(
    post, path = "/api/server/restart", operation_id = "restart_server", tag = "server",
    responses((status = OK, description = "The successor serves", body = ReplacementResource), Restarting),
)]
pub(super) async fn restart(State(site): State<Site>, _: Controller) -> Result<Json<ReplacementResource>, Problem> {
    match site.wishes.replace().await {
        Ok(Replacement { pid, version, gap }) => Ok(Json(ReplacementResource { pid, version, gap: gap.as_secs_f64() })),
        Err(error) => {
            Err(Problem::new(Code::NotReplaced, error.to_string()).hint("the server goes on as before; mend it and try again"))
        }
    }
}
