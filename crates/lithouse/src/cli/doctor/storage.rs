// SPDX-License-Identifier: Apache-2.0
//! The data folder and the disk under it.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};

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
    if let Err(error) = access(&existing, Access::WRITE_OK | Access::EXEC_OK) {
        let fix = format!("sudo chown -R \"$USER\" {}, or {elsewhere}", existing.display());
        return Check::fail(NAME, format!("`{}` cannot be written: {error}", existing.display()), fix);
    }
    if statvfs(&existing).is_ok_and(|facts| facts.f_flag.contains(StatVfsMountFlags::NOEXEC)) {
        let detail =
            format!("`{}` lies on a disk that runs no programs (`noexec`), and environments hold some", existing.display());
        return Check::fail(NAME, detail, elsewhere);
    }
    let state = if existing == *folder { "" } else { ", which the first start makes" };
    Check::ok(NAME, format!("`{}`{state}", folder.display()))
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
