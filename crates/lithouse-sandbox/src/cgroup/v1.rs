// SPDX-License-Identifier: Apache-2.0
//! Groups of version 1: the same folder once in each controller's hierarchy, below our own.

use std::io;
use std::path::{Path, PathBuf};

use super::folder::Folder;
use super::leftover;
use super::place::V1;
use super::{CPU_PERIOD_MICROSECONDS, Missing};
use crate::limits::Limits;

#[derive(Debug)]
pub(super) struct Place {
    memory: Folder,
    pids: Folder,
    cpu: Option<Folder>,
}

#[derive(Debug)]
pub(super) struct Group {
    memory: Folder,
    pids: Folder,
    cpu: Option<Folder>,
    processes: u64,
}

impl Place {
    pub(super) fn find(own: &V1, name: &str) -> Result<Self, Missing> {
        let make = |parent: &PathBuf| {
            let path = parent.join(name);
            leftover::sweep(parent, name);
            Folder::new(&path).remove().and_then(|()| Folder::make(&path)).map_err(|error| Missing {
                reason: format!(
                    "could not make the cgroup `{}`: {error}; run the server as root, or with cgroup v2",
                    path.display()
                ),
            })
        };
        let place = Self { memory: make(&own.memory)?, pids: make(&own.pids)?, cpu: None };
        // Without it a run is bounded in wall time all the same.
        Ok(Self { cpu: own.cpu.as_ref().and_then(|parent| make(parent).ok()), ..place })
    }

    pub(super) fn memory(&self) -> &Path {
        self.memory.path()
    }

    pub(super) fn group(&self, name: &str, limits: &Limits) -> io::Result<Group> {
        let memory = Folder::make(self.memory.path().join(name))?;
        let bytes = limits.memory.to_string();
        // The limit with swap must never be below the one without; which to raise first depends on what was there. Kernels that do not
        // count swap have no such file, and are asked not to swap.
        let _ = memory.write(WITH_SWAP, &bytes);
        memory.write("memory.limit_in_bytes", &bytes)?;
        if memory.has(WITH_SWAP) {
            memory.write(WITH_SWAP, &bytes)?;
        }
        let _ = memory.write("memory.swappiness", "0");
        let pids = Folder::make(self.pids.path().join(name))?;
        pids.write(PIDS, &limits.processes.to_string())?;
        let cpu = self.cpu.as_ref().and_then(|cpu| bounded(Folder::make(cpu.path().join(name)).ok()?));
        Ok(Group { memory, pids, cpu, processes: limits.processes })
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        [Some(&self.memory), Some(&self.pids), self.cpu.as_ref()].into_iter().flatten().try_for_each(Folder::remove)
    }
}

const WITH_SWAP: &str = "memory.memsw.limit_in_bytes";
const PIDS: &str = "pids.max";

fn bounded(cpu: Folder) -> Option<Folder> {
    let period = CPU_PERIOD_MICROSECONDS.to_string();
    cpu.write("cpu.cfs_period_us", &period).and_then(|()| cpu.write("cpu.cfs_quota_us", &period)).ok()?;
    Some(cpu)
}

impl Group {
    pub(super) fn memory(&self) -> &Folder {
        &self.memory
    }

    pub(super) fn add(&self, pid: i32) -> io::Result<()> {
        self.memory.add(pid)?;
        self.pids.add(pid)?;
        self.cpu.as_ref().map_or(Ok(()), |cpu| cpu.add(pid))
    }

    /// There is no call that ends a whole group at once, so first nobody may be born in it.
    pub(super) fn kill(&self) -> io::Result<()> {
        self.pids.write(PIDS, "0")?;
        let killed = self.pids.kill().and_then(|()| self.memory.kill());
        self.pids.write(PIDS, &self.processes.to_string())?;
        killed
    }
}
