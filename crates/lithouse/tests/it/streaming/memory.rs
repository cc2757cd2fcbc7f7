// SPDX-License-Identifier: Apache-2.0
//! How much memory the server took meanwhile.
//!
//! The peak is the kernel's own (`VmHWM`), begun anew before: samples would miss what is between two of them. It counts the pages
//! of mapped files as well, which are the program itself as far as it was run, and which the kernel takes back when it likes; their
//! growth is taken off. The cache of files that are read and written belongs to no process.

use std::fs;

use crate::server::Server;

/// Far less than what passes, and room for buffers, threads and the allocator's habits.
const FEW: u64 = 16 << 20;

/// Fails where the server needed more than a few megabytes for it.
#[track_caller]
pub(super) fn assert_needs_few<T>(what: &str, server: &Server, act: impl FnOnce() -> T) -> T {
    // 5 is to begin the peak anew. A kernel that lacks it tells the peak since the start, which is only more.
    let _ = fs::write(format!("/proc/{}/clear_refs", server.pid()), "5");
    let before = Memory::of(server);
    let result = act();
    let after = Memory::of(server);
    let taken = after.peak.saturating_sub(before.resident).saturating_sub(after.files.saturating_sub(before.files));
    assert!(taken < FEW, "{what}: {taken} bytes more in memory: {before:?}, then {after:?}");
    result
}

#[derive(Debug)]
struct Memory {
    resident: u64,
    files: u64,
    peak: u64,
}

impl Memory {
    fn of(server: &Server) -> Self {
        let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {status}"));
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
        };
        Self { resident: bytes("VmRSS:"), files: bytes("RssFile:"), peak: bytes("VmHWM:") }
    }
}
