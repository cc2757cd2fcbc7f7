// SPDX-License-Identifier: Apache-2.0
//! Groups of servers that are gone. A name tells the data folder and the server's process, so that any later server can tell.

use std::fs;
use std::path::Path;

use super::folder::Folder;

const PREFIX: &str = "lithouse-";
/// The corner that a server was moved into.
const CORNER: &str = "-server";

/// The name of the groups of this process for a data folder.
pub(super) fn own_name(name: &str) -> String {
    format!("{PREFIX}{}-{}", name.strip_prefix(PREFIX).unwrap_or(name), std::process::id())
}

/// Removes the groups in `parent` whose server is gone: those of the same data folder with all that lives in them, and others if
/// nothing does. What cannot be removed is left to the next.
pub(super) fn sweep(parent: &Path, own: &str) {
    let (data_folder, _) = own.rsplit_once('-').unwrap_or((own, ""));
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX) && *name != own) else { continue };
        let Some((of, pid)) = name.strip_suffix(CORNER).unwrap_or(name).rsplit_once('-') else { continue };
        if pid.parse::<u32>().is_err() || lives(pid) {
            continue;
        }
        let is_ours = of == data_folder && !name.ends_with(CORNER);
        if is_ours || is_empty(&entry.path()) {
            let _ = Folder::new(entry.path()).remove();
        }
    }
}

/// Whether there is such a process that has not ended: one that waits for its parent to take note of its end has.
fn lives(pid: &str) -> bool {
    let path = Path::new("/proc").join(pid);
    match fs::read_to_string(path.join("stat")) {
        Ok(stat) => stat.rsplit_once(") ").is_none_or(|(_, fields)| !fields.starts_with(['Z', 'X'])),
        Err(_) => path.exists(),
    }
}

/// Whether no process is in the group, nor in any group in it; one that cannot be looked at is not.
fn is_empty(group: &Path) -> bool {
    let has_no_process = fs::read_to_string(group.join("cgroup.procs")).is_ok_and(|processes| processes.trim().is_empty());
    let Ok(entries) = fs::read_dir(group) else { return false };
    let mut inner = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    has_no_process && inner.all(|entry| is_empty(&entry.path()))
}
