// SPDX-License-Identifier: Apache-2.0
//! An app as the API tells it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use lithouse_core::id::{AppId, InstanceId, Key, ReleaseNumber};
use lithouse_engine::app::AppView;
use lithouse_engine::engine::{Engine, LogStream};
use lithouse_engine::log;
use lithouse_engine::process::Use;
use serde::Serialize;
use utoipa::ToSchema;

use super::limits::LimitsResource;
use super::status::Status;
use crate::api::time::{rfc3339, written};
use crate::api::{Base, Site};

/// How many of the last log lines stand beside a reason.
const REASON_LINES: usize = 20;
const REASON_BYTES: usize = 16 << 10;

/// An app. Times are RFC 3339 in UTC with milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = App)]
pub(in crate::api) struct AppResource {
    /// Names the app for ever: 16 hexadecimal digits.
    #[schema(value_type = String, pattern = "^[0-9a-f]{16}$", example = "a7c1e0f2b9f84a62")]
    app_id: AppId,
    /// The name in URLs and on the command line; null if it has none. It cannot be changed.
    #[schema(value_type = Option<String>, required, pattern = "^[a-z0-9][a-z0-9-]*$", max_length = 63, example = "sales")]
    key: Option<Key>,
    /// The name for people: the key or the id if none was given.
    #[schema(example = "Sales")]
    name: String,
    /// What it is for, in people's words.
    #[schema(example = "What sold, by month")]
    description: String,
    /// The path of its page.
    #[schema(example = "/apps/sales/")]
    url: String,
    /// The absolute address of its page: from `--public-base`, else from the request's host.
    #[schema(format = "uri", example = "http://127.0.0.1:8080/apps/sales/")]
    access_url: String,
    pub(super) status: Status,
    /// Why, in words; null where there is nothing to say. A running app has one when its newest release failed, or when the
    /// script of its first one raised, until another release takes its place.
    #[schema(required, example = json!(null))]
    reason: Option<String>,
    /// The last lines of the log that was written last, of a run log those of the newest process; empty where there is no reason.
    #[schema(max_items = 20, example = json!([]))]
    reason_log: Vec<String>,
    /// Its internal port on 127.0.0.1; null while it has none. It may change with every start.
    #[schema(required, example = 8501)]
    port: Option<u16>,
    /// Its own process; null while there is none.
    #[schema(required, example = 4242)]
    pid: Option<u32>,
    /// The active release; before the first one is ready, the one on its way; 0 for an app served in place.
    #[schema(value_type = Option<u32>, required, example = 1)]
    release: Option<ReleaseNumber>,
    /// Restarts after crashes since the server came up.
    restarts: u32,
    /// Whether a crash is followed by a restart.
    restart_on_crash: bool,
    /// The variables that are set for it. They count from the next start.
    #[schema(example = json!({ "REGION": "north" }))]
    env: BTreeMap<String, String>,
    /// When it was created.
    #[schema(required, format = DateTime, example = "2026-01-02T03:04:05.678Z")]
    created_at: Option<String>,
    /// When its process was started; null while there is none.
    #[schema(required, format = DateTime, example = "2026-01-02T03:04:06.789Z")]
    started_at: Option<String>,
    /// Its last request or WebSocket traffic through the server; null before the first one.
    #[schema(required, format = DateTime, example = "2026-01-02T03:05:07.890Z")]
    last_used_at: Option<String>,
    /// The resident memory of its process with all descendants, in bytes; null while there is no process.
    #[schema(required, example = 118_000_000)]
    memory: Option<u64>,
    /// The most memory that its process with all descendants used at once, in bytes, and after its end that of the last one; null
    /// where that is not known. Never less than `memory`.
    #[schema(required, example = 131_000_000)]
    memory_peak: Option<u64>,
    /// The processor time of its process with all descendants since the last look, as a fraction of one core; null while there is
    /// no process.
    #[schema(required, minimum = 0, example = 0.02)]
    cpu: Option<f64>,
    /// What it may take: its own limits, and where it has none those of `[hosting]`. A process that runs is held to changed ones at
    /// once where a cgroup holds it, and else from its next start.
    limits: LimitsResource,
}

/// What apps' processes use of the machine.
#[derive(Debug)]
pub(super) struct Uses {
    now: HashMap<u32, Use>,
    peaks: HashMap<InstanceId, u64>,
}

impl Uses {
    /// That of these processes. Where none is asked for, nobody is.
    pub(super) async fn of(engine: &Engine, pids: Vec<u32>) -> Self {
        let peaks = if pids.is_empty() { HashMap::new() } else { engine.memory_peaks().await };
        Self { now: engine.usage(pids).await, peaks }
    }
}

impl AppResource {
    pub(super) async fn of(engine: &Engine, view: &AppView, uses: &Uses, base: &Base) -> Self {
        let used = view.pid.and_then(|pid| uses.now.get(&pid));
        let memory = used.map(|used| used.memory);
        let peak = view.instance.as_ref().and_then(|instance| uses.peaks.get(instance)).copied();
        Self {
            app_id: view.id.clone(),
            key: view.key.clone(),
            name: view.name.clone(),
            description: view.description.clone(),
            url: format!("/apps/{}/", view.path_name),
            access_url: base.app(&view.path_name),
            status: view.status.into(),
            reason: view.reason.clone(),
            reason_log: reason_log(engine, view).await,
            port: view.port,
            pid: view.pid,
            release: view.release,
            restarts: view.restarts,
            restart_on_crash: view.restart_on_crash,
            env: view.env.clone(),
            created_at: rfc3339(view.created_at_ms),
            started_at: view.started_at.and_then(written),
            last_used_at: engine.last_used_ms(view).and_then(rfc3339),
            memory,
            // The two are counted in different ways, and a peak below what is used now would be none.
            memory_peak: peak.or(view.last_memory_peak).max(memory),
            cpu: used.map(|used| used.cpu),
            limits: view.limits.into(),
        }
    }

    pub(in crate::api) async fn one(site: &Site, view: &AppView, base: &Base) -> Self {
        let uses = Uses::of(&site.engine, view.pid.into_iter().collect()).await;
        Self::of(&site.engine, view, &uses, base).await
    }
}

/// The last lines of the log that tells most about the reason: the one that was written last. Of a run log, those of its newest
/// process.
async fn reason_log(engine: &Engine, view: &AppView) -> Vec<String> {
    if view.reason.is_none() {
        return Vec::new();
    }
    let modified = |path: &PathBuf| std::fs::metadata(path).and_then(|facts| facts.modified()).ok();
    let logs = [LogStream::Run, LogStream::Build].map(|stream| engine.log(view, stream));
    let Some(latest) = logs.iter().max_by_key(|path| modified(path)) else { return Vec::new() };
    let text = log::tail(latest.clone(), REASON_LINES, REASON_BYTES).await.unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().rposition(|line| begins_a_process(line)).unwrap_or_default();
    lines[first..].iter().map(ToString::to_string).collect()
}

/// Whether the keeper says in this line of a log that a process was started. An app that prints the same words says them in a
/// line of another stream.
fn begins_a_process(line: &str) -> bool {
    line.split_once(' ').is_some_and(|(_, rest)| rest.starts_with("sys | started, pid "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_begins_where_the_keeper_says_so_and_not_the_app() {
        assert!(begins_a_process("2026-01-02T03:04:05.678Z sys | started, pid 4242"));
        assert!(!begins_a_process("2026-01-02T03:04:05.678Z out | sys | started, pid 4242"));
        assert!(!begins_a_process("2026-01-02T03:04:05.678Z sys | ended with exit code 1"));
        assert!(!begins_a_process(""));
    }
}
