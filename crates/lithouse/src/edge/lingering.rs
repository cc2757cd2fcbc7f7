// SPDX-License-Identifier: Apache-2.0
//! The rest of a body that nobody wants any more.
//!
//! Who sends a large body reads the answer when all of it is sent. If a refusal closed the connection before, the kernel would reset
//! it, and the answer would be lost on the way. So what is left is read on for a while, and thrown away.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// So long is read on at most.
const AT_MOST: Duration = Duration::from_secs(30);
/// So long is waited for the next bytes.
const SILENCE: Duration = Duration::from_secs(5);

/// The body of a request.
#[derive(Debug)]
pub(super) struct Lingering {
    body: Option<Incoming>,
    /// Its sender waits for a word before the first byte, and reads a refusal without having sent any.
    waits: bool,
}

impl Lingering {
    pub(super) fn of(body: Incoming, head: &HeaderMap) -> Self {
        Self { body: Some(body), waits: head.contains_key(header::EXPECT) }
    }
}

impl Body for Lingering {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.waits = false;
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !self.waits && !body.is_end_stream()) else { return };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(AT_MOST, read_on(body)));
        }
    }
}

async fn read_on(mut body: Incoming) {
    while let Ok(Some(Ok(_))) = timeout(SILENCE, body.frame()).await {}
}
