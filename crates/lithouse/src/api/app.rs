// SPDX-License-Identifier: Apache-2.0
//! Apps: the resource, and what can be done with it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Multipart, State};
use axum::response::IntoResponse;
use http::{StatusCode, header};
use lithouse_core::app::AppStatus;
use lithouse_core::id::{AppId, Key, ReleaseNumber};
use lithouse_engine::app::{AppView, Change};
use lithouse_engine::engine::{Engine, LogStream, NewApp};
use lithouse_engine::log;
use lithouse_engine::process::Use;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::UtcOffset;
use time::macros::format_description;

use super::extract::{Body, Parameters, Segments};
use super::problem::Problem;
use super::upload::{self, Purpose};
use super::{Base, Site};

/// How many of the last log lines stand beside a reason.
const REASON_LINES: usize = 20;
const REASON_BYTES: usize = 16 << 10;

/// An app as the API tells it. Times are RFC 3339 in UTC, memory is bytes, cpu is a fraction of a core.
#[derive(Debug, Serialize)]
pub(crate) struct AppResource {
    app_id: AppId,
    key: Option<Key>,
    name: String,
    description: String,
    url: String,
    access_url: String,
    status: AppStatus,
    reason: Option<String>,
    reason_log: Vec<String>,
    port: Option<u16>,
    pid: Option<u32>,
    release: Option<ReleaseNumber>,
    restarts: u32,
    restart_on_crash: bool,
    env: BTreeMap<String, String>,
    created_at: Option<String>,
    started_at: Option<String>,
    last_used_at: Option<String>,
    memory: Option<u64>,
    cpu: Option<f64>,
}

impl AppResource {
    async fn of(engine: &Engine, view: &AppView, uses: &HashMap<u32, Use>, base: &Base) -> Self {
        let used = view.pid.and_then(|pid| uses.get(&pid));
        Self {
            app_id: view.id.clone(),
            key: view.key.clone(),
            name: view.name.clone(),
            description: view.description.clone(),
            url: format!("/apps/{}/", view.path_name),
            access_url: base.app(&view.path_name),
            status: view.status,
            reason: view.reason.clone(),
            reason_log: reason_log(engine, view).await,
            port: view.port,
            pid: view.pid,
            release: view.release,
            restarts: view.restarts,
            restart_on_crash: view.restart_on_crash,
            env: view.env.clone(),
            created_at: rfc3339(view.created_at_ms),
            started_at: view.started_at.and_then(written),
            last_used_at: engine.last_used_ms(view).and_then(rfc3339),
            memory: used.map(|used| used.memory),
            cpu: used.map(|used| used.cpu),
        }
    }

    pub(super) async fn one(site: &Site, view: &AppView, base: &Base) -> Self {
        let uses = site.engine.usage(view.pid.into_iter().collect()).await;
        Self::of(&site.engine, view, &uses, base).await
    }
}

/// Milliseconds since 1970-01-01 UTC as RFC 3339.
pub(super) fn rfc3339(ms: i64) -> Option<String> {
    written(OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?)
}

/// RFC 3339 in UTC, always with milliseconds: what sorts as text sorts as time.
fn written(time: OffsetDateTime) -> Option<String> {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    time.to_offset(UtcOffset::UTC).format(form).ok()
}

/// The last lines of the log that tells most about the reason: the one that was written last. Of a run log, those of its newest
/// process.
async fn reason_log(engine: &Engine, view: &AppView) -> Vec<String> {
    if view.reason.is_none() {
        return Vec::new();
    }
    let modified = |path: &PathBuf| std::fs::metadata(path).and_then(|facts| facts.modified()).ok();
    let logs = [LogStream::Run, LogStream::Build].map(|stream| engine.log(view, stream));
    let Some(latest) = logs.iter().max_by_key(|path| modified(path)) else { return Vec::new() };
    let text = log::tail(latest.clone(), REASON_LINES, REASON_BYTES).await.unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().rposition(|line| begins_a_process(line)).unwrap_or_default();
    lines[first..].iter().map(ToString::to_string).collect()
}

/// Whether the keeper says in this line of a log that a process was started. An app that prints the same words says them in a
/// line of another stream.
fn begins_a_process(line: &str) -> bool {
    line.split_once(' ').is_some_and(|(_, rest)| rest.starts_with("sys | started, pid "))
}

/// One page of apps.
#[derive(Debug, Serialize)]
pub(crate) struct AppList {
    apps: Vec<AppResource>,
    next: Option<AppId>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    after: Option<AppId>,
    limit: Option<usize>,
}

const PAGE: usize = 1000;

pub(crate) async fn list(
    State(site): State<Site>,
    base: Base,
    Parameters(page): Parameters<Page>,
) -> Result<Json<AppList>, Problem> {
    let all = site.engine.apps();
    let first = match &page.after {
        Some(after) => {
            1 + all.iter().position(|view| view.id == *after).ok_or_else(|| {
                Problem::bad_request("invalid_parameter", "`after` names no app; use `next` of an earlier answer")
            })?
        }
        None => 0,
    };
    let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let shown: Vec<_> = all.iter().skip(first).take(limit).collect();
    let next = (first + shown.len() < all.len()).then(|| shown.last().map(|view| view.id.clone())).flatten();
    let uses = site.engine.usage(shown.iter().filter_map(|view| view.pid).collect()).await;
    let mut apps = Vec::with_capacity(shown.len());
    for view in shown {
        apps.push(AppResource::of(&site.engine, view, &uses, &base).await);
    }
    Ok(Json(AppList { apps, next }))
}

