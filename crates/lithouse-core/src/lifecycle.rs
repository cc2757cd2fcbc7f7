// SPDX-License-Identifier: Apache-2.0
//! What happens next in the life of one app: state, event and time in; state and effects out.
//!
//! Two places can hold a process. `main` is the active release, which visitors get. The *candidate* is a newer (or older) release
//! on its way: it is prepared, started and proved beside `main`, takes its place in one step, and changes nothing if it fails.
//! An app that never had an active release has only a candidate, and that one may be seen while it starts.
//!
//! Nothing here performs anything: the engine carries out the effects, in order, and reports what came of them as events.

mod candidate;
mod main;

use std::time::Duration;

use crate::app::{AppStatus, Desired};
use crate::ending::Ending;
use crate::id::{InstanceId, ReleaseNumber};
use crate::restart::Backoff;
use candidate::{Candidate, Stage};
use main::Main;
use serde::{Deserialize, Serialize};

/// So many ports are tried one after the other when another program is quicker each time.
const MOST_MOVES: u32 = 10;
/// What people read of a process that an earlier server has left and that may be busy, or halted.
const SILENT: &str = "it has not answered since the server came back";

/// What people read of an app whose environment is next but some.
const WAITS: &str = "waiting for other builds to end";

/// How far the build of an environment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Build {
    /// None is known to be needed.
    None,
    /// Others come first.
    Waits,
    Goes,
}

impl Build {
    fn status(self) -> (AppStatus, Option<String>) {
        match self {
            Self::None => (AppStatus::Starting, None),
            Self::Waits => (AppStatus::Starting, Some(WAITS.to_owned())),
            Self::Goes => (AppStatus::Building, None),
        }
    }
}

/// What can happen to an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A release was accepted, or an older one is wanted again. `proven` says that it served before.
    Released {
        /// The release.
        release: ReleaseNumber,
        /// It was active once, so it need not be proved again.
        proven: bool,
    },
    /// Somebody wants it to run.
    StartAsked,
    /// Somebody wants it to hold no process.
    StopAsked,
    /// Somebody wants its process replaced.
    RestartAsked,
    /// Somebody wants it gone.
    DeleteAsked,
    /// The environment of a release is not there yet, and other builds come first.
    BuildWaits {
        /// The release.
        release: ReleaseNumber,
    },
    /// The environment of a release is not there yet and is being built.
    BuildBegan {
        /// The release.
        release: ReleaseNumber,
    },
    /// The environment of a release is ready.
    Prepared {
        /// The release.
        release: ReleaseNumber,
        /// A fresh id for the process to be started.
        instance: InstanceId,
    },
    /// The environment of a release cannot be had.
    PrepareFailed {
        /// The release.
        release: ReleaseNumber,
        /// Why, for people.
        reason: String,
    },
    /// The process exists.
    Spawned {
        /// The instance.
        instance: InstanceId,
        /// Its process, in the server's numbering.
        pid: u32,
    },
    /// The framework's health endpoint answered as it should.
    Healthy {
        /// The instance.
        instance: InstanceId,
    },
    /// The start time-out is over and the instance was never healthy under this server. One that an earlier server has left goes on
    /// and should be probed on.
    StartTimedOut {
        /// The instance.
        instance: InstanceId,
        /// The time-out, in seconds.
        seconds: u64,
        /// What was seen of it last.
        seen: Option<String>,
    },
    /// Another program listens on the port that the instance should bind by itself.
    PortTaken {
        /// The instance.
        instance: InstanceId,
        /// The port.
        port: u16,
        /// Who has it, where that is known.
        by: Option<String>,
    },
    /// A real headless session ran to its end, or did not.
    Proved {
        /// The instance.
        instance: InstanceId,
        /// `Err` tells people what the script raised.
        verdict: Result<(), String>,
    },
    /// The process is gone.
    Ended {
        /// The instance.
        instance: InstanceId,
        /// How.
        ending: Ending,
    },
    /// A pause that was asked for by `Effect::WakeAfter` is over.
    PauseOver {
        /// Which pause.
        turn: u32,
    },
}

