// SPDX-License-Identifier: Apache-2.0
//! Groups of version 1: the same folder once in each controller's hierarchy, below our own.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder::Folder;
use super::leftover;
use super::place::V1;
use super::{Bounds, CPU_PERIOD_MICROSECONDS, Missing};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Place {
    memory: Folder,
    pids: Folder,
    cpu: Option<Folder>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Group {
    memory: Folder,
    pids: Folder,
    cpu: Option<Folder>,
    /// How many processes it may have, as the kernel reads it.
    processes: String,
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

    pub(super) fn group(&self, name: &str, bounds: &Bounds) -> io::Result<Group> {
        // While no app ran, a service manager may have cleared away what was empty.
        let make = |place: &Folder| Folder::make(place.path()).and_then(|place| Folder::make(place.path().join(name)));
        let (memory, pids) = (make(&self.memory)?, make(&self.pids)?);
        let cpu = self.cpu.as_ref().and_then(|cpu| make(cpu).ok());
        let mut group = Group { memory, pids, cpu, processes: UNLIMITED_PROCESSES.to_owned() };
        group.bound(bounds)?;
        Ok(group)
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        [Some(&self.memory), Some(&self.pids), self.cpu.as_ref()].into_iter().flatten().try_for_each(Folder::remove)
    }
}

const WITH_SWAP: &str = "memory.memsw.limit_in_bytes";
const PIDS: &str = "pids.max";

const UNLIMITED_PROCESSES: &str = "max";
const UNLIMITED: &str = "-1";

impl Group {
    pub(super) fn memory(&self) -> &Folder {
        &self.memory
    }

    pub(super) fn bound(&mut self, bounds: &Bounds) -> io::Result<()> {
        let bytes = bounds.memory.map_or_else(|| UNLIMITED.to_owned(), |bytes| bytes.to_string());
        // The limit with swap must never be below the one without; which to raise first depends on what was there. Kernels that do not
        // count swap have no such file, and are asked not to swap.
        let _ = self.memory.write(WITH_SWAP, &bytes);
        self.memory.write("memory.limit_in_bytes", &bytes)?;
        if self.memory.has(WITH_SWAP) {
            self.memory.write(WITH_SWAP, &bytes)?;
        }
        if bounds.memory.is_some() {
            let _ = self.memory.write("memory.swappiness", "0");
        }
        self.processes = bounds.processes.map_or_else(|| UNLIMITED_PROCESSES.to_owned(), |most| most.to_string());
        self.pids.write(PIDS, &self.processes)?;
        self.cpu = self.cpu.take().filter(|cpu| bound_cpu(cpu, bounds.cpu).is_ok());
        Ok(())
    }

    pub(super) fn counts_cpu(&self) -> bool {
        self.cpu.is_some()
    }

    pub(super) fn dismantle(&self) -> io::Result<()> {
        [Some(&self.memory), Some(&self.pids), self.cpu.as_ref()].into_iter().flatten().try_for_each(Folder::dismantle)
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
        self.pids.write(PIDS, &self.processes)?;
        killed
    }
}

fn bound_cpu(cpu: &Folder, thousandths: Option<u32>) -> io::Result<()> {
    let quota = thousandths.map_or_else(|| UNLIMITED.to_owned(), |share| super::quota(share).to_string());
    cpu.write("cpu.cfs_period_us", &CPU_PERIOD_MICROSECONDS.to_string())?;
    cpu.write("cpu.cfs_quota_us", &quota)
}
