// SPDX-License-Identifier: Apache-2.0
//! Apps: the resource, and what can be done with it.

mod change;
mod cursor;
mod limits;
mod resource;
mod status;

use std::path::Path;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use lithouse_core::app::AppStatus;
use lithouse_engine::app::AskError;
use lithouse_engine::engine::{EngineError, NewApp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::document::AppName;
use super::document::problems::{ASKED, OF_APP, SENT, STORED, UPLOADED, WRITTEN, problems};
use super::extract::{Body, Parameters, Segments, count_if_any};
use super::problem::{Code, Problem};
use super::upload::{self, AppUpload, Form, Purpose};
use super::{Base, Site};
use change::ChangeRequest;
use cursor::Cursor;
pub(super) use limits::LimitsRequest;
pub(super) use resource::AppResource;
use resource::Uses;
pub(super) use status::Status;

/// One page of apps.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AppList {
    apps: Vec<AppResource>,
    /// What to ask for with `after`; null on the last page.
    #[schema(value_type = Option<String>, required, pattern = r"^[0-9a-f]{1,15}\.[a-z0-9-]{0,63}\.[0-9a-f]{16}$", example = json!(null))]
    next: Option<Cursor>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// What an earlier answer told as `next`: only the apps that come after are listed, also where that page's last app is gone.
    #[param(value_type = Option<String>, pattern = r"^[0-9a-f]{1,15}\.[a-z0-9-]{0,63}\.[0-9a-f]{16}$")]
    after: Option<Cursor>,
    /// How many apps a page has, from 1 to 1,000; 1,000 by default. What lies outside counts as the nearest of them.
    #[serde(default, deserialize_with = "count_if_any")]
    limit: Option<usize>,
}

const PAGE: usize = 1000;

problems!(Listing: ASKED, [Code::InvalidParameter]);
/// List the apps, oldest first
#[utoipa::path(
    get, path = "/api/apps", operation_id = "list_apps", tag = "apps",
    params(Page),
    responses((status = OK, description = "One page of apps", body = AppList), Listing),
)]
pub(crate) async fn list(
    State(site): State<Site>,
    base: Base,
    Parameters(page): Parameters<Page>,
) -> Result<Json<AppList>, Problem> {
    let all = site.engine.apps();
    let first = page.after.map_or(0, |after| all.partition_point(|view| Cursor::of(view) <= after));
    let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let shown: Vec<_> = all.iter().skip(first).take(limit).collect();
    let next = (first + shown.len() < all.len()).then(|| shown.last().map(|view| Cursor::of(view))).flatten();
    let uses = Uses::of(&site.engine, shown.iter().filter_map(|view| view.pid).collect()).await;
    let mut apps = Vec::with_capacity(shown.len());
    for view in shown {
        apps.push(AppResource::of(&site.engine, view, &uses, &base).await);
    }
    Ok(Json(AppList { apps, next }))
}

problems!(Getting: ASKED, OF_APP);
/// Tell one app
#[utoipa::path(
    get, path = "/api/apps/{app}", operation_id = "get_app", tag = "apps",
    params(AppName),
    responses((status = OK, description = "The app", body = AppResource), Getting),
)]
pub(crate) async fn get(
    State(site): State<Site>,
    base: Base,
    Segments(app): Segments<String>,
) -> Result<Json<AppResource>, Problem> {
    let view = site.engine.app(&app)?;
    Ok(Json(AppResource::one(&site, &view, &base).await))
}

problems!(Creating: ASKED, WRITTEN, UPLOADED, STORED, [
    Code::InvalidKey, Code::InvalidName, Code::InvalidDescription, Code::InvalidField, Code::InvalidLimit, Code::NameTaken,
    Code::NoFreePort,
]);
/// Take a new app
///
/// Answers before its environment is built: ask for the app to see what came of it.
#[utoipa::path(
    post, path = "/api/apps", operation_id = "create_app", tag = "apps",
    request_body(content = AppUpload, content_type = "multipart/form-data"),
    responses(
        (status = CREATED, description = "It is stored, and its start has begun", body = AppResource,
            headers(("Location" = String, description = "The path of the app in this API"))),
        Creating,
    ),
)]
pub(crate) async fn create(State(site): State<Site>, base: Base, form: Form) -> Result<impl IntoResponse, Problem> {
    let upload = upload::receive(&site.engine, form, Purpose::NewApp).await?;
    let app = NewApp {
        key: upload.key.clone(),
        name: upload.name.clone(),
        description: upload.description.clone().unwrap_or_default(),
        limits: upload.limits,
        files: upload.files().to_owned(),
    };
    let view = site.engine.create(app).await?;
    let mut resource = AppResource::one(&site, &view, &base).await;
    // What was accepted is starting, however far the app's task has come by now.
    resource.status = AppStatus::Starting.into();
    let location = format!("/api/apps/{}", view.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(resource)))
}

