// SPDX-License-Identifier: Apache-2.0
//! The data folder and the disk under it.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, StatVfsMountFlags, access, statfs, statvfs};

use super::super::output::size;
use super::Check;
use crate::config::Config;

/// One environment with the usual libraries takes about a fifth of this.
const PLENTY: u64 = 3_000_000_000;
/// Less than this does not hold even one.
const TOO_LITTLE: u64 = 300_000_000;

pub(super) fn data(config: &Config) -> Check {
    const NAME: &str = "data folder";
    let folder = &config.server.data;
    let elsewhere = "choose another with `--data DIR`";
    let Some(existing) = existing(folder) else {
        return Check::fail(NAME, format!("`{}` is no place on this machine", folder.display()), elsewhere);
    };
    if !existing.is_dir() {
        return Check::fail(NAME, format!("`{}` is not a folder", existing.display()), elsewhere);
    }
    // Such as `/proc`, where even root makes nothing, whatever the modes say.
    if statvfs(&existing).is_ok_and(|facts| facts.f_blocks == 0) {
        return Check::fail(NAME, format!("`{}` lies on a file system that keeps no files", existing.display()), elsewhere);
    }
    if let Err(error) = access(&existing, Access::WRITE_OK | Access::EXEC_OK) {
        // Of what lies above, nothing but the folder itself is to be given away.
        let command = if existing == *folder { "chown -R \"$USER\"" } else { "install -d -o \"$USER\"" };
        let fix = format!("sudo {command} '{}', or {elsewhere}", folder.display());
        return Check::fail(NAME, format!("`{}` cannot be written: {error}", existing.display()), fix);
    }
    if statvfs(&existing).is_ok_and(|facts| facts.f_flag.contains(StatVfsMountFlags::NOEXEC)) {
        let detail =
            format!("`{}` lies on a disk that runs no programs (`noexec`), and environments hold some", existing.display());
        return Check::fail(NAME, detail, elsewhere);
    }
    if let Some(network) = statfs(&existing).ok().and_then(|facts| network(facts.f_type)) {
        let detail =
            format!("`{}` lies on a disk of another machine ({network}), where a database is not safe", existing.display());
        return Check::warn(NAME, detail, elsewhere);
    }
    let state = if existing == *folder { "" } else { ", which the first start makes" };
    Check::ok(NAME, format!("`{}`{state}", folder.display()))
}

/// The kind of a file system that locks and memory cannot be trusted on, by its number.
fn network(kind: i64) -> Option<&'static str> {
    // The numbers are written with 32 bits, some of them with the sign.
    match kind & 0xffff_ffff {
        0x6969 => Some("NFS"),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => Some("SMB"),
        0x0102_1997 => Some("9P, as Windows' disks in WSL"),
        _ => None,
    }
}

pub(super) fn disk(config: &Config) -> Check {
    const NAME: &str = "disk";
    let place = existing(&config.server.data).unwrap_or_else(|| PathBuf::from("/"));
    match statvfs(&place) {
        Ok(facts) => disk_with(facts.f_bavail.saturating_mul(facts.f_frsize), &place),
        Err(error) => {
            let fix = format!("see what `df {}` says", place.display());
            Check::warn(NAME, format!("the room at `{}` is not known: {error}", place.display()), fix)
        }
    }
}

fn disk_with(free: u64, place: &Path) -> Check {
    const NAME: &str = "disk";
    let detail = format!("{} free at `{}`", size(free), place.display());
    let fix = "remove what is not needed, or choose another disk with `--data DIR`";
    if free < TOO_LITTLE {
        Check::fail(NAME, format!("{detail}; one environment needs more"), fix)
    } else if free < PLENTY {
        Check::warn(NAME, format!("{detail}; environments take several hundred MB each"), fix)
    } else {
        Check::ok(NAME, detail)
    }
}

/// The folder, else the nearest one above it that is there.
fn existing(folder: &Path) -> Option<PathBuf> {
    let above = folder.ancestors().map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    above.into_iter().find(|above| above.symlink_metadata().is_ok()).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn disks_of_other_machines_are_known_by_their_numbers() {
        let kinds = [(0x6969, true), (0xff53_4d42, true), (-11_317_950, true), (0x0102_1997, true), (0xef53, false)];
        for (kind, is_network) in kinds {
            assert_eq!(network(kind).is_some(), is_network, "{kind:x}");
        }
    }

    #[test]
    fn room_is_judged_by_what_environments_take() {
        for (free, status) in [(0, Status::Fail), (1_000_000_000, Status::Warn), (50_000_000_000, Status::Ok)] {
            assert_eq!(disk_with(free, Path::new("/")).status, status, "{free}");
        }
    }

    #[test]
    fn the_nearest_folder_that_is_there_is_found() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(&folder.path().join("a/b")), Some(folder.path().to_owned()));
        assert_eq!(existing(Path::new("absent-here/b")), Some(PathBuf::from(".")));
    }
}
