// SPDX-License-Identifier: Apache-2.0
//! The connections that are open at the listener: no more than there are descriptors for, and one that nobody uses makes room for one
//! that somebody wants.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Response, StatusCode};
use hyper::body::{Frame, SizeHint};
use rustix::process::Resource;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Descriptors for all else: database, logs, builds, keeper, control socket.
const FOR_OURSELVES: u64 = 128;
/// A visitor of an app takes one for the visitor and one for the app.
const OF_A_VISITOR: u64 = 2;

/// A guest who came, or was answered, less than so long ago is not sent away: the request may be on its way.
const ABOUT_TO_ASK: Duration = Duration::from_secs(1);

/// Everybody who is connected.
#[derive(Debug)]
pub(super) struct Crowd {
    places: usize,
    here: Mutex<Here>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Here {
    next: u64,
    guests: BTreeMap<u64, Arc<Guest>>,
    /// Whether it was told that there is no room. Told again only after there was some.
    is_full: bool,
}

/// One who is connected.
#[derive(Debug)]
pub(super) struct Guest {
    /// Requests that are being answered.
    asks: AtomicUsize,
    /// When the last of them had been, or when the guest came.
    idle_since: Mutex<Instant>,
    /// Told to leave while nothing is being answered.
    leave: CancellationToken,
}

/// Who makes room.
enum Leaving {
    /// This one, who has nobody's place any more.
    Now(Arc<Guest>),
    /// Nobody before this moment: whoever came just now is about to ask.
    From(Instant),
    /// Nobody before an answer has been sent.
    Nobody,
}

/// A guest's place, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Crowd>,
    number: u64,
    pub(super) guest: Arc<Guest>,
}

impl Crowd {
    /// As many places as the limit on open descriptors allows.
    pub(super) fn within_limit() -> Arc<Self> {
        let limit = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Self::of(limit.saturating_sub(FOR_OURSELVES).max(limit / 2) / OF_A_VISITOR)
    }

    fn of(places: u64) -> Arc<Self> {
        let places = usize::try_from(places.max(1)).unwrap_or(usize::MAX);
        Arc::new(Self { places, here: Mutex::default(), left: Notify::new() })
    }

    /// A place for one more. Where there is none, whoever has been here longest and asks for nothing is sent away; where everybody
    /// asks for something, it is waited for.
    pub(super) async fn enter(self: &Arc<Self>) -> Place {
        loop {
            let left = self.left.notified();
            match self.find() {
                Ok(place) => return place,
                Err(Leaving::Now(idle)) => idle.leave.cancel(),
                Err(Leaving::From(moment)) => tokio::select! {
                    () = left => {}
                    () = tokio::time::sleep_until(moment) => {}
                },
                Err(Leaving::Nobody) => left.await,
            }
        }
    }

    /// A place, or else who leaves for it.
    fn find(self: &Arc<Self>) -> Result<Place, Leaving> {
        let mut here = self.lock();
        if here.guests.len() < self.places {
            let guest = Arc::<Guest>::default();
            let number = here.next;
            here.next += 1;
            here.guests.insert(number, Arc::clone(&guest));
            return Ok(Place { crowd: Arc::clone(self), number, guest });
        }
        if !here.is_full {
            here.is_full = true;
            tracing::warn!(
                connections = self.places,
                "as many connections are open as the limit on open files allows; idle ones make room for new ones"
            );
        }
        let idle = here.guests.iter().filter_map(|(number, guest)| Some((guest.idle_since()?, *number)));
        let Some((since, number)) = idle.min() else { return Err(Leaving::Nobody) };
        if since.elapsed() < ABOUT_TO_ASK {
            return Err(Leaving::From(since + ABOUT_TO_ASK));
        }
        Err(here.guests.remove(&number).map_or(Leaving::Nobody, Leaving::Now))
    }

    fn lock(&self) -> MutexGuard<'_, Here> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut here = self.crowd.lock();
        here.guests.remove(&self.number);
        if here.guests.len() < self.crowd.places / 2 {
            here.is_full = false;
        }
        drop(here);
        self.crowd.left.notify_waiters();
    }
}

impl Default for Guest {
    fn default() -> Self {
        Self { asks: AtomicUsize::new(0), idle_since: Mutex::new(Instant::now()), leave: CancellationToken::new() }
    }
}

impl Guest {
    /// Since when nothing is being answered; none while something is.
    fn idle_since(&self) -> Option<Instant> {
        (!self.is_asking()).then(|| *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Comes when the guest is to leave.
    pub(super) async fn is_to_leave(&self) {
        self.leave.cancelled().await;
    }

    /// Whether a request of the guest is being answered.
    pub(super) fn is_asking(&self) -> bool {
        self.asks.load(Ordering::Acquire) > 0
    }

    /// The guest asks for something, until the answer is dropped.
    pub(super) fn asks(self: &Arc<Self>) -> Asking {
        self.asks.fetch_add(1, Ordering::AcqRel);
        Asking(Arc::clone(self))
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Asking(Arc<Guest>);

impl Asking {
    /// Goes on until the body of the answer has been sent; for ever where the connection becomes something else than HTTP.
    pub(super) fn until_sent(self, response: Response<Body>) -> Response<Body> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // One more than are taken back.
            self.0.asks.fetch_add(1, Ordering::AcqRel);
            return response;
        }
        response.map(|body| Body::new(Answer { body, _asking: self }))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        *self.0.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.asks.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body of an answer.
struct Answer {
    body: Body,
    _asking: Asking,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose end, whoever holds it then, gives a place back.
pub(super) struct Placed<S> {
    pub(super) stream: S,
    /// None where places do not count any more.
    pub(super) _place: Option<Place>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Placed<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Placed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_idle_guest_makes_room_and_one_that_asks_is_waited_for() {
        let crowd = Crowd::of(2);
        let (first, second) = (crowd.enter().await, crowd.enter().await);
        let asking = first.guest.asks();
        let third = crowd.enter().await;
        second.guest.is_to_leave().await;
        assert!(!first.guest.leave.is_cancelled());
        let answer = asking.until_sent(Response::new(Body::from("long")));
        let also = third.guest.asks();
        let fourth = Box::pin(crowd.enter());
        let (_fourth, ()) = tokio::join!(fourth, async {
            tokio::task::yield_now().await;
            assert!(!first.guest.leave.is_cancelled(), "the answer is still being sent");
            drop((answer, also));
            drop(third);
        });
        drop((first, second));
        assert_eq!(crowd.lock().guests.len(), 1);
    }

    #[tokio::test]
    async fn one_that_left_http_stays() {
        let crowd = Crowd::of(1);
        let socket = crowd.enter().await;
        let mut switched = Response::new(Body::empty());
        *switched.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        drop(socket.guest.asks().until_sent(switched));
        assert!(matches!(crowd.find(), Err(Leaving::Nobody)));
        drop(socket);
        assert!(crowd.find().is_ok());
    }
}
