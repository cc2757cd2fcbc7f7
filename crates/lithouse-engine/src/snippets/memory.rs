// SPDX-License-Identifier: Apache-2.0
//! How much memory a process takes, and whose it is, read from `/proc`.

use std::fs;

/// The memory that an interpreter has mapped for itself alone, which counts against a limit of its forks, used or not. It is the
/// process that was started, or that one's child where a shepherd stands before it.
pub(super) fn private_of_interpreter(started: u32) -> Option<u64> {
    let process = child_of(started).or_else(|| i32::try_from(started).ok())?;
    figure(&status_of(process)?, "VmData")
}

/// How much of the machine's memory a process holds beyond what it shares with files.
pub(super) fn held_by(pid: i32) -> Option<u64> {
    let status = status_of(pid)?;
    Some(figure(&status, "RssAnon")? + figure(&status, "RssShmem")?)
}

/// The user that a process is, as this server numbers users.
pub(super) fn user_of(pid: i32) -> Option<u32> {
    status_of(pid)?.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().next()?.parse().ok()
}

fn status_of(pid: i32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/status")).ok()
}

/// A figure in bytes.
fn figure(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The child of a process that has one at most.
fn child_of(parent: u32) -> Option<i32> {
    let entries = fs::read_dir("/proc").ok()?;
    entries.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // A command in brackets may hold anything, so the fields are counted from its end.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        (fields.nth(1)?.parse() == Ok(parent)).then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_by_their_whole_name() {
        let status = "Name:\tRssAnon:\nRssAnonymous:\t1 kB\nRssAnon:\t    5120 kB\nThreads:\t1\n";
        assert_eq!(figure(status, "RssAnon"), Some(5120 * 1024));
        assert_eq!(figure(status, "Threads"), None);
    }

    #[test]
    fn memory_that_is_touched_shows() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let before = held_by(pid).unwrap();
        let block = vec![1_u8; 64 << 20];
        assert!(held_by(pid).unwrap() > before + (32 << 20));
        drop(block);
    }
}
