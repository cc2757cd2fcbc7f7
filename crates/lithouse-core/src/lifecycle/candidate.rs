// SPDX-License-Identifier: Apache-2.0
//! The release on its way: prepared, started and proved beside the active one, which it then replaces in one step.

use std::time::Duration;

use super::main::Main;
use super::{Build, Effect, Lifecycle};
use crate::app::{AppStatus, Desired};
use crate::ending::Ending;
use crate::id::{InstanceId, ReleaseNumber};

/// A release that is not active yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) release: ReleaseNumber,
    /// It served before, so a session need not prove it again.
    pub(super) proven: bool,
    pub(super) stage: Stage,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// Put off until the app is started.
    Held,
    /// Its environment is being found, or built.
    Preparing { build: Build },
    /// A process exists, or will in a moment, and is not healthy yet.
    Starting { instance: InstanceId, pid: Option<u32> },
    /// Healthy since then; a headless session is being run.
    Proving { instance: InstanceId, pid: Option<u32>, since: Duration },
}

impl Stage {
    pub(super) fn instance(&self) -> Option<&InstanceId> {
        match self {
            Self::Starting { instance, .. } | Self::Proving { instance, .. } => Some(instance),
            Self::Held | Self::Preparing { .. } => None,
        }
    }

    pub(super) fn pid(&self) -> Option<u32> {
        match self {
            Self::Starting { pid, .. } | Self::Proving { pid, .. } => *pid,
            Self::Held | Self::Preparing { .. } => None,
        }
    }

    pub(super) fn spawned(&mut self, spawned: &InstanceId, process: u32) -> bool {
        match self {
            Self::Starting { instance, pid } if instance == spawned => {
                *pid = Some(process);
                true
            }
            _ => false,
        }
    }

    pub(super) fn status(&self) -> (AppStatus, Option<String>) {
        match self {
            Self::Held => (AppStatus::Stopped, None),
            Self::Preparing { build } => build.status(),
            Self::Starting { .. } | Self::Proving { .. } => (AppStatus::Starting, None),
        }
    }
}

impl Lifecycle {
    pub(super) fn begin_candidate(&mut self, release: ReleaseNumber, proven: bool, effects: &mut Vec<Effect>) {
        let superseded = self.candidate().filter(|other| *other != release);
        self.drop_candidate(effects);
        let reason = format!("release {release} took its place before it was ready");
        effects.extend(superseded.map(|release| Effect::FailRelease { release, reason }));
        self.candidate = Some(Candidate { release, proven, stage: Stage::Preparing { build: Build::None } });
        effects.push(Effect::Prepare(release));
    }

    pub(super) fn candidate_is_preparing(&self, release: ReleaseNumber) -> bool {
        self.candidate
            .as_ref()
            .is_some_and(|candidate| candidate.release == release && matches!(candidate.stage, Stage::Preparing { .. }))
    }

    pub(super) fn candidate_runs_as(&self, instance: &InstanceId) -> bool {
        self.candidate.as_ref().is_some_and(|candidate| candidate.stage.instance() == Some(instance))
    }

    pub(super) fn candidate_is_proving(&self, proving: &InstanceId) -> bool {
        self.candidate
            .as_ref()
            .is_some_and(|candidate| matches!(&candidate.stage, Stage::Proving { instance, .. } if instance == proving))
    }

    pub(super) fn candidate_prepared(&mut self, instance: InstanceId, effects: &mut Vec<Effect>) {
        let Some(candidate) = &mut self.candidate else { return };
        match self.desired {
            Desired::Running => {
                effects.push(Effect::Spawn { instance: instance.clone(), release: candidate.release });
                candidate.stage = Stage::Starting { instance, pid: None };
            }
            // A stopped app takes the release without a process; it is started when somebody asks for that.
            Desired::Stopped | Desired::Deleted => {
                let release = candidate.release;
                self.candidate = None;
                self.take_over(release, effects);
                effects.push(Effect::Settle { release, reason: None });
            }
        }
    }

    pub(super) fn candidate_healthy(&mut self, healthy: &InstanceId, now: Duration, effects: &mut Vec<Effect>) {
        let first = self.active.is_none();
        let Some(candidate) = &mut self.candidate else { return };
        let Stage::Starting { instance, pid } = &candidate.stage else { return };
        if instance != healthy {
            return;
        }
        candidate.stage = Stage::Proving { instance: instance.clone(), pid: *pid, since: now };
        let proven = candidate.proven;
        let release = candidate.release;
        if first && !proven {
            // The first release replaces nothing, so it serves at once and the session only tells people what it found.
            self.promote(effects);
            self.unproved = Some(release);
        } else if proven {
            self.promote(effects);
            effects.push(Effect::Settle { release, reason: None });
        }
        if !proven {
            effects.push(Effect::Prove(healthy.clone()));
        }
    }

    /// The candidate takes the place of the active release; the old process is ended.
    pub(super) fn promote(&mut self, effects: &mut Vec<Effect>) {
        let Some(Candidate { release, stage: Stage::Proving { instance, pid, since }, .. }) = self.candidate.take() else {
            return;
        };
        let old = std::mem::replace(&mut self.main, Main::Running { instance, pid, since: Some(since) });
        if old.is_preparing() && self.active != Some(release) {
            effects.extend(self.active.map(Effect::CancelPrepare));
        }
        self.take_over(release, effects);
        if let Some(instance) = old.instance() {
            self.retire(instance.clone(), effects);
        }
        self.backoff.reset();
    }

    fn take_over(&mut self, release: ReleaseNumber, effects: &mut Vec<Effect>) {
        self.active = Some(release);
        self.notice = None;
        self.silent = false;
        self.standing = None;
        self.failed = None;
        effects.push(Effect::Activate(release));
    }

    /// The candidate's process is no more, or will be in a moment.
    pub(super) fn candidate_ended(&mut self, ending: &Ending, effects: &mut Vec<Effect>) {
        let moves = self.moves_away_from(ending);
        let Some(candidate) = &mut self.candidate else { return };
        if moves {
            candidate.stage = Stage::Preparing { build: Build::None };
            effects.push(Effect::Prepare(candidate.release));
        } else {
            candidate.stage = Stage::Held;
            self.fail_candidate(ending.to_string(), effects);
        }
    }

    /// The candidate comes to nothing; whatever served before goes on serving.
    pub(super) fn fail_candidate(&mut self, reason: String, effects: &mut Vec<Effect>) {
        let Some(release) = self.candidate() else { return };
        self.drop_candidate(effects);
        if self.active.is_some() {
            self.notice = self.active.map(|active| format!("release {release} failed, and release {active} serves on: {reason}"));
        }
        self.failed = Some((release, reason.clone()));
        self.failed_before_stop = false;
        effects.push(Effect::FailRelease { release, reason });
    }

    pub(super) fn drop_candidate(&mut self, effects: &mut Vec<Effect>) {
        self.hold_candidate(effects);
        self.candidate = None;
    }

    /// Gives up what is under way for the candidate, and keeps it for the next start.
    pub(super) fn hold_candidate(&mut self, effects: &mut Vec<Effect>) {
        let Some(candidate) = &mut self.candidate else { return };
        let stage = std::mem::replace(&mut candidate.stage, Stage::Held);
        if matches!(stage, Stage::Preparing { .. }) {
            effects.push(Effect::CancelPrepare(candidate.release));
        }
        if let Some(instance) = stage.instance() {
            self.retire(instance.clone(), effects);
        }
    }
}
