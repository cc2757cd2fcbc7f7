// SPDX-License-Identifier: Apache-2.0
//! The place of the active release: how it starts, ends and is started again.

use std::time::Duration;

use super::{Build, Down, Effect, Lifecycle, moving};
use crate::app::{AppStatus, Desired};
use crate::ending::Ending;
use crate::id::InstanceId;

/// What the active release is doing. Each state holds exactly what exists in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Main {
    /// No process, and none is wanted.
    Stopped,
    /// Its environment is being found, or built.
    Preparing { build: Build },
    /// A process exists, or will in a moment, and is not healthy yet. `gave_up` tells why we ended it.
    Starting { instance: InstanceId, pid: Option<u32>, gave_up: Option<Ending> },
    /// Healthy since then, on the caller's monotonic clock; none for one that an earlier server has left, and that served under that
    /// one, until it answers.
    Running { instance: InstanceId, pid: Option<u32>, since: Option<Duration> },
    /// Being ended, perhaps to be started again.
    Stopping { instance: InstanceId, pid: Option<u32>, then_start: bool },
    /// It ended by itself and will be started again when its turn comes.
    Waiting { turn: u32, reason: String },
    /// It ran and ended, and no retry is due.
    Crashed { reason: String },
    /// It could not be started, and no retry is due.
    Failed { reason: String },
}

impl Main {
    pub(super) fn starting(instance: InstanceId, pid: Option<u32>) -> Self {
        Self::Starting { instance, pid, gave_up: None }
    }

    pub(super) fn instance(&self) -> Option<&InstanceId> {
        match self {
            Self::Starting { instance, .. } | Self::Running { instance, .. } | Self::Stopping { instance, .. } => Some(instance),
            Self::Stopped | Self::Preparing { .. } | Self::Waiting { .. } | Self::Crashed { .. } | Self::Failed { .. } => None,
        }
    }

    pub(super) fn runs_as(&self, running: &InstanceId) -> bool {
        matches!(self, Self::Running { instance, .. } if instance == running)
    }

    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Self::Starting { pid, .. } | Self::Running { pid, .. } | Self::Stopping { pid, .. } => *pid,
            Self::Stopped | Self::Preparing { .. } | Self::Waiting { .. } | Self::Crashed { .. } | Self::Failed { .. } => None,
        }
    }

    /// What became of it after a crash.
    pub(super) fn down(&self) -> Option<Down> {
        match self {
            Self::Waiting { reason, .. } => Some(Down::Waiting(reason.clone())),
            Self::Crashed { reason } => Some(Down::Crashed(reason.clone())),
            Self::Stopped
            | Self::Preparing { .. }
            | Self::Starting { .. }
            | Self::Running { .. }
            | Self::Stopping { .. }
            | Self::Failed { .. } => None,
        }
    }

    pub(super) fn may_start(&self) -> bool {
        match self {
            Self::Stopped | Self::Waiting { .. } | Self::Crashed { .. } | Self::Failed { .. } => true,
            Self::Preparing { .. } | Self::Starting { .. } | Self::Running { .. } | Self::Stopping { .. } => false,
        }
    }

    pub(super) fn has_stopped_by_itself(&self) -> bool {
        match self {
            Self::Waiting { .. } | Self::Crashed { .. } | Self::Failed { .. } => true,
            Self::Stopped | Self::Preparing { .. } | Self::Starting { .. } | Self::Running { .. } | Self::Stopping { .. } => {
                false
            }
        }
    }

    pub(super) fn is_preparing(&self) -> bool {
        matches!(self, Self::Preparing { .. })
    }

    pub(super) fn build_is(&mut self, now: Build) {
        if let Self::Preparing { build } = self {
            *build = now;
        }
    }

    pub(super) fn start_after_stop(&mut self) {
        if let Self::Stopping { then_start, .. } = self {
            *then_start = true;
        }
    }

    pub(super) fn spawned(&mut self, spawned: &InstanceId, process: u32) -> bool {
        match self {
            Self::Starting { instance, pid, .. } if instance == spawned => {
                *pid = Some(process);
                true
            }
            Self::Stopping { instance, pid, .. } if instance == spawned => {
                *pid = Some(process);
                false
            }
            _ => false,
        }
    }

    /// Whether the healthy instance was this place's.
    pub(super) fn healthy(&mut self, healthy: &InstanceId, now: Duration) -> bool {
        match self {
            Self::Starting { instance, pid, gave_up: None } | Self::Running { instance, pid, since: None }
                if instance == healthy =>
            {
                *self = Self::Running { instance: healthy.clone(), pid: *pid, since: Some(now) };
                true
            }
            _ => false,
        }
    }

    /// Whether this is a process of an earlier server that did not answer yet.
    pub(super) fn is_unconfirmed(&self, found: &InstanceId) -> bool {
        matches!(self, Self::Running { instance, since: None, .. } if instance == found)
    }

    /// Whether the instance that came to nothing was this place's and should be ended.
    pub(super) fn give_up(&mut self, hopeless: &InstanceId, why: Ending) -> bool {
        match self {
            Self::Starting { instance, gave_up: gave_up @ None, .. } if instance == hopeless => {
                *gave_up = Some(why);
                true
            }
            Self::Running { instance, pid, since: None } if instance == hopeless => {
                *self = Self::Starting { instance: hopeless.clone(), pid: *pid, gave_up: Some(why) };
                true
            }
            _ => false,
        }
    }

    pub(super) fn status(&self) -> (AppStatus, Option<String>) {
        match self {
            Self::Stopped => (AppStatus::Stopped, None),
            Self::Preparing { build } => build.status(),
            Self::Starting { .. } => (AppStatus::Starting, None),
            Self::Running { .. } => (AppStatus::Running, None),
            Self::Stopping { then_start: false, .. } => (AppStatus::Stopping, None),
            Self::Stopping { then_start: true, .. } => (AppStatus::Stopping, Some("the app is being restarted".to_owned())),
            Self::Waiting { reason, .. } => (AppStatus::Starting, Some(reason.clone())),
            Self::Crashed { reason } => (AppStatus::Crashed, Some(reason.clone())),
            Self::Failed { reason } => (AppStatus::Failed, Some(reason.clone())),
        }
    }
}

