// SPDX-License-Identifier: Apache-2.0
//! What one instance may take, by what that is held, and how much memory it took at most.
//!
//! A control group counts and holds exactly, for all processes together. Where there is none, each process gets what the kernel can
//! hold for one, and the floor looks at the memory of all of them now and then; the processor is not held then.

use lithouse_core::limits::{self, Limits};
use lithouse_sandbox::cgroup::{Bounds, Group};
use lithouse_sandbox::entry;
use serde::{Deserialize, Serialize};

use super::launch::{Launch, LaunchLimits};

/// One instance's limits and what became of them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Allowance {
    limits: Limits,
    group: Option<Group>,
    /// How many processes the kernel has ended for want of memory, as the last look saw it …
    kills_seen: u64,
    /// … and how many of them are told, which is one look later: the last kill may have been of the instance's own process.
    kills_told: u64,
    peak: Option<u64>,
    /// We ended it for its memory ourselves.
    is_used_up: bool,
}

/// The bounds of a group for these limits.
pub(super) fn bounds(limits: &Limits) -> Bounds {
    Bounds {
        memory: limits.memory,
        processes: limits.processes.map(u64::from),
        cpu: limits.cpu.map(limits::Cores::thousandths),
        // A worker that took too much is the app's affair; it may start another.
        ends_whole: false,
    }
}

/// What each process is born with. The number of processes is a user's and not an app's there, so a group's is better.
pub(super) fn of_each_process(launch: &Launch, has_group: bool) -> entry::Limits {
    let LaunchLimits { open_files, processes, file_size, address_space, nice } = launch.limits;
    let may_take = &launch.may_take;
    entry::Limits {
        open_files: open_files.or(may_take.open_files.map(u64::from)),
        processes: processes.or(may_take.processes.filter(|_| !has_group).map(u64::from)),
        file_size,
        address_space,
        nice,
        ..entry::Limits::default()
    }
}

/// What the log should say of limits that nobody holds here.
pub(super) fn not_held(limits: &Limits, group: &Result<Group, String>) -> Option<String> {
    match group {
        Ok(group) if limits.cpu.is_some() && !group.counts_cpu() => {
            Some("its limit of processor time is not held: there is no cgroup for processor time here".to_owned())
        }
        Err(why) if limits.cpu.is_some() => Some(format!("its limit of processor time is not held: {why}")),
        Ok(_) | Err(_) => None,
    }
}

impl Allowance {
    pub(super) fn new(limits: Limits, group: Option<Group>) -> Self {
        Self { limits, group, kills_seen: 0, kills_told: 0, peak: None, is_used_up: false }
    }

    /// The limit of memory that nobody holds but us, by looking.
    pub(super) fn memory_to_watch(&self) -> Option<u64> {
        self.limits.memory.filter(|_| self.group.is_none() && !self.is_used_up)
    }

    /// The processes that its group knows, however well they hide.
    pub(super) fn processes(&self) -> Vec<i32> {
        self.group.as_ref().map(Group::processes).unwrap_or_default()
    }

    /// Looks at its group, while its own process lives. Answers with what its log should say.
    pub(super) fn look(&mut self) -> Option<String> {
        let group = self.group.as_ref()?;
        self.peak = self.peak.max(group.peak());
        let kills = group.oom_kills();
        let news = self.kills_seen.saturating_sub(self.kills_told);
        (self.kills_told, self.kills_seen) = (self.kills_seen, kills);
        (news > 0).then(|| self.told_of_kills(news))
    }

    /// What its log should say of kills that it outlived, once it has ended.
    pub(super) fn last_look(&mut self) -> Option<String> {
        let group = self.group.as_ref()?;
        self.peak = self.peak.max(group.peak());
        self.kills_seen = group.oom_kills();
        let news = self.kills_seen.saturating_sub(std::mem::replace(&mut self.kills_told, self.kills_seen));
        (news > 0).then(|| self.told_of_kills(news))
    }

    fn told_of_kills(&self, kills: u64) -> String {
        let processes = if kills == 1 { "a process".to_owned() } else { format!("{kills} processes") };
        match self.limits.memory {
            Some(limit) => format!("out of memory: {processes} of the app was ended at its limit of {}", limits::size(limit)),
            None => format!("out of memory: {processes} of the app was ended by the kernel"),
        }
    }

    /// Its own process held this much at once; a group knows better.
    pub(super) fn held_once(&mut self, bytes: Option<u64>) {
        if self.group.is_none() {
            self.peak = self.peak.max(bytes);
        }
    }

    /// All its processes together hold this much, as far as it could be seen from outside. Whether that is too much.
    pub(super) fn holds(&mut self, bytes: u64) -> bool {
        self.peak = self.peak.max(Some(bytes));
        let is_too_much = self.memory_to_watch().is_some_and(|limit| bytes > limit);
        self.is_used_up |= is_too_much;
        is_too_much
    }

    /// Whether it is known to have been killed for want of memory of late: by us, or by the kernel in its group.
    pub(super) fn ran_out(&self) -> bool {
        self.is_used_up || self.group.as_ref().is_some_and(|group| group.oom_kills() > self.kills_told)
    }

    /// Its own limit, if it came near it; what runs out before is the machine's memory.
    pub(super) fn exhausted_limit(&self) -> Option<u64> {
        let limit = self.limits.memory?;
        let peak = self.group.as_ref().and_then(Group::peak).max(self.peak);
        peak.is_none_or(|peak| peak >= limit - limit / 16).then_some(limit)
    }

    /// The most memory that it used at once, in bytes.
    pub(super) fn peak(&self) -> Option<u64> {
        self.group.as_ref().and_then(Group::peak).max(self.peak)
    }

    /// Gives the group up: nothing of the instance lives in it any more.
    pub(super) fn leave_group(&mut self) -> Option<Group> {
        self.peak = self.peak();
        self.group.take()
    }

    /// Changes its limits while it runs. What a group does not hold counts from its next start.
    pub(super) fn change(&mut self, limits: Limits) -> std::io::Result<()> {
        if let Some(group) = &mut self.group {
            group.bound(&bounds(&limits))?;
        }
        self.limits = limits;
        Ok(())
    }
}