/// What the engine must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Find or build the environment of a release.
    Prepare(ReleaseNumber),
    /// Give a preparation up.
    CancelPrepare(ReleaseNumber),
    /// Start a process.
    Spawn {
        /// Its id.
        instance: InstanceId,
        /// What it runs.
        release: ReleaseNumber,
    },
    /// Probe until healthy or timed out.
    AwaitHealth(InstanceId),
    /// Run one headless session.
    Prove(InstanceId),
    /// SIGTERM, grace, SIGKILL; `Ended` will tell.
    Terminate(InstanceId),
    /// Send `PauseOver` with this turn after this pause.
    WakeAfter {
        /// How long.
        pause: Duration,
        /// Tells this pause from those that were given up.
        turn: u32,
    },
    /// Store that this release is the active one.
    Activate(ReleaseNumber),
    /// Store that it is known now how a release does.
    Settle {
        /// The release.
        release: ReleaseNumber,
        /// What people should know of it although it serves.
        reason: Option<String>,
    },
    /// Store that a release came to nothing.
    FailRelease {
        /// The release.
        release: ReleaseNumber,
        /// Why, for people.
        reason: String,
    },
    /// Remove everything that the app owned; no process of it is left.
    Purge,
}

/// A process that was found alive when the server came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The instance.
    pub instance: InstanceId,
    /// What it runs.
    pub release: ReleaseNumber,
    /// Its process.
    pub pid: u32,
}

/// What is stored of an app that matters to its life.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What people want.
    pub desired: Desired,
    /// Whether a crash is followed by a restart.
    pub restart_on_crash: bool,
    /// The release that visitors get.
    pub active: Option<ReleaseNumber>,
    /// A release that was accepted and is neither active nor failed, with whether it was active once.
    pub pending: Option<(ReleaseNumber, bool)>,
    /// The newest release that failed, and why.
    pub failed: Option<(ReleaseNumber, String)>,
    /// The active release, if its proof was under way.
    pub unproved: Option<ReleaseNumber>,
    /// What the proof of the active release found although it serves.
    pub standing: Option<String>,
    /// What an earlier server knew of its crashes.
    pub memory: Memory,
}

/// What is known of an app's crashes. A server that takes over from another goes on with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// How often a crash was followed by a restart.
    pub restarts: u32,
    /// How many failures in a row there were.
    pub failures: u32,
    /// Why there is no process, if a crash is the cause.
    pub down: Option<Down>,
}

/// What became of an app that crashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Down {
    /// It is started again after a pause. In words for people.
    Waiting(String),
    /// It is not started again. In words for people.
    Crashed(String),
}

/// One app's life.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    desired: Desired,
    restart_on_crash: bool,
    active: Option<ReleaseNumber>,
    main: Main,
    candidate: Option<Candidate>,
    /// Processes that are being ended and that nothing waits for but a deletion.
    retiring: Vec<InstanceId>,
    failed: Option<(ReleaseNumber, String)>,
    /// A stop was asked for since that failed: nobody waits for it any more.
    failed_before_stop: bool,
    /// Something that people should know at the moment.
    notice: Option<String>,
    /// The process that an earlier server has left has not answered for the time that a start may take.
    silent: bool,
    /// What the proof of the active release found although it serves.
    standing: Option<String>,
    /// A first release that serves already while its proof is still under way.
    unproved: Option<ReleaseNumber>,
    backoff: Backoff,
    /// How often in a row a start was tried again because somebody else had taken the port.
    moves: u32,
    restarts: u32,
    turn: u32,
}

