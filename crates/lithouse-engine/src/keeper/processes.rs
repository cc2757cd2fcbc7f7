// SPDX-License-Identifier: Apache-2.0
//! The machine's processes as `/proc` shows them at one moment, and signals that hit none but the one that was seen.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::process::{Pid, PidfdFlags, Signal};

use super::mark;

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) session: i32,
    /// Ticks since boot; with the pid it names a process for good.
    pub(super) started: u64,
    /// The instance that its environment names.
    pub(super) instance: Option<String>,
    /// The home's mark that its environment bears.
    pub(super) home: Option<String>,
    /// The tag that its limits bear, read of those only whose environment tells nothing.
    pub(super) tag: Option<u64>,
}

/// All living processes; the environment is read of those only that we may own and that are not older than `since`.
pub(super) fn snapshot(since: u64) -> Vec<Process> {
    let us = rustix::process::geteuid().as_raw();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let mut process = read(pid)?;
            // A kernel thread has no environment, and an older process cannot have been started by what we look for.
            let may_be_ours = process.started >= since && process.session != 0;
            if may_be_ours && (us == 0 || entry.metadata().is_ok_and(|metadata| metadata.uid() == us)) {
                let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                process.instance = variable(&environment, mark::INSTANCE);
                process.home = variable(&environment, mark::HOME);
                process.tag = process.instance.is_none().then(|| tag(pid)).flatten();
            }
            Some(process)
        })
        .collect()
}

/// One process without its environment; `None` when there is none, or only its remains that nobody has reaped.
pub(super) fn read(pid: i32) -> Option<Process> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// When the process began; unlike [`read`], also of one that has ended and is not reaped.
pub(super) fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

fn parse(stat: &str) -> Option<Process> {
    let (pid, _) = stat.split_once(' ')?;
    // The name stands in brackets and may hold any character, brackets included.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    Some(Process {
        pid: pid.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
        instance: None,
        home: None,
        tag: None,
    })
}

fn tag(pid: i32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let soft = limits.lines().find_map(|line| line.strip_prefix("Max msgqueue size"))?;
    soft.split_whitespace().next()?.parse().ok()
}

fn variable(environment: &[u8], name: &str) -> Option<String> {
    environment.split(|byte| *byte == 0).find_map(|line| {
        let value = line.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(String::from_utf8_lossy(value).into_owned())
    })
}

/// Ends this process at once, unless its pid is another's by now.
pub(super) fn kill(process: &Process) {
    let Some(pid) = Pid::from_raw(process.pid) else { return };
    // The descriptor stays with the process it was opened for: look again once we hold it, then nothing can come between.
    let Ok(held) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return };
    if started(process.pid) == Some(process.started) {
        // It may have ended by itself meanwhile.
        let _ = rustix::process::pidfd_send_signal(&held, Signal::KILL);
    }
}

/// The memory that a process holds at this moment, in bytes; what it shares with others counts in full.
pub(super) fn resident(pid: i32) -> Option<u64> {
    figure(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// The most memory that a process ever held at once, in bytes.
pub(super) fn peak_of(pid: i32) -> Option<u64> {
    figure(&format!("/proc/{pid}/status"), "VmHWM:")
}

/// The memory that a process holds at this moment, in bytes; of what it shares with others, its part.
pub(super) fn share_of_memory(pid: i32) -> Option<u64> {
    figure(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

fn figure(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB"))?;
    Some(kilobytes.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_a_name_made_to_confuse_is_read_right() {
        let stat = "42 (a) R 1 (b) S 7 42 41 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 1";
        let process = parse(stat).unwrap();
        assert_eq!((process.pid, process.parent, process.session, process.started), (42, 7, 41, 987_654));
        assert_eq!(parse(&stat.replace(") S ", ") Z ")), None);
    }

    #[test]
    fn the_snapshot_shows_this_process() {
        let me = i32::try_from(std::process::id()).unwrap();
        let seen = snapshot(0).into_iter().find(|process| process.pid == me).unwrap();
        assert_eq!(Some(seen.started), started(me));
    }

    #[test]
    fn the_memory_of_this_process_is_told_in_three_ways() {
        let me = i32::try_from(std::process::id()).unwrap();
        let (resident, peak, share) = (resident(me).unwrap(), peak_of(me).unwrap(), share_of_memory(me).unwrap());
        assert!(share > 100_000 && resident > 100_000 && peak >= resident / 2, "{resident} {peak} {share}");
    }

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let environment = b"XLITHOUSE_INSTANCE=1\0LITHOUSE_INSTANCE_=2\0LITHOUSE_INSTANCE=3\0";
        assert_eq!(variable(environment, mark::INSTANCE), Some("3".to_owned()));
        assert_eq!(variable(environment, mark::HOME), None);
    }
}
