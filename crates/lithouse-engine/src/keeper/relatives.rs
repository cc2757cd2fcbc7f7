// SPDX-License-Identifier: Apache-2.0
//! For the server: which processes are an instance's at this moment.

use lithouse_core::id::InstanceId;

use super::belonging::{Family, members};
use super::processes;

/// Nobody's pid: who was orphaned to whom is the keeper's to judge.
const NOBODY: i32 = -1;

/// The processes of an instance whose first one has this pid. It reads `/proc`, and blocks meanwhile.
///
/// The tag in a process's limits does not count here: any user can read and bear it, which is good enough to be ended for, but not
/// to be trusted.
pub(crate) fn processes_of(instance: &InstanceId, pid: u32) -> Vec<i32> {
    // A pid is a positive `i32`.
    let Ok(pid) = i32::try_from(pid) else { return Vec::new() };
    let Some(started) = processes::started(pid) else { return Vec::new() };
    let mut snapshot = processes::snapshot(started);
    for process in &mut snapshot {
        process.tag = None;
    }
    let family = Family { instance: instance.as_str().to_owned(), pid, started };
    let relatives = members(&family, &[], NOBODY, &snapshot).into_iter().map(|process| process.pid);
    relatives.chain([pid]).collect()
}