impl Lifecycle {
    /// Takes up an app's life, with the processes of it that were found alive, and says what to do first. `missed` is how the
    /// process of the active release ended if no server heard of it.
    pub fn resume(stored: Stored, found: Vec<Found>, missed: Option<Ending>) -> (Self, Vec<Effect>) {
        let mut life = Self {
            desired: stored.desired,
            restart_on_crash: stored.restart_on_crash,
            active: stored.active,
            main: Main::Stopped,
            candidate: None,
            retiring: Vec::new(),
            failed: stored.failed,
            failed_before_stop: stored.desired == Desired::Stopped,
            notice: None,
            silent: false,
            standing: stored.standing,
            unproved: stored.unproved,
            backoff: Backoff::after(stored.memory.failures),
            moves: 0,
            restarts: stored.memory.restarts,
            turn: 0,
        };
        let mut effects = Vec::new();
        life.settle(None, &mut effects);
        for process in found {
            let serves = life.desired == Desired::Running && life.active == Some(process.release);
            if serves && life.main == Main::Stopped {
                // It may be busy, or halted, for longer than a start may take: whoever served is not judged as if it had just begun.
                effects.push(Effect::AwaitHealth(process.instance.clone()));
                life.main = Main::Running { instance: process.instance, pid: Some(process.pid), since: None };
            } else {
                life.retire(process.instance, &mut effects);
            }
        }
        if let Some((release, proven)) = stored.pending
            && life.desired != Desired::Deleted
        {
            life.begin_candidate(release, proven, &mut effects);
        }
        match life.desired {
            Desired::Running if life.main == Main::Stopped => life.resume_main(missed, stored.memory.down, &mut effects),
            Desired::Running => {}
            Desired::Stopped => life.hold_candidate(&mut effects),
            Desired::Deleted => life.purge_when_empty(&mut effects),
        }
        (life, effects)
    }

