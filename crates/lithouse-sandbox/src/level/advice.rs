// SPDX-License-Identifier: Apache-2.0
//! What a failure means on this machine, and the command that mends it.

use std::fs;

use crate::failure::Failure;

/// The step of asking for Landlock.
pub(super) const LANDLOCK: &str = "use Landlock";

/// The settings by which systems restrict namespaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Host {
    /// Ubuntu: a profile decides who may use user namespaces.
    pub(super) apparmor_restricts: bool,
    /// Debian's older switch.
    pub(super) clone_is_off: bool,
    /// No user namespace may be made at all.
    pub(super) none_allowed: bool,
    /// A container's filter is in force.
    pub(super) is_filtered: bool,
}

impl Host {
    pub(super) fn look() -> Self {
        let says = |path: &str, value: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == value);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            apparmor_restricts: says("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
            clone_is_off: says("/proc/sys/kernel/unprivileged_userns_clone", "0"),
            none_allowed: says("/proc/sys/user/max_user_namespaces", "0"),
            is_filtered: status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2")),
        }
    }
}

/// The failure in words, with the next step where we know it.
pub(super) fn told(failure: &Failure, host: Host) -> String {
    match next_step(failure, host) {
        Some(advice) => format!("{failure}; {advice}"),
        None => failure.to_string(),
    }
}

fn next_step(failure: &Failure, host: Host) -> Option<&'static str> {
    let is_landlock = failure.step.contains("Landlock");
    match failure.errno {
        libc::ENOSYS if is_landlock => Some("the kernel is older than 5.13, or was built without Landlock"),
        libc::EOPNOTSUPP if is_landlock => Some("start the kernel with `landlock` in its parameter `lsm=`"),
        _ if is_landlock => None,
        libc::EPERM | libc::EACCES | libc::ENOSPC if host.none_allowed => {
            Some("allow user namespaces with `sysctl user.max_user_namespaces=65536`")
        }
        libc::EPERM | libc::EACCES if host.clone_is_off => {
            Some("allow user namespaces with `sysctl kernel.unprivileged_userns_clone=1`")
        }
        libc::EPERM | libc::EACCES if host.apparmor_restricts => {
            Some("allow user namespaces with `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or run the server as root")
        }
        libc::EPERM | libc::EACCES | libc::ENOSYS if host.is_filtered => Some(
            "a container's filter is in force; run it with `--security-opt seccomp=unconfined --cap-add SYS_ADMIN`, or be content with `basic`",
        ),
        libc::EPERM | libc::EACCES => Some("the system lets this user make no namespaces; run the server as root"),
        libc::ENOSPC => Some("there are too many namespaces already; see `sysctl -a --pattern user.max_`"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(errno: i32, host: Host) -> String {
        told(&Failure { step: "unshare user namespace".into(), errno, message: String::new() }, host)
    }

    #[test]
    fn what_forbids_namespaces_is_named_with_the_command_that_allows_them() {
        let plain = Host::default();
        for (host, errno, word) in [
            (Host { apparmor_restricts: true, ..plain }, libc::EACCES, "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`"),
            (Host { clone_is_off: true, ..plain }, libc::EPERM, "`sysctl kernel.unprivileged_userns_clone=1`"),
            (Host { none_allowed: true, ..plain }, libc::ENOSPC, "`sysctl user.max_user_namespaces=65536`"),
            (Host { is_filtered: true, ..plain }, libc::EPERM, "`--security-opt seccomp=unconfined"),
            (plain, libc::EPERM, "run the server as root"),
            (plain, libc::ENOSPC, "too many namespaces"),
        ] {
            let told = advice(errno, host);
            assert!(told.contains(word) && told.starts_with("the step `unshare user namespace` failed: "), "{told}");
        }
    }

    #[test]
    fn a_kernel_without_landlock_is_told_from_one_that_has_it_switched_off() {
        let told = |errno| told(&Failure { step: LANDLOCK.into(), errno, message: String::new() }, Host::default());
        assert!(told(libc::ENOSYS).contains("older than 5.13"));
        assert!(told(libc::EOPNOTSUPP).contains("`lsm=`"));
    }

    #[test]
    fn what_we_do_not_understand_is_told_as_it_is() {
        assert_eq!(advice(libc::ENOMEM, Host::default()).matches(';').count(), 0);
    }
}
