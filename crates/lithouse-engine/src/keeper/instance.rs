// SPDX-License-Identifier: Apache-2.0
//! One instance on the keeper's floor, from its birth until its end is acknowledged.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use lithouse_core::ending::Ending;
use lithouse_core::id::{AppId, InstanceId, ReleaseNumber};
use rustix::process::{Pid, Signal};
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::belonging::Family;
use super::door::Reply;
use super::drain::Remark;
use super::exits::{Entered, Exit, Seen, ending};
use super::launch::{InstanceReport, InstanceState};
use super::memory::MemoryWatch;

/// What the keeper holds of one instance.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) id: InstanceId,
    pub(super) app: AppId,
    pub(super) release: ReleaseNumber,
    pub(super) program: PathBuf,
    pub(super) cwd: PathBuf,
    pub(super) listen: Option<SocketAddr>,
    pub(super) started_at: OffsetDateTime,
    /// Our copy: while it is open, connections wait for the app.
    pub(super) listener: Option<TcpListener>,
    pub(super) log: mpsc::UnboundedSender<Remark>,
    pub(super) memory: MemoryWatch,
    pub(super) family: Family,
    pub(super) pid: Pid,
    /// Known once the program runs or has failed to.
    pub(super) entered: Option<Entered>,
    /// Who waits to hear that it runs.
    pub(super) spawning: Option<Reply>,
    pub(super) stopping: Option<Stopping>,
    pub(super) stage: Stage,
}

/// Its stop is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopping {
    pub(super) deadline: Instant,
    /// SIGKILL was sent.
    pub(super) forced: bool,
}

/// How far an instance's life has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its own process lives.
    Running,
    /// Its own process is reaped; others of it may live.
    Sweeping { exit: Exit, ran_out_of_memory: bool, at: OffsetDateTime, since: Instant, is_swept: bool },
    /// All its processes are gone; its last output is being written.
    Draining { ending: Ending, at: OffsetDateTime },
    /// All is over; the news waits to be acknowledged.
    Ended { ending: Ending, at: OffsetDateTime },
}

impl Instance {
    pub(super) fn report(&self) -> InstanceReport {
        let state = match &self.stage {
            Stage::Ended { ending, at } => InstanceState::Ended { ending: ending.clone(), at: *at },
            Stage::Running | Stage::Sweeping { .. } | Stage::Draining { .. } => InstanceState::Alive,
        };
        InstanceReport {
            instance: self.id.clone(),
            app: self.app.clone(),
            release: self.release,
            pid: self.is_running().then(|| self.pid_number()),
            listen: self.listen,
            started_at: self.started_at,
            state,
        }
    }

    pub(super) fn pid_number(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub(super) fn is_running(&self) -> bool {
        self.stage == Stage::Running
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended { .. })
    }

    /// Whether processes of it are to be killed now.
    pub(super) fn is_to_be_swept(&self) -> bool {
        match &self.stage {
            Stage::Running => self.stopping.is_some_and(|stopping| stopping.forced),
            Stage::Sweeping { is_swept, .. } => !is_swept,
            Stage::Draining { .. } | Stage::Ended { .. } => false,
        }
    }

    /// When something must be done about it even if nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let stopping = self.stopping.filter(|stopping| !stopping.forced && self.is_running())?;
        Some(stopping.deadline)
    }

    /// Asks it to end within the grace. Asked again, the shorter grace counts, and it is not bothered a second time.
    pub(super) fn stop(&mut self, grace: Duration) {
        if !self.is_running() {
            return;
        }
        // A grace beyond the clock's range is none that anybody will see the end of.
        let deadline = Instant::now().checked_add(grace).unwrap_or_else(|| Instant::now() + Duration::from_hours(24));
        if let Some(stopping) = &mut self.stopping {
            stopping.deadline = stopping.deadline.min(deadline);
            return;
        }
        self.stopping = Some(Stopping { deadline, forced: false });
        if grace.is_zero() {
            return;
        }
        // It leads its own group as soon as it has a session; before that there is only the process itself.
        if rustix::process::kill_process_group(self.pid, Signal::TERM).is_err() {
            let _ = rustix::process::kill_process(self.pid, Signal::TERM);
        }
        // A process that was halted hears nothing until it goes on.
        let _ = rustix::process::kill_process_group(self.pid, Signal::CONT);
    }

    /// Its grace is over. Whatever of it is not in its group is found and killed by the floor.
    pub(super) fn force(&mut self) {
        if let Some(stopping) = &mut self.stopping {
            stopping.forced = true;
        }
        // It is our child and not reaped, so the number means it and no other.
        let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        let _ = rustix::process::kill_process(self.pid, Signal::KILL);
    }

    /// Its own process was reaped.
    pub(super) fn exited(&mut self, exit: Exit) {
        let ran_out_of_memory = exit.is_sigkill() && self.memory.has_run_out();
        let (at, since) = (OffsetDateTime::now_utc(), Instant::now());
        self.stage = Stage::Sweeping { exit, ran_out_of_memory, at, since, is_swept: false };
    }

    /// Goes on to the last output once nothing of it lives and it is known how far it came.
    pub(super) fn settle(&mut self) {
        let (Stage::Sweeping { exit, ran_out_of_memory, at, is_swept: true, .. }, Some(entered)) = (&self.stage, self.entered)
        else {
            return;
        };
        let stopping = self.stopping.map(|stopping| stopping.forced);
        let ending = ending(&Seen { exit: *exit, entered, stopping, ran_out_of_memory: *ran_out_of_memory });
        // The task that hears it reports back when the log is complete.
        let _ = self.log.send(Remark::Last(ending.to_string()));
        self.stage = Stage::Draining { ending, at: *at };
    }

    /// The log is complete: it is over, and its address is free.
    pub(super) fn drained(&mut self) {
        if let Stage::Draining { ending, at } = &self.stage {
            self.stage = Stage::Ended { ending: ending.clone(), at: *at };
            self.listener = None;
        }
    }
}
