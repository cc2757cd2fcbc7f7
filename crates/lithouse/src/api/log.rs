// SPDX-License-Identifier: Apache-2.0
//! An app's logs: the last lines as text, or all that comes as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, header};
use lithouse_engine::engine::LogStream;
use lithouse_engine::log::{self, Batch, Begin};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Site;
use super::document::problems::{ASKED, OF_APP, problems};
use super::document::{AppName, ServerSentEvent};
use super::extract::{Parameters, Segments, count};
use super::problem::{Code, Problem, disk};

/// What a browser tells when it comes back.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// When it comes back.
const COME_BACK_IN: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// How many of the last lines.
    #[serde(default = "default_tail", deserialize_with = "count")]
    #[param(default = 200)]
    tail: usize,
    /// Which log.
    #[serde(default)]
    #[param(inline)]
    stream: Stream,
    /// Whether to go on with each line that comes, as server-sent events.
    #[serde(default)]
    #[param(default = false)]
    follow: bool,
}

/// `run`: what the app printed, and what happened to its process. `build`: what its builds printed.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = "run")]
enum Stream {
    #[default]
    Run,
    Build,
}

fn default_tail() -> usize {
    200
}

problems!(Reading: ASKED, OF_APP, [Code::InvalidParameter]);
/// Read a log
///
/// With `follow=true` the answer is a stream without end: the last lines, then each that comes, as `data` of server-sent events,
/// several lines in one where they came together. A comment comes every 15 seconds when nothing else does. The first event has no
/// `data` but an `id`, as all have; sent back as `Last-Event-ID`, the stream goes on after that event, also with another server.
/// Its end is no end of the log: that is when the app is not there any more.
#[utoipa::path(
    get, path = "/api/apps/{app}/logs", operation_id = "read_log", tag = "logs",
    params(
        AppName, Wanted,
        ("Last-Event-ID" = Option<String>, Header,
            description = "The `id` of the last event that came, with `follow=true`: go on after it, whatever `tail` says. \
                An unknown one is as none."),
    ),
    responses(
        (status = OK, description = "Its lines: as text, or as server-sent events with `follow=true`",
            content((String = "text/plain"), (ServerSentEvent = "text/event-stream"))),
        Reading,
    ),
)]
pub(super) async fn read(
    State(site): State<Site>,
    Segments(app): Segments<String>,
    Parameters(wanted): Parameters<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = site.engine.app(&app)?;
    let stream = match wanted.stream {
        Stream::Run => LogStream::Run,
        Stream::Build => LogStream::Build,
    };
    let path = site.engine.log(&view, stream);
    if wanted.follow {
        let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()?.parse().ok());
        let begin = last.map_or(Begin::Last(wanted.tail), Begin::After);
        let events = log::follow(path, begin).filter_map(async |batch| {
            let batch = batch.inspect_err(|error| tracing::warn!(error = %error, "a log could not be followed")).ok()?;
            Some(Ok::<_, Infallible>(event(&batch)))
        });
        // Another app may be given the same key one day; its log is not for whoever followed this one.
        let events = events.take_until(site.engine.gone(&view.id));
        return Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response());
    }
    let text = log::read(path, wanted.tail).await.map_err(|error| disk(&error, &error))?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(text)).into_response())
}

/// One without lines tells where the follower is, and how soon to come back once the stream has ended.
fn event(batch: &Batch) -> Event {
    let event = Event::default().id(batch.bookmark.to_string());
    match batch.lines.trim_end_matches('\n') {
        _ if batch.lines.is_empty() => event.retry(COME_BACK_IN),
        lines => event.data(lines),
    }
}
