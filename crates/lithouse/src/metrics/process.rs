// SPDX-License-Identifier: Apache-2.0
//! What the server's own process uses, under the names that all programs have for it.

use rustix::process::{Resource, getrlimit};

use super::declare;
use super::text::Page;

/// Adds what can be found out.
pub(super) fn collect(page: &mut Page) {
    let Some(stat) = Stat::read() else { return };
    let rate = as_float(rustix::param::clock_ticks_per_second());
    page.one(&declare::PROCESS_CPU, as_float(stat.ticks) / rate);
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        // One of them is the list itself.
        page.one(&declare::PROCESS_OPEN_FDS, as_float(entries.count().saturating_sub(1) as u64));
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        page.one(&declare::PROCESS_MAX_FDS, as_float(most));
    }
    page.one(&declare::PROCESS_RESIDENT, as_float(stat.pages * rustix::param::page_size() as u64));
    page.one(&declare::PROCESS_VIRTUAL, as_float(stat.virtual_bytes));
    page.one(&declare::PROCESS_THREADS, as_float(stat.threads));
    if let Some(booted) = booted_at() {
        page.one(&declare::PROCESS_START, booted + as_float(stat.started) / rate);
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    ticks: u64,
    threads: u64,
    /// In ticks since the machine was started.
    started: u64,
    virtual_bytes: u64,
    pages: u64,
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// The program's name in parentheses may hold anything, so the fields are counted after it.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |field: usize| fields.get(field)?.parse::<u64>().ok();
        Some(Self {
            ticks: number(11)? + number(12)?,
            threads: number(17)?,
            started: number(19)?,
            virtual_bytes: number(20)?,
            pages: number(21)?,
        })
    }
}

/// In seconds since 1970-01-01 UTC.
fn booted_at() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "sizes and times of a process are far below 2^53")]
fn as_float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a) b (c) S 7 42 42 0 -1 4194560 100 0 0 0 30 12 0 0 20 0 3 0 5000 1000000 256 1844";
        let read = Stat { ticks: 42, threads: 3, started: 5000, virtual_bytes: 1_000_000, pages: 256 };
        assert_eq!(Stat::parse(stat), Some(read));
    }
}