problems!(Changing: ASKED, WRITTEN, SENT, OF_APP, STORED, [
    Code::InvalidName, Code::InvalidDescription, Code::InvalidVariable, Code::ReservedVariable, Code::InvalidLimit,
    Code::BeingDeleted, Code::Configured,
]);
/// Change an app
///
/// What the configuration says of an app that it names (`name`, `description`, `restart_on_crash`, `limits`) is changed there.
#[utoipa::path(
    patch, path = "/api/apps/{app}", operation_id = "change_app", tag = "apps",
    params(AppName),
    request_body = ChangeRequest,
    responses((status = OK, description = "The app as it is now", body = AppResource), Changing),
)]
pub(crate) async fn change(
    State(site): State<Site>,
    base: Base,
    Segments(app): Segments<String>,
    Body(request): Body<ChangeRequest>,
) -> Result<Json<AppResource>, Problem> {
    let view =
        site.engine.change(&app, request.checked()?).await.map_err(|error| with_file(error, site.facts.config.as_deref()))?;
    Ok(Json(AppResource::one(&site, &view, &base).await))
}

/// A refusal that names the file in which that can be changed, where there is one.
fn with_file(error: EngineError, file: Option<&Path>) -> Problem {
    match (&error, file) {
        (EngineError::Ask(AskError::Configured { setting }), Some(file)) => {
            let hint = format!("set `{setting}` in `{}`; then `lithouse refresh`", file.display());
            Problem::from(error).hint(hint)
        }
        _ => error.into(),
    }
}

problems!(Turning: ASKED, WRITTEN, OF_APP, STORED, [Code::BeingDeleted]);
/// Want it to run
///
/// Answers when the wish is stored and begun: ask for the app to see what came of it.
#[utoipa::path(
    post, path = "/api/apps/{app}/start", operation_id = "start_app", tag = "apps",
    params(AppName),
    responses((status = OK, description = "The app, on its way", body = AppResource), Turning),
)]
pub(crate) async fn start(
    State(site): State<Site>,
    base: Base,
    Segments(app): Segments<String>,
) -> Result<Json<AppResource>, Problem> {
    let view = site.engine.start(&app).await?;
    Ok(Json(AppResource::one(&site, &view, &base).await))
}

/// Want it to hold no process
///
/// It stays stopped until it is started. Answers when the wish is stored and begun.
#[utoipa::path(
    post, path = "/api/apps/{app}/stop", operation_id = "stop_app", tag = "apps",
    params(AppName),
    responses((status = OK, description = "The app, on its way", body = AppResource), Turning),
)]
pub(crate) async fn stop(
    State(site): State<Site>,
    base: Base,
    Segments(app): Segments<String>,
) -> Result<Json<AppResource>, Problem> {
    let view = site.engine.stop(&app).await?;
    Ok(Json(AppResource::one(&site, &view, &base).await))
}

/// Replace its process
///
/// Visitors meet a gap. Takes changed `env`. Answers when the wish is stored and begun.
#[utoipa::path(
    post, path = "/api/apps/{app}/restart", operation_id = "restart_app", tag = "apps",
    params(AppName),
    responses((status = OK, description = "The app, on its way", body = AppResource), Turning),
)]
pub(crate) async fn restart(
    State(site): State<Site>,
    base: Base,
    Segments(app): Segments<String>,
) -> Result<Json<AppResource>, Problem> {
    let view = site.engine.restart(&app).await?;
    Ok(Json(AppResource::one(&site, &view, &base).await))
}

problems!(Deleting: ASKED, WRITTEN, OF_APP, STORED, [Code::StillDeleting, Code::Declared]);
/// Stop an app and remove everything that it owned
///
/// An app that a folder or the configuration names goes when that does not name it any more, with the next refresh.
#[utoipa::path(
    delete, path = "/api/apps/{app}", operation_id = "delete_app", tag = "apps",
    params(AppName),
    responses((status = NO_CONTENT, description = "All of it is gone"), Deleting),
)]
pub(crate) async fn delete(State(site): State<Site>, Segments(app): Segments<String>) -> Result<StatusCode, Problem> {
    site.engine.delete(&app).await?;
    Ok(StatusCode::NO_CONTENT)
}
