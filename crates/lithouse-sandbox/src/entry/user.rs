// SPDX-License-Identifier: Apache-2.0
//! Becomes another user, for good, and makes sure of it.

use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::process::{Gid, Uid, getegid, geteuid, getgid, getgroups, getuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::RunAs;

/// Gives up the rights of root for those of a user. This process has one thread, so that its thread's user is its own.
pub(super) fn become_user(user: &RunAs) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    if uid.is_root() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // Programs may open `/dev/stdout` anew. Where that cannot be allowed, those few cannot.
    let _ = rustix::fs::fchown(io::stdout(), Some(uid), Some(gid));
    let _ = rustix::fs::fchown(io::stderr(), Some(uid), Some(gid));
    // The user comes last: it may not change the others.
    set_thread_groups(&groups)?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    let has_become = getuid() == uid && geteuid() == uid && getgid() == gid && getegid() == gid && same(getgroups()?, groups);
    let is_back = set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).is_ok();
    if has_become && !is_back { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

/// Fails unless the working folder is this user's.
pub(super) fn owns_this_folder(user: &RunAs) -> io::Result<()> {
    let owner = std::fs::metadata(".")?.uid();
    if owner == user.uid { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EPERM)) }
}

fn same(mut some: Vec<Gid>, mut others: Vec<Gid>) -> bool {
    some.sort_by_key(|group| group.as_raw());
    others.sort_by_key(|group| group.as_raw());
    others.dedup();
    some.dedup();
    some == others
}
