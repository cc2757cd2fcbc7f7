// SPDX-License-Identifier: Apache-2.0
//! The memory, processes and processor time of a run or an app, counted and bounded from outside by control groups.
//!
//! Each slot of the snippet service has a group, made once and used again for every run in it; an app's process has one for as long
//! as it lives. There are two kinds of hierarchy: in version 1 each
//! controller has one of its own, in version 2 all share one. Which is in use is read from the kernel, and what may be done there is
//! found out by doing it.

mod folder;
mod leftover;
mod place;
mod v1;
mod v2;

use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use self::place::Facts;
use crate::limits::Limits;

/// Why there are no groups for us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Missing {
    /// What was tried, what failed, and what mends it.
    pub reason: String,
}

/// What all processes of a group may take together; `None` leaves it unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Memory, in bytes, swap included.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// Processor time, in thousandths of a core.
    pub cpu: Option<u32>,
    /// Whether all of it ends when the kernel ends one process of it for want of memory, where the kernel can do that.
    pub ends_whole: bool,
}

/// The place where the groups are made. As text it can be handed to the next program of the same process.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cgroups {
    hierarchy: Hierarchy,
}

/// One group.
#[derive(Debug, Serialize, Deserialize)]
pub struct Group {
    kind: Kind,
}

#[derive(Debug, Serialize, Deserialize)]
enum Hierarchy {
    V1(v1::Place),
    V2(v2::Place),
}

#[derive(Debug, Serialize, Deserialize)]
enum Kind {
    V1(v1::Group),
    V2(v2::Group),
}

/// One core's worth of time in each tenth of a second.
const CPU_PERIOD_MICROSECONDS: u32 = 100_000;

/// The processor time of one period that is this share of a core.
fn quota(thousandths: u32) -> u64 {
    u64::from(thousandths) * u64::from(CPU_PERIOD_MICROSECONDS) / 1000
}

impl Cgroups {
    /// Finds or makes the place; `name` tells this data folder from others on the machine. What an earlier server of the same
    /// name left behind is ended and removed, and what servers of other names did if nothing lives in it.
    ///
    /// To be called while the caller has no child but those that may be moved along with it: where its own group is all that it
    /// was given, it moves into a corner of it.
    pub fn find(name: &str) -> Result<Self, Missing> {
        Self::find_in(&Facts::read()?, &leftover::own_name(name))
    }

    fn find_in(facts: &Facts, name: &str) -> Result<Self, Missing> {
        let unified = match &facts.unified {
            Some(unified) if unified.has_controllers() => Some(v2::Place::find(unified, name, &v2::NEEDED)),
            _ => None,
        };
        match (unified, &facts.v1) {
            (Some(Ok(place)), _) => Ok(Self { hierarchy: Hierarchy::V2(place) }),
            (None, Some(v1)) => v1::Place::find(v1, name).map(|place| Self { hierarchy: Hierarchy::V1(place) }),
            (Some(Err(missing)), _) => Err(missing),
            (None, None) => {
                let reason = "no hierarchy with the controllers `memory` and `pids` is mounted below `/sys/fs/cgroup`".to_owned();
                Err(Missing { reason })
            }
        }
    }

    /// Makes a slot's group, or finds it again and gives it these limits.
    pub fn slot(&self, index: u32, limits: &Limits) -> io::Result<Group> {
        let one_core = 1000;
        let bounds =
            Bounds { memory: Some(limits.memory), processes: Some(limits.processes), cpu: Some(one_core), ends_whole: true };
        self.group(&format!("slot-{index}"), &bounds)
    }

    /// Makes a group with this name, or finds it again, and bounds it.
    pub fn group(&self, name: &str, bounds: &Bounds) -> io::Result<Group> {
        let kind = match &self.hierarchy {
            Hierarchy::V1(place) => Kind::V1(place.group(name, bounds)?),
            Hierarchy::V2(place) => Kind::V2(place.group(name, bounds)?),
        };
        Ok(Group { kind })
    }

    /// Ends what is left in the groups, and removes them.
    pub fn remove(self) -> io::Result<()> {
        match self.hierarchy {
            Hierarchy::V1(place) => place.remove(),
            Hierarchy::V2(place) => place.remove(),
        }
    }

    /// Where the groups are.
    pub fn folder(&self) -> PathBuf {
        match &self.hierarchy {
            Hierarchy::V1(place) => place.memory().to_owned(),
            Hierarchy::V2(place) => place.folder().to_owned(),
        }
    }
}

impl fmt::Display for Cgroups {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self.hierarchy {
            Hierarchy::V1(_) => 1,
            Hierarchy::V2(_) => 2,
        };
        let folder = self.folder();
        write!(formatter, "version {version}, in `{}`", folder.parent().unwrap_or(&folder).display())
    }
}

impl Group {
    /// Puts a process (its number as the caller sees it) into the group, with all that it starts from then on.
    pub fn add(&self, pid: i32) -> io::Result<()> {
        match &self.kind {
            Kind::V1(group) => group.add(pid),
            Kind::V2(group) => group.folder().add(pid),
        }
    }

    /// How many processes of this group the kernel has ended for want of memory, ever: compare before and after.
    pub fn oom_kills(&self) -> u64 {
        match &self.kind {
            Kind::V1(group) => group.memory().value_of("memory.oom_control", "oom_kill"),
            Kind::V2(group) => group.folder().value_of("memory.events", "oom_kill"),
        }
        .unwrap_or(0)
    }

    /// The most memory in use at once since the last [`Group::reset`], where the kernel tells.
    pub fn peak(&self) -> Option<u64> {
        match &self.kind {
            Kind::V1(group) => group.memory().number("memory.max_usage_in_bytes"),
            Kind::V2(group) => group.folder().number("memory.peak"),
        }
    }

    /// The processes in the group.
    pub fn processes(&self) -> Vec<i32> {
        match &self.kind {
            Kind::V1(group) => group.memory().processes(),
            Kind::V2(group) => group.folder().processes(),
        }
    }

    /// Bounds it anew, also while processes run in it. Memory that is in use already is taken from nobody: then it is an error.
    pub fn bound(&mut self, bounds: &Bounds) -> io::Result<()> {
        match &mut self.kind {
            Kind::V1(group) => group.bound(bounds),
            Kind::V2(group) => group.bound(bounds),
        }
    }

    /// Whether processor time is bounded here: not every machine has that controller where it is needed.
    pub fn counts_cpu(&self) -> bool {
        match &self.kind {
            Kind::V1(group) => group.counts_cpu(),
            Kind::V2(group) => group.folder().has("cpu.max"),
        }
    }

    /// Removes the group if nothing lives in it any more; waits for nothing, so that it may have to be tried again.
    pub fn dismantle(&self) -> io::Result<()> {
        match &self.kind {
            Kind::V1(group) => group.dismantle(),
            Kind::V2(group) => group.folder().dismantle(),
        }
    }

    /// Makes the group ready for the next run.
    pub fn reset(&self) -> io::Result<()> {
        match &self.kind {
            Kind::V1(group) => group.memory().write("memory.max_usage_in_bytes", "0"),
            Kind::V2(group) => {
                // Kernels before 6.12 cannot forget the peak; it stays the greatest so far, and is not needed to tell how a run ended.
                let _ = group.folder().write("memory.peak", "reset");
                Ok(())
            }
        }
    }

    /// Ends every process in the group, and returns when none is left.
    pub fn kill(&self) -> io::Result<()> {
        match &self.kind {
            Kind::V1(group) => group.kill(),
            Kind::V2(group) => group.folder().kill(),
        }
    }
}

#[cfg(test)]
mod tests;
