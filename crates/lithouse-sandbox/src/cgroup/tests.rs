// SPDX-License-Identifier: Apache-2.0
//! The groups of this machine, and the tables of others.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::folder::Folder;
use super::place::{Unified, V1};
use super::*;
use crate::level::Level;

const MIB: u64 = 1024 * 1024;
/// Long enough for a machine with much else to do.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(2);

fn name() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("lithouse-unit-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Groups that are removed however the test ends, with all that lives in them.
struct Cleared(Option<Cgroups>);

impl std::ops::Deref for Cleared {
    type Target = Cgroups;
    fn deref(&self) -> &Cgroups {
        self.0.as_ref().expect("there until the end")
    }
}

impl Drop for Cleared {
    fn drop(&mut self) {
        let folder = self.folder();
        self.0.take().expect("there until now").remove().expect("they are removed");
        assert!(!folder.exists());
    }
}

/// The groups of this machine; says loudly that there are none.
fn groups(name: &str) -> Option<Cleared> {
    match Cgroups::find(name) {
        Ok(groups) => Some(Cleared(Some(groups))),
        Err(missing) => {
            eprintln!("SKIPPED: {missing}");
            None
        }
    }
}

fn limits() -> Limits {
    Limits { processes: 8, ..Limits::new(64 * MIB, Level::Full) }
}

/// A shell that does this once it is told to go on.
fn shell(slot: &Group, script: &str) -> Child {
    let mut child =
        Command::new("sh").args(["-c", &format!("read go; {script}")]).stdin(Stdio::piped()).spawn().expect("a shell");
    slot.add(i32::try_from(child.id()).expect("a pid")).expect("it is moved");
    drop(child.stdin.take());
    child
}

#[test]
fn the_tables_of_both_versions_are_read() {
    let membership = "5:cpu,cpuacct:/a\n4:memory:/box/run\n3:pids:/\n0::/user.slice/me\n";
    let mounts = "\
1 0 0:1 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
2 0 0:2 /box /sys/fs/cgroup/memory rw shared:3 - cgroup cgroup rw,memory
3 0 0:3 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
4 0 0:4 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
";
    let facts = Facts::of(membership, mounts);
    let at = |path: &str| Path::new("/sys/fs/cgroup").join(path);
    let v1 = V1 { memory: at("memory/run"), pids: at("pids"), cpu: Some(at("cpu,cpuacct/a")) };
    assert_eq!(facts.v1, Some(v1));
    assert_eq!(facts.unified, Some(Unified { top: at("unified"), own: at("unified/user.slice/me") }));
    assert_eq!(Facts::of("0::/\n", mounts).v1, None);
    assert_eq!(Facts::of(membership, "").unified, None);
}

#[test]
fn a_machine_without_controllers_is_told_so() {
    let missing = Cgroups::find_in(&Facts { v1: None, unified: None }, "any").expect_err("there is none");
    assert!(missing.reason.contains("`memory` and `pids`"), "{missing}");
}

#[test]
fn a_run_that_takes_too_much_memory_is_ended_and_counted() {
    let Some(groups) = groups(&name()) else { return };
    let slot = groups.slot(0, &limits()).expect("a group");
    let before = slot.oom_kills();
    let mut greedy = shell(&slot, "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}");
    let _ = greedy.wait().expect("it ends");
    assert!(slot.oom_kills() > before, "the kernel counted no kill");
    assert!(slot.peak().is_some_and(|peak| peak > 32 * MIB), "{:?}", slot.peak());
    slot.kill().expect("nothing is left");
}

#[test]
fn a_run_gets_no_more_processes_than_it_may_and_all_of_them_are_ended() {
    let Some(groups) = groups(&name()) else { return };
    let slot = groups.slot(0, &limits()).expect("a group");
    // The shell gives up when it is refused a process, and leaves those that it got.
    let mut bomb = shell(&slot, "while true; do sleep 600 & done");
    lithouse_testkit::wait_until_blocking("the group is as full as the shell leaves it", PATIENCE, || {
        slot.processes().len() == 7
    });
    slot.kill().expect("all are ended");
    assert!(slot.processes().is_empty());
    let _ = bomb.wait().expect("it ended");
    let mut next = shell(&slot, "exit 3");
    assert_eq!(next.wait().expect("it ends").code(), Some(3), "the group can be used again");
}

#[test]
fn a_group_is_bounded_anew_while_a_process_runs_in_it_and_goes_when_none_does() {
    let Some(groups) = groups(&name()) else { return };
    let bounds = |processes, cpu| Bounds { memory: Some(64 * MIB), processes, cpu, ends_whole: false };
    let mut group = groups.group("app", &Bounds::default()).expect("a group without bounds");
    group.bound(&bounds(Some(3), Some(10))).expect("bounds");
    let mut shell = shell(&group, "exec sleep 600");
    assert!(group.dismantle().is_err(), "somebody lives in it");
    group.bound(&bounds(None, None)).expect("other bounds");
    group.bound(&Bounds::default()).expect("no bounds");
    shell.kill().expect("it is ended");
    shell.wait().expect("it ended");
    // What was handed to another program of this process as text is the same group there.
    let text = serde_json::to_string(&group).expect("text");
    let group: Group = serde_json::from_str(&text).expect("the group");
    lithouse_testkit::wait_until_blocking("the group is gone", PATIENCE, || group.dismantle().is_ok());
    assert!(!groups.folder().join("app").exists());
}

#[test]
fn a_place_that_a_service_manager_cleared_away_while_it_was_empty_is_made_again() {
    let Some(groups) = groups(&name()) else { return };
    let place = groups.folder();
    std::fs::remove_dir(&place).expect("it is empty");
    let group = groups.group("app", &Bounds { processes: Some(3), ..Bounds::default() }).expect("a group");
    let mut shell = shell(&group, "exec sleep 600");
    assert_eq!(group.processes(), [i32::try_from(shell.id()).expect("a pid")]);
    shell.kill().expect("it is ended");
    shell.wait().expect("it ended");
}

#[test]
fn what_a_killed_server_left_is_ended_by_the_next_of_its_name() {
    let name = name();
    let Some(groups) = groups(&name) else { return };
    let slot = groups.slot(3, &limits()).expect("a group");
    let mut left = Command::new("sleep").arg("600").spawn().expect("a process");
    slot.add(i32::try_from(left.id()).expect("a pid")).expect("it is moved");
    let folder = groups.folder();
    assert!(folder.join("slot-3").exists());
    let _next = Cleared(Some(Cgroups::find(&name).expect("they are found again")));
    let status = left.wait().expect("it ended");
    assert!(!status.success() && !folder.join("slot-3").exists());
    // As the server that was killed would not have done.
    std::mem::forget(groups);
}

#[test]
fn groups_of_a_server_that_is_gone_are_removed_by_the_next_of_any_name() {
    let Some(groups) = groups(&name()) else { return };
    let folder = groups.folder();
    let parent = folder.parent().expect("a parent");
    let mut owner = Command::new("sleep").arg("600").spawn().map(Killed).expect("a process");
    let pid = owner.0.id();
    let made = |of: &str| {
        let group = Folder::make(parent.join(format!("lithouse-{of}-{pid}"))).expect("a group");
        Folder::make(group.path().join("slot-0")).expect("a group in it");
        group
    };
    let (empty, in_use) = (made("unit-empty"), made("unit-in-use"));
    let user = Command::new("sleep").arg("600").spawn().map(Killed).expect("a process");
    let slot = Folder::new(in_use.path().join("slot-0"));
    slot.add(i32::try_from(user.0.id()).expect("a pid")).expect("it is moved");
    leftover::sweep(parent, "lithouse-unit-other-1");
    assert!(empty.path().exists(), "its owner is there");
    // It has ended, and nobody has taken note of that.
    owner.0.kill().expect("it is ended");
    lithouse_testkit::wait_until_blocking("it has ended", PATIENCE, || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("nobody has waited for it");
        if stat.contains(") Z ") { Ok(()) } else { Err(stat) }
    });
    leftover::sweep(parent, "lithouse-unit-other-1");
    assert!(!empty.path().exists() && in_use.path().exists());
    drop(owner);
    let empty = made("unit-empty");
    leftover::sweep(parent, "lithouse-unit-other-1");
    assert!(!empty.path().exists() && in_use.path().exists());
    drop(user);
    in_use.remove().expect("it is removed");
}

