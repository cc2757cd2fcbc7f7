// SPDX-License-Identifier: Apache-2.0
//! Receiving a body into memory: within its size, within a time, and not too many large ones at once.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::header;
use http::request::Parts;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::api::problem::{Code, Problem};

/// The largest body, in bytes: the files and the code of a snippet with some room.
const LARGEST: usize = 24 << 20;
/// A body that is too large is read to its end nevertheless, up to here: most clients look for an answer only then.
const READ_ON: usize = 64 << 20;
/// How long a body may be on its way, the wait for its turn included.
const WITHIN: Duration = Duration::from_secs(60);
/// Bodies up to this size need not wait for their turn.
const SMALL: usize = 64 << 10;
/// How many kibibytes of larger bodies are received at a time.
static ROOM: Semaphore = Semaphore::const_new(96 << 10);

/// The whole body.
pub(super) async fn receive(parts: &Parts, body: Body) -> Result<Bytes, Problem> {
    receive_within(WITHIN, parts, body).await
}

async fn receive_within(time: Duration, parts: &Parts, body: Body) -> Result<Bytes, Problem> {
    let received = timeout(time, async {
        let _room = room(announced(parts)).await;
        collect(body).await
    });
    received.await.unwrap_or_else(|_| {
        Err(Problem::new(Code::BrokenBody, format!("the body did not arrive within {} s", time.as_secs_f32()))
            .hint("send it without pauses, or in a smaller request"))
    })
}

/// The length that the head tells. A body without one may be as large as any.
fn announced(parts: &Parts) -> usize {
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or(LARGEST).min(LARGEST)
}

async fn room(length: usize) -> Option<SemaphorePermit<'static>> {
    if length <= SMALL {
        return None;
    }
    // Nobody closes it.
    ROOM.acquire_many(u32::try_from(length >> 10).unwrap_or(u32::MAX)).await.ok()
}

async fn collect(body: Body) -> Result<Bytes, Problem> {
    let mut stream = body.into_data_stream();
    let (mut bytes, mut length) = (BytesMut::new(), 0);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Problem::new(Code::BrokenBody, "the body ended before it was complete"))?;
        length += chunk.len();
        if length <= LARGEST {
            bytes.extend_from_slice(&chunk);
        } else if length <= READ_ON {
            bytes = BytesMut::new();
        } else {
            break;
        }
    }
    if length <= LARGEST { Ok(bytes.freeze()) } else { Err(too_large()) }
}

fn too_large() -> Problem {
    Problem::new(Code::TooLarge, format!("the body is larger than {} MiB", LARGEST >> 20))
        .hint("the code of a snippet may have 51200 bytes, its files 16 MiB in all before they are encoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Parts {
        http::Request::new(()).into_parts().0
    }

    fn endless(chunk: usize, chunks: usize) -> Body {
        let chunk = Bytes::from(vec![b'x'; chunk]);
        Body::from_stream(futures_util::stream::iter((0..chunks).map(move |_| Ok::<_, std::io::Error>(chunk.clone()))))
    }

    #[tokio::test]
    async fn a_body_comes_whole_up_to_its_limit_and_is_refused_above() {
        assert_eq!(receive(&parts(), endless(1 << 20, 24)).await.unwrap().len(), 24 << 20);
        for chunks in [25, 200] {
            let problem = receive(&parts(), endless(1 << 20, chunks)).await.unwrap_err();
            assert!(format!("{problem:?}").contains("larger than 24 MiB"), "{problem:?}");
        }
    }

    #[tokio::test]
    async fn a_body_that_stops_on_its_way_is_given_up() {
        let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let problem = receive_within(Duration::from_millis(50), &parts(), body).await.unwrap_err();
        assert!(format!("{problem:?}").contains("within 0.05 s"), "{problem:?}");
    }
}
