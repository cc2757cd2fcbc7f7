// SPDX-License-Identifier: Apache-2.0
//! The one shape of errors: RFC 9457 problem details with a stable code. Every error of the engine is translated here, once.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use lithouse_engine::app::AskError;
use lithouse_engine::engine::{EngineError, FilesError};
use lithouse_engine::store::StoreError;
use serde_json::{Map, Value, json};

/// One problem. It becomes a whole answer when `render` adds the id of the request.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), hint: None }
    }

    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub(crate) fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// Something of ours went wrong: the log has the details, the answer does not.
    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %chain(error), "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong in the server")
            .hint("the server's log tells more under this request id")
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The answer.
    pub(crate) fn render(&self, request_id: &str) -> Response {
        let mut body = Map::new();
        body.insert("type".into(), json!("about:blank"));
        body.insert("title".into(), json!(self.status.canonical_reason().unwrap_or("Error")));
        body.insert("status".into(), json!(self.status.as_u16()));
        body.insert("code".into(), json!(self.code));
        body.insert("detail".into(), json!(self.detail));
        if let Some(hint) = &self.hint {
            body.insert("hint".into(), json!(hint));
        }
        body.insert("request_id".into(), json!(request_id));
        let mut response = (self.status, format!("{:#}\n", Value::Object(body))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Lithouse\", charset=\"UTF-8\""));
        }
        response
    }
}

/// An error with all that caused it, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

/// Carried beside an empty body until the edge knows the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::NotFound(_) => {
                Self::not_found("no_such_app", error.to_string()).hint("`GET /api/apps` lists the apps with their ids and keys")
            }
            EngineError::Ask(error) => error.into(),
            EngineError::NoFreePort(error) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "no_free_port", error.to_string())
                .hint("stop an app that is not needed, or widen `--port-range`"),
            EngineError::Store(error) => error.into(),
            EngineError::Folder(error) => disk(&error, &error.source),
            EngineError::Files(error) => error.into(),
            EngineError::Keeper(error) => Self::internal(&error),
            EngineError::StillDeleting(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "still_deleting", error.to_string())
                .hint("ask for the app again: it is gone once the answer is 404"),
        }
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        let detail = error.to_string();
        match error {
            AskError::BeingDeleted => Self::new(StatusCode::CONFLICT, "being_deleted", detail),
            AskError::Gone => Self::not_found("no_such_app", detail),
            AskError::InPlace(_) => Self::new(StatusCode::CONFLICT, "served_in_place", detail)
                .hint("change the files in that folder and restart the app"),
            AskError::NoRelease { .. } => Self::not_found("no_such_release", detail),
            AskError::AlreadyActive(_) => Self::new(StatusCode::CONFLICT, "already_active", detail),
            AskError::NoEntry => Self::bad_request("no_entry", detail).hint("name the script `app.py`"),
            AskError::Store(error) => error.into(),
            AskError::Files(error) => error.into(),
            AskError::Folder(error) => disk(&error, &error.source),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_disk_full() {
            return disk_full();
        }
        match &error {
            StoreError::Taken { .. } => Self::new(StatusCode::CONFLICT, "name_taken", error.to_string())
                .hint("choose another, or send a new release of that app"),
            StoreError::Open { .. }
            | StoreError::Newer { .. }
            | StoreError::Migrate { .. }
            | StoreError::Query(_)
            | StoreError::Damaged(_) => Self::internal(&error),
        }
    }
}

impl From<FilesError> for Problem {
    fn from(error: FilesError) -> Self {
        match &error {
            FilesError::NoFile(_) => Self::not_found("no_such_file", error.to_string()),
            FilesError::IsFolder(_) => Self::bad_request("is_a_folder", error.to_string()),
            FilesError::NotAFolder(_) => Self::bad_request("not_a_folder", error.to_string()),
            FilesError::Io { source, .. } => disk(&error, source),
        }
    }
}

fn disk_full() -> Problem {
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", "the disk of the data folder is full")
        .hint("free some space, or delete apps that are not needed")
}

/// A full or read-only disk is worth naming; all else is ours.
pub(crate) fn disk(error: &dyn std::error::Error, source: &std::io::Error) -> Problem {
    match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => disk_full(),
        std::io::ErrorKind::ReadOnlyFilesystem => {
            Problem::new(StatusCode::INSUFFICIENT_STORAGE, "disk_read_only", "the disk of the data folder is read-only")
        }
        _ => Problem::internal(error),
    }
}
