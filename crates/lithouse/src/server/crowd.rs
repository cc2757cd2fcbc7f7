// SPDX-License-Identifier: Apache-2.0
//! The connections that are open at the listener: no more than there are descriptors for, and one that nobody uses makes room for one
//! that somebody wants. Where everybody asks for something, the few who come besides get what is quickly answered, and all else is
//! refused rather than left without a word.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Response, StatusCode};
use hyper::body::{Frame, SizeHint};
use rustix::process::Resource;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Descriptors for all else: database, logs, builds, keeper, control socket.
const FOR_OURSELVES: u64 = 128;
/// A visitor of an app takes one for the visitor and one for the app.
const OF_A_VISITOR: u64 = 2;
/// Of the descriptors for visitors, one in so many is kept for those who come when all places are taken, and no more than so many.
const BESIDES_ONE_IN: u64 = 8;
const BESIDES_AT_MOST: u64 = 64;

/// A guest who came, or was answered, less than so long ago is not sent away: the request may be on its way.
const ABOUT_TO_ASK: Duration = Duration::from_secs(1);
/// The same of a guest who was refused, and is read on for a moment so that the answer arrives.
const ABOUT_TO_GO: Duration = Duration::from_millis(100);
/// Between two looks whether those who were hurried have gone.
const HURRY: Duration = Duration::from_millis(20);
/// So long a request waits for a place before it is refused.
const PATIENCE: Duration = Duration::from_secs(2);
/// So long a guest without a place may stay, the answer included.
const STAY: Duration = Duration::from_secs(10);

/// Everybody who is connected.
#[derive(Debug)]
pub(super) struct Crowd {
    /// How many may be here.
    places: usize,
    /// How many may be here besides, for one short request each.
    besides: usize,
    here: Mutex<Here>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Here {
    next: u64,
    guests: BTreeMap<u64, Arc<Guest>>,
    besides: BTreeMap<u64, Arc<Guest>>,
    /// Whether it was told that there is no room. Told again only after there was some.
    is_full: bool,
    /// The same of requests that were refused for it.
    is_refusing: bool,
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
    /// Whether the guest has no place.
    is_besides: AtomicBool,
    /// Whether a request of the guest waits for one.
    is_waiting: AtomicBool,
    /// Told to wait no longer.
    hurry: CancellationToken,
    /// Whether there was no place for a request.
    is_refused: AtomicBool,
    /// Whether all that was asked is answered, to the last byte.
    is_settled: AtomicBool,
    /// How often something was sent to the guest.
    sent: AtomicU64,
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

/// A guest's place, or stay besides, given back when this is dropped.
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
        let all = limit.saturating_sub(FOR_OURSELVES).max(limit / 2);
        let besides = (all / BESIDES_ONE_IN).clamp(1, BESIDES_AT_MOST);
        Self::of((all - besides.min(all)) / OF_A_VISITOR, besides)
    }

    fn of(places: u64, besides: u64) -> Arc<Self> {
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Arc::new(Self { places: count(places.max(1)), besides: count(besides), here: Mutex::default(), left: Notify::new() })
    }

    /// Lets one more in. Where there is no place, whoever has been here longest and asks for nothing is sent away; where everybody
    /// asks for something, the guest is let in besides. Waits only where there are too many of those too, and hurries all who wait among them.
    pub(super) async fn enter(self: &Arc<Self>) -> Place {
        loop {
            let left = self.left.notified();
            match self.find() {
                Ok(place) => return place,
                Err(leaving) => leaving.wait(left).await,
            }
        }
    }

    /// Gets a place for a guest who is here besides, and wants more than a short answer. False if there is none for too long.
    pub(super) async fn seat(&self, guest: &Arc<Guest>) -> bool {
        self.seat_within(PATIENCE, guest).await
    }

