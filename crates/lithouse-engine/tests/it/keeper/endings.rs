// SPDX-License-Identifier: Apache-2.0
//! How instances end: by themselves, by us, by the kernel, and with everything they begot.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lithouse_core::ending::Ending;
use lithouse_engine::keeper::{CallError, InstanceState, KeeperEvent, Refusal};
use rustix::process::Signal;

use super::app::{DAEMONIZES, EATS_MEMORY, python};
use super::bench::{Bench, SOON, gone, is_alive, kill, log_with, number_in, texts};

const LONG: Duration = Duration::from_secs(1000);

#[tokio::test]
async fn an_ending_is_told_by_an_event_the_list_and_the_log_until_it_is_forgotten() {
    let bench = Bench::new();
    let mut server = bench.connect().await;
    let launch = bench.shell("echo bye; exit 3");
    let pid = server.keeper.spawn(launch.clone()).await.unwrap().pid;
    let Some(KeeperEvent::Ended(report)) = server.events.recv().await else { panic!("no event") };
    assert!(matches!(&report.state, InstanceState::Ended { ending: Ending::Exited { code: 3 }, at } if *at >= report.started_at));
    assert_eq!((&report.instance, &report.app, report.pid), (&launch.instance, &launch.app, None));
    assert_eq!(server.keeper.list().await.unwrap(), [report]);
    let log = fs::read_to_string(&launch.log).unwrap();
    let last = "sys | the app's process ended with exit code 3";
    assert_eq!(texts(&log), [&format!("sys | started, pid {pid}"), "out | bye", last]);

    server.keeper.forget(&launch.instance).await.unwrap();
    assert_eq!(server.keeper.list().await.unwrap(), []);
    let again = server.keeper.forget(&launch.instance).await.unwrap_err();
    assert!(matches!(again, CallError::Refused(Refusal::UnknownInstance { .. })));
    bench.end(server).await;
}

#[tokio::test]
async fn a_signal_of_somebody_elses_is_named() {
    let bench = Bench::new();
    let server = bench.connect().await;
    assert_eq!(server.run(&bench.shell("kill -SEGV $$")).await, Ending::Signalled { signal: 11 });
    assert_eq!(server.run(&bench.shell("kill -KILL $$")).await, Ending::Signalled { signal: 9 });
    assert_eq!(server.run(&bench.shell("kill -TERM $$")).await, Ending::Signalled { signal: 15 });
    bench.end(server).await;
}

#[tokio::test]
async fn an_app_that_heeds_sigterm_is_stopped_gently_however_it_leaves() {
    let bench = Bench::new();
    let server = bench.connect().await;
    for script in ["echo up; exec sleep 1000", "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done"] {
        let launch = bench.shell(script);
        server.start(&launch, "out | up").await;
        let unforgettable = server.keeper.forget(&launch.instance).await.unwrap_err();
        assert!(matches!(unforgettable, CallError::Refused(Refusal::StillAlive { .. })));
        server.keeper.terminate(&launch.instance, LONG).await.unwrap();
        assert_eq!(server.ending(&launch.instance).await, Ending::Stopped { forced: false });
        // Asked once more, there is nothing to do.
        server.keeper.terminate(&launch.instance, LONG).await.unwrap();
    }
    bench.end(server).await;
}

#[tokio::test]
async fn an_app_that_ignores_sigterm_is_killed_after_the_grace_and_questions_are_answered_meanwhile() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let launch = bench.shell("trap '' TERM; echo up; while :; do sleep 0.05; done");
    server.start(&launch, "out | up").await;
    // Both answers come during this grace, which no test would live to see the end of.
    server.keeper.terminate(&launch.instance, LONG).await.unwrap();
    assert_eq!(server.report(&launch.instance).await.unwrap().state, InstanceState::Alive);
    let (began, grace) = (Instant::now(), Duration::from_millis(700));
    server.keeper.terminate(&launch.instance, grace).await.unwrap();
    assert_eq!(server.ending(&launch.instance).await, Ending::Stopped { forced: true });
    assert!(began.elapsed() >= grace, "it had its grace");
    bench.end(server).await;
}

#[tokio::test]
async fn a_shorter_grace_counts_and_sigterm_is_sent_once() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let launch = bench.shell("trap 'echo asked' TERM; echo up; while :; do sleep 0.05; done");
    server.start(&launch, "out | up").await;
    server.keeper.terminate(&launch.instance, LONG).await.unwrap();
    log_with(&launch.log, "asked").await;
    server.keeper.terminate(&launch.instance, Duration::from_millis(100)).await.unwrap();
    assert_eq!(server.ending(&launch.instance).await, Ending::Stopped { forced: true });
    assert_eq!(fs::read_to_string(&launch.log).unwrap().matches("asked").count(), 1);
    bench.end(server).await;
}

