// SPDX-License-Identifier: Apache-2.0
//! The one shape of errors: RFC 9457 problem details with a stable code. Every error of the engine is translated here, once.

mod code;
mod snippets;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use lithouse_engine::app::{AskError, Naming};
use lithouse_engine::engine::{EngineError, FilesError};
use lithouse_engine::environment::RequirementsError;
use lithouse_engine::script::ScriptError;
use lithouse_engine::store::StoreError;
use lithouse_proxy::page::{self, Page};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use code::Code;

/// Seconds after which something that is on its way is worth another look.
const SOON: u32 = 2;
/// Seconds after which something that is not to be had now is worth another try.
const LATER: u32 = 30;

/// One problem. It becomes a whole answer when `render` adds the id of the request.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    code: Code,
    detail: String,
    hint: Option<String>,
    retry_after: Option<u32>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after = (code.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(LATER);
        Self { code, detail: shown(&detail.into()), hint: None, retry_after }
    }

    /// Something of ours went wrong: the log has the details, the answer does not.
    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %chain(error), "a request failed");
        Self::new(Code::Internal, "something went wrong in the server").hint("the server's log tells more under this request id")
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The seconds after which the same request may succeed.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// What people and programs read of it.
    pub(super) fn document<'a>(&'a self, request_id: &'a str) -> ProblemDocument<'a> {
        let status = self.code.status();
        ProblemDocument {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code: self.code.as_str(),
            detail: &self.detail,
            hint: Some(self.hint.as_deref().unwrap_or_else(|| self.code.remedy())),
            request_id,
        }
    }

    /// Whether people come here by an address that they were given or typed, rather than by a program.
    pub(crate) fn is_for_people(&self) -> bool {
        matches!(self.code, Code::NoSuchPath | Code::TooManyRequests)
    }

    /// The answer as a page.
    pub(crate) fn page(&self) -> Response {
        let status = self.code.status();
        let sentence = |text: &str| {
            let mut characters = text.chars();
            characters.next().map(|first| first.to_uppercase().chain(characters).chain(['.']).collect::<String>())
        };
        let (detail, hint) = (sentence(&self.detail).unwrap_or_default(), self.hint.as_deref().and_then(sentence));
        let title = status.canonical_reason().unwrap_or("Error");
        let page = Page { title, label: status.as_str(), detail: &detail, hint: hint.as_deref(), ..Page::default() };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::VARY, HeaderValue::from_static("accept")),
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::POLICY)),
        ];
        let mut response = (status, headers, page.html()).into_response();
        self.set_retry_after(response.headers_mut());
        response
    }

    /// The answer.
    pub(crate) fn render(&self, request_id: &str) -> Response {
        let mut response = (self.status(), self.text(request_id)).into_response();
        self.set_headers(response.headers_mut());
        response
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// The body of the answer.
    pub(crate) fn text(&self, request_id: &str) -> String {
        // A structure of texts and numbers always serialises.
        serde_json::to_string_pretty(&self.document(request_id)).unwrap_or_default() + "\n"
    }

    /// The headers of the answer.
    pub(crate) fn set_headers(&self, headers: &mut HeaderMap) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Lithouse\", charset=\"UTF-8\""));
        }
        self.set_retry_after(headers);
    }

    fn set_retry_after(&self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

/// A text that may hold somebody else's: bounded, and without what steers a terminal.
fn shown(text: &str) -> String {
    const LONGEST: usize = 2000;
    let printable = |each: char| {
        let escaped = each.is_control() && !matches!(each, '\n' | '\t');
        (!escaped).then_some(each).into_iter().chain(each.escape_debug().take(if escaped { usize::MAX } else { 0 }))
    };
    let mut shown: String = text.chars().take(LONGEST).flat_map(printable).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// What went wrong, as RFC 9457 has it. `code` is stable, the words are not.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemDocument<'a> {
    /// Always `about:blank`: the code tells more.
    #[schema(example = "about:blank")]
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong, for programs.
    code: &'static str,
    /// What went wrong, for people.
    detail: &'a str,
    /// The next step.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    /// Names the request in the server's logs; the same as in `X-Request-Id`.
    #[schema(pattern = "^[0-9a-f]{16}$", example = "48ec57e97a97c8e3")]
    request_id: &'a str,
}

/// An error with all that caused it, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

/// Carried beside an empty body until the edge knows the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::NotFound(_) => {
                Self::new(Code::NoSuchApp, error.to_string()).hint("`GET /api/apps` lists the apps with their ids and keys")
            }
            EngineError::Ask(error) => error.into(),
            EngineError::NoFreePort(error) => {
                Self::new(Code::NoFreePort, error.to_string()).hint("stop an app that is not needed, or widen `--port-range`")
            }
            EngineError::Store(error) => error.into(),
            EngineError::Folder(error) => disk(&error, &error.source),
            EngineError::Files(error) => error.into(),
            EngineError::Keeper(error) => Self::internal(&error),
            EngineError::StillDeleting(_) => Self::new(Code::StillDeleting, error.to_string())
                .hint("ask for the app again: it is gone once the answer is 404")
                .retry_after(SOON),
        }
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        let detail = error.to_string();
        match error {
            AskError::BeingDeleted => Self::new(Code::BeingDeleted, detail),
            AskError::Gone => Self::new(Code::NoSuchApp, detail),
            AskError::Declared(naming) => {
                Self::new(Code::Declared, detail).hint(format!("{}; then `lithouse refresh`", way_out(naming)))
            }
            AskError::Configured { setting } => {
                Self::new(Code::Configured, detail).hint(format!("set `{setting}` in the configuration; then `lithouse refresh`"))
            }
            AskError::InPlace(_) => {
                Self::new(Code::ServedInPlace, detail).hint("change the files in that folder and restart the app")
            }
            AskError::NoRelease { .. } => Self::new(Code::NoSuchRelease, detail),
            AskError::AlreadyActive(_) => Self::new(Code::AlreadyActive, detail),
            AskError::NoEntry => Self::new(Code::NoEntry, detail)
                .hint("name the script `app.py`, and put it at the top, or at the top of the only folder"),
            AskError::Script(error) => error.into(),
            AskError::Requirements(error) => {
                let code = match &error {
                    RequirementsError::TooLarge { .. } => Code::TooLarge,
                    RequirementsError::Utf16 { .. }
                    | RequirementsError::NotText { .. }
                    | RequirementsError::Nul { .. }
                    | RequirementsError::Missing { .. }
                    | RequirementsError::Outside { .. } => Code::InvalidRequirements,
                };
                Self::new(code, detail).hint(error.hint())
            }
            AskError::Store(error) => error.into(),
            AskError::Files(error) => error.into(),
            AskError::Folder(error) => disk(&error, &error.source),
        }
    }
}