pub(crate) async fn get(
    State(site): State<Site>,
    base: Base,
    Segments(app): Segments<String>,
) -> Result<Json<AppResource>, Problem> {
    let view = site.engine.app(&app)?;
    Ok(Json(AppResource::one(&site, &view, &base).await))
}

pub(crate) async fn create(
    State(site): State<Site>,
    base: Base,
    multipart: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Result<impl IntoResponse, Problem> {
    let multipart = multipart.map_err(|_| upload::not_multipart())?;
    let upload = upload::receive(&site.engine, multipart, Purpose::NewApp).await?;
    let app = NewApp {
        key: upload.key.clone(),
        name: upload.name.clone(),
        description: upload.description.clone().unwrap_or_default(),
        files: upload.files().to_owned(),
    };
    let view = site.engine.create(app).await?;
    let mut resource = AppResource::one(&site, &view, &base).await;
    // What was accepted is starting, however far the app's task has come by now.
    resource.status = AppStatus::Starting;
    let location = format!("/api/apps/{}", view.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(resource)))
}

/// What may be changed; unknown fields are errors.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct ChangeRequest {
    name: Option<String>,
    description: Option<String>,
    env: Option<BTreeMap<String, String>>,
    restart_on_crash: Option<bool>,
}

pub(crate) async fn change(
    State(site): State<Site>,
    base: Base,
    Segments(app): Segments<String>,
    Body(request): Body<ChangeRequest>,
) -> Result<Json<AppResource>, Problem> {
    if let Some(name) = &request.name {
        upload::check_name(name)?;
    }
    if let Some(description) = &request.description {
        upload::check_description(description)?;
    }
    if let Some(env) = &request.env {
        check_env(env)?;
    }
    let change = Change {
        name: request.name,
        description: request.description,
        env: request.env,
        restart_on_crash: request.restart_on_crash,
    };
    let view = site.engine.change(&app, change).await?;
    Ok(Json(AppResource::one(&site, &view, &base).await))
}

/// Names that the platform sets itself, or that would undo what it does.
const RESERVED: [&str; 4] = ["PORT", "VIRTUAL_ENV", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE"];

fn check_env(env: &BTreeMap<String, String>) -> Result<(), Problem> {
    for (name, value) in env {
        let sound = name
            .bytes()
            .enumerate()
            .all(|(at, byte)| byte == b'_' || byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit()));
        if name.is_empty() || !sound {
            let detail = format!("`{name}` cannot be a variable's name: use letters, digits and `_`, not beginning with a digit");
            return Err(Problem::bad_request("invalid_variable", detail));
        }
        if RESERVED.contains(&name.as_str()) || name.starts_with("LITHOUSE_") {
            return Err(Problem::bad_request("reserved_variable", format!("the variable `{name}` is set by Lithouse itself")));
        }
        if value.contains('\0') {
            return Err(Problem::bad_request("invalid_variable", format!("the value of `{name}` holds a NUL byte")));
        }
    }
    Ok(())
}

pub(crate) async fn start(
    State(site): State<Site>,
    base: Base,
    Segments(app): Segments<String>,
) -> Result<Json<AppResource>, Problem> {
    let view = site.engine.start(&app).await?;
    Ok(Json(AppResource::one(&site, &view, &base).await))
}

pub(crate) async fn stop(
    State(site): State<Site>,
    base: Base,
    Segments(app): Segments<String>,
) -> Result<Json<AppResource>, Problem> {
    let view = site.engine.stop(&app).await?;
    Ok(Json(AppResource::one(&site, &view, &base).await))
}

pub(crate) async fn restart(
    State(site): State<Site>,
    base: Base,
    Segments(app): Segments<String>,
) -> Result<Json<AppResource>, Problem> {
    let view: Arc<AppView> = site.engine.restart(&app).await?;
    Ok(Json(AppResource::one(&site, &view, &base).await))
}

pub(crate) async fn delete(State(site): State<Site>, Segments(app): Segments<String>) -> Result<StatusCode, Problem> {
    site.engine.delete(&app).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_three_digits_of_a_second() {
        assert_eq!(rfc3339(0).unwrap(), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_767_323_045_120).unwrap(), "2026-01-02T03:04:05.120Z");
        let east = time::macros::datetime!(2026-01-02 05:04:05.999_999 +2);
        assert_eq!(written(east).unwrap(), "2026-01-02T03:04:05.999Z");
    }

    #[test]
    fn a_process_begins_where_the_keeper_says_so_and_not_the_app() {
        assert!(begins_a_process("2026-01-02T03:04:05.678Z sys | started, pid 4242"));
        assert!(!begins_a_process("2026-01-02T03:04:05.678Z out | sys | started, pid 4242"));
        assert!(!begins_a_process("2026-01-02T03:04:05.678Z sys | ended with exit code 1"));
        assert!(!begins_a_process(""));
    }
}
