// SPDX-License-Identifier: Apache-2.0
//! What processes use of the machine, read from `/proc`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a process and all its descendants use.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Use {
    /// Resident memory in bytes.
    pub memory: u64,
    /// Processor time as a fraction of one core, since the last look or the process's start.
    pub cpu: f64,
}

/// Looks at processes now and then, and remembers the last look, from which a share of a core is told.
#[derive(Debug, Default)]
pub struct Sampler {
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    at: Option<Instant>,
    uses: HashMap<u32, Sample>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    ticks: u64,
    shown: Use,
}

/// Two looks closer than this tell the same.
const FRESH: Duration = Duration::from_secs(1);

impl Sampler {
    /// What each of these processes uses, with its descendants. One that is gone has no entry.
    pub fn sample(&self, pids: &[u32]) -> HashMap<u32, Use> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = last.at.is_some_and(|at| at.elapsed() < FRESH);
        if !is_fresh || pids.iter().any(|pid| !last.uses.contains_key(pid)) {
            let table = ProcessTable::read();
            let now = Instant::now();
            let uses = pids.iter().filter_map(|pid| Some((*pid, table.sample(*pid, last.uses.get(pid), now)?))).collect();
            *last = Last { at: Some(now), uses };
        }
        pids.iter().filter_map(|pid| Some((*pid, last.uses.get(pid)?.shown))).collect()
    }
}

/// One reading of `/proc`.
struct ProcessTable {
    processes: HashMap<u32, Process>,
    children: HashMap<u32, Vec<u32>>,
    uptime: f64,
}

struct Process {
    ticks: u64,
    started: u64,
    pages: u64,
}

impl ProcessTable {
    fn read() -> Self {
        let mut table = Self { processes: HashMap::new(), children: HashMap::new(), uptime: uptime() };
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
            if let Some((parent, process)) = parse_stat(&stat) {
                table.children.entry(parent).or_default().push(pid);
                table.processes.insert(pid, process);
            }
        }
        table
    }

    fn sample(&self, pid: u32, last: Option<&Sample>, now: Instant) -> Option<Sample> {
        let root = self.processes.get(&pid)?;
        let (mut ticks, mut pages) = (0, 0);
        let mut pending = vec![pid];
        while let Some(next) = pending.pop() {
            let Some(process) = self.processes.get(&next) else { continue };
            ticks += process.ticks;
            pages += process.pages;
            pending.extend(self.children.get(&next).into_iter().flatten());
        }
        let rate = rustix::param::clock_ticks_per_second();
        let (spent, span) = match last {
            Some(last) => (ticks.saturating_sub(last.ticks), now.duration_since(last.at).as_secs_f64()),
            None => (ticks, self.uptime - as_float(root.started) / as_float(rate)),
        };
        let cpu = if span > 0.0 { as_float(spent) / as_float(rate) / span } else { 0.0 };
        let memory = pages * u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        Some(Sample { at: now, ticks, shown: Use { memory, cpu: (cpu * 1000.0).round() / 1000.0 } })
    }
}

#[expect(clippy::cast_precision_loss, reason = "ticks of a process are far below 2^53")]
fn as_float(ticks: u64) -> f64 {
    ticks as f64
}

fn uptime() -> f64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split_whitespace().next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default()
}

/// Parent and figures from `/proc/<pid>/stat`; the command in parentheses may hold anything, so the fields are counted after it.
fn parse_stat(stat: &str) -> Option<(u32, Process)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |field: usize| fields.get(field)?.parse::<u64>().ok();
    let parent = u32::try_from(number(1)?).ok()?;
    Some((parent, Process { ticks: number(11)? + number(12)?, started: number(19)?, pages: number(21)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a) b (c) S 7 42 42 0 -1 4194560 100 0 0 0 30 12 0 0 20 0 1 0 5000 1000000 256 18446744073709551615";
        let (parent, process) = parse_stat(stat).unwrap();
        assert_eq!((parent, process.ticks, process.started, process.pages), (7, 42, 5000, 256));
    }

    #[test]
    fn our_own_process_is_seen_and_one_that_is_gone_is_not() {
        let uses = Sampler::default().sample(&[std::process::id(), u32::MAX]);
        assert!(uses[&std::process::id()].memory > 100_000);
        assert!(!uses.contains_key(&u32::MAX));
    }
}
