// SPDX-License-Identifier: Apache-2.0
//! Groups of version 2: one hierarchy, in which a group has processes or groups with controllers, and not both.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Signal, WaitOptions};
use serde::{Deserialize, Serialize};

use super::folder::Folder;
use super::leftover;
use super::place::Unified;
use super::{Bounds, CPU_PERIOD_MICROSECONDS, Missing};
use crate::namespaces;

pub(super) const NEEDED: [&str; 2] = ["memory", "pids"];
const CONTROLLERS: &str = "cgroup.controllers";
const SUBTREE: &str = "cgroup.subtree_control";

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Group(Folder);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Place {
    folder: Folder,
    /// The group whose controllers we switched on, and may switch off again.
    enabled: Option<Folder>,
}

impl Place {
    /// The nearest group above us, our own first, in which we may make groups with these controllers and move processes to them.
    pub(super) fn find(unified: &Unified, name: &str, needed: &[&str]) -> Result<Self, Missing> {
        let mut tried = Vec::new();
        for (candidate, crowd) in candidates(unified) {
            let reason = match Self::make_in(&Folder::new(&candidate), crowd, name, needed) {
                Ok(place) => return Ok(place),
                Err(reason) => format!("`{}`: {reason}", candidate.display()),
            };
            // Of a group that is tried twice, the second failure is the one to mend.
            tried.retain(|(path, _)| *path != candidate);
            tried.push((candidate, reason));
        }
        let tried: Vec<String> = tried.into_iter().map(|(_, reason)| reason).collect();
        let reason = format!(
            "no cgroup here lets us bound memory and processes ({}); run the server as root, or as a systemd service with `Delegate=yes` \
             and, unless systemd is older than 254, `DelegateSubgroup=server`",
            tried.join("; ")
        );
        Err(Missing { reason })
    }

    fn make_in(parent: &Folder, crowd: Crowd, name: &str, needed: &[&str]) -> Result<Self, String> {
        leftover::sweep(parent.path(), name);
        let enabled = enable(parent, crowd, name, needed)?;
        let folder = Folder::new(parent.path().join(name));
        let place = Self { folder, enabled };
        match place.furnish(needed) {
            Ok(()) => Ok(place),
            Err(error) => {
                let _ = place.remove();
                Err(format!("a process could not be moved to a new group in it: {error}"))
            }
        }
    }

    /// Makes the folder anew, and sees whether a process can be moved to a group in it.
    fn furnish(&self, needed: &[&str]) -> io::Result<()> {
        self.folder.remove()?;
        self.make(needed)?;
        let attempt = Folder::make(self.folder.path().join("attempt"))?;
        let moved = with_a_child(|pid| attempt.add(pid));
        attempt.remove()?;
        moved
    }

    fn make(&self, needed: &[&str]) -> io::Result<()> {
        Folder::make(self.folder.path())?;
        for controller in needed {
            self.folder.write(SUBTREE, &format!("+{controller}"))?;
        }
        // A bound of the processor time is good to have.
        let _ = self.folder.write(SUBTREE, "+cpu");
        Ok(())
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn group(&self, name: &str, bounds: &Bounds) -> io::Result<Group> {
        // While no app ran, a service manager may have cleared away what was empty.
        if !self.folder.lists(SUBTREE, &NEEDED) {
            self.make(&NEEDED)?;
        }
        let group = Group(Folder::make(self.folder.path().join(name))?);
        group.bound(bounds)?;
        Ok(group)
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        self.folder.remove()?;
        if let Some(enabled) = &self.enabled {
            // A service manager starts the next server in this group, which it cannot while the group hands out controllers.
            for controller in NEEDED.iter().chain(&["cpu"]) {
                let _ = enabled.write(SUBTREE, &format!("-{controller}"));
            }
        }
        Ok(())
    }
}

impl Group {
    pub(super) fn folder(&self) -> &Folder {
        &self.0
    }

    pub(super) fn bound(&self, bounds: &Bounds) -> io::Result<()> {
        let written = |most: Option<u64>| most.map_or_else(|| "max".to_owned(), |most| most.to_string());
        self.0.write("memory.max", &written(bounds.memory))?;
        // Kernels without swap do not have the file.
        if self.0.has("memory.swap.max") {
            self.0.write("memory.swap.max", if bounds.memory.is_some() { "0" } else { "max" })?;
        }
        self.0.write("memory.oom.group", if bounds.ends_whole { "1" } else { "0" })?;
        self.0.write("pids.max", &written(bounds.processes))?;
        let quota = written(bounds.cpu.map(super::quota));
        let _ = self.0.write("cpu.max", &format!("{quota} {CPU_PERIOD_MICROSECONDS}"));
        Ok(())
    }
}

/// What is done with processes in a group that is to hand out controllers, which it cannot while they are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crowd {
    /// They stay, and the group is as it is.
    Stays,
    /// They are moved into a corner of it.
    Moves,
}

