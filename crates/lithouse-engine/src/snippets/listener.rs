// SPDX-License-Identifier: Apache-2.0
//! Whoever wants to know what comes of a run, as it comes. May be slow, or never read at all: a run waits for nobody for long.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::Event;

/// As many events wait for whoever listens before the code has to.
const PENDING: usize = 64;
/// How long what is left after the end of a run waits for whoever listens.
const REST_WITHIN: Duration = Duration::from_secs(10);
/// In how many ended runs at a time something may be left that waits.
pub(super) const ENDED_AND_WAITING: usize = 16;

pub(super) struct Listener {
    events: Option<mpsc::Sender<Event>>,
    pending: VecDeque<Event>,
}

impl Listener {
    pub(super) fn new(events: Option<mpsc::Sender<Event>>) -> Self {
        Self { events, pending: VecDeque::new() }
    }

    pub(super) fn note(&mut self, kind: fn(String) -> Event, text: String) {
        if !text.is_empty() {
            self.push(kind(text));
        }
    }

    pub(super) fn push(&mut self, event: Event) {
        if self.events.is_some() {
            self.pending.push_back(event);
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.pending.len() < PENDING
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Delivers the oldest event once it is taken. Nothing is lost when this is dropped before.
    pub(super) async fn deliver_one(&mut self) {
        let Some(events) = self.events.clone() else { return };
        let Ok(permit) = events.reserve().await else {
            // Nobody listens any more.
            self.events = None;
            self.pending.clear();
            return;
        };
        if let Some(event) = self.pending.pop_front() {
            permit.send(event);
        }
    }

    /// Delivers what is left after the end, for a while. Where too many wait already, only what is taken at once: the outcome has
    /// all of it again.
    pub(super) async fn deliver_rest(self, waiting: &Semaphore) {
        self.deliver_rest_within(REST_WITHIN, waiting).await;
    }

    async fn deliver_rest_within(mut self, time: Duration, waiting: &Semaphore) {
        let Ok(_place) = waiting.try_acquire() else {
            self.deliver_now();
            return;
        };
        let all = async {
            while self.has_pending() {
                self.deliver_one().await;
            }
        };
        // What was not taken by then is dropped with the listener.
        let _ = timeout(time, all).await;
    }

    fn deliver_now(&mut self) {
        let Some(events) = &self.events else { return };
        while let Some(event) = self.pending.pop_front() {
            if events.try_send(event).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_two(capacity: usize) -> (Listener, mpsc::Receiver<Event>) {
        let (send, events) = mpsc::channel(capacity);
        let mut listener = Listener::new(Some(send));
        listener.note(Event::Stdout, "one".to_owned());
        listener.note(Event::Stdout, "two".to_owned());
        (listener, events)
    }

    fn heard(mut events: mpsc::Receiver<Event>) -> usize {
        std::iter::from_fn(|| events.try_recv().ok()).count()
    }

    #[tokio::test]
    async fn a_listener_that_never_reads_is_left_after_a_while() {
        let (listener, events) = with_two(1);
        let waiting = Semaphore::new(1);
        listener.deliver_rest_within(Duration::from_millis(20), &waiting).await;
        assert_eq!((heard(events), waiting.available_permits()), (1, 1));
    }

    #[tokio::test]
    async fn where_many_wait_already_nobody_else_does() {
        let (listener, events) = with_two(1);
        let endless = Duration::from_secs(3600);
        listener.deliver_rest_within(endless, &Semaphore::new(0)).await;
        assert_eq!(heard(events), 1);
    }

    #[tokio::test]
    async fn everything_left_is_delivered_to_who_reads() {
        let (listener, events) = with_two(2);
        listener.deliver_rest(&Semaphore::new(1)).await;
        assert_eq!(heard(events), 2);
    }
}
