// SPDX-License-Identifier: Apache-2.0
//! Snippets: run a piece of Python, look one over, and code to begin with.
//!
//! Owns how a run is asked for and answered over HTTP. What may be asked for and what comes of it is the engine's affair.

mod answer;
mod request;
mod stream;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderMap, header};
use lithouse_engine::snippets::{Issue, Snippets, Template};
use serde::Serialize;
use utoipa::ToSchema;

use super::document::ServerSentEvent;
use super::document::problems::{ASKED, SENT, WRITTEN, problems};
use super::extract::Body;
use super::problem::{Code, Problem};
use super::{RequestId, Site};
use answer::{IssueShape, RunAnswer, TemplateShape};
use request::{RunRequest, ValidateRequest};

/// Whether a piece of code passes, and all that keeps it from passing.
#[derive(Serialize, ToSchema)]
pub(super) struct Verdict {
    /// Whether there are no issues.
    #[schema(example = false)]
    valid: bool,
    /// In the order of the code; 1,000 at most, and a last one that says that there are more.
    #[schema(value_type = Vec<IssueShape>)]
    issues: Vec<Issue>,
}

/// Code to begin with.
#[derive(Serialize, ToSchema)]
pub(super) struct TemplateList {
    /// The built-in ones, and those of the operator.
    #[schema(value_type = Vec<TemplateShape>)]
    templates: Vec<Template>,
}

/// What a run holds is for whoever asked for it.
const NO_STORE: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

problems!(Running: ASKED, WRITTEN, SENT, [
    Code::TimeoutOutOfRange, Code::InvalidFiles, Code::OpenNotAllowed, Code::SnippetTooLarge, Code::QueueFull, Code::EnvironmentBuilding,
    Code::SnippetsUnavailable,
]);
/// Run a piece of Python
///
/// Code that was looked at answers 200, however it ended: `status` tells. A request that cannot be taken is a problem. Hanging up
/// ends the run. With `Accept: text/event-stream` the answer comes as server-sent events while the code runs: `stdout` and `stderr`,
/// each a piece of text as a JSON string; `chart`, as in `output.charts`; at last `result`, the whole as it would have been answered
/// at once. A run that is lost half way ends with `problem` instead. A comment comes every 15 seconds when nothing else does.
#[utoipa::path(
    post, path = "/execute", operation_id = "execute", tag = "snippets",
    request_body = RunRequest,
    responses(
        (status = OK, description = "How it ended, and what came of it", 
            content((RunAnswer = "application/json"), (ServerSentEvent = "text/event-stream"))),
        Running,
    ),
)]
pub(super) async fn execute(
    State(site): State<Site>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    Body(request): Body<RunRequest>,
) -> Result<Response, Problem> {
    let snippets = site.snippets()?;
    let request = request.checked()?;
    if stream::is_wanted(&headers) {
        return stream::answer(snippets.clone(), request, id).await;
    }
    let outcome = snippets.execute(request, None).await?;
    Ok((NO_STORE, Json(outcome)).into_response())
}

problems!(Validating: ASKED, WRITTEN, SENT, [Code::SnippetsUnavailable]);
/// Look a piece of Python over
///
/// Tells all issues at once: what Python cannot read, and what the policy refuses. Nothing is run.
#[utoipa::path(
    post, path = "/validate", operation_id = "validate", tag = "snippets",
    request_body = ValidateRequest,
    responses((status = OK, description = "The issues", body = Verdict), Validating),
)]
pub(super) async fn validate(
    State(site): State<Site>,
    Body(request): Body<ValidateRequest>,
) -> Result<impl IntoResponse, Problem> {
    let snippets = site.snippets()?.clone();
    // As much as is sent is looked at, which can take some milliseconds.
    let checked = tokio::task::spawn_blocking(move || snippets.check(&request.code, request.policy.into())).await;
    let issues = checked.map_err(|error| Problem::internal(&error))?;
    Ok((NO_STORE, Json(Verdict { valid: issues.is_empty(), issues })))
}

problems!(Offering: ASKED, [Code::SnippetsUnavailable]);
/// List code to begin with
#[utoipa::path(
    get, path = "/templates", operation_id = "list_templates", tag = "snippets",
    responses((status = OK, description = "All of it", body = TemplateList), Offering),
)]
pub(super) async fn templates(State(site): State<Site>) -> Result<Json<TemplateList>, Problem> {
    Ok(Json(TemplateList { templates: site.snippets()?.templates().to_vec() }))
}

impl Site {
    /// The service, unless the operator turned it off.
    fn snippets(&self) -> Result<&Snippets, Problem> {
        self.snippets.as_ref().ok_or_else(|| {
            Problem::new(Code::SnippetsUnavailable, "this server runs no snippets: `snippets.enabled` is false")
                .hint("ask the operator to turn them on")
        })
    }
}
