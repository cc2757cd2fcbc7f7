// SPDX-License-Identifier: Apache-2.0
//! Making the surroundings of a zygote around a process: its tree and its namespaces. The launcher runs Python in them, the probe
//! only looks whether they can be made.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Gid, Pid, Signal, Uid, WaitOptions};
use rustix::thread::UnshareFlags;

use super::spec::{CACHE, FIRST_UID, Spec};
use crate::failure::Failure;
use crate::landlock::{self, Rules};
use crate::mounts::{self, Layout};
use crate::namespaces::{self, Fork, Ids};

/// What a process finds around itself.
pub(crate) struct Surroundings {
    pub(crate) pid_namespace: Option<OwnedFd>,
    pub(crate) rulesets: Vec<OwnedFd>,
    pub(crate) landlock: Option<u32>,
    pub(crate) has_own_uids: bool,
    pub(crate) is_capable: bool,
}

/// Forks a process that is the first of its own pid namespace, has the tree for its file system and nobody beside it, and lets it
/// do `work`. This process stays outside as its shepherd, and ends as it does.
///
/// In both processes the call ends with the code of `work`. Only before the fork does it return a failure; one that the new process
/// meets is handed to its `work`.
pub(crate) fn with_namespaces(
    spec: &Spec,
    work: impl FnOnce(Result<Surroundings, Failure>) -> ExitCode,
) -> Result<ExitCode, Failure> {
    let proc = rustix::fs::open("/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Failure::about("open `/proc`", errno, "it must be mounted"))?;
    let layout = Layout::of(&spec.readable, &spec.cache)?;
    let is_privileged = namespaces::is_privileged();
    let may_have_own_uids = spec.own_uids && namespaces::own_ids_exist(spec.slots);
    rustix::process::umask(Mode::from_raw_mode(0o022));
    if !is_privileged {
        namespaces::enter_user_namespace(proc.as_fd())?;
        // A change of user namespace takes it back.
        die_with_parent()?;
    }
    namespaces::unshare(UnshareFlags::NEWNS).map_err(|errno| Failure::new("unshare mount namespace", errno))?;
    mounts::enter_tree(&layout)?;
    let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|errno| Failure::new("make a socket", errno))?;
    let user_namespace = if is_privileged { libc::CLONE_NEWUSER } else { 0 };
    match namespaces::fork(libc::CLONE_NEWPID | user_namespace).map_err(|errno| Failure::new("fork into namespaces", errno))? {
        Fork::Child => {
            drop(ours);
            Ok(work(settle(proc.as_fd(), theirs, is_privileged)))
        }
        Fork::Parent(child) => {
            drop(theirs);
            let own = if is_privileged { map_ids(spec, may_have_own_uids, proc.as_fd(), child) } else { Ok(false) };
            drop(proc);
            let welcomed = own.and_then(|own| welcome(&ours, own));
            drop(ours);
            // Without its ids the child ends by itself, as nobody answers it.
            let code = shepherd(child);
            welcomed.map(|()| code)
        }
    }
}

/// Has the kernel end this process when its parent ends.
pub(crate) fn die_with_parent() -> Result<(), Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|errno| Failure::new("die with the parent", errno))
}

/// The shepherd's part: ids that nobody has, or where those are not to be had, the one that we have.
fn map_ids(spec: &Spec, may_have_own_uids: bool, proc: BorrowedFd<'_>, child: Pid) -> Result<bool, Failure> {
    if may_have_own_uids && namespaces::map_ids(proc, child, Ids::Own { slots: spec.slots }).is_ok() {
        give_cache_to(FIRST_UID)?;
        return Ok(true);
    }
    namespaces::map_ids(proc, child, Ids::Caller)?;
    give_cache_to(0)?;
    Ok(false)
}

