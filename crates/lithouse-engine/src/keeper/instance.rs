// SPDX-License-Identifier: Apache-2.0
//! One instance on the keeper's floor, from its birth until its end is acknowledged.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use lithouse_core::ending::Ending;
use lithouse_core::id::{AppId, InstanceId, ReleaseNumber};
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::allowance::Allowance;
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
    pub(super) allowance: Allowance,
    pub(super) memory: MemoryWatch,
    pub(super) family: Family,
    pub(super) pid: Pid,
    /// Known once the program runs or has failed to.
    pub(super) entered: Option<Entered>,
    /// Who waits to hear that it runs.
    pub(super) spawning: Option<Reply>,
    pub(super) stopping: Option<Stopping>,
    pub(super) halt: Option<Halt>,
    pub(super) stage: Stage,
}

/// Its stop is under way.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Stopping {
    #[serde(with = "moment")]
    pub(super) deadline: Instant,
    /// SIGKILL was sent.
    pub(super) forced: bool,
}

/// A signal such as SIGSTOP has halted its own process.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Halt {
    /// When it counts as more than a passing one.
    #[serde(with = "moment")]
    pub(super) counts_at: Instant,
    pub(super) is_told: bool,
}

/// A process that is halted for less than this was halted on purpose, by somebody who knows.
const PASSING_HALT: Duration = Duration::from_secs(2);

/// A moment of the clock that only this program has, as the time that is left until then.
mod moment {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use tokio::time::Instant;

    pub(super) fn serialize<S: Serializer>(at: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
        at.saturating_duration_since(Instant::now()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Instant, D::Error> {
        let left = Duration::deserialize(deserializer)?;
        Ok(Instant::now().checked_add(left).unwrap_or_else(Instant::now))
    }
}

/// How far an instance's life has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Its own process lives.
    Running,
    /// Its own process is reaped; others of it may live.
    Sweeping {
        exit: Exit,
        ran_out_of_memory: bool,
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        #[serde(skip, default = "Instant::now")]
        since: Instant,
        is_swept: bool,
    },
    /// All its processes are gone; its last output is being written.
    Draining {
        ending: Ending,
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// All is over; the news waits to be acknowledged.
    Ended {
        ending: Ending,
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
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
            memory_peak: self.allowance.peak(),
            is_halted: self.is_running() && self.halt.is_some_and(|halt| halt.is_told),
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
        if !self.is_running() {
            return None;
        }
        let stopping = self.stopping.filter(|stopping| !stopping.forced).map(|stopping| stopping.deadline);
        let halt = self.halt.filter(|halt| !halt.is_told).map(|halt| halt.counts_at);
        stopping.into_iter().chain(halt).min()
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

    /// Its grace is over, and nobody has drawn the consequence.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.is_running() && self.stopping.is_some_and(|stopping| !stopping.forced && stopping.deadline <= now)
    }

    /// A signal has halted its own process, or let it go on. Whether that is to be told.
    pub(super) fn halted(&mut self, is_halted: bool) -> bool {
        let was_told = self.halt.is_some_and(|halt| halt.is_told);
        self.halt = is_halted.then(|| Halt { counts_at: Instant::now() + PASSING_HALT, is_told: false });
        was_told
    }

    /// Whether it is halted for so long by now that it is to be told, which it was not yet.
    pub(super) fn halt_counts(&mut self, now: Instant) -> bool {
        match &mut self.halt {
            Some(halt) if !halt.is_told && halt.counts_at <= now => {
                halt.is_told = true;
                true
            }
            _ => false,
        }
    }

    /// Adds a line of ours to its log.
    pub(super) fn remark(&self, text: Option<String>) {
        if let Some(text) = text {
            // The log's task is gone only once the log is complete.
            let _ = self.log.send(Remark::Line(text));
        }
    }

    /// It holds more memory than it may, and nobody ends it for that but us.
    pub(super) fn end_for_memory(&self) {
        let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        let _ = rustix::process::kill_process(self.pid, Signal::KILL);
    }

    /// Its own process was reaped. The machine's count of kills for memory is evidence where nobody else was killed of late.
    /// Answers whether it ran out of memory.
    pub(super) fn exited(&mut self, exit: Exit, others_ran_out: impl FnOnce() -> bool) -> bool {
        let ran_out = || self.allowance.ran_out() || (self.memory.has_run_out() && !others_ran_out());
        let ran_out_of_memory = exit.is_sigkill() && ran_out();
        let news = self.allowance.last_look().filter(|_| !ran_out_of_memory);
        self.remark(news);
        let (at, since) = (OffsetDateTime::now_utc(), Instant::now());
        self.stage = Stage::Sweeping { exit, ran_out_of_memory, at, since, is_swept: false };
        ran_out_of_memory
    }

    /// Goes on to the last output once nothing of it lives and it is known how far it came.
    pub(super) fn settle(&mut self) {
        let (Stage::Sweeping { exit, ran_out_of_memory, at, is_swept: true, .. }, Some(entered)) = (&self.stage, self.entered)
        else {
            return;
        };
        let stopping = self.stopping.map(|stopping| stopping.forced);
        let memory_limit = self.allowance.exhausted_limit();
        let seen = Seen { exit: *exit, entered, stopping, ran_out_of_memory: *ran_out_of_memory, memory_limit };
        let ending = ending(&seen);
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
