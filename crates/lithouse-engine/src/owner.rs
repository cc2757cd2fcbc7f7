// SPDX-License-Identifier: Apache-2.0
//! Which user an app of a person's folder runs as: its owner, where we are root. And whether that user can reach what it takes.

mod changeable;

use std::ffi::CString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lithouse_sandbox::entry::RunAs;
use nix::unistd::{Gid, Uid, User, getgrouplist};

use self::changeable::{By, find};

/// Why an app of a folder cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnerError {
    /// We have one user's rights only.
    #[error("it belongs to another user, and an app would run with the rights of this server")]
    Foreign,
    /// The app would run as root, and somebody else could change it.
    #[error("the folder is root's, but `{}` in it belongs to another user, and the app would run as root", .0.display())]
    Mixed(PathBuf),
    /// The app would have our rights, and somebody else may change it.
    #[error(
        "others may write to `{path}`, and the app would run {rights}; `chmod {mode} {path}` ends that",
        path = path.display(),
        rights = if *as_root { "as root" } else { "with the rights of this server" },
        mode = if *as_root { "go-w" } else { "o-w" }
    )]
    Open {
        /// What they may change.
        path: PathBuf,
        /// Whether our rights are root's.
        as_root: bool,
    },
    /// The user is not known, or the database of users does not answer.
    #[error("the groups of the user {uid}, who owns the folder, could not be found: {source}")]
    Unknown {
        /// The user.
        uid: u32,
        /// What the system said.
        source: io::Error,
    },
    /// The owner cannot get at something.
    #[error("the app runs as its folder's owner (uid {uid}), who cannot reach `{}`: `{}` is closed to that user{}", path.display(), closed.display(), way_out(path))]
    OutOfReach {
        /// The user.
        uid: u32,
        /// What the app needs.
        path: PathBuf,
        /// Where the way to it ends.
        closed: PathBuf,
    },
    /// It is not there, or we cannot look at it.
    #[error("could not look at `{}`: {source}", path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The user that an app of this folder runs as; none for our own. It blocks.
pub(crate) fn of_folder(folder: &Path) -> Result<Option<RunAs>, OwnerError> {
    let us = rustix::process::geteuid().as_raw();
    let facts = std::fs::metadata(folder).map_err(|source| OwnerError::Unreadable { path: folder.to_owned(), source })?;
    let owner = facts.uid();
    if us == 0 && owner != 0 {
        return of_user(owner).map(Some);
    }
    // An app has our rights, so that whoever could change the app would have them too. What root owns only root can change.
    let is_safe = |uid: u32| uid == us || uid == 0;
    if !is_safe(owner) {
        return Err(OwnerError::Foreign);
    }
    match find(folder, us) {
        None => Ok(None),
        Some((By::Owner, path)) if us == 0 => Err(OwnerError::Mixed(path)),
        Some((By::Owner, _)) => Err(OwnerError::Foreign),
        Some((By::Mode, path)) => Err(OwnerError::Open { path, as_root: us == 0 }),
    }
}

/// A user with the groups that the system's database gives; one that it does not know has a group of its own number.
fn of_user(uid: u32) -> Result<RunAs, OwnerError> {
    let unknown = |errno: nix::Error| OwnerError::Unknown { uid, source: errno.into() };
    let Some(user) = User::from_uid(Uid::from_raw(uid)).map_err(unknown)? else {
        return Ok(RunAs { uid, gid: uid, groups: Vec::new() });
    };
    let name = CString::new(user.name).map_err(|error| OwnerError::Unknown { uid, source: error.into() })?;
    let groups = getgrouplist(&name, user.gid).map_err(unknown)?;
    Ok(RunAs { uid, gid: user.gid.as_raw(), groups: groups.into_iter().map(Gid::as_raw).collect() })
}

/// What else to do than to open the way: an interpreter can be another one.
fn way_out(path: &Path) -> &'static str {
    if path.ends_with("bin/python") {
        "; serve with `--python /usr/bin/python3`, or give the app a `venv` that its owner made"
    } else {
        ""
    }
}

/// Fails unless a user can get at a file or folder and read it; a program must be one that the user may run.
pub(crate) fn can_reach(user: &RunAs, path: &Path) -> Result<(), OwnerError> {
    let unreadable = |source| OwnerError::Unreadable { path: path.to_owned(), source };
    // Each link is followed where it lies: both the way to it and the way that it points are gone.
    for way in [path.parent().map(Path::to_owned), Some(path.canonicalize().map_err(unreadable)?)].into_iter().flatten() {
        let whole = way.canonicalize().map_err(unreadable)?;
        let mut folders: Vec<&Path> = whole.ancestors().collect();
        folders.reverse();
        for step in folders {
            let facts = std::fs::metadata(step).map_err(unreadable)?;
            let wanted = if facts.is_dir() { EXECUTE } else { READ };
            if !may(user, &facts, wanted) {
                return Err(OwnerError::OutOfReach { uid: user.uid, path: path.to_owned(), closed: step.to_owned() });
            }
        }
    }
    Ok(())
}

const READ: u32 = 4;
const EXECUTE: u32 = 1;

fn may(user: &RunAs, facts: &std::fs::Metadata, wanted: u32) -> bool {
    let shift = if facts.uid() == user.uid {
        6
    } else if facts.gid() == user.gid || user.groups.contains(&facts.gid()) {
        3
    } else {
        0
    };
    (facts.mode() >> shift) & wanted == wanted
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_groups_of_a_user_are_the_systems_and_a_stranger_has_its_own_number_only() {
        let root = of_user(0).unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(of_user(3_999_999).unwrap(), RunAs { uid: 3_999_999, gid: 3_999_999, groups: Vec::new() });
    }

    #[test]
    fn what_a_user_cannot_reach_is_named_with_the_folder_that_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let open = |mode| std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(mode)).unwrap();
        let file = folder.path().canonicalize().unwrap().join("file");
        std::fs::write(&file, "x").unwrap();
        let user = RunAs { uid: 3_999_999, gid: 3_999_999, groups: Vec::new() };
        open(0o711);
        can_reach(&user, &file).unwrap();
        open(0o700);
        let why = can_reach(&user, &file).unwrap_err().to_string();
        assert!(why.ends_with(&format!("`{}` is closed to that user", file.parent().unwrap().display())), "{why}");
        open(0o711);
        let python = folder.path().join("venv/bin/python");
        std::fs::create_dir_all(python.parent().unwrap()).unwrap();
        std::fs::write(&python, "x").unwrap();
        open(0o700);
        let why = can_reach(&user, &python).unwrap_err().to_string();
        assert!(why.contains("is closed to that user; serve with `--python /usr/bin/python3`"), "{why}");
    }
}
