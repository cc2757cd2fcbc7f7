// SPDX-License-Identifier: Apache-2.0
//! The probe: what a machine lacks is told, and no level is offered of which a step does not work.

use std::path::Path;
use std::process::Command;

use lithouse_sandbox::level::{self, Level, Offer};

use crate::zygote::{grounds, program};

/// A program that forbids itself calls, each with an error, and becomes the probe.
const FORBIDDING: &str = r#"
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
program = [struct.pack("=HBBI", 0x20, 0, 0, 0)]
for word in sys.argv[2:]:
    number, error = map(int, word.split("="))
    program += [struct.pack("=HBBI", 0x15, 0, 1, number), struct.pack("=HBBI", 0x06, 0, 0, 0x00050000 | error)]
program.append(struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000))
text = ctypes.create_string_buffer(b"".join(program))
filter = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(text)))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, filter, 0, 0) == 0
os.execv(sys.argv[1], [sys.argv[1], "sandbox-probe"])
"#;

fn offer_of(command: &mut Command) -> Offer {
    let output = command.output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&output.stderr)))
}

fn offer_without(calls: &[(libc::c_long, i32)]) -> Offer {
    let words = calls.iter().map(|(number, error)| format!("{number}={error}"));
    offer_of(Command::new("/usr/bin/python3").args(["-c", FORBIDDING, program()]).args(words))
}

fn detail(offer: &Offer, layer: &str) -> String {
    let finding = offer.findings.iter().find(|finding| finding.layer == layer).unwrap_or_else(|| panic!("{layer} of {offer:?}"));
    finding.detail.clone()
}

#[test]
fn every_level_that_is_offered_can_be_used_and_the_best_is_named() {
    let offer = level::probe(Path::new(program()));
    let is_root = rustix::process::geteuid().is_root();
    let usable: Vec<_> = grounds().into_iter().filter(|ground| ground.as_root == is_root).map(|ground| ground.level).collect();
    for level in [Level::Full, Level::Standard, Level::Basic] {
        assert_eq!(offer.has(level), usable.contains(&level), "{level} of {offer:?}");
    }
    assert_eq!(offer.best, usable.iter().min().copied());
}

#[test]
fn a_kernel_without_landlock_offers_no_basic_but_all_else() {
    let offer = offer_without(&[(libc::SYS_landlock_create_ruleset, libc::ENOSYS)]);
    assert!(offer.has(Level::Standard) && !offer.has(Level::Basic), "{offer:?}");
    assert!(detail(&offer, "Landlock").contains("older than 5.13"), "{offer:?}");
    assert!(detail(&offer, "level basic").contains("Landlock"), "{offer:?}");
}

#[test]
fn a_container_that_forbids_namespaces_offers_basic_and_says_what_mends_it() {
    let offer = offer_without(&[(libc::SYS_unshare, libc::EPERM)]);
    assert_eq!(offer.best, Some(Level::Basic), "{offer:?}");
    assert!(detail(&offer, "namespaces").contains("--security-opt seccomp=unconfined"), "{offer:?}");
}

#[test]
fn a_single_step_that_does_not_work_is_enough_for_a_level_not_to_be_offered() {
    for (call, layers) in [
        (libc::SYS_mount_setattr, &["level full", "level standard"][..]),
        (libc::SYS_setns, &["level full", "level standard"]),
        (libc::SYS_capset, &["level full", "level standard", "level basic"]),
        (libc::SYS_landlock_restrict_self, &["level full", "level standard", "level basic"]),
        (libc::SYS_close_range, &["level full", "level standard", "level basic"]),
        (libc::SYS_seccomp, &["level full", "level standard", "level basic"]),
    ] {
        let offer = offer_without(&[(call, libc::EPERM)]);
        for layer in ["level full", "level standard", "level basic"] {
            let is_offered = offer.findings.iter().any(|finding| finding.layer == layer && finding.available);
            assert!(!(is_offered && layers.contains(&layer)), "{layer} without call {call}: {offer:?}");
        }
        assert_eq!(offer.best.is_none(), layers.contains(&"level basic"), "without call {call}: {offer:?}");
    }
}

#[test]
fn a_kernel_that_sets_mounts_only_one_by_one_will_do() {
    let offer = offer_without(&[(libc::SYS_mount_setattr, libc::ENOSYS)]);
    assert!(offer.has(Level::Standard), "{offer:?}");
}

#[test]
fn a_user_namespace_in_which_no_other_may_be_made_is_told_with_the_command() {
    let script = format!("echo 0 > /proc/sys/user/max_user_namespaces && exec {} sandbox-probe", program());
    let offer = offer_of(Command::new("unshare").args(["--user", "--map-root-user", "sh", "-c", &script]));
    assert_eq!(offer.best, Some(Level::Basic), "{offer:?}");
    assert!(detail(&offer, "namespaces").contains("`sysctl user.max_user_namespaces=65536`"), "{offer:?}");
}

#[test]
fn a_program_that_cannot_probe_offers_nothing() {
    for program in ["/bin/false", "/no/such/program"] {
        let offer = level::probe(Path::new(program));
        assert_eq!(offer.best, None);
        assert!(detail(&offer, "probe").contains(program), "{offer:?}");
    }
}

#[test]
fn the_probe_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    // So that slots with ids of their own come to their folders.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
    let child = Command::new(program())
        .arg("sandbox-probe")
        .env("TMPDIR", folder.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it runs");
    let name = format!("lithouse-probe-{}", child.id());
    let output = child.wait_with_output().expect("it ends");
    let offer: Offer = serde_json::from_slice(&output.stdout).expect("an offer");
    assert!(offer.best.is_some(), "{offer:?}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("it is there").count(), 0);
    let place = detail(&offer, "cgroup");
    if let Some(parent) = place.split('`').nth(1) {
        assert!(!Path::new(parent).join(name).exists());
    }
}
