// SPDX-License-Identifier: Apache-2.0
//! An app's logs: the last lines as text, or all that comes as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::header;
use lithouse_engine::engine::LogStream;
use lithouse_engine::log;
use serde::Deserialize;

use super::Site;
use super::extract::{Parameters, Segments};
use super::problem::{Problem, disk};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default = "default_tail")]
    tail: usize,
    #[serde(default)]
    stream: Stream,
    #[serde(default)]
    follow: bool,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stream {
    #[default]
    Run,
    Build,
}

fn default_tail() -> usize {
    200
}

const MOST_LINES: usize = 100_000;
const MOST_BYTES: usize = 16 << 20;

pub(super) async fn read(
    State(site): State<Site>,
    Segments(app): Segments<String>,
    Parameters(wanted): Parameters<Wanted>,
) -> Result<Response, Problem> {
    let view = site.engine.app(&app)?;
    let stream = match wanted.stream {
        Stream::Run => LogStream::Run,
        Stream::Build => LogStream::Build,
    };
    let path = site.engine.log(&view, stream);
    let tail = wanted.tail.min(MOST_LINES);
    if wanted.follow {
        let events = log::follow(path, tail).filter_map(async |lines| {
            let lines = lines.inspect_err(|error| tracing::warn!(error = %error, "a log could not be followed")).ok()?;
            Some(Ok::<_, Infallible>(Event::default().data(lines.trim_end_matches('\n'))))
        });
        // Another app may be given the same key one day; its log is not for whoever followed this one.
        let events = events.take_until(site.engine.gone(&view.id));
        return Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response());
    }
    let text = log::tail(path, tail, MOST_BYTES).await.map_err(|error| disk(&error, &error))?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, text).into_response())
}
