// SPDX-License-Identifier: Apache-2.0
//! Tells a SIGKILL of the kernel's, because memory ran out, from anybody else's.
//!
//! The kernel leaves no mark on the process. It counts such kills, for the machine and for each memory cgroup; a count that has
//! grown since the process was last seen alive is the evidence. A cgroup counts those of its own processes, whatever memory it was
//! that ran out; the machine counts everybody's, and is asked where no cgroup says anything.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

/// The counts at one moment while the process was alive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    machine: Option<u64>,
    cgroup: Option<(PathBuf, u64)>,
}

/// Watches one process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MemoryWatch {
    /// The count rises a moment before the process is gone, and may have done so just before the last look: hence two of them.
    before_last: Counts,
    last: Counts,
}

impl MemoryWatch {
    pub(super) fn new(pid: Pid) -> Self {
        let counts = Counts::of(pid, machine_count());
        Self { before_last: counts.clone(), last: counts }
    }

    /// To be called now and then while the process is alive, so that kills of long ago are not taken for its own.
    /// The machine's count is the same for all and is read by the caller.
    pub(super) fn seen_alive(&mut self, pid: Pid, machine: Option<u64>) {
        self.before_last = std::mem::replace(&mut self.last, Counts::of(pid, machine));
    }

    /// The kills that the machine has counted by now were of others.
    pub(super) fn disregard(&mut self, machine: Option<u64>) {
        self.before_last.machine = machine;
        self.last.machine = machine;
    }

    /// Whether the kernel has killed for memory since the process was last surely well.
    pub(super) fn has_run_out(&self) -> bool {
        grew(&self.before_last, &self.before_last.read_again())
    }
}

impl Counts {
    fn of(pid: Pid, machine: Option<u64>) -> Self {
        let cgroups = fs::read_to_string(format!("/proc/{}/cgroup", pid.as_raw_nonzero())).unwrap_or_default();
        let cgroup = counters(&cgroups).into_iter().find_map(|path| Some((read(&path)?, path)));
        Self { machine, cgroup: cgroup.map(|(count, path)| (path, count)) }
    }

    /// The same counters now; the process itself may be gone, and with it the way to its cgroup.
    fn read_again(&self) -> Self {
        let cgroup = self.cgroup.as_ref().and_then(|(path, _)| Some((path.clone(), read(path)?)));
        Self { machine: machine_count(), cgroup }
    }
}

/// How often the kernel has killed for memory on this machine since it booted.
pub(super) fn machine_count() -> Option<u64> {
    read(Path::new("/proc/vmstat"))
}

fn grew(before: &Counts, now: &Counts) -> bool {
    match before.cgroup.as_ref().zip(now.cgroup.as_ref()) {
        Some((before, now)) => now.1 > before.1,
        None => before.machine.zip(now.machine).is_some_and(|(before, now)| now > before),
    }
}

fn read(counter: &Path) -> Option<u64> {
    count(&fs::read_to_string(counter).ok()?)
}

/// Where the kills of the process's memory cgroup may be counted, the most exact first.
fn counters(cgroups: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for line in cgroups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let path = path.trim_start_matches('/');
        if controllers.split(',').any(|controller| controller == "memory") {
            paths.push(Path::new("/sys/fs/cgroup/memory").join(path).join("memory.oom_control"));
        } else if controllers.is_empty() {
            paths.push(Path::new("/sys/fs/cgroup").join(path).join("memory.events"));
            paths.push(Path::new("/sys/fs/cgroup/unified").join(path).join("memory.events"));
        }
    }
    paths
}

fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_found_in_all_three_places_of_the_kernel() {
        assert_eq!(count("nr_free_pages 5\noom_kill 3\nother 1\n"), Some(3));
        assert_eq!(count("low 0\nhigh 0\nmax 0\noom 1\noom_kill 2\noom_group_kill 0\n"), Some(2));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"), Some(4));
        assert_eq!(count("oom_kill_disable 0\n"), None);
    }

    #[test]
    fn the_cgroup_of_either_version_is_looked_up() {
        let found = counters("4:memory:/a/b\n3:cpu,cpuacct:/x\n0::/c\n");
        assert_eq!(found[0], Path::new("/sys/fs/cgroup/memory/a/b/memory.oom_control"));
        assert!(found.contains(&PathBuf::from("/sys/fs/cgroup/c/memory.events")));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn only_a_count_that_grew_is_evidence() {
        let counts = |machine| Counts { machine, cgroup: None };
        assert!(grew(&counts(Some(1)), &counts(Some(2))));
        assert!(!grew(&counts(Some(2)), &counts(Some(2))));
        assert!(!grew(&counts(None), &counts(Some(2))));
    }

    #[test]
    fn a_kill_of_somebody_in_another_cgroup_is_no_evidence() {
        let counts = |machine, cgroup| Counts { machine: Some(machine), cgroup: Some((PathBuf::from("memory.events"), cgroup)) };
        assert!(!grew(&counts(1, 3), &counts(2, 3)));
        assert!(grew(&counts(1, 3), &counts(2, 4)));
        assert!(grew(&counts(1, 3), &Counts { cgroup: None, ..counts(2, 0) }), "whoever says nothing says nothing");
    }
}
