// SPDX-License-Identifier: Apache-2.0
//! Connections that wait for their next request.
//!
//! Nobody drives them meanwhile. One that the app has closed is noticed when it is taken, before anything is written to it;
//! a sweep closes what has waited too long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lithouse_core::route::Upstream;

use super::link::Link;

/// The connections of all apps.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Mutex<Idle>,
    per_app: usize,
    timeout: Duration,
    clock: fn() -> i64,
}

#[derive(Default)]
struct Idle {
    #[expect(clippy::vec_box, reason = "a link is large, and moves in and out for every request")]
    by_upstream: HashMap<Upstream, Vec<Box<Link>>>,
    is_swept: bool,
}

impl Pool {
    pub(crate) fn new(per_app: usize, timeout: Duration, clock: fn() -> i64) -> Self {
        Self { idle: Mutex::default(), per_app, timeout, clock }
    }

    /// The connection that was used last, if there is one that waited no longer than this.
    pub(crate) fn take(&self, upstream: &Upstream, longest: Option<Duration>) -> Option<Box<Link>> {
        let link = self.lock().by_upstream.get_mut(upstream)?.pop()?;
        // The youngest is on top: where that one is too old all of them are, and the sweep will see to them.
        let longest = longest.unwrap_or(self.timeout).min(self.timeout);
        (age(&link, (self.clock)()) < longest).then_some(link)
    }

    /// Keeps a connection for the next request.
    pub(crate) fn put(self: &Arc<Self>, upstream: &Upstream, mut link: Box<Link>) {
        link.idle_since_ms = (self.clock)();
        let mut idle = self.lock();
        match idle.by_upstream.get_mut(upstream) {
            Some(links) if links.len() < self.per_app => links.push(link),
            None if self.per_app > 0 => {
                idle.by_upstream.insert(upstream.clone(), vec![link]);
            }
            // Enough wait already.
            Some(_) | None => return,
        }
        if !std::mem::replace(&mut idle.is_swept, true) {
            drop(idle);
            let pool = Arc::downgrade(self);
            let pause = self.timeout / 2 + Duration::from_millis(1);
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(pause).await;
                    // The sweep ends with the last waiting connection, and with the pool.
                    if !pool.upgrade().is_some_and(|pool| pool.sweep()) {
                        break;
                    }
                }
            });
        }
    }

    /// Closes what has waited too long and what apps have closed. Says whether anything is left to sweep.
    fn sweep(&self) -> bool {
        let now = (self.clock)();
        let mut idle = self.lock();
        for links in idle.by_upstream.values_mut() {
            links.retain_mut(|link| age(link, now) < self.timeout && link.is_alive());
        }
        idle.by_upstream.retain(|_, links| !links.is_empty());
        idle.is_swept = !idle.by_upstream.is_empty();
        idle.is_swept
    }

    /// How many connections wait.
    pub(crate) fn idle(&self) -> usize {
        self.lock().by_upstream.values().map(Vec::len).sum()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Idle> {
        // Every change of the map is whole in itself.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn age(link: &Link, now_ms: i64) -> Duration {
    // A clock that was set back makes connections young; the worst of it is a sweep that comes late.
    Duration::from_millis(u64::try_from(now_ms.saturating_sub(link.idle_since_ms)).unwrap_or(0))
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_map().entries(self.by_upstream.iter().map(|(upstream, links)| (upstream, links.len()))).finish()
    }
}