impl Lifecycle {
    pub(super) fn start_main(&mut self, effects: &mut Vec<Effect>) {
        if let Some(release) = self.active {
            self.main = Main::Preparing { build: Build::None };
            effects.push(Effect::Prepare(release));
        }
    }

    /// Goes on where an earlier server was, with no process there.
    pub(super) fn resume_main(&mut self, missed: Option<Ending>, down: Option<Down>, effects: &mut Vec<Effect>) {
        if self.active.is_none() {
            return;
        }
        match (missed, down) {
            // Nobody crashed: the earlier server ended it, and should have started it again.
            (Some(Ending::Stopped { .. } | Ending::LostWithKeeper), _) | (None, None) => self.start_main(effects),
            (Some(ending), _) => self.went(&ending, Some(Duration::ZERO), effects),
            (None, Some(Down::Waiting(reason))) => self.wait(self.backoff.pause(), reason, effects),
            (None, Some(Down::Crashed(reason))) => self.main = Main::Crashed { reason },
        }
    }

    pub(super) fn stop_main(&mut self, then_start: bool, effects: &mut Vec<Effect>) {
        self.settle(None, effects);
        self.silent = false;
        match self.main.clone() {
            Main::Starting { instance, pid, .. } | Main::Running { instance, pid, .. } => {
                effects.push(Effect::Terminate(instance.clone()));
                self.main = Main::Stopping { instance, pid, then_start };
            }
            Main::Stopping { instance, pid, .. } => self.main = Main::Stopping { instance, pid, then_start },
            Main::Preparing { .. } => {
                effects.extend(self.active.map(Effect::CancelPrepare));
                self.main = Main::Stopped;
            }
            Main::Stopped | Main::Waiting { .. } | Main::Crashed { .. } | Main::Failed { .. } => self.main = Main::Stopped,
        }
    }

    pub(super) fn main_ended(&mut self, ending: Ending, now: Duration, effects: &mut Vec<Effect>) {
        let (ending, healthy_for) = match &self.main {
            Main::Stopping { then_start, .. } => {
                let then_start = *then_start;
                self.main = Main::Stopped;
                if then_start {
                    self.start_main(effects);
                }
                return;
            }
            Main::Starting { gave_up: Some(why), .. } => (why.clone(), None),
            Main::Running { since, .. } => (ending, Some(since.map_or(Duration::ZERO, |since| now.saturating_sub(since)))),
            _ => (ending, None),
        };
        self.went(&ending, healthy_for, effects);
    }

    /// The process went by itself, after it was healthy for so long; none if it never was.
    fn went(&mut self, ending: &Ending, healthy_for: Option<Duration>, effects: &mut Vec<Effect>) {
        self.notice = None;
        self.silent = false;
        self.settle(Some(ending.to_string()), effects);
        if *ending == Ending::LostWithKeeper && self.desired == Desired::Running {
            // Nothing is wrong with the app: it starts again at once, and its earlier failures still count.
            self.start_main(effects);
            self.notice = Some(format!("{ending}; it is being started again"));
        } else if self.moves_away_from(ending) {
            self.start_main(effects);
            self.notice = Some(moving(ending));
        } else if self.restart_on_crash {
            self.retry_later(ending, healthy_for, effects);
        } else {
            let reason = format!("{ending}; it is not restarted, since restart_on_crash is false");
            self.main = if healthy_for.is_some() { Main::Crashed { reason } } else { Main::Failed { reason } };
        }
    }

    fn retry_later(&mut self, ending: &Ending, healthy_for: Option<Duration>, effects: &mut Vec<Effect>) {
        let pause = self.backoff.after_failure(healthy_for.unwrap_or_default());
        self.wait(pause, format!("{ending}; it is started again after a pause of {} s", pause.as_secs()), effects);
    }

    fn wait(&mut self, pause: Duration, reason: String, effects: &mut Vec<Effect>) {
        self.turn = self.turn.wrapping_add(1);
        self.main = Main::Waiting { turn: self.turn, reason };
        effects.push(Effect::WakeAfter { pause, turn: self.turn });
    }

    pub(super) fn pause_over(&mut self, turn: u32, effects: &mut Vec<Effect>) {
        if matches!(&self.main, Main::Waiting { turn: waiting, .. } if *waiting == turn) {
            self.restarts += 1;
            self.start_main(effects);
        }
    }
}
