// SPDX-License-Identifier: Apache-2.0
//! One HTTP/1.1 connection to an app, driven by whoever uses it.
//!
//! No task of its own stands between a request and its connection: the task that serves the client polls the connection while
//! it waits for the answer and reads the body. That saves two wake-ups per request, and a client that goes away takes the
//! app's side with it, because both are dropped together.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;

use super::socket::Socket;
use crate::body::{BodyError, RequestBody};

/// How much of an answer may wait in memory for a client that reads slowly; its head has to fit too.
const BUFFER: usize = 128 * 1024;

/// Why an exchange brought no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// The app closed the connection before anything was written. The request is whole.
    #[error("the app closed the connection before the request was sent")]
    NotSent(Box<Request<RequestBody>>),
    /// The connection ended after the request was sent, at least in part.
    #[error("the app closed the connection without an answer")]
    Cut(#[source] hyper::Error),
    /// What came is no HTTP.
    #[error("the app's answer is not understood")]
    Garbage(#[source] hyper::Error),
    /// The client stopped in the middle of its body.
    #[error("the client's request ended early")]
    ClientGone(#[source] hyper::Error),
    /// The client sent nothing more of its body.
    #[error("the client's request does not come to its end")]
    Stalled(#[source] hyper::Error),
    /// The head of the answer took too long.
    #[error("the app gave no answer within {0:?}")]
    TimedOut(Duration),
}

/// A connection, and how to send on it.
pub(crate) struct Link {
    sender: SendRequest<RequestBody>,
    /// Nothing once it has ended, unless its stream is to be taken over.
    connection: Option<Connection<TokioIo<Socket>, RequestBody>>,
    ended: bool,
    pub(super) idle_since_ms: i64,
}

impl Link {
    pub(crate) async fn over(socket: Socket) -> Result<Self, hyper::Error> {
        let (sender, connection) = http1::Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(socket)).await?;
        Ok(Self { sender, connection: Some(connection), ended: false, idle_since_ms: 0 })
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// Not an `async fn`, whose future would carry the request once more; a future that is moved often should be small.
    pub(crate) fn exchange(
        &mut self,
        request: Request<RequestBody>,
        limit: Option<Duration>,
    ) -> impl Future<Output = Result<Response<Incoming>, ExchangeError>> {
        let answer = self.sender.try_send_request(request);
        let (connection, ended) = (&mut self.connection, &mut self.ended);
        async move {
            let mut answer = pin!(answer);
            let exchange = poll_fn(|context| {
                drive(connection, ended, context);
                let mut polled = answer.as_mut().poll(context);
                if polled.is_pending() && *ended {
                    // It ended before it took the request, and holds it still. Letting go of it brings the request back.
                    *connection = None;
                    polled = answer.as_mut().poll(context);
                }
                polled
            });
            let answer = match limit {
                None => exchange.await,
                Some(limit) => match tokio::time::timeout(limit, exchange).await {
                    Ok(answer) => answer,
                    Err(_) => return Err(ExchangeError::TimedOut(limit)),
                },
            };
            answer.map_err(|mut failure| match failure.take_message() {
                Some(request) => ExchangeError::NotSent(Box::new(request)),
                None => sort(failure.into_error()),
            })
        }
    }

    /// Lets the connection work; what it reads appears in the body of the answer.
    pub(crate) fn drive(&mut self, context: &mut Context<'_>) {
        drive(&mut self.connection, &mut self.ended, context);
    }

    /// Lets the connection work until it is over.
    pub(crate) async fn drive_to_end(mut self) {
        poll_fn(|context| {
            self.drive(context);
            if self.ended { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Whether the last exchange is over and left the connection fit for another one.
    pub(crate) fn is_idle(&self) -> bool {
        !self.ended && self.sender.is_ready()
    }

    /// Whether the connection is fit for another exchange still; meant for one that nobody drives.
    pub(super) fn is_alive(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.is_idle()
    }

    /// The bare stream, after an answer that changed protocols, with what has been read beyond that answer.
    pub(crate) async fn into_stream(mut self) -> Option<(Socket, Bytes)> {
        poll_fn(|context| {
            self.drive(context);
            if self.ended { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let parts = self.connection?.into_parts();
        Some((parts.io.into_inner(), parts.read_buf))
    }
}

fn drive(connection: &mut Option<Connection<TokioIo<Socket>, RequestBody>>, ended: &mut bool, context: &mut Context<'_>) {
    if !*ended && let Some(connection) = connection {
        *ended = Pin::new(connection).poll(context).is_ready();
    }
}

fn sort(error: hyper::Error) -> ExchangeError {
    let io = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<io::Error>());
    let of_body = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<BodyError>());
    if let Some(BodyError::Stalled(_)) = of_body {
        ExchangeError::Stalled(error)
    } else if error.is_user() {
        ExchangeError::ClientGone(error)
    } else if io.is_some() || error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        ExchangeError::Cut(error)
    } else {
        ExchangeError::Garbage(error)
    }
}
