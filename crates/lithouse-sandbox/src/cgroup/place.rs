// SPDX-License-Identifier: Apache-2.0
//! Where this process is in the kernel's hierarchies: read from its own tables, never guessed.

use std::fs;
use std::path::{Path, PathBuf};

use super::Missing;
use super::folder::Folder;
use crate::mounts;

/// What is mounted, and where in it we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// The hierarchies of version 1, where memory and pids have theirs.
    pub(super) v1: Option<V1>,
    /// The hierarchy of version 2.
    pub(super) unified: Option<Unified>,
}

/// Our own folder in each controller's hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct V1 {
    pub(super) memory: PathBuf,
    pub(super) pids: PathBuf,
    pub(super) cpu: Option<PathBuf>,
}

/// Where the hierarchy begins, as far as we see it, and our own folder in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unified {
    pub(super) top: PathBuf,
    pub(super) own: PathBuf,
}

impl Facts {
    pub(super) fn read() -> Result<Self, Missing> {
        let read = |path: &str| {
            fs::read_to_string(path).map_err(|error| Missing { reason: format!("could not read `{path}`: {error}") })
        };
        Ok(Self::of(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?))
    }

    pub(super) fn of(membership: &str, mounts: &str) -> Self {
        let v1 = |controller: &str| {
            let path = membership.lines().find_map(|line| {
                let mut fields = line.splitn(3, ':').skip(1);
                let is_it = fields.next()?.split(',').any(|name| name == controller);
                if is_it { fields.next() } else { None }
            })?;
            let is_its_mount = |kind: &str, options: &str| kind == "cgroup" && options.split(',').any(|name| name == controller);
            mounted(mounts, is_its_mount).map(|mount| mount.folder_of(path))
        };
        let unified = || {
            let path = membership.lines().find_map(|line| line.strip_prefix("0::"))?;
            let mount = mounted(mounts, |kind, _| kind == "cgroup2")?;
            Some(Unified { own: mount.folder_of(path), top: mount.point })
        };
        let all_of_v1 = || Some(V1 { memory: v1("memory")?, pids: v1("pids")?, cpu: v1("cpu") });
        Self { v1: all_of_v1(), unified: unified() }
    }
}

impl Unified {
    /// Whether it is used for more than keeping processes apart.
    pub(super) fn has_controllers(&self) -> bool {
        Folder::new(&self.top).lists("cgroup.controllers", &super::v2::NEEDED)
    }
}

struct Mount {
    /// The part of the hierarchy that is shown.
    root: PathBuf,
    point: PathBuf,
}

impl Mount {
    fn folder_of(&self, path: &str) -> PathBuf {
        // What is told from outside of what is shown can only be ourselves at the top of it.
        let within = Path::new(path).strip_prefix(&self.root).unwrap_or(Path::new(""));
        if within.as_os_str().is_empty() { self.point.clone() } else { self.point.join(within) }
    }
}

fn mounted(table: &str, is_it: impl Fn(&str, &str) -> bool) -> Option<Mount> {
    table.lines().find_map(|line| {
        let (place, file_system) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let mut file_system = file_system.split(' ');
        let mount = Mount { root: mounts::unescaped(place.next()?), point: mounts::unescaped(place.next()?) };
        let kind = file_system.next()?;
        is_it(kind, file_system.nth(1)?).then_some(mount)
    })
}