impl From<ScriptError> for Problem {
    fn from(error: ScriptError) -> Self {
        let detail = error.to_string();
        match error {
            ScriptError::Empty { .. } => Self::new(Code::EmptyFile, detail),
            ScriptError::Syntax { .. } => Self::new(Code::InvalidScript, detail).hint("correct it there, and send it again"),
            ScriptError::NotText { .. } => Self::new(Code::InvalidScript, detail)
                .hint("save it as UTF-8, or name its coding in the first line, as in `# -*- coding: latin-1 -*-`"),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_disk_full() {
            return disk_full();
        }
        if error.is_read_only() {
            return disk_read_only();
        }
        match &error {
            StoreError::Taken { .. } => {
                Self::new(Code::NameTaken, error.to_string()).hint("choose another, or send a new release of that app")
            }
            StoreError::NoFile { .. }
            | StoreError::Empty { .. }
            | StoreError::DamagedFile { .. }
            | StoreError::Open { .. }
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
            FilesError::NoFile(_) => Self::new(Code::NoSuchFile, error.to_string()),
            FilesError::IsFolder(_) => Self::new(Code::IsAFolder, error.to_string()),
            FilesError::NotAFolder(_) => Self::new(Code::NotAFolder, error.to_string()),
            FilesError::Io { source, .. } => disk(&error, source),
        }
    }
}

/// How a person takes an app away that is named somewhere.
fn way_out(naming: Naming) -> &'static str {
    match naming {
        Naming::Folder => "move its folder out of the folder of apps",
        Naming::Configuration => "take it out of the configuration",
    }
}

fn disk_full() -> Problem {
    Problem::new(Code::DiskFull, "the disk of the data folder is full")
        .hint("free some space, or delete apps that are not needed")
}

fn disk_read_only() -> Problem {
    Problem::new(Code::DiskReadOnly, "the disk of the data folder is read-only")
        .hint("mount it for writing again; a disk that failed is often mounted so by the system, whose log then tells why")
}

/// A full or read-only disk is worth naming; all else is ours.
pub(crate) fn disk(error: &dyn std::error::Error, source: &std::io::Error) -> Problem {
    match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => disk_full(),
        std::io::ErrorKind::ReadOnlyFilesystem => disk_read_only(),
        _ => Problem::internal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_says_what_to_do_and_the_closer_hint_wins() {
        for code in Code::ALL {
            let problem = Problem::new(*code, "it is so");
            let hint = problem.document("").hint.map(str::to_owned);
            assert!(hint.as_ref().is_some_and(|hint| !hint.is_empty()), "{code:?}: {hint:?}");
        }
        let problem = Problem::new(Code::NotJson, "it is so").hint("do this");
        assert_eq!(problem.document("").hint, Some("do this"));
    }
}
