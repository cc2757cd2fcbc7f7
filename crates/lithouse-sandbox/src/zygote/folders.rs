// SPDX-License-Identifier: Apache-2.0
//! The surroundings of a zygote that shares the machine's files: a folder for each slot, and the rules that open it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::spec::Spec;
use super::surroundings::Surroundings;
use crate::failure::Failure;
use crate::landlock::{self, Rules};
use crate::level::Level;
use crate::mounts::{DEVICES, SYSTEM};
use crate::namespaces;

/// Prepares what every slot needs, once.
pub(super) fn prepare(spec: &Spec) -> Result<Surroundings, Failure> {
    let is_capable = namespaces::is_privileged() || can_change_ids();
    let has_own_uids = spec.own_uids && is_capable && namespaces::own_ids_exist(spec.slots);
    for index in 0..spec.slots {
        let folder = spec.slot_folder(index);
        let owner = has_own_uids.then(|| spec.slot_uid(index));
        make_folder(&folder, owner).map_err(|error| Failure {
            message: format!("`{}`", folder.display()),
            ..Failure::of_io("make a slot's folder", &error)
        })?;
    }
    let version = landlock::version();
    let rulesets = match (spec.level, &version) {
        (Level::Basic, Ok(version)) => {
            (0..spec.slots).map(|index| slot_ruleset(spec, *version, index)).collect::<Result<_, _>>()?
        }
        // Without it a child could read whatever the server can.
        (Level::Basic, Err(errno)) => return Err(Failure::new("use Landlock", *errno)),
        (Level::Full | Level::Standard | Level::None, _) => Vec::new(),
    };
    Ok(Surroundings { pid_namespace: None, rulesets, landlock: version.ok(), has_own_uids, is_capable })
}

/// Whether we may become somebody else, as root in a default container still may.
fn can_change_ids() -> bool {
    use rustix::thread::CapabilitySet;
    rustix::process::geteuid().is_root()
        && rustix::thread::capabilities(None).is_ok_and(|sets| {
            sets.effective.contains(CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::CHOWN | CapabilitySet::SETPCAP)
        })
}

fn make_folder(folder: &Path, owner: Option<u32>) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // What is there may only be a folder of ours: a link would lead the change of owner elsewhere.
    if !fs::symlink_metadata(folder)?.is_dir() {
        return Err(Errno::NOTDIR.into());
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    if rustix::process::geteuid().is_root() {
        chown(folder, Some(owner.unwrap_or(0)), Some(owner.unwrap_or(0)))?;
    }
    Ok(())
}

fn slot_ruleset(spec: &Spec, version: u32, index: u32) -> Result<OwnedFd, Failure> {
    let system = SYSTEM.iter().map(PathBuf::from).filter(|path| path.exists());
    let readable: Vec<PathBuf> = system.chain(spec.readable.iter().cloned()).chain([spec.cache.clone()]).collect();
    let rules = Rules { readable: &readable, writable: &[spec.slot_folder(index)], devices: &DEVICES.map(PathBuf::from) };
    landlock::ruleset(version, &rules)
}
