// SPDX-License-Identifier: Apache-2.0
//! Namespaces: a view of the machine in which a process has no one but itself.
//!
//! Everything here needs a process with one thread.

use std::ffi::c_int;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::{CapabilitySet, UnshareFlags};

use crate::failure::Failure;
use crate::plan::{Arg, Step};
use crate::zygote::FIRST_UID;

/// What a fork turned out to be.
pub(crate) enum Fork {
    Parent(Pid),
    Child,
}

/// The user ids of a new user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Ids that nobody on the machine has: for the zygote and for each slot.
    Own { slots: u32 },
    /// One id, the caller's own, which is root inside.
    Caller,
}

/// Whether this process may make namespaces as it is, without a user namespace first.
pub(crate) fn is_privileged() -> bool {
    rustix::process::geteuid().is_root()
        && rustix::thread::capabilities(None).is_ok_and(|sets| {
            let needed = CapabilitySet::SYS_ADMIN | CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::CHOWN;
            sets.effective.contains(needed)
        })
}

/// Whether ids of our own can be given at all: inside a container, often only a few exist.
pub(crate) fn own_ids_exist(slots: u32) -> bool {
    let exist = |map: &str| std::fs::read_to_string(map).is_ok_and(|map| covers(&map, FIRST_UID, slots + 1));
    exist("/proc/self/uid_map") && exist("/proc/self/gid_map")
}

/// Whether one line of a map has all of these ids.
fn covers(map: &str, first: u32, count: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map_while(|word| word.parse::<u64>().ok());
        let (Some(begin), Some(_), Some(length)) = (numbers.next(), numbers.next(), numbers.next()) else { return false };
        begin <= u64::from(first) && u64::from(first) + u64::from(count) <= begin + length
    })
}

pub(crate) fn unshare(what: UnshareFlags) -> Result<(), Errno> {
    #[expect(unsafe_code, reason = "leaving namespaces can break what a library believes about its descriptors and ids")]
    // SAFETY: the process has one thread, and does not ask for a descriptor table of its own.
    unsafe {
        rustix::thread::unshare_unsafe(what)
    }
}

/// Forks. The child begins in new namespaces of these kinds.
pub(crate) fn fork(namespaces: c_int) -> Result<Fork, Errno> {
    let flags = libc::c_long::from(namespaces | libc::SIGCHLD);
    #[expect(unsafe_code, reason = "only the raw call makes a process and its namespaces in one")]
    // SAFETY: without `CLONE_VM` and with no stack given, the call is a plain fork; the process has one thread, so the child has
    // all of it and no lock is held.
    let answer = unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) };
    if answer < 0 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::AGAIN));
    }
    let child = i32::try_from(answer).ok().and_then(Pid::from_raw);
    Ok(child.map_or(Fork::Child, Fork::Parent))
}

/// A process that does nothing until it is killed, to try things on. Unlike [`fork`], it may be made among other threads.
pub(crate) fn fork_idle() -> Result<Pid, Errno> {
    match fork(0)? {
        Fork::Parent(child) => Ok(child),
        Fork::Child => loop {
            #[expect(unsafe_code, reason = "in a child of a process with threads, nothing but bare system calls may be made")]
            // SAFETY: both calls take numbers only, and take no lock that another thread may have held at the fork.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::pause();
            }
        },
    }
}

/// Ends this process at once, without whatever its parent wanted done at the end.
pub(crate) fn end(code: u8) -> ! {
    #[expect(unsafe_code, reason = "a forked child must not run what its parent registered for the end")]
    // SAFETY: the call takes a number and does not return.
    unsafe {
        libc::_exit(c_int::from(code))
    }
}

/// Becomes root in a user namespace of its own, as any user may where the system allows it.
pub(crate) fn enter_user_namespace(proc: BorrowedFd<'_>) -> Result<(), Failure> {
    const STEP: &str = "unshare user namespace";
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    unshare(UnshareFlags::NEWUSER).map_err(|errno| Failure::new(STEP, errno))?;
    // Without this, a group id could be dropped to get at what is closed to that group; so the kernel asks for it.
    write_to(proc, "self/setgroups", "deny").map_err(|errno| Failure::new("deny setgroups", errno))?;
    write_to(proc, "self/uid_map", &format!("0 {uid} 1")).map_err(|errno| Failure::new("map user id", errno))?;
    write_to(proc, "self/gid_map", &format!("0 {gid} 1")).map_err(|errno| Failure::new("map group id", errno))
}

/// Gives a child that was forked into a new user namespace its ids. Needs privileges outside.
pub(crate) fn map_ids(proc: BorrowedFd<'_>, child: Pid, ids: Ids) -> Result<(), Failure> {
    let map = match ids {
        Ids::Own { slots } => format!("0 {FIRST_UID} {}", slots + 1),
        Ids::Caller => "0 0 1".to_owned(),
    };
    let child = child.as_raw_nonzero();
    write_to(proc, &format!("{child}/uid_map"), &map).map_err(|errno| Failure::new("map user ids", errno))?;
    write_to(proc, &format!("{child}/gid_map"), &map).map_err(|errno| Failure::new("map group ids", errno))
}

/// The pid namespace that this process is in.
pub(crate) fn own_pid_namespace(proc: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(proc, "self/ns/pid", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// The child's own file system and System V objects.
pub(crate) fn unshare_step() -> Step {
    let flags = libc::CLONE_NEWNS | libc::CLONE_NEWIPC;
    Step::new("unshare mount and ipc namespace", libc::SYS_unshare, vec![Arg::int(flags)])
}

/// A user namespace in which nobody is anybody: processes are counted for this child alone, and no capability means anything.
pub(crate) fn unshare_user_step() -> Step {
    Step::new("unshare user namespace", libc::SYS_unshare, vec![Arg::int(libc::CLONE_NEWUSER)])
}

fn write_to(proc: BorrowedFd<'_>, path: &str, text: &str) -> Result<(), Errno> {
    let file = rustix::fs::openat(proc, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    // The kernel takes a map in one piece or not at all.
    let written = rustix::io::write(file.as_fd(), text.as_bytes())?;
    if written == text.len() { Ok(()) } else { Err(Errno::IO) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_exist_only_where_the_map_has_all_of_them() {
        let whole = "         0          0 4294967295\n";
        assert!(covers(whole, FIRST_UID, 65));
        assert!(!covers("0 100000 65536\n", FIRST_UID, 65));
        assert!(covers("0 100000 65536\n65536 200000 4294901759\n", FIRST_UID, 65));
        assert!(!covers("0 0 2080374800\n", FIRST_UID, 65));
        assert!(!covers("", 0, 1) && !covers("0 0\n", 0, 1));
    }
}
