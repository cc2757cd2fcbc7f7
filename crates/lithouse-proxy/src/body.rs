// SPDX-License-Identifier: Apache-2.0
//! Bodies that pass through, frame by frame, in either direction. Nothing is gathered up: a frame is asked of one side only
//! when the other side is ready to take it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use lithouse_core::route::Usage;
use tokio::time::Sleep;

use crate::upstream::carrier::Carrier;

/// Any error that ends a body early.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer: an app's as it arrives, or a page of ours.
#[derive(Debug)]
pub struct ProxyBody(Kind);

enum Kind {
    Page(Option<Bytes>),
    App(Incoming, Carrier, Arc<Usage>),
    Broken(Option<BoxError>),
}

impl ProxyBody {
    /// A body without anything in it.
    pub fn empty() -> Self {
        Self(Kind::Page(None))
    }

    pub(crate) fn of_app(incoming: Incoming, carrier: Carrier, usage: Arc<Usage>) -> Self {
        Self(Kind::App(incoming, carrier, usage))
    }
}

impl From<Bytes> for ProxyBody {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Page((!bytes.is_empty()).then_some(bytes)))
    }
}

impl From<String> for ProxyBody {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl Body for ProxyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Page(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::App(incoming, carrier, usage) => {
                carrier.drive(context);
                let frame = Pin::new(&mut *incoming).poll_frame(context);
                if let Poll::Ready(Some(Ok(frame))) = &frame {
                    usage.note_sent(frame.data_ref().map_or(0, Bytes::len));
                }
                match frame {
                    Poll::Ready(Some(Err(error))) => {
                        // The server drops the client's connection on an error, and with it what it has not written yet. It
                        // gets a turn to write, so that the client sees an answer that broke off, not one that never began.
                        self.0 = Kind::Broken(Some(error.into()));
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Poll::Ready(Some(Ok(_))) if !incoming.is_end_stream() => {}
                    Poll::Ready(Some(Ok(_)) | None) => carrier.delivered(),
                    Poll::Pending => {}
                }
                frame.map_err(Into::into)
            }
            Kind::Broken(error) => Poll::Ready(error.take().map(Err)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Page(bytes) => bytes.is_none(),
            Kind::App(incoming, ..) => incoming.is_end_stream(),
            Kind::Broken(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Page(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::App(incoming, ..) => incoming.size_hint(),
            Kind::Broken(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Page(_) => "Page",
            Self::App(..) => "App",
            Self::Broken(_) => "Broken",
        })
    }
}

/// The body of a client's request on its way to an app.
#[derive(Debug)]
pub(crate) struct RequestBody(Option<Sent>);

#[derive(Debug)]
struct Sent {
    incoming: Incoming,
    done: Arc<AtomicBool>,
    usage: Arc<Usage>,
    /// How long the next piece is waited for.
    patience: Duration,
    /// Until when, while it is.
    waiting: Option<Pin<Box<Sleep>>>,
}

/// Why a request's body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The client closed the connection, or what it sent is not understood.
    #[error("the client's request ended early")]
    Broken(#[source] hyper::Error),
    /// Nothing came for too long.
    #[error("nothing of the request's body came for {0:?}")]
    Stalled(Duration),
}

/// Tells whether a request's body has been taken to its end.
#[derive(Debug, Clone)]
pub(crate) struct Progress(Option<Arc<AtomicBool>>);

impl Progress {
    pub(crate) fn is_done(&self) -> bool {
        self.0.as_ref().is_none_or(|done| done.load(Ordering::Acquire))
    }
}

impl RequestBody {
    pub(crate) fn empty() -> Self {
        Self(None)
    }

    /// Wraps what the client sends; most requests have nothing and cost nothing.
    pub(crate) fn of_client(incoming: Incoming, usage: &Arc<Usage>, patience: Duration) -> Self {
        if incoming.is_end_stream() {
            return Self(None);
        }
        Self(Some(Sent { incoming, done: Arc::default(), usage: Arc::clone(usage), patience, waiting: None }))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress(self.0.as_ref().map(|sent| Arc::clone(&sent.done)))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(Sent { incoming, done, usage, patience, waiting }) = &mut self.0 else { return Poll::Ready(None) };
        let frame = Pin::new(&mut *incoming).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            usage.note_received(frame.data_ref().map_or(0, Bytes::len));
        }
        if frame.is_ready() {
            *waiting = None;
        } else {
            // It counts only while the app would take more.
            let until = waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(*patience)));
            if until.as_mut().poll(context).is_ready() {
                return Poll::Ready(Some(Err(BodyError::Stalled(*patience))));
            }
        }
        if let Poll::Ready(None | Some(Err(_))) = frame {
            done.store(true, Ordering::Release);
        } else if frame.is_ready() && incoming.is_end_stream() {
            done.store(true, Ordering::Release);
        }
        frame.map_err(BodyError::Broken)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|sent| sent.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), |sent| sent.incoming.size_hint())
    }
}