/// A process that ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where version 2 has no controllers, because version 1 has them, its folders and moves can be tried all the same.
#[test]
fn in_version_2_a_process_can_be_moved_and_the_whole_group_ended() {
    let Ok(Facts { unified: Some(unified), .. }) = Facts::read() else {
        eprintln!("SKIPPED: no cgroup v2 is mounted");
        return;
    };
    let place = match v2::Place::find(&unified, &name(), &[]) {
        Ok(place) => place,
        Err(missing) => {
            eprintln!("SKIPPED: {missing}");
            return;
        }
    };
    let group = Folder::make(place.folder().join("slot")).expect("a group");
    // It has no child before it is moved: one would be left outside.
    let script = "read go; sleep 600 & sleep 600 & wait";
    let mut child = Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().expect("a shell");
    group.add(i32::try_from(child.id()).expect("a pid")).expect("it is moved");
    drop(child.stdin.take());
    lithouse_testkit::wait_until_blocking("all of them are there", PATIENCE, || group.processes().len() == 3);
    group.kill().expect("it is ended");
    assert!(!child.wait().expect("it ended").success());
    place.remove().expect("it is removed");
    assert!(!place.folder().exists());
}

#[test]
fn in_version_2_the_group_in_which_a_manager_starts_services_is_never_cleared_for_ours() {
    let top = Path::new("/sys/fs/cgroup");
    let tried = |own: &str| {
        let found = v2::candidates(&Unified { top: top.to_owned(), own: top.join(own) });
        found.into_iter().map(|(path, crowd)| (path.strip_prefix(top).expect("below").to_owned(), crowd)).collect::<Vec<_>>()
    };
    let stays = |path: &str| (Path::new(path).to_owned(), v2::Crowd::Stays);
    let moves = |path: &str| (Path::new(path).to_owned(), v2::Crowd::Moves);
    assert_eq!(tried("system.slice/a.service"), [stays("system.slice/a.service"), stays("system.slice"), stays("")]);
    assert_eq!(tried("a.service/server"), [stays("a.service/server"), stays("a.service"), stays("")]);
    let in_a_scope = [stays("user@1.service/run.scope"), stays("user@1.service"), stays(""), moves("user@1.service/run.scope")];
    assert_eq!(tried("user@1.service/run.scope"), in_a_scope);
    assert_eq!(tried("box"), [stays("box"), stays(""), moves("box")]);
    // A container sees nothing above itself, and nobody starts anything in it.
    let own = top.join("docker.service");
    let container = v2::candidates(&Unified { top: own.clone(), own: own.clone() });
    assert_eq!(container, [(own.clone(), v2::Crowd::Stays), (own, v2::Crowd::Moves)]);
}

#[test]
fn in_version_2_a_hierarchy_that_gives_nothing_is_told_with_all_that_was_tried() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join("service/unit");
    std::fs::create_dir_all(&own).expect("folders");
    std::fs::write(own.join("cgroup.controllers"), "cpu memory pids\n").expect("a file");
    std::fs::write(own.join("cgroup.procs"), "1\n").expect("a file");
    let unified = Unified { top: folder.path().to_owned(), own };
    let missing = v2::Place::find(&unified, "any", &v2::NEEDED).expect_err("these are plain folders");
    for word in ["service/unit`: ", "not given the controllers", "Delegate=yes"] {
        assert!(missing.reason.contains(word), "{missing}");
    }
}
