// SPDX-License-Identifier: Apache-2.0
//! Resource limits of a child: what a cgroup does not count, and what stands in for one where there is none.

use serde::{Deserialize, Serialize};

use crate::level::Level;
use crate::plan::{Arg, Bound, Step};

const MIB: u64 = 1024 * 1024;

/// How much one run may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of memory, held by the cgroup where there is one.
    pub memory: u64,
    /// Bytes of the private file system: working folder, temporary files and shared memory together.
    pub disk: u64,
    /// Files and folders in it.
    pub inodes: u64,
    /// Processes and threads together.
    pub processes: u64,
    /// Descriptors open at once.
    pub open_files: u64,
    /// Seconds of processor time, a backstop far above the wall time that a run gets. The zygote has as much for itself.
    pub cpu_seconds: u64,
    /// Bytes of addresses where no cgroup counts page tables: far more than libraries reserve, and little enough that the tables for
    /// it do no harm.
    pub addresses: Option<u64>,
}

impl Limits {
    /// The usual limits of a level, around the one that the operator sets.
    pub fn new(memory: u64, level: Level) -> Self {
        // What is in a pipe belongs to no process, so without a cgroup there can only be few of them.
        let (open_files, addresses) = if level == Level::Full { (256, None) } else { (64, Some(16 * 1024 * MIB)) };
        Self { memory, disk: 64 * MIB, inodes: 4096, processes: 64, open_files, cpu_seconds: 600, addresses }
    }

    /// The limit of processor time, which the zygote sets for itself once it is warm: each process counts its own time, and to be
    /// born with the limit costs nothing, while setting it makes the kernel start a timer, which took up to 3 ms.
    pub(crate) fn seal(&self) -> Step {
        // At the soft limit comes a signal that can be caught, at the hard one the end.
        let (soft, hard) = (Bound::Value(self.cpu_seconds), Bound::Value(self.cpu_seconds + 1));
        step("limit processor time", libc::RLIMIT_CPU, soft, hard)
    }

    /// The calls that set all others, in each child.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let same = |value: u64| (Bound::Value(value), Bound::Value(value));
        let limits = [
            ("limit core dumps", libc::RLIMIT_CORE, same(0)),
            ("limit processes", libc::RLIMIT_NPROC, same(self.processes)),
            ("limit open files", libc::RLIMIT_NOFILE, same(self.open_files)),
            ("limit file size", libc::RLIMIT_FSIZE, same(self.disk)),
            ("limit private memory", libc::RLIMIT_DATA, (Bound::DataLimit, Bound::DataLimit)),
            ("limit addresses", libc::RLIMIT_AS, same(self.addresses.unwrap_or(u64::MAX))),
            ("limit the stack", libc::RLIMIT_STACK, same(8 * MIB)),
            ("limit locked memory", libc::RLIMIT_MEMLOCK, same(0)),
            ("limit message queues", libc::RLIMIT_MSGQUEUE, same(0)),
            // Signals waiting to be taken, and timers, live in the kernel's memory.
            ("limit pending signals", libc::RLIMIT_SIGPENDING, same(256)),
            ("limit file locks", libc::RLIMIT_LOCKS, same(64)),
            ("limit real-time priority", libc::RLIMIT_RTPRIO, same(0)),
            ("limit priority", libc::RLIMIT_NICE, same(0)),
        ];
        limits.into_iter().map(|(name, resource, (soft, hard))| step(name, resource, soft, hard)).collect()
    }
}

fn step(name: &'static str, resource: libc::__rlimit_resource_t, soft: Bound, hard: Bound) -> Step {
    let args = vec![Arg::Int(0), Arg::int(resource), Arg::Limit { soft, hard }, Arg::NULL];
    Step::new(name, libc::SYS_prlimit64, args)
}
