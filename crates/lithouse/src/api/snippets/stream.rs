// SPDX-License-Identifier: Apache-2.0
//! A run as server-sent events: what it writes and shows as it comes, and its result at last.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, header};
use lithouse_engine::snippets::{Event, ExecuteError, Outcome, Request, Snippets};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::api::RequestId;
use crate::api::problem::Problem;

/// How many events wait for a slow reader before its run does.
const WAITING: usize = 64;
/// A run that is refused is refused at once. Within this time a refusal is answered as everywhere; a later one is an event.
const REFUSALS: Duration = Duration::from_millis(100);
/// A comment comes when nothing else does for so long.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const EVENT_STREAM: &str = "text/event-stream";

/// Whether the client asks for events.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let kinds = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    kinds.flat_map(|kinds| kinds.split(',')).any(|kind| {
        let (kind, parameters) = kind.split_once(';').unwrap_or((kind, ""));
        // What is weighted with nothing is refused in so many words.
        let is_refused = parameters.split(';').any(|parameter| {
            let weight = parameter.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
            weight.is_some_and(|weight| weight <= 0.0)
        });
        kind.trim().eq_ignore_ascii_case(EVENT_STREAM) && !is_refused
    })
}

/// Runs, and answers with what comes of it. The run ends with the answer, and so with the connection.
pub(super) async fn answer(snippets: Snippets, request: Request, id: RequestId) -> Result<Response, Problem> {
    let (events, coming) = mpsc::channel(WAITING);
    let run = Box::pin(async move { snippets.execute(request, Some(events)).await });
    let mut run = Run { step: Step::Running(run), coming };
    let first = match tokio::time::timeout(REFUSALS, run.next()).await {
        Ok(Some(Piece::Refused(error))) => return Err(error.into()),
        Ok(first) => first,
        Err(_) => None,
    };
    let rest = stream::unfold(run, async |mut run| Some((run.next().await?, run)));
    let messages = stream::iter(first).chain(rest).map(move |piece| Ok::<_, Infallible>(message(piece, &id)));
    let events = Sse::new(messages).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(([(header::CACHE_CONTROL, "no-store")], events).into_response())
}

/// Something to tell.
enum Piece {
    Event(Event),
    Result(Box<Outcome>),
    Refused(ExecuteError),
}

type Execution = Pin<Box<dyn Future<Output = Result<Outcome, ExecuteError>> + Send>>;

/// A run, and how far it is.
struct Run {
    step: Step,
    coming: mpsc::Receiver<Event>,
}

enum Step {
    Running(Execution),
    /// It has ended, and some events of it may still wait.
    Ended(Box<Result<Outcome, ExecuteError>>),
    Told,
}

impl Run {
    /// The next piece; the last one is a result or a refusal. Dropping the future loses nothing.
    async fn next(&mut self) -> Option<Piece> {
        loop {
            match &mut self.step {
                Step::Running(execution) => {
                    tokio::select! {
                        biased;
                        Some(event) = self.coming.recv() => return Some(Piece::Event(event)),
                        ended = execution => {
                            self.coming.close();
                            self.step = Step::Ended(Box::new(ended));
                        }
                    }
                }
                Step::Ended(_) => {
                    if let Some(event) = self.coming.recv().await {
                        return Some(Piece::Event(event));
                    }
                    let Step::Ended(ended) = std::mem::replace(&mut self.step, Step::Told) else { return None };
                    return Some(match *ended {
                        Ok(outcome) => Piece::Result(Box::new(outcome)),
                        Err(error) => Piece::Refused(error),
                    });
                }
                Step::Told => return None,
            }
        }
    }
}

fn message(piece: Piece, id: &RequestId) -> Message {
    match piece {
        Piece::Event(Event::Stdout(text)) => named("stdout", &text),
        Piece::Event(Event::Stderr(text)) => named("stderr", &text),
        Piece::Event(Event::Chart(chart)) => named("chart", &*chart),
        Piece::Result(outcome) => named("result", &outcome),
        Piece::Refused(error) => named("problem", &Problem::from(error).document(&id.0)),
    }
}

/// An event in one line of JSON.
fn named<T: Serialize + ?Sized>(name: &str, data: &T) -> Message {
    // Texts, numbers and JSON that was checked always serialise.
    Message::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_for_whoever_asks_for_them() {
        let is_wanted = |accept: &str| is_wanted(&HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]));
        for accept in ["text/event-stream", "application/json, Text/Event-Stream;q=0.9", "text/event-stream; charset=utf-8"] {
            assert!(is_wanted(accept), "{accept}");
        }
        for accept in ["*/*", "text/*", "application/json", "text/event-stream;q=0", "text/event-streams"] {
            assert!(!is_wanted(accept), "{accept}");
        }
    }
}
