// SPDX-License-Identifier: Apache-2.0
//! Which app answers which path. The engine publishes immutable tables; the proxy reads them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::app::AppStatus;
use crate::id::AppId;

/// Where an app's process listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Upstream {
    /// A TCP address of this machine.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

/// Whether the app sees its path with or without `/apps/<name>`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathPrefix {
    /// The path is passed on as it came (Streamlit with `server.baseUrlPath`).
    #[default]
    Keep,
    /// The prefix is taken off, and `X-Forwarded-Prefix` tells it.
    Strip,
}

/// What is behind a route at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A process listens; requests that come before it is ready wait in its listener's backlog.
    Up(Upstream, PathPrefix),
    /// A process runs and opens its port by itself: requests wait a moment for it.
    Opening,
    /// Nothing listens.
    Down {
        /// The app's status.
        status: AppStatus,
        /// Why, in words of a person.
        reason: Option<String>,
    },
}

/// When an app was last asked for, and how much. Written by the proxy, read by others; nobody waits for anybody.
#[derive(Debug, Default)]
pub struct Usage {
    last_used_ms: AtomicI64,
    answers: [AtomicU64; CLASSES.len()],
    streams: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

/// The classes of HTTP status codes.
pub const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// How much an app was used since the server came up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageCounts {
    /// How many requests were answered, by the class of the status in the order of [`CLASSES`].
    pub answers: [u64; CLASSES.len()],
    /// How many streams beyond HTTP are open: each WebSocket is one.
    pub streams: u64,
    /// How many bytes of bodies and streams came from clients.
    pub received: u64,
    /// How many went to them.
    pub sent: u64,
}

impl Usage {
    /// Notes a use at this time, in milliseconds since 1970-01-01 UTC.
    pub fn touch(&self, unix_ms: i64) {
        // The latest word counts, not the highest: a clock may be set back.
        self.last_used_ms.store(unix_ms, Ordering::Relaxed);
    }

    /// The last use in milliseconds since 1970-01-01 UTC, if there was any.
    pub fn last_used_ms(&self) -> Option<i64> {
        let at = self.last_used_ms.load(Ordering::Relaxed);
        (at > 0).then_some(at)
    }

    /// Counts a request that was answered with this status.
    pub fn note_answer(&self, status: u16) {
        let class = usize::from((status / 100).clamp(1, 5) - 1);
        self.answers[class].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts bytes that a client sent.
    pub fn note_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts bytes that a client was sent.
    pub fn note_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// One more stream is open, until the answer is dropped.
    pub fn open_stream(self: &Arc<Self>) -> OpenStream {
        self.streams.fetch_add(1, Ordering::Relaxed);
        OpenStream(Arc::clone(self))
    }

    /// How much there was so far.
    pub fn counts(&self) -> UsageCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        UsageCounts {
            answers: std::array::from_fn(|class| read(&self.answers[class])),
            streams: read(&self.streams),
            received: read(&self.received),
            sent: read(&self.sent),
        }
    }
}

/// Counts a stream for as long as it is open.
#[derive(Debug)]
pub struct OpenStream(Arc<Usage>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One app as the proxy sees it.
#[derive(Debug, Clone)]
pub struct AppRoute {
    /// The app.
    pub app: AppId,
    /// Its one canonical path is `/apps/<path_name>/`: its url, else its key, else its id.
    pub path_name: String,
    /// What people call it.
    pub title: String,
    /// What answers.
    pub target: Target,
    /// Its use, told by the proxy.
    pub usage: Arc<Usage>,
}

/// All routes at one moment, by every name that an app answers to.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {
    by_name: HashMap<String, Arc<AppRoute>>,
}

impl RouteTable {
    /// Adds an app under its canonical name and its other names. The first app to take a name keeps it.
    pub fn insert(&mut self, route: &Arc<AppRoute>, other_names: impl IntoIterator<Item = String>) {
        for name in std::iter::once(route.path_name.clone()).chain(other_names) {
            self.by_name.entry(name).or_insert_with(|| Arc::clone(route));
        }
    }

    /// The app that answers to a name, canonical or not.
    pub fn get(&self, name: &str) -> Option<&Arc<AppRoute>> {
        self.by_name.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_count_by_the_class_of_their_status_and_odd_ones_by_the_nearest() {
        let usage = Usage::default();
        for status in [0, 101, 200, 204, 307, 404, 503, 599, 999] {
            usage.note_answer(status);
        }
        assert_eq!(usage.counts().answers, [2, 2, 1, 1, 3]);
    }

    #[test]
    fn a_stream_counts_for_as_long_as_it_is_open() {
        let usage = Arc::<Usage>::default();
        let streams = [usage.open_stream(), usage.open_stream()];
        assert_eq!(usage.counts().streams, 2);
        drop(streams);
        assert_eq!(usage.counts().streams, 0);
    }
}
