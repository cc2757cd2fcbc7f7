// SPDX-License-Identifier: Apache-2.0
//! The plan of a level: which layers a child puts on, and in which order.

use crate::level::Level;
use crate::plan::Plan;
use crate::zygote::Spec;
use crate::{landlock, mounts, namespaces, privileges, syscalls};

/// What is known only where the zygote is: what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Circumstances {
    /// Whether each slot has a user id to itself.
    pub(crate) has_own_uids: bool,
    /// Whether the child begins with capabilities.
    pub(crate) is_capable: bool,
    /// Whether there are rulesets.
    pub(crate) has_landlock: bool,
}

/// What each child does before it parks.
///
/// The order matters: a mount needs capabilities that a change of user id takes away, Landlock refuses mounts, the last filter
/// refuses nearly all of it.
pub(crate) fn confine(spec: &Spec, circumstances: Circumstances) -> Plan {
    let mut steps = Vec::new();
    if spec.level.has_namespaces() {
        steps.push(namespaces::unshare_step());
        steps.push(mounts::mount_home_step(&spec.limits, circumstances.has_own_uids));
    }
    if circumstances.has_own_uids {
        steps.extend(privileges::become_slot_user());
    }
    if spec.level.has_namespaces() {
        let apart = namespaces::unshare_user_step();
        // With a user id to itself, the child's processes are counted apart anyway.
        steps.push(if circumstances.has_own_uids { apart.that_may_fail() } else { apart });
    } else {
        steps.push(privileges::die_with_parent());
    }
    steps.extend(mounts::home_steps(&home(spec)));
    steps.extend(spec.limits.steps());
    // The change of user id left it none, unless it then got a user namespace of its own.
    let surely_has_any = circumstances.is_capable && !circumstances.has_own_uids;
    steps.extend(privileges::drop_capabilities(surely_has_any));
    steps.extend(privileges::close_doors());
    if circumstances.has_landlock {
        steps.push(landlock::step());
    }
    steps.push(privileges::close_descriptors());
    match spec.level {
        Level::Full | Level::Standard | Level::Basic => steps.push(syscalls::step(spec.level)),
        Level::None => {}
    }
    Plan { steps }
}

/// What the zygote does once it is warm.
pub(crate) fn seal(spec: &Spec) -> Plan {
    let mut steps = if spec.level.has_namespaces() { mounts::seal() } else { Vec::new() };
    steps.push(spec.limits.seal());
    Plan { steps }
}

/// A child's home, in which `{slot}` is left open.
pub(crate) fn home(spec: &Spec) -> String {
    if spec.level.has_namespaces() {
        super::HOME.to_owned()
    } else {
        // Braces of its own would be taken for a place to fill.
        format!("{}/slot-{{slot}}", spec.workspace.display())
    }
}