/// The cache is written to by whoever the zygote is now, and was perhaps by another one before.
fn give_cache_to(uid: u32) -> Result<(), Failure> {
    let mut pending = vec![PathBuf::from(CACHE)];
    while let Some(path) = pending.pop() {
        let failed = |error: std::io::Error| Failure::of_io("hand over the cache", &error);
        // What lies in it was made by a zygote: no link is followed.
        lchown(&path, Some(uid), Some(uid)).map_err(failed)?;
        if fs::symlink_metadata(&path).map_err(failed)?.is_dir() {
            for entry in fs::read_dir(&path).map_err(failed)? {
                pending.push(entry.map_err(failed)?.path());
            }
        }
    }
    Ok(())
}

/// Tells the child which ids it has, and then that its parent still lives after it has asked to die with it.
fn welcome(child: &OwnedFd, has_own_uids: bool) -> Result<(), Failure> {
    const STEP: &str = "settle the zygote";
    let failed = |errno| Failure::new(STEP, errno);
    rustix::io::write(child, &[u8::from(has_own_uids)]).map_err(failed)?;
    let mut asked = [0];
    // It may have met a failure of its own, which it tells by itself.
    if rustix::io::read(child, &mut asked).map_err(failed)? == 1 {
        rustix::io::write(child, &[1]).map_err(failed)?;
    }
    Ok(())
}

/// Waits for the child, and has its end for its own.
fn shepherd(child: Pid) -> ExitCode {
    loop {
        match rustix::process::waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => {
                let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal)).unwrap_or(1);
                return ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX));
            }
            Ok(None) | Err(Errno::INTR) => {}
            Err(_) => return ExitCode::FAILURE,
        }
    }
}

/// The child's part.
fn settle(proc: BorrowedFd<'_>, parent: OwnedFd, is_privileged: bool) -> Result<Surroundings, Failure> {
    let has_own_uids = ask(&parent)? == 1;
    if is_privileged {
        become_root_inside()?;
    }
    die_with_parent()?;
    rustix::io::write(&parent, &[1]).map_err(|errno| Failure::new("settle the zygote", errno))?;
    ask(&parent)?;
    drop(parent);
    let apart =
        UnshareFlags::NEWNS | UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS | UnshareFlags::NEWCGROUP;
    namespaces::unshare(apart).map_err(|errno| Failure::new("unshare the zygote's namespaces", errno))?;
    rustix::system::sethostname(b"snippet").map_err(|errno| Failure::new("set the host name", errno))?;
    let pid_namespace =
        namespaces::own_pid_namespace(proc).map_err(|errno| Failure::new("open the zygote's pid namespace", errno))?;
    mounts::mount_warm_up_home()?;
    let landlock = landlock::version().ok();
    let rulesets = landlock.map(tree_ruleset).transpose()?.into_iter().collect();
    Ok(Surroundings { pid_namespace: Some(pid_namespace), rulesets, landlock, has_own_uids, is_capable: true })
}

/// Reads one byte; its end means that the parent is gone, or could not do its part.
fn ask(parent: &OwnedFd) -> Result<u8, Failure> {
    let mut answer = [0];
    match rustix::io::read(parent, &mut answer) {
        Ok(1) => Ok(answer[0]),
        Ok(_) => Err(Failure::new("settle the zygote", Errno::SRCH)),
        Err(errno) => Err(Failure::new("settle the zygote", errno)),
    }
}

fn become_root_inside() -> Result<(), Failure> {
    let failed = |errno| Failure::new("become root inside", errno);
    rustix::thread::set_thread_groups(&[]).map_err(failed)?;
    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT).map_err(failed)?;
    rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).map_err(failed)
}

/// The whole tree can be read. The child's home comes to lie over a folder of the tree, and Landlock, on its way up from there, looks
/// past the folder that is covered: so the rule stands at the one above it.
fn tree_ruleset(version: u32) -> Result<OwnedFd, Failure> {
    let writable = Path::new(super::HOME).parent().map(Path::to_owned);
    let rules =
        Rules { readable: &[PathBuf::from("/")], writable: writable.as_slice(), devices: &mounts::DEVICES.map(PathBuf::from) };
    landlock::ruleset(version, &rules)
}
