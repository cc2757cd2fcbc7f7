// SPDX-License-Identifier: Apache-2.0
//! Many runs leave nothing: no process, no descriptor, no mount, no group.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lithouse_engine::snippets::{Level, Status};
use lithouse_testkit::wait_until_blocking;

use super::lab::{Lab, PATIENCE, offer, open};
use super::processes::{processes, settled};

/// The control groups that a service's processes are in, wherever their hierarchies are mounted.
fn groups(lab: &Lab) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mounted: Vec<PathBuf> =
        fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    for process in processes(lab) {
        let paths = fs::read_to_string(format!("/proc/{}/cgroup", process.pid)).unwrap_or_default();
        let ours =
            paths.lines().filter_map(|line| line.rsplit_once(":/")).map(|(_, path)| path).filter(|path| path.contains("slot-"));
        for path in ours {
            let places = mounted.iter().map(|mount| mount.join(path)).chain([Path::new("/sys/fs/cgroup").join(path)]);
            found.extend(places.filter(|place| place.exists()));
        }
    }
    found
}

/// Not a test: a process that has nothing in it but the service, so that its descriptors can be counted.
#[test]
#[ignore = "the test below starts this binary anew with it"]
fn alone() {
    let Some(level) = std::env::var("LEVEL_OF_TEST").ok().and_then(|level| level.parse::<Level>().ok()) else { return };
    let lab = Lab::new(level);
    let batch = |count: usize| {
        lab.runtime.block_on(async {
            for index in 0..count {
                let code = match index % 5 {
                    0 => "print('x' * 100)",
                    1 => "1 / 0",
                    2 => "import os\nos._exit(1)",
                    3 => "open('left', 'w').write('x')",
                    _ => "import threading\nthreading.Thread(target=lambda: None).start()",
                };
                let outcome = lab.snippets.execute(open(code), None).await.expect("it can be run");
                assert!(matches!(outcome.status, Status::Success | Status::Error | Status::Crashed));
            }
        });
        settled(&lab);
    };
    batch(20);
    let before = counts();
    batch(500);
    // The last slot may still be cleared.
    wait_until_blocking("descriptors and mounts are as many as before", PATIENCE, || {
        let now = counts();
        if now <= before { Ok(()) } else { Err((before, now)) }
    });
    let groups = groups(&lab);
    assert_eq!(groups.is_empty(), level != Level::Full, "{groups:?}");
    drop(lab);
    assert!(!groups.iter().any(|group| group.exists()), "{groups:?}");
}

/// Descriptors of this process, and mounts that it can see.
fn counts() -> (usize, usize) {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().count();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap().lines().count();
    (descriptors, mounts)
}

#[test]
fn five_hundred_runs_leave_nothing() {
    let level = offer().best.unwrap_or(Level::None);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "snippets::leftovers::alone"])
        .env("LEVEL_OF_TEST", level.to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

/// Not a test: a server that is about to be killed.
#[test]
#[ignore = "the test below starts this binary anew with it"]
fn doomed() {
    let (Ok(level), Ok(told)) = (std::env::var("LEVEL_OF_TEST"), std::env::var("FILE_OF_TEST")) else { return };
    let lab = Lab::new(level.parse().unwrap());
    let pids: Vec<String> = settled(&lab).iter().map(|process| process.pid.to_string()).collect();
    fs::write(format!("{told}.new"), pids.join("\n")).unwrap();
    fs::rename(format!("{told}.new"), told).unwrap();
    lab.run("while True: pass");
}

#[test]
fn kill_9_of_the_server_leaves_no_process() {
    for level in [Level::Full, Level::Standard, Level::Basic, Level::None] {
        if !offer().has(level) {
            eprintln!("SKIPPED: this machine does not offer the sandbox `{level}`");
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("pids");
        let mut server = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "snippets::leftovers::doomed"])
            .env("LEVEL_OF_TEST", level.to_string())
            .env("FILE_OF_TEST", &told)
            .env("TMPDIR", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pids: Vec<String> = wait_until_blocking("the service is at rest", PATIENCE, || {
            fs::read_to_string(&told).map(|text| text.lines().map(str::to_owned).collect())
        });
        assert!(pids.len() >= 4, "{level}: {pids:?}");
        server.kill().unwrap();
        server.wait().unwrap();
        wait_until_blocking("all are gone", PATIENCE, || {
            let alive: Vec<&String> = pids.iter().filter(|pid| is_alive(pid)).collect();
            if alive.is_empty() { Ok(()) } else { Err(format!("{level}: {alive:?}")) }
        });
    }
}

fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with('Z'))
}
