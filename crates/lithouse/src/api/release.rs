// SPDX-License-Identifier: Apache-2.0
//! Releases of an app: send a new one, list them, go back to an older one.

use axum::Json;
use axum::extract;
use http::StatusCode;
use lithouse_core::id::ReleaseNumber;
use lithouse_engine::store::{ReleaseRecord, ReleaseState};
use serde::Serialize;
use utoipa::ToSchema;

use super::app::AppResource;
use super::document::AppName;
use super::document::problems::{ASKED, OF_APP, STORED, UPLOADED, WRITTEN, problems};
use super::extract::Segments;
use super::problem::{Code, Problem};
use super::time::rfc3339;
use super::upload::{self, Form, Purpose, ReleaseUpload};
use super::{Base, Site};

/// How far a release came.
///
/// - `pending`: neither ready nor failed yet, also while a first release serves and its proof is under way
/// - `ready`: it was active once
/// - `failed`: its build, its start or its proof failed
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReleaseState)]
enum State {
    Pending,
    Ready,
    Failed,
}

impl From<ReleaseState> for State {
    fn from(state: ReleaseState) -> Self {
        match state {
            ReleaseState::Pending => Self::Pending,
            ReleaseState::Ready => Self::Ready,
            ReleaseState::Failed => Self::Failed,
        }
    }
}

/// A set of an app's files.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Release)]
pub(super) struct ReleaseResource {
    /// Its number, from 1; 0 is the folder of an app served in place.
    #[schema(value_type = u32, example = 1)]
    release: ReleaseNumber,
    state: State,
    /// Whether visitors get it.
    active: bool,
    /// Why it failed; of a first release that serves although its script raised, what it raised; else null.
    #[schema(required, example = json!(null))]
    reason: Option<String>,
    /// The script.
    #[schema(example = "app.py")]
    entry: String,
    /// When it was taken.
    #[schema(required, format = DateTime, example = "2026-01-02T03:04:05.678Z")]
    created_at: Option<String>,
}

impl ReleaseResource {
    fn of(record: ReleaseRecord, active: Option<ReleaseNumber>) -> Self {
        Self {
            release: record.number,
            state: record.state.into(),
            active: active == Some(record.number),
            reason: record.reason,
            entry: record.entry,
            created_at: rfc3339(record.created_at_ms),
        }
    }
}

/// All releases. There are never so many that they would need pages; `next` is there for programs that know it from the apps.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReleaseList {
    releases: Vec<ReleaseResource>,
    /// Always null.
    #[schema(value_type = Option<u32>, required, example = json!(null))]
    next: Option<ReleaseNumber>,
}

problems!(Listing: ASKED, OF_APP);
/// List the releases of an app, newest first
#[utoipa::path(
    get, path = "/api/apps/{app}/releases", operation_id = "list_releases", tag = "releases",
    params(AppName),
    responses((status = OK, description = "All of them", body = ReleaseList), Listing),
)]
pub(super) async fn list(
    extract::State(site): extract::State<Site>,
    Segments(app): Segments<String>,
) -> Result<Json<ReleaseList>, Problem> {
    let records = site.engine.releases(&app).await?;
    let active = site.engine.active_release(&app)?;
    let releases = records.into_iter().map(|record| ReleaseResource::of(record, active)).collect();
    Ok(Json(ReleaseList { releases, next: None }))
}

problems!(Creating: ASKED, WRITTEN, OF_APP, UPLOADED, STORED, [Code::ServedInPlace, Code::BeingDeleted]);
/// Take a new release
///
/// It becomes the active one when it is healthy and its script has run; one that fails changes nothing for visitors. Answers
/// before any of that: ask for the releases to see what came of it.
#[utoipa::path(
    post, path = "/api/apps/{app}/releases", operation_id = "create_release", tag = "releases",
    params(AppName),
    request_body(content = ReleaseUpload, content_type = "multipart/form-data"),
    responses((status = CREATED, description = "It is stored, and its way has begun", body = ReleaseResource), Creating),
)]
pub(super) async fn create(
    extract::State(site): extract::State<Site>,
    Segments(app): Segments<String>,
    form: Form,
) -> Result<(StatusCode, Json<ReleaseResource>), Problem> {
    // Nobody should upload a large bundle to learn that the app is not there.
    site.engine.app(&app)?;
    let upload = upload::receive(&site.engine, form, Purpose::Release).await?;
    let number = site.engine.release(&app, upload.files().to_owned()).await?;
    Ok((StatusCode::CREATED, Json(one(&site, &app, number).await?)))
}

/// One release, as it is now.
pub(super) async fn one(site: &Site, app: &str, number: ReleaseNumber) -> Result<ReleaseResource, Problem> {
    let records = site.engine.releases(app).await?;
    let record = records.into_iter().find(|record| record.number == number);
    let record = record.ok_or_else(|| Problem::new(Code::NoSuchRelease, format!("the app has no release {number}")))?;
    Ok(ReleaseResource::of(record, site.engine.active_release(app)?))
}

problems!(Activating: ASKED, WRITTEN, OF_APP, STORED, [
    Code::NoSuchRelease, Code::AlreadyActive, Code::ServedInPlace, Code::BeingDeleted
]);
/// Make a release that is there the active one
///
/// Answers when the wish is stored and begun: ask for the releases to see what came of it.
#[utoipa::path(
    post, path = "/api/apps/{app}/releases/{release}/activate", operation_id = "activate_release", tag = "releases",
    params(AppName, ("release" = u32, Path, description = "The release's number")),
    responses((status = OK, description = "The app, on its way", body = AppResource), Activating),
)]
pub(super) async fn activate(
    extract::State(site): extract::State<Site>,
    base: Base,
    Segments((app, release)): Segments<(String, String)>,
) -> Result<Json<AppResource>, Problem> {
    let number = release
        .parse()
        .map(ReleaseNumber)
        .map_err(|_| Problem::new(Code::NoSuchRelease, format!("`{release}` is not a release's number")))?;
    let view = site.engine.activate(&app, number).await?;
    Ok(Json(AppResource::one(&site, &view, &base).await))
}
