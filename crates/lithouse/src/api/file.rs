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
use utoipa::{IntoParams, ToSchema};

use super::Site;
use super::document::AppName;
use super::document::problems::{ASKED, OF_APP, STORED, WRITTEN, problems};
use super::extract::Segments;
use super::problem::{Code, Problem, disk};
use super::release::{self, ReleaseResource};
use super::time::rfc3339;
use super::upload;

/// The largest file that can be written one by one; larger ones come in a bundle.
const LARGEST_FILE: u64 = 64 << 20;
/// A file is read in such pieces: each takes a turn of a thread.
const PIECE: usize = 64 << 10;

/// A file of an app.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = File)]
pub(super) struct FileResource {
    /// Its path in the app's folder, with `/` between its parts.
    #[schema(example = "pages/1_Tides.py")]
    path: String,
    /// Its size in bytes.
    size: u64,
    /// When it was last changed.
    #[schema(required, format = DateTime, example = "2026-01-02T03:04:05.678Z")]
    modified_at: Option<String>,
}

/// Bytes as they are.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it is only looked at for its documentation; bytes are streamed")]
struct Bytes(Vec<u8>);

/// Which file.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it is only looked at for its documentation; the handlers take it beside the app's name")]
struct FileName {
    /// Its path in the app's folder, with `/` between its parts: relative, without `..`, 1,024 bytes at most.
    #[param(
        max_length = 1024,
        pattern = r"^(?!\.{1,2}(?:/|$))[^/\\\x00-\x1f\x7f-\x9f]{1,255}(?:/(?!\.{1,2}(?:/|$))[^/\\\x00-\x1f\x7f-\x9f]{1,255}){0,31}$"
    )]
    path: String,
}

/// All files of an app, without pages as for releases.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FileList {
    files: Vec<FileResource>,
    /// Always null.
    #[schema(required, example = json!(null))]
    next: Option<String>,
}

problems!(Listing: ASKED, OF_APP);
/// List the files of an app, sorted by path
///
/// They are those of its newest or last activated release, without `__pycache__`.
#[utoipa::path(
    get, path = "/api/apps/{app}/files", operation_id = "list_files", tag = "files",
    params(AppName),
    responses((status = OK, description = "All of them", body = FileList), Listing),
)]
pub(super) async fn list(State(site): State<Site>, Segments(app): Segments<String>) -> Result<Json<FileList>, Problem> {
    let files = site.engine.files(&app).await?.into_iter();
    let files = files.map(|file| FileResource { path: file.path, size: file.size, modified_at: rfc3339(file.modified_ms) });
    Ok(Json(FileList { files: files.collect(), next: None }))
}

problems!(Reading: ASKED, OF_APP, [Code::IsAFolder, Code::NoSuchFile]);
/// Read one file
#[utoipa::path(
    get, path = "/api/apps/{app}/files/{*path}", operation_id = "read_file", tag = "files",
    params(AppName, FileName),
    responses(
        (status = OK, description = "Its bytes", body = inline(Bytes), content_type = "application/octet-stream",
            headers(
                ("Content-Length" = u64, description = "Its size in bytes"),
                ("Content-Disposition" = String, description = "`attachment`"),
            )),
        Reading,
    ),
)]
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
    Ok((headers, Body::from_stream(ReaderStream::with_capacity(file, PIECE))).into_response())
}

problems!(Writing: ASKED, WRITTEN, OF_APP, STORED, [
    Code::IsAFolder, Code::NotAFolder, Code::NoEntry, Code::InvalidScript, Code::InvalidRequirements, Code::EmptyFile, Code::BrokenBody,
    Code::TooLarge, Code::ServedInPlace, Code::BeingDeleted
]);
/// Write one file
///
/// The body is taken as that file, and the rest copied into a new release, which goes the way of any other.
#[utoipa::path(
    put, path = "/api/apps/{app}/files/{*path}", operation_id = "write_file", tag = "files",
    params(AppName, FileName),
    request_body(content = inline(Bytes), content_type = "application/octet-stream", description = "Its bytes, 64 MiB at most"),
    responses((status = CREATED, description = "The release is stored, and its way has begun", body = ReleaseResource), Writing),
)]
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
    path.parse().map_err(|error: PathError| Problem::new(Code::InvalidPath, format!("the path `{path}` {error}")))
}
