// SPDX-License-Identifier: Apache-2.0
//! Which app answers which path. The engine publishes immutable tables; the proxy reads them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

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

/// When an app was last asked for. Written by the proxy, read by the engine.
#[derive(Debug, Default)]
pub struct Usage {
    last_used_ms: AtomicI64,
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