    async fn seat_within(&self, patience: Duration, guest: &Arc<Guest>) -> bool {
        let seated = async {
            loop {
                let left = self.left.notified();
                match self.try_seat(guest) {
                    Ok(()) => return,
                    Err(leaving) => leaving.wait(left).await,
                }
            }
        };
        guest.is_waiting.store(true, Ordering::Release);
        let is_seated = tokio::select! {
            () = seated => true,
            () = tokio::time::sleep(patience) => false,
            () = guest.hurry.cancelled() => false,
        };
        guest.is_waiting.store(false, Ordering::Release);
        guest.is_refused.store(!is_seated, Ordering::Release);
        if !is_seated && !std::mem::replace(&mut self.lock().is_refusing, true) {
            tracing::warn!(
                connections = self.places,
                "requests are refused, because as many others are under way as the limit on open files allows"
            );
        }
        is_seated
    }

    fn try_seat(&self, guest: &Arc<Guest>) -> Result<(), Leaving> {
        let mut here = self.lock();
        self.room(&mut here)?;
        let number = here.besides.iter().find_map(|(number, each)| Arc::ptr_eq(each, guest).then_some(*number));
        if let Some(number) = number {
            here.besides.remove(&number);
            here.guests.insert(number, Arc::clone(guest));
        }
        guest.is_besides.store(false, Ordering::Release);
        Ok(())
    }

    /// A place, or a stay besides, or else who leaves for it.
    fn find(self: &Arc<Self>) -> Result<Place, Leaving> {
        let mut here = self.lock();
        let is_besides = match self.room(&mut here) {
            Ok(()) => false,
            Err(leaving @ Leaving::Now(_)) => return Err(leaving),
            Err(leaving) => {
                if here.besides.len() >= self.besides {
                    return Err(hurry(&mut here, leaving));
                }
                true
            }
        };
        let guest = Arc::new(Guest { is_besides: is_besides.into(), ..Guest::default() });
        let number = here.next;
        here.next += 1;
        let guests = if is_besides { &mut here.besides } else { &mut here.guests };
        guests.insert(number, Arc::clone(&guest));
        Ok(Place { crowd: Arc::clone(self), number, guest })
    }

    /// Whether there is a place, or else who leaves for it.
    fn room(&self, here: &mut Here) -> Result<(), Leaving> {
        if here.guests.len() < self.places {
            return Ok(());
        }
        if !here.is_full {
            here.is_full = true;
            tracing::warn!(
                connections = self.places,
                "as many connections are open as the limit on open files allows; idle ones make room for new ones"
            );
        }
        Err(longest_idle(&mut here.guests))
    }

    fn lock(&self) -> MutexGuard<'_, Here> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the place of the one who may be sent away for longest, because nothing is asked for.
fn longest_idle(guests: &mut BTreeMap<u64, Arc<Guest>>) -> Leaving {
    let idle = guests.iter().filter_map(|(number, guest)| Some((guest.may_be_sent_away_from()?, *number)));
    let Some((from, number)) = idle.min() else { return Leaving::Nobody };
    if Instant::now() < from {
        return Leaving::From(from);
    }
    guests.remove(&number).map_or(Leaving::Nobody, Leaving::Now)
}

/// Who of those that are here besides leaves next, where nobody with a place leaves before them.
fn hurry(here: &mut Here, leaving: Leaving) -> Leaving {
    match (longest_idle(&mut here.besides), leaving) {
        (Leaving::From(one), Leaving::From(other)) => Leaving::From(one.min(other)),
        (Leaving::Nobody, _) => {
            for guest in here.besides.values().filter(|guest| guest.is_waiting.load(Ordering::Acquire)) {
                guest.hurry.cancel();
            }
            Leaving::From(Instant::now() + HURRY)
        }
        (besides, _) => besides,
    }
}

impl Leaving {
    /// Until it is worth another look.
    async fn wait(self, left: impl Future<Output = ()>) {
        match self {
            Self::Now(idle) => idle.leave.cancel(),
            Self::From(moment) => tokio::select! {
                () = left => {}
                () = tokio::time::sleep_until(moment) => {}
            },
            Self::Nobody => left.await,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut here = self.crowd.lock();
        here.guests.remove(&self.number);
        here.besides.remove(&self.number);
        if here.guests.len() < self.crowd.places / 2 {
            here.is_full = false;
            here.is_refusing = false;
        }
        drop(here);
        self.crowd.left.notify_waiters();
    }
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            asks: AtomicUsize::new(0),
            idle_since: Mutex::new(Instant::now()),
            leave: CancellationToken::new(),
            is_besides: AtomicBool::new(false),
            is_waiting: AtomicBool::new(false),
            hurry: CancellationToken::new(),
            is_refused: AtomicBool::new(false),
            is_settled: AtomicBool::new(true),
            sent: AtomicU64::new(0),
        }
    }
}