    /// Takes one event in. `now` is monotonic: the time since any fixed moment of the caller's choice.
    pub fn apply(&mut self, event: Event, now: Duration) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.desired == Desired::Deleted {
            self.apply_while_deleting(event, &mut effects);
            return effects;
        }
        match event {
            Event::Released { release, proven } => self.begin_candidate(release, proven, &mut effects),
            Event::StartAsked => self.start(&mut effects),
            Event::StopAsked => self.stop(&mut effects),
            Event::RestartAsked => self.restart(&mut effects),
            Event::DeleteAsked => self.delete(&mut effects),
            Event::BuildWaits { release } => self.build_is(Build::Waits, release),
            Event::BuildBegan { release } => self.build_is(Build::Goes, release),
            Event::Prepared { release, instance } => self.prepared(release, instance, &mut effects),
            Event::PrepareFailed { release, reason } => self.prepare_failed(release, reason, &mut effects),
            Event::Spawned { instance, pid } => self.spawned(&instance, pid, &mut effects),
            Event::Healthy { instance } => self.healthy(&instance, now, &mut effects),
            Event::StartTimedOut { instance, seconds, seen } => {
                self.start_timed_out(&instance, &Ending::NeverHealthy { seconds, seen }, &mut effects);
            }
            Event::PortTaken { instance, port, by } => self.port_taken(&instance, &Ending::PortTaken { port, by }, &mut effects),
            Event::Proved { instance, verdict } => self.proved(&instance, verdict, &mut effects),
            Event::Ended { instance, ending } => self.ended(&instance, ending, now, &mut effects),
            Event::PauseOver { turn } => self.pause_over(turn, &mut effects),
        }
        effects
    }

    /// What people want of the app.
    pub fn desired(&self) -> Desired {
        self.desired
    }

    /// The release that visitors get.
    pub fn active(&self) -> Option<ReleaseNumber> {
        self.active
    }

    /// The release on its way, if any.
    pub fn candidate(&self) -> Option<ReleaseNumber> {
        self.candidate.as_ref().map(|candidate| candidate.release)
    }

    /// How often a crash was followed by a restart.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// What a server that takes over should know of its crashes.
    pub fn memory(&self) -> Memory {
        Memory { restarts: self.restarts, failures: self.backoff.failures(), down: self.main.down() }
    }

    /// Changes whether a crash is followed by a restart; it counts from the next crash on.
    pub fn set_restart_on_crash(&mut self, restart: bool) {
        self.restart_on_crash = restart;
    }

    /// The process that requests should go to, if any: they may come before it is ready.
    pub fn serving(&self) -> Option<&InstanceId> {
        match (&self.main, &self.candidate) {
            (Main::Starting { instance, .. } | Main::Running { instance, .. }, _) => Some(instance),
            (_, Some(candidate)) if self.active.is_none() => candidate.stage.instance(),
            _ => None,
        }
    }

    /// The app's own process, if there is one.
    pub fn pid(&self) -> Option<u32> {
        match (self.main.pid(), &self.candidate) {
            (Some(pid), _) => Some(pid),
            (None, Some(candidate)) if self.active.is_none() => candidate.stage.pid(),
            (None, _) => None,
        }
    }

    /// Whether a process of it is about to be started, as soon as what that needs is prepared.
    pub fn is_preparing(&self) -> bool {
        self.main.is_preparing()
            || self.candidate.as_ref().is_some_and(|candidate| matches!(candidate.stage, Stage::Preparing { .. }))
    }

    /// Whether it should run, does not, and nobody stopped it: it failed, crashed, or waits for its next try.
    pub fn has_stopped_by_itself(&self) -> bool {
        let is_down = match (&self.candidate, self.active) {
            (Some(_), None) => false,
            (None, None) => self.failed.is_some(),
            (_, Some(_)) => self.main.has_stopped_by_itself(),
        };
        self.desired == Desired::Running && is_down
    }

    /// Every process of the app that may be alive.
    pub fn instances(&self) -> Vec<InstanceId> {
        let main = self.main.instance().cloned();
        let candidate = self.candidate.as_ref().and_then(|candidate| candidate.stage.instance().cloned());
        self.retiring.iter().cloned().chain(main).chain(candidate).collect()
    }

    /// The status and its reason, for people.
    pub fn status(&self) -> (AppStatus, Option<String>) {
        if self.desired == Desired::Deleted {
            return (AppStatus::Stopping, Some("the app is being deleted".to_owned()));
        }
        if self.active.is_none() {
            return self.status_before_first_release();
        }
        let (status, reason) = self.main.status();
        let silent = self.silent.then(|| SILENT.to_owned());
        (status, reason.or(silent).or_else(|| self.notice.clone()).or_else(|| self.standing.clone()))
    }

    fn status_before_first_release(&self) -> (AppStatus, Option<String>) {
        match (&self.candidate, &self.failed) {
            (Some(candidate), _) => candidate.stage.status(),
            (None, Some((_, reason))) if !self.failed_before_stop => (AppStatus::Failed, Some(reason.clone())),
            (None, _) => (AppStatus::Stopped, None),
        }
    }

    fn start(&mut self, effects: &mut Vec<Effect>) {
        self.desired = Desired::Running;
        self.backoff.reset();
        self.moves = 0;
        if self.main.may_start() {
            self.start_main(effects);
        } else {
            self.main.start_after_stop();
        }
        if let Some(candidate) = &mut self.candidate
            && candidate.stage == Stage::Held
        {
            candidate.stage = Stage::Preparing { build: Build::None };
            effects.push(Effect::Prepare(candidate.release));
        } else if self.candidate.is_none()
            && self.active.is_none()
            && let Some((release, _)) = self.failed.take()
        {
            self.begin_candidate(release, false, effects);
        }
    }

    fn stop(&mut self, effects: &mut Vec<Effect>) {
        self.desired = Desired::Stopped;
        self.failed_before_stop = true;
        self.stop_main(false, effects);
        self.hold_candidate(effects);
    }

    fn restart(&mut self, effects: &mut Vec<Effect>) {
        if self.main.instance().is_some() {
            self.desired = Desired::Running;
            self.backoff.reset();
            self.stop_main(true, effects);
            return;
        }
        if self.active.is_none() {
            self.hold_candidate(effects);
        }
        self.start(effects);
    }

    fn delete(&mut self, effects: &mut Vec<Effect>) {
        self.desired = Desired::Deleted;
        self.stop_main(false, effects);
        self.drop_candidate(effects);
        self.purge_when_empty(effects);
    }

    fn apply_while_deleting(&mut self, event: Event, effects: &mut Vec<Effect>) {
        if let Event::Ended { instance, .. } = event {
            self.retiring.retain(|other| *other != instance);
            if self.main.instance() == Some(&instance) {
                self.main = Main::Stopped;
            }
            self.purge_when_empty(effects);
        }
    }

    fn purge_when_empty(&mut self, effects: &mut Vec<Effect>) {
        if self.instances().is_empty() {
            effects.push(Effect::Purge);
        }
    }

    fn retire(&mut self, instance: InstanceId, effects: &mut Vec<Effect>) {
        effects.push(Effect::Terminate(instance.clone()));
        self.retiring.push(instance);
    }

    /// A first release whose proof is over, or came to nothing, is known as it is.
    fn settle(&mut self, reason: Option<String>, effects: &mut Vec<Effect>) {
        if let Some(release) = self.unproved.take() {
            effects.push(Effect::Settle { release, reason });
        }
    }

    fn build_is(&mut self, now: Build, release: ReleaseNumber) {
        if let Some(candidate) = &mut self.candidate
            && candidate.release == release
            && let Stage::Preparing { build } = &mut candidate.stage
        {
            *build = now;
        }
        if self.active == Some(release) {
            self.main.build_is(now);
        }
    }

    fn prepared(&mut self, release: ReleaseNumber, instance: InstanceId, effects: &mut Vec<Effect>) {
        if self.candidate_is_preparing(release) {
            self.candidate_prepared(instance, effects);
        } else if self.active == Some(release) && self.main.is_preparing() {
            self.main = Main::starting(instance.clone(), None);
            effects.push(Effect::Spawn { instance, release });
        }
    }

    fn prepare_failed(&mut self, release: ReleaseNumber, reason: String, effects: &mut Vec<Effect>) {
        if self.candidate_is_preparing(release) {
            self.fail_candidate(reason, effects);
        } else if self.active == Some(release) && self.main.is_preparing() {
            self.main = Main::Failed { reason };
        }
    }

    fn spawned(&mut self, instance: &InstanceId, pid: u32, effects: &mut Vec<Effect>) {
        let known = self.main.spawned(instance, pid)
            || self.candidate.as_mut().is_some_and(|candidate| candidate.stage.spawned(instance, pid));
        if known {
            effects.push(Effect::AwaitHealth(instance.clone()));
        }
    }

    fn healthy(&mut self, instance: &InstanceId, now: Duration, effects: &mut Vec<Effect>) {
        self.moves = 0;
        if self.main.healthy(instance, now) {
            self.notice = None;
            self.silent = false;
        } else {
            self.candidate_healthy(instance, now, effects);
        }
    }

    fn start_timed_out(&mut self, instance: &InstanceId, ending: &Ending, effects: &mut Vec<Effect>) {
        if self.main.is_unconfirmed(instance) {
            self.silent = true;
        } else if self.main.give_up(instance, ending.clone()) {
            effects.push(Effect::Terminate(instance.clone()));
        } else if self.candidate_runs_as(instance) {
            self.fail_candidate(ending.to_string(), effects);
        }
    }

    fn port_taken(&mut self, instance: &InstanceId, ending: &Ending, effects: &mut Vec<Effect>) {
        if self.main.give_up(instance, ending.clone()) {
            effects.push(Effect::Terminate(instance.clone()));
        } else if self.candidate_runs_as(instance) {
            self.retire(instance.clone(), effects);
            self.candidate_ended(ending, effects);
        }
    }

    /// Whether a start that failed for its port is tried at once with another one.
    fn moves_away_from(&mut self, ending: &Ending) -> bool {
        let moves = matches!(ending, Ending::PortTaken { .. }) && self.moves < MOST_MOVES;
        if moves {
            self.moves += 1;
        }
        moves
    }

    fn proved(&mut self, instance: &InstanceId, verdict: Result<(), String>, effects: &mut Vec<Effect>) {
        if self.candidate_is_proving(instance) {
            match verdict {
                Ok(()) => {
                    let release = self.candidate();
                    self.promote(effects);
                    effects.extend(release.map(|release| Effect::Settle { release, reason: None }));
                }
                Err(reason) => self.fail_candidate(reason, effects),
            }
        } else if self.main.runs_as(instance) {
            // One that is being ended closes its sessions, and that says nothing of the script.
            self.standing = verdict.err();
            self.settle(self.standing.clone(), effects);
        }
    }

    fn ended(&mut self, instance: &InstanceId, ending: Ending, now: Duration, effects: &mut Vec<Effect>) {
        self.retiring.retain(|other| other != instance);
        if self.candidate_runs_as(instance) {
            self.candidate_ended(&ending, effects);
        } else if self.main.instance() == Some(instance) {
            self.main_ended(ending, now, effects);
        }
    }
}

/// What people read while a start is tried again with another port.
fn moving(ending: &Ending) -> String {
    format!("{ending}; the app is started with another port")
}

#[cfg(test)]
mod tests;
