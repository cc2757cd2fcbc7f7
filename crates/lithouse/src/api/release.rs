// SPDX-License-Identifier: Apache-2.0
//! Releases of an app: send a new one, list them, go back to an older one.

use axum::Json;
use axum::extract::{Multipart, State};
use http::StatusCode;
use lithouse_core::id::ReleaseNumber;
use lithouse_engine::store::ReleaseRecord;
use serde::Serialize;

use super::app::{AppResource, rfc3339};
use super::extract::Segments;
use super::problem::Problem;
use super::upload::{self, Purpose};
use super::{Base, Site};

/// A release as the API tells it.
#[derive(Debug, Serialize)]
pub(super) struct ReleaseResource {
    release: ReleaseNumber,
    state: &'static str,
    active: bool,
    reason: Option<String>,
    entry: String,
    created_at: Option<String>,
}

impl ReleaseResource {
    fn of(record: ReleaseRecord, active: Option<ReleaseNumber>) -> Self {
        Self {
            release: record.number,
            state: record.state.as_str(),
            active: active == Some(record.number),
            reason: record.reason,
            entry: record.entry,
            created_at: rfc3339(record.created_at_ms),
        }
    }
}

/// All releases. There are never so many that they would need pages; `next` is there for programs that know it from the apps.
#[derive(Debug, Serialize)]
pub(super) struct ReleaseList {
    releases: Vec<ReleaseResource>,
    next: Option<ReleaseNumber>,
}

pub(super) async fn list(State(site): State<Site>, Segments(app): Segments<String>) -> Result<Json<ReleaseList>, Problem> {
    let records = site.engine.releases(&app).await?;
    let active = site.engine.active_release(&app)?;
    let releases = records.into_iter().map(|record| ReleaseResource::of(record, active)).collect();
    Ok(Json(ReleaseList { releases, next: None }))
}

pub(super) async fn create(
    State(site): State<Site>,
    Segments(app): Segments<String>,
    multipart: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Result<(StatusCode, Json<ReleaseResource>), Problem> {
    let multipart = multipart.map_err(|_| upload::not_multipart())?;
    // Nobody should upload a large bundle to learn that the app is not there.
    site.engine.app(&app)?;
    let upload = upload::receive(&site.engine, multipart, Purpose::Release).await?;
    let number = site.engine.release(&app, upload.files().to_owned()).await?;
    Ok((StatusCode::CREATED, Json(one(&site, &app, number).await?)))
}

/// One release, as it is now.
pub(super) async fn one(site: &Site, app: &str, number: ReleaseNumber) -> Result<ReleaseResource, Problem> {
    let records = site.engine.releases(app).await?;
    let record = records.into_iter().find(|record| record.number == number);
    let record = record.ok_or_else(|| Problem::not_found("no_such_release", format!("the app has no release {number}")))?;
    Ok(ReleaseResource::of(record, site.engine.active_release(app)?))
}

pub(super) async fn activate(
    State(site): State<Site>,
    base: Base,
    Segments((app, release)): Segments<(String, String)>,
) -> Result<Json<AppResource>, Problem> {
    let number = release
        .parse()
        .map(ReleaseNumber)
        .map_err(|_| Problem::not_found("no_such_release", format!("`{release}` is not a release's number")))?;
    let view = site.engine.activate(&app, number).await?;
    Ok(Json(AppResource::one(&site, &view, &base).await))
}
