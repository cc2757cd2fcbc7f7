// SPDX-License-Identifier: Apache-2.0
//! Who a child is, and that it can never be more: user id, capabilities, no new privileges.

use crate::plan::{Arg, SlotInt, Step};

/// `struct __user_cap_header_struct` of version 3, for the caller itself.
const CAPABILITY_HEADER: [u32; 2] = [0x2008_0522, 0];
/// Two times `struct __user_cap_data_struct`: nothing effective, permitted or inheritable.
const NO_CAPABILITIES: [u32; 6] = [0; 6];

/// Root means nothing, changes of user id give nothing, and none of this can be taken back. One bit of each pair is the lock.
const SECUREBITS: i64 = {
    const NOROOT: i64 = 1 << 0 | 1 << 1;
    const NO_SETUID_FIXUP: i64 = 1 << 2 | 1 << 3;
    const KEEP_CAPS_LOCKED: i64 = 1 << 5;
    const NO_CAP_AMBIENT_RAISE: i64 = 1 << 6 | 1 << 7;
    NOROOT | NO_SETUID_FIXUP | KEEP_CAPS_LOCKED | NO_CAP_AMBIENT_RAISE
};

/// Takes on the slot's user and group id, and no group besides.
pub(crate) fn become_slot_user() -> Vec<Step> {
    let three = |id: SlotInt| vec![Arg::SlotInt(id), Arg::SlotInt(id), Arg::SlotInt(id)];
    vec![
        Step::new("drop groups", libc::SYS_setgroups, vec![Arg::Int(0), Arg::NULL]),
        Step::new("set group id", libc::SYS_setresgid, three(SlotInt::Gid)),
        Step::new("set user id", libc::SYS_setresuid, three(SlotInt::Uid)),
    ]
}

/// Gives up every capability for good. Setting the securebits takes one itself: who `surely_has_any` must succeed, and with who has
/// none there is nothing that they would hold back.
pub(crate) fn drop_capabilities(surely_has_any: bool) -> Vec<Step> {
    let lock = Step::new("lock securebits", libc::SYS_prctl, vec![Arg::int(libc::PR_SET_SECUREBITS), Arg::Int(SECUREBITS)]);
    let drop = Step::new("drop capabilities", libc::SYS_capset, vec![words(&CAPABILITY_HEADER), words(&NO_CAPABILITIES)]);
    vec![if surely_has_any { lock } else { lock.that_may_fail() }, drop]
}

/// No program that it runs can be more than it is, and nobody but root can look into it.
pub(crate) fn close_doors() -> Vec<Step> {
    vec![
        Step::new("no new privileges", libc::SYS_prctl, vec![Arg::int(libc::PR_SET_NO_NEW_PRIVS), Arg::Int(1)]),
        Step::new("not dumpable", libc::SYS_prctl, vec![Arg::int(libc::PR_SET_DUMPABLE), Arg::Int(0)]),
    ]
}

/// Ends the child when the zygote ends, where no pid namespace does. After every change of ids, since they take it back.
pub(crate) fn die_with_parent() -> Step {
    Step::new("die with the zygote", libc::SYS_prctl, vec![Arg::int(libc::PR_SET_PDEATHSIG), Arg::int(libc::SIGKILL)])
}

/// Closes every descriptor but the standard ones and the channel.
pub(crate) fn close_descriptors() -> Step {
    const FIRST: i64 = 4;
    Step::new("close descriptors", libc::SYS_close_range, vec![Arg::Int(FIRST), Arg::int(u32::MAX), Arg::Int(0)])
}

fn words(words: &[u32]) -> Arg {
    Arg::Bytes(words.iter().flat_map(|word| word.to_ne_bytes()).collect())
}
