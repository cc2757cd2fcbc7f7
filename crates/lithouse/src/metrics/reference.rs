// SPDX-License-Identifier: Apache-2.0
//! The page `docs/reference/metrics.md`, made of the declarations. `UPDATE_SNAPSHOTS=1` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::declare::{ALL, Kind};
use crate::reference::assert_generated;

const ABOUT: &str = "\
# Metrics

This page is generated: `UPDATE_SNAPSHOTS=1 cargo test -p lithouse reference` writes it anew. How to have them read, and what to be
called for, is told in [operate.md](../guides/operate.md).

`GET /metrics` answers them as Prometheus text (version 0.0.4) to whoever may use the API; others get 401. Counters count since the
server came up: after `lithouse restart --server` they begin anew in the successor, as after any restart, which Prometheus expects of
counters. The old server's connections that go on until their end, WebSockets for instance, are not in the successor's numbers.

- `app` is an app's key, else its id. Its series go with the app.
- `handler` is what answered: `app`, `api`, `snippets`, `portal`, `docs`, `health`, `metrics` or `other`.
- `method` is one of the nine that HTTP names, or `other`. `status` of `lithouse_http_requests_total` is the status code, or `other` where
  it has no name; that of an app's requests is a class such as `2xx`. What never came is left out.
- `status` of apps and of snippets is the word that the API has; every one is told, zeros too.
- The snippets' metrics are absent where the operator turned the service off, those of a disk that does not answer while it does not.
";

fn page() -> String {
    let mut page = ABOUT.to_owned();
    page.push_str("\n| metric | kind | labels | what |\n|---|---|---|---|\n");
    for metric in ALL {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(page, "| `{}` | {kind} | {} | {} |", metric.name, labels.join(", "), metric.help()).unwrap();
    }
    page
}

#[test]
fn the_reference_page_is_made_of_the_declarations() {
    assert_generated("metrics.md", &page());
}

#[test]
fn names_follow_the_conventions_and_no_two_metrics_share_one() {
    let names: BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), ALL.len());
    for metric in ALL {
        let name = metric.name;
        assert!(name.starts_with("lithouse_") || name.starts_with("process_"), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
        assert_eq!(name.ends_with("_duration_seconds"), metric.kind == Kind::Histogram, "{name}");
        assert!(!metric.help().is_empty() && !metric.labels.contains(&"le"), "{name}");
    }
}