/// Where to try, in this order. Nobody has to move in a group above us that was given to us as a whole, or where groups are made
/// already; in our own group we do.
///
/// Except in the group of a service, or in the one within it that its manager made: the next server is started in it, which cannot
/// be while it hands out controllers, as it would for as long as the keeper and its apps outlive a server that was killed.
pub(super) fn candidates(unified: &Unified) -> Vec<(PathBuf, Crowd)> {
    let own = &unified.own;
    let up = own.ancestors().take_while(|path| path.starts_with(&unified.top));
    let mut candidates: Vec<_> = up.map(|path| (path.to_owned(), Crowd::Stays)).collect();
    let unit = own.strip_prefix(&unified.top).unwrap_or(own).ancestors().find_map(unit_kind);
    let is_services = unit == Some("service");
    if !is_services {
        candidates.push((own.clone(), Crowd::Moves));
    }
    candidates
}

/// What the name of a service manager's group says that it is.
fn unit_kind(group: &Path) -> Option<&str> {
    group.extension()?.to_str().filter(|kind| ["service", "scope", "slice"].contains(kind))
}

/// Sees to it that groups in `parent` have the controllers. Answers with the parent when it is we who switched them on.
fn enable(parent: &Folder, crowd: Crowd, name: &str, needed: &[&str]) -> Result<Option<Folder>, String> {
    if parent.lists(SUBTREE, needed) {
        return Ok(None);
    }
    if !parent.lists(CONTROLLERS, needed) {
        return Err("it was not given the controllers".to_owned());
    }
    let processes = parent.processes();
    if !is_delegated(parent.path()) {
        return Err("it hands out no controllers, and was not delegated to us".to_owned());
    }
    if crowd == Crowd::Stays && !processes.is_empty() {
        return Err("it has processes, and so hands out no controllers".to_owned());
    }
    if let Some(stranger) = processes.iter().find(|pid| !is_ours(**pid)) {
        return Err(format!("process {stranger} in it is not ours to move"));
    }
    if !processes.is_empty() {
        let corner = Folder::make(parent.path().join(format!("{name}-server"))).map_err(|error| error.to_string())?;
        for pid in processes {
            corner.add(pid).map_err(|error| format!("process {pid} could not be moved out of the way: {error}"))?;
        }
    }
    for controller in needed {
        parent
            .write(SUBTREE, &format!("+{controller}"))
            .map_err(|error| format!("`{controller}` could not be handed out: {error}"))?;
    }
    let _ = parent.write(SUBTREE, "+cpu");
    Ok(Some(parent.clone()))
}

/// Whether somebody gave the group to us: by a mark of the service manager, or by making it our user's.
fn is_delegated(group: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let is_marked = ["user.delegate", "trusted.delegate"].iter().any(|mark| {
        let mut value = [0; 8];
        rustix::fs::getxattr(group, *mark, &mut value).is_ok_and(|length| value.get(..length) == Some(b"1"))
    });
    let uid = rustix::process::geteuid();
    let is_our_users = !uid.is_root() && fs::metadata(group).is_ok_and(|facts| facts.uid() == uid.as_raw());
    is_marked || is_our_users
}

/// Whether a process is of our making: it runs our program, or descends from one that does.
fn is_ours(pid: i32) -> bool {
    let Ok(own) = fs::read_link("/proc/self/exe") else { return false };
    let mut pid = pid;
    while pid > 0 {
        if fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| is_same_program(&program, &own)) {
            return true;
        }
        pid = parent_of(pid).unwrap_or(0);
    }
    false
}

/// A program that was replaced on disk is still ours.
fn is_same_program(program: &Path, own: &Path) -> bool {
    let plain = |path: &Path| PathBuf::from(path.display().to_string().trim_end_matches(" (deleted)"));
    plain(program) == plain(own)
}

fn parent_of(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

/// Something to be moved about, for as long as `work` takes.
fn with_a_child(work: impl FnOnce(i32) -> io::Result<()>) -> io::Result<()> {
    let child = namespaces::fork_idle()?;
    let done = work(child.as_raw_nonzero().get());
    let _ = rustix::process::kill_process(child, Signal::KILL);
    let _ = rustix::process::waitpid(Some(child), WaitOptions::empty());
    done
}
