// SPDX-License-Identifier: Apache-2.0
//! The guard by itself.

use std::process::{Child, Command, Output, Stdio};

use lithouse_engine::guard;

use crate::environment::lab::{all_dead, entry, entry_arguments, is_alive, pids_in};

/// Not a test: the guard that other tests run their builds under.
#[test]
#[ignore = "the tests start this binary anew with it as their guard"]
#[expect(clippy::exit, reason = "its exit code is the guard's, and the harness has none of its own to add")]
fn guard_entry() {
    let arguments = entry_arguments();
    if !arguments.is_empty() {
        std::process::exit(i32::from(guard::run_for_code(arguments)));
    }
}

fn start(words: &[&str]) -> Child {
    let guard = entry("environment_guard::guard_entry");
    let mut command = Command::new(&guard[0]);
    command.args(&guard[1..]).args(words).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("a guard")
}

fn shell(script: &str) -> Child {
    start(&["--", "/bin/sh", "-c", script])
}

/// Waits for the guard's own end, with its input open all the while; `Child::wait` would close it first.
fn end_of(mut guard: Child) -> Output {
    let input = guard.stdin.take();
    let output = guard.wait_with_output().expect("its end");
    drop(input);
    output
}

#[test]
fn the_exit_code_of_the_program_is_passed_on() {
    for (script, code) in [("exit 0", 0), ("exit 42", 42), ("kill -9 $$", 137)] {
        assert_eq!(end_of(shell(script)).status.code(), Some(code), "{script}");
    }
}

#[test]
fn a_program_that_cannot_be_started_is_told() {
    let output = end_of(start(&["--", "/no/such/program"]));
    assert_eq!(output.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&output.stderr).contains("could not start `/no/such/program`"));
}

#[tokio::test]
async fn the_end_of_its_input_ends_everything() {
    let folder = tempfile::tempdir().expect("a folder");
    let pids = folder.path().join("pids");
    // A program with a child, a daemon in a session of its own, and one that ignores every polite signal.
    let script = format!(
        "trap '' TERM HUP INT; echo $$ >> {0}; (echo $(exec sh -c 'echo $PPID') >> {0}; sleep 1000) & \
         setsid sh -c 'sh -c \"echo \\$\\$ >> {0}; exec sleep 1000\" &' ; sleep 1000",
        pids.display()
    );
    let mut guard = shell(&script);
    let family = pids_in(&pids, 3).await;
    assert!(family.iter().all(|pid| is_alive(*pid)));
    drop(guard.stdin.take());
    all_dead(&family).await;
    assert_eq!(guard.wait().expect("its end").code(), Some(137));
}

#[tokio::test]
async fn what_the_program_leaves_is_ended_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let pids = folder.path().join("pids");
    let script = format!(
        "setsid sh -c 'echo $$ >> {0}; exec sleep 1000' & while [ ! -s {0} ]; do sleep 0.01; done; exit 7",
        pids.display()
    );
    assert_eq!(end_of(shell(&script)).status.code(), Some(7));
    assert!(!is_alive(pids_in(&pids, 1).await[0]));
}

#[tokio::test]
async fn a_family_that_grows_while_it_is_killed_dies_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let (pids, stop) = (folder.path().join("pids"), folder.path().join("stop"));
    // Each process starts its successor and ends, so that orphans come to the guard all the time.
    let script = format!(
        "echo $$ >> {0}; cat > {1}.sh <<'END'\n[ $(wc -l < {0}) -gt 4000 ] && exit\necho $$ >> {0}\nsetsid sh {1}.sh &\nEND\nsetsid sh {1}.sh & setsid sh {1}.sh & sleep 1000",
        pids.display(),
        stop.display()
    );
    let mut guard = shell(&script);
    pids_in(&pids, 30).await;
    drop(guard.stdin.take());
    guard.wait().expect("its end");
    let family = pids_in(&pids, 1).await;
    assert!(family.len() < 4000, "it was ended, and did not end by itself");
    assert!(!family.iter().any(|pid| is_alive(*pid)));
}

#[tokio::test]
async fn a_held_folder_stays_locked_until_the_guard_has_ended() {
    use rustix::fs::{FlockOperation, flock};
    let folder = tempfile::tempdir().expect("a folder");
    let pids = folder.path().join("pids");
    let held = folder.path().to_str().expect("text");
    let mut guard = start(&["--hold", held, "--", "/bin/sh", "-c", &format!("echo $$ >> {}; sleep 1000", pids.display())]);
    let family = pids_in(&pids, 1).await;
    let file = std::fs::File::open(folder.path()).expect("the folder");
    assert!(flock(&file, FlockOperation::NonBlockingLockExclusive).is_err());
    drop(guard.stdin.take());
    flock(&file, FlockOperation::LockExclusive).expect("the lock");
    assert!(!is_alive(family[0]));
    guard.wait().expect("its end");
}