impl Guest {
    /// From when the guest may be sent away; none while something is being answered.
    fn may_be_sent_away_from(&self) -> Option<Instant> {
        if self.is_asking() {
            return None;
        }
        let idle_since = *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner);
        let is_refused = self.is_refused.load(Ordering::Acquire);
        Some(idle_since + if is_refused { ABOUT_TO_GO } else { ABOUT_TO_ASK })
    }

    /// Comes when the guest is to leave, which nobody does in the middle of a request.
    pub(super) async fn is_to_leave(&self) {
        self.leave.cancelled().await;
        if self.is_asking() {
            // It has asked in this very moment.
            std::future::pending::<()>().await;
        }
    }

    /// Comes when a guest without a place has stayed too long.
    pub(super) async fn overstays(&self) {
        if self.is_besides() {
            tokio::time::sleep(STAY).await;
        }
        if !self.is_besides() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether the guest has no place.
    pub(super) fn is_besides(&self) -> bool {
        self.is_besides.load(Ordering::Acquire)
    }

    /// Whether a request of the guest is being answered.
    pub(super) fn is_asking(&self) -> bool {
        self.asks.load(Ordering::Acquire) > 0
    }

    /// Something was sent to the guest.
    pub(super) fn note_sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Grows with all that is sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// All that was written so far has been sent.
    pub(super) fn note_flushed(&self) {
        if !self.is_asking() {
            self.is_settled.store(true, Ordering::Release);
        }
    }

    /// Whether nothing is owed to the guest: all requests are answered to the end.
    pub(super) fn is_settled(&self) -> bool {
        !self.is_asking() && self.is_settled.load(Ordering::Acquire)
    }

    /// The guest asks for something, until the answer is dropped.
    pub(super) fn asks(self: &Arc<Self>) -> Asking {
        self.is_settled.store(false, Ordering::Release);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_idle_guest_makes_room_and_one_that_asks_is_waited_for() {
        let crowd = Crowd::of(2, 0);
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
        let crowd = Crowd::of(1, 0);
        let socket = crowd.enter().await;
        let mut switched = Response::new(Body::empty());
        *switched.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        drop(socket.guest.asks().until_sent(switched));
        assert!(crowd.find().is_err());
        assert!(matches!(longest_idle(&mut crowd.lock().guests), Leaving::Nobody));
        drop(socket);
        assert!(crowd.find().is_ok());
    }

    #[tokio::test]
    async fn who_comes_when_all_ask_is_let_in_besides_and_gets_a_place_or_is_told_that_there_is_none() {
        const LONG: Duration = Duration::from_secs(600);
        let crowd = Crowd::of(1, 2);
        let visitor = crowd.enter().await;
        let _asking = visitor.guest.asks();
        let (first, second) = (crowd.enter().await, crowd.enter().await);
        assert!(!visitor.guest.is_besides() && first.guest.is_besides() && second.guest.is_besides());
        let _asks = (first.guest.asks(), second.guest.asks());
        assert!(!crowd.seat_within(Duration::ZERO, &first.guest).await, "there is no place");
        // The one that waits is hurried for the next who comes.
        let (is_seated, is_entered) = tokio::join!(crowd.seat_within(LONG, &first.guest), async { crowd.find().is_ok() });
        assert!(!is_seated && !is_entered);
        drop(first);
        assert!(crowd.enter().await.guest.is_besides());
        let (is_seated, ()) = tokio::join!(crowd.seat_within(LONG, &second.guest), async { drop(visitor) });
        assert!(is_seated && !second.guest.is_besides());
    }
}
