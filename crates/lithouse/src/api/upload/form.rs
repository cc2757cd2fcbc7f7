// SPDX-License-Identifier: Apache-2.0
//! A form as it comes in: its content is left to whoever reads it, its heads are bounded here.
//!
//! The parser behind it keeps whatever comes until it has found the head of the next part, and takes all that is there to be
//! taken. So it is given one piece at a time, and no more than a head can be long while it looks for one.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream};
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use bytes::Bytes;
use futures_util::Stream;
use http::header::CONTENT_TYPE;

use super::not_multipart;
use crate::api::problem::{Code, Problem};

/// The longest head of a part. The piece that it ends in may be longer.
const LONGEST_HEAD: usize = 64 << 10;

/// What an upload is sent in.
pub(in crate::api) struct Form {
    multipart: Multipart,
    searched: Searched,
}

impl Form {
    /// The next part.
    pub(super) async fn next_field(&mut self) -> Result<Option<Field<'_>>, MultipartError> {
        self.searched.begin();
        let searched = self.searched.clone();
        let field = self.multipart.next_field().await;
        searched.end();
        field
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_form = kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("multipart/form-data"));
        let searched = Searched::default();
        let watched = searched.clone();
        let request = request
            .map(|body| Body::from_stream(Piecemeal { body: body.into_data_stream(), searched: watched, is_pausing: false }));
        match Multipart::from_request(request, state).await {
            Ok(multipart) => Ok(Self { multipart, searched }),
            Err(_) if is_form => {
                Err(Problem::new(Code::BrokenMultipart, "the head of the request names no `boundary` of the form")
                    .hint("let your client set `Content-Type` by itself, as `curl -F` does"))
            }
            Err(_) => Err(not_multipart()),
        }
    }
}

/// How many bytes were given since the last look for a head began; none while there is none.
#[derive(Debug, Clone)]
struct Searched(Arc<AtomicUsize>);

const NOT_SEARCHING: usize = usize::MAX;

impl Default for Searched {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(NOT_SEARCHING)))
    }
}

impl Searched {
    fn begin(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn end(&self) {
        self.0.store(NOT_SEARCHING, Ordering::Relaxed);
    }

    fn is_exhausted(&self) -> bool {
        (LONGEST_HEAD..NOT_SEARCHING).contains(&self.0.load(Ordering::Relaxed))
    }

    fn note(&self, bytes: usize) {
        let noted = self.0.load(Ordering::Relaxed);
        if noted != NOT_SEARCHING {
            self.0.store(noted.saturating_add(bytes).min(NOT_SEARCHING - 1), Ordering::Relaxed);
        }
    }
}

/// Why no more of a body is given.
#[derive(Debug, thiserror::Error)]
#[error("no part begins within {LONGEST_HEAD} bytes")]
pub(super) struct NoHead;

/// Gives a body piece by piece, with a pause after each.
struct Piecemeal {
    body: BodyDataStream,
    searched: Searched,
    is_pausing: bool,
}

impl Stream for Piecemeal {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.is_pausing) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.searched.is_exhausted() {
            return Poll::Ready(Some(Err(axum::Error::new(NoHead))));
        }
        let piece = Pin::new(&mut self.body).poll_next(context);
        if let Poll::Ready(Some(Ok(bytes))) = &piece {
            self.searched.note(bytes.len());
            self.is_pausing = true;
        }
        piece
    }
}