#[tokio::test]
async fn a_halted_app_can_be_stopped() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let gentle = bench.shell("echo up; exec sleep 1000");
    let stubborn = bench.shell("trap '' TERM; echo up; while :; do sleep 0.05; done");
    for (launch, grace, forced) in [(gentle, LONG, false), (stubborn, Duration::from_millis(500), true)] {
        let pid = server.start(&launch, "out | up").await;
        kill(i32::try_from(pid).unwrap(), Signal::STOP);
        server.keeper.terminate(&launch.instance, grace).await.unwrap();
        assert_eq!(server.ending(&launch.instance).await, Ending::Stopped { forced });
    }
    bench.end(server).await;
}

#[tokio::test]
async fn what_an_app_left_running_dies_with_it() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let launch = bench.shell("sleep 1000 & sleep 1000 & echo $! > child; exit 0");
    assert_eq!(server.run(&launch).await, Ending::Exited { code: 0 });
    let child = number_in(&bench.scratch().join("child")).await;
    assert!(!is_alive(child), "the end is told when all of it is gone");
    assert_eq!(bench.alive(), [0; 0]);
    bench.end(server).await;
}

#[tokio::test]
async fn a_daemon_that_left_its_session_dies_with_its_instance() {
    for hides in [false, true] {
        let bench = Bench::new();
        let server = bench.connect().await;
        let mut launch = bench.launch(python(), &["-c", DAEMONIZES]);
        if hides {
            launch.env.insert("CLEAN".to_owned(), "1".to_owned());
        }
        server.start(&launch, "daemonized").await;
        let daemon = number_in(&bench.scratch().join("daemon")).await;
        assert!(is_alive(daemon));
        server.keeper.terminate(&launch.instance, Duration::from_secs(5)).await.unwrap();
        server.ending(&launch.instance).await;
        assert!(!is_alive(daemon), "hides: {hides}");
        bench.end(server).await;
    }
}

#[tokio::test]
async fn the_end_of_one_app_touches_no_other() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let daemonized = bench.launch(python(), &["-c", DAEMONIZES]);
    server.start(&daemonized, "daemonized").await;
    let daemon = number_in(&bench.scratch().join("daemon")).await;
    for script in ["exit 0", "kill -KILL $$", "sleep 1000 & exit 1"] {
        server.run(&bench.shell(script)).await;
    }
    assert!(is_alive(daemon));
    assert_eq!(server.report(&daemonized.instance).await.unwrap().state, InstanceState::Alive);
    bench.end(server).await;
    gone(daemon).await;
}

#[tokio::test]
async fn an_app_that_forks_without_end_is_ended_all_the_same() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let script = "trap '' TERM; spawn() { while :; do (sleep 0.2; :) & sleep 0.02; done; }; spawn & spawn & echo up; wait";
    let launch = bench.shell(script);
    server.start(&launch, "out | up").await;
    server.keeper.terminate(&launch.instance, Duration::from_millis(100)).await.unwrap();
    assert_eq!(server.ending(&launch.instance).await, Ending::Stopped { forced: true });
    assert_eq!(bench.alive(), [0; 0]);
    bench.end(server).await;
}

#[tokio::test]
async fn running_out_of_memory_is_told_apart_from_any_other_sigkill() {
    let Some(cgroup) = MemoryCgroup::make(64 << 20) else {
        println!("skipped: no memory cgroup can be made here");
        return;
    };
    let bench = Bench::new();
    // As in a container: what the keeper is in holds for all that it starts.
    let server = bench.connect_as(&bench.special(["--groups", "0"])).await;
    cgroup.add(server.keeper.pid());
    let hungry = bench.launch(python(), &["-c", EATS_MEMORY]);
    server.keeper.spawn(hungry.clone()).await.unwrap();
    assert_eq!(server.ending(&hungry.instance).await, Ending::OutOfMemory { limit: None });
    let log = fs::read_to_string(&hungry.log).unwrap();
    assert!(log.ends_with("sys | the app ran out of memory and was ended by the kernel\n"), "{log}");
    bench.end(server).await;
}

/// A cgroup with a limit on memory, gone again at the end of the test.
pub(super) struct MemoryCgroup {
    path: PathBuf,
}

impl MemoryCgroup {
    pub(super) fn make(limit: u64) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("lithouse-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        for (root, files) in [
            ("/sys/fs/cgroup/memory", ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]),
            ("/sys/fs/cgroup", ["memory.max", "memory.swap.max"]),
        ] {
            let path = Path::new(root).join(&name);
            if fs::create_dir(&path).is_err() {
                continue;
            }
            let made = Self { path };
            if fs::write(made.path.join(files[0]), limit.to_string()).is_ok() {
                // Without swap accounting there is nothing to limit.
                let _ = fs::write(made.path.join(files[1]), if root.ends_with("memory") { limit } else { 0 }.to_string());
                return Some(made);
            }
        }
        None
    }

    /// Puts a process into it.
    pub(super) fn add(&self, pid: u32) {
        fs::write(self.path.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Drop for MemoryCgroup {
    fn drop(&mut self) {
        lithouse_testkit::wait_until_blocking("the cgroup is removed", SOON, || fs::remove_dir(&self.path));
    }
}
