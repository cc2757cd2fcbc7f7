// SPDX-License-Identifier: Apache-2.0
//! Requests, counted as they are answered: a few additions each, and no lock.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use lithouse_core::durations::{DurationCounts, Durations};

/// In seconds.
const BOUNDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// A method of another name counts as `other`: clients may say any.
const METHODS: [&str; 10] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "other"];
const FIRST_STATUS: u16 = 100;
/// As many statuses as an answer may have.
const STATUSES: usize = 900;

/// What answers a request, told by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handler {
    /// An app, or the proxy where no app answers.
    App,
    /// The API of apps and the server.
    Api,
    /// The service that runs snippets.
    Snippets,
    /// The page at `/`, and what belongs to it.
    Portal,
    /// The documentation of the API.
    Docs,
    /// The question whether the server is well.
    Health,
    /// The page of metrics.
    Metrics,
    /// There is nothing.
    Other,
}

impl Handler {
    /// All of them.
    pub(super) const ALL: [Self; 8] =
        [Self::App, Self::Api, Self::Snippets, Self::Portal, Self::Docs, Self::Health, Self::Metrics, Self::Other];

    /// Which one a path is for.
    pub(crate) fn of(path: &str) -> Self {
        if path.starts_with("/apps/") {
            return Self::App;
        }
        let (is_api, below) = match path.strip_prefix("/api/") {
            Some(below) => (true, below),
            None => (false, path.strip_prefix('/').unwrap_or(path)),
        };
        match below.split('/').next().unwrap_or_default() {
            "execute" | "validate" | "templates" => Self::Snippets,
            "health" => Self::Health,
            _ if is_api => Self::Api,
            "metrics" => Self::Metrics,
            "docs" | "redoc" | "openapi.json" => Self::Docs,
            "" | "apps" | "portal" | "favicon.ico" => Self::Portal,
            _ => Self::Other,
        }
    }

    /// The word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Api => "api",
            Self::Snippets => "snippets",
            Self::Portal => "portal",
            Self::Docs => "docs",
            Self::Health => "health",
            Self::Metrics => "metrics",
            Self::Other => "other",
        }
    }
}

/// The requests that were answered since the server came up.
#[derive(Debug)]
pub(crate) struct RequestCounts([OfHandler; Handler::ALL.len()]);

#[derive(Debug)]
struct OfHandler {
    took: Durations,
    /// By status, for each method; made when the first request of that kind comes.
    methods: [OnceLock<Box<[AtomicU64]>>; METHODS.len()],
}

impl Default for RequestCounts {
    fn default() -> Self {
        Self(std::array::from_fn(|_| OfHandler {
            took: Durations::new(BOUNDS),
            methods: std::array::from_fn(|_| OnceLock::new()),
        }))
    }
}

impl RequestCounts {
    /// Counts one.
    pub(crate) fn note(&self, handler: Handler, method: &Method, status: StatusCode, took: Duration) {
        let of_handler = &self.0[handler as usize];
        of_handler.took.note(took);
        let method = METHODS.iter().position(|known| *known == method.as_str()).unwrap_or(METHODS.len() - 1);
        let statuses = of_handler.methods[method].get_or_init(|| (0..STATUSES).map(|_| AtomicU64::new(0)).collect());
        if let Some(counter) = statuses.get(usize::from(status.as_u16() - FIRST_STATUS)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Calls with handler, method, status and number of all that there were. Statuses that have no name are told together, since an
    /// app may answer with any.
    pub(super) fn each(&self, mut told: impl FnMut(&str, &str, &str, u64)) {
        for handler in Handler::ALL {
            for (method, statuses) in METHODS.iter().zip(&self.0[handler as usize].methods) {
                let mut others = 0;
                for (status, counter) in (FIRST_STATUS..).zip(statuses.get().into_iter().flatten()) {
                    let count = counter.load(Ordering::Relaxed);
                    let has_name = StatusCode::from_u16(status).is_ok_and(|status| status.canonical_reason().is_some());
                    if !has_name {
                        others += count;
                    } else if count > 0 {
                        told(handler.as_str(), method, &status.to_string(), count);
                    }
                }
                if others > 0 {
                    told(handler.as_str(), method, "other", others);
                }
            }
        }
    }

    /// How long they took, by handler.
    pub(super) fn durations(&self) -> impl Iterator<Item = (&'static str, DurationCounts)> {
        Handler::ALL.into_iter().map(|handler| (handler.as_str(), self.0[handler as usize].took.read()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_what_answers_it() {
        for (path, handler) in [
            ("/apps/sales/", Handler::App),
            ("/apps/health", Handler::App),
            ("/apps", Handler::Portal),
            ("/", Handler::Portal),
            ("/portal/apps", Handler::Portal),
            ("/api/apps", Handler::Api),
            ("/api/docs", Handler::Api),
            ("/api/server/stop", Handler::Api),
            ("/execute", Handler::Snippets),
            ("/api/execute", Handler::Snippets),
            ("/health", Handler::Health),
            ("/api/health", Handler::Health),
            ("/metrics", Handler::Metrics),
            ("/redoc/start.js", Handler::Docs),
            ("/openapi.json", Handler::Docs),
            ("/wp-admin.php", Handler::Other),
            ("*", Handler::Other),
        ] {
            assert_eq!(Handler::of(path), handler, "{path}");
        }
    }

    #[test]
    fn handlers_are_numbered_in_the_order_in_which_they_are_listed() {
        assert!(Handler::ALL.iter().enumerate().all(|(place, handler)| *handler as usize == place));
    }

    #[test]
    fn methods_and_statuses_of_a_clients_making_share_one_label() {
        let counts = RequestCounts::default();
        let note = |method: &str, status: u16| {
            let (method, status) = (method.parse().unwrap(), StatusCode::from_u16(status).unwrap());
            counts.note(Handler::App, &method, status, Duration::ZERO);
        };
        for (method, status) in [("GET", 200), ("get", 200), ("ODD", 200), ("GET", 299), ("GET", 777), ("GET", 999)] {
            note(method, status);
        }
        let mut told = Vec::new();
        counts.each(|handler, method, status, count| told.push(format!("{handler} {method} {status} {count}")));
        assert_eq!(told, ["app GET 200 1", "app GET other 3", "app other 200 2"]);
    }
}
