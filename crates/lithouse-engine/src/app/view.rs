// SPDX-License-Identifier: Apache-2.0
//! What others may know of an app at one moment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use lithouse_core::app::{AppStatus, Desired, Origin};
use lithouse_core::id::{AppId, InstanceId, Key, ReleaseNumber};
use lithouse_core::limits::Limits;
use lithouse_core::route::{Target, Upstream};
use time::OffsetDateTime;

use super::AppTask;
use crate::store::AppRecord;

/// One app at one moment.
#[derive(Debug, Clone)]
pub struct AppView {
    /// Its id.
    pub id: AppId,
    /// Its key, if it has one.
    pub key: Option<Key>,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its canonical path is `/apps/<path_name>/`.
    pub path_name: String,
    /// Its name in addresses, if it is not the key.
    pub url: Option<Key>,
    /// Who says that it is there.
    pub origin: Origin,
    /// What people want of it.
    pub desired: Desired,
    /// Where it is served in place, if it is.
    pub folder: Option<PathBuf>,
    /// What it is doing.
    pub status: AppStatus,
    /// Why, for people.
    pub reason: Option<String>,
    /// Its internal port, while it has one.
    pub port: Option<u16>,
    /// Its own process.
    pub pid: Option<u32>,
    /// The release that visitors get, or would.
    pub release: Option<ReleaseNumber>,
    /// The release that visitors get; none before the first was ready.
    pub active: Option<ReleaseNumber>,
    /// The release on its way to that.
    pub candidate: Option<ReleaseNumber>,
    /// The release whose files are read and edited.
    pub head: ReleaseNumber,
    /// How often it was restarted after a crash since the server came up.
    pub restarts: u32,
    /// Whether a crash is followed by a restart.
    pub restart_on_crash: bool,
    /// What it may take from its next start on.
    pub limits: Limits,
    /// Its process that requests go to, if any.
    pub instance: Option<InstanceId>,
    /// The most memory that its last process used at once, in bytes, once that has ended.
    pub last_memory_peak: Option<u64>,
    /// The variables that people set.
    pub env: BTreeMap<String, String>,
    /// When it was created, in milliseconds since 1970-01-01 UTC.
    pub created_at_ms: i64,
    /// When its process was started.
    pub started_at: Option<OffsetDateTime>,
    /// When it was last asked for before the server came up; the registry knows of later.
    pub last_used_at_ms: Option<i64>,
    /// The name of its log files.
    pub log_name: String,
    /// What the proxy should do with its requests.
    pub target: Target,
}

impl AppView {
    pub(super) fn of_record(record: &AppRecord) -> Self {
        Self {
            id: record.id.clone(),
            key: record.key.clone(),
            name: record.name.clone(),
            description: record.description.clone(),
            path_name: record.path_name().to_owned(),
            url: record.url.clone(),
            origin: record.origin,
            desired: record.desired,
            folder: record.folder.clone(),
            status: AppStatus::Starting,
            reason: None,
            port: None,
            pid: None,
            release: record.active.or(record.wanted),
            active: record.active,
            candidate: record.wanted,
            head: record.head,
            restarts: 0,
            restart_on_crash: record.restart_on_crash,
            limits: record.limits,
            instance: None,
            last_memory_peak: None,
            env: record.env.clone(),
            created_at_ms: record.created_at_ms,
            started_at: None,
            last_used_at_ms: record.last_used_at_ms,
            log_name: record.log_name().to_owned(),
            target: Target::Down { status: AppStatus::Starting, reason: None },
        }
    }
}

impl AppTask {
    /// Shows others what the app is now, and makes the routes anew if they changed.
    pub(super) fn publish(&self) {
        if self.show() {
            self.shared.registry.publish();
        }
    }

    /// Shows others what the app is now. True if its route is another than before.
    pub(super) fn show(&self) -> bool {
        // Also while it is stopped, and as soon as the configuration says so.
        self.shared.ports.fix(self.id(), self.record.recipe.port.filter(|_| !self.is_purged));
        let (status, reason) = self.life.status();
        let serving = self.life.serving().and_then(|instance| self.processes.get(instance));
        let pid = self.life.pid();
        let halted = pid.filter(|_| serving.is_some_and(|process| process.is_halted)).map(|pid| self.halted(pid));
        let reason = halted.or(reason);
        let target = match serving {
            Some(process) if process.is_open => Target::Up(Upstream::Tcp(process.port.address()), process.sees),
            Some(_) => Target::Opening,
            None => Target::Down { status, reason: reason.clone() },
        };
        let view = AppView {
            status,
            reason,
            port: serving.map(|process| &process.port).or(self.promised.as_ref()).map(crate::ports::Port::number),
            pid,
            release: self.life.active().or(self.life.candidate()).or(Some(self.record.head)),
            active: self.life.active(),
            candidate: self.life.candidate(),
            restarts: self.life.restarts(),
            limits: self.may_take(),
            instance: self.life.serving().cloned(),
            last_memory_peak: self.last_peak,
            started_at: serving.map(|process| process.started_at),
            target,
            ..AppView::of_record(&self.record)
        };
        let old = self.view.send_replace(Arc::new(view));
        let new = self.view.borrow();
        old.target != new.target || old.name != new.name || old.path_name != new.path_name
    }

    fn halted(&self, pid: u32) -> String {
        format!(
            "halted by a signal; `kill -CONT {pid}` or `lithouse restart {}` lets it go on",
            self.record.key.as_ref().map_or(self.record.id.as_str(), lithouse_core::id::Key::as_str)
        )
    }
}
