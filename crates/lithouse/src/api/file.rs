// SPDX-License-Identifier: Apache-2.0
//! The files of an app: list, read, edit. An edit makes a new release.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use lithouse_engine::bundle::{FilePath, PathError};
use serde::Serialize;
use tokio_util::io::ReaderStream;

use super::Site;
use super::app::rfc3339;
use super::extract::Segments;
use super::problem::{Problem, disk};
use super::release::{self, ReleaseResource};
use super::upload;

/// The largest file that can be written one by one; larger ones come in a bundle.
const LARGEST_FILE: u64 = 64 << 20;

/// A file as the API tells it.
#[derive(Debug, Serialize)]
pub(super) struct FileResource {
    path: String,
    size: u64,
    modified_at: Option<String>,
}

/// All files of an app, without pages as for releases.
#[derive(Debug, Serialize)]
pub(super) struct FileList {
    files: Vec<FileResource>,
    next: Option<String>,
}

pub(super) async fn list(State(site): State<Site>, Segments(app): Segments<String>) -> Result<Json<FileList>, Problem> {
    let files = site.engine.files(&app).await?.into_iter();
    let files = files.map(|file| FileResource { path: file.path, size: file.size, modified_at: rfc3339(file.modified_ms) });
    Ok(Json(FileList { files: files.collect(), next: None }))
}

pub(super) async fn read(
    State(site): State<Site>,
    Segments((app, path)): Segments<(String, String)>,
) -> Result<Response, Problem> {
    let path = site.engine.file(&app, &file_path(&path)?).await?;
    let file = tokio::fs::File::open(&path).await.map_err(|error| disk(&error, &error))?;
    let facts = file.metadata().await.map_err(|error| disk(&error, &error))?;
    // People's files must not run as pages of ours, whatever they hold.
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, "attachment".to_owned()),
        (header::CONTENT_LENGTH, facts.len().to_string()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(file))).into_response())
}

pub(super) async fn write(
    State(site): State<Site>,
    Segments((app, path)): Segments<(String, String)>,
    request: Request,
) -> Result<(StatusCode, Json<ReleaseResource>), Problem> {
    let path = file_path(&path)?;
    site.engine.app(&app)?;
    let content = site.engine.new_tmp("file");
    let received = upload::save_body(request.into_body(), &content, LARGEST_FILE).await;
    let number = match received {
        Ok(()) => site.engine.write_file(&app, &path, content.clone()).await.map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    if number.is_err() {
        // It is gone already where the engine took it.
        let _ = tokio::fs::remove_file(&content).await;
    }
    Ok((StatusCode::CREATED, Json(release::one(&site, &app, number?).await?)))
}

fn file_path(path: &str) -> Result<FilePath, Problem> {
    path.parse().map_err(|error: PathError| Problem::bad_request("invalid_path", format!("the path `{path}` {error}")))
}
