// SPDX-License-Identifier: Apache-2.0
//! What an instance may take: held by its control group, or as well as it goes without one.

use std::fs;
use std::path::{Path, PathBuf};

use lithouse_core::ending::Ending;
use lithouse_core::limits::{Cores, Limits};
use lithouse_testkit::wait_until;
use rustix::process::Signal;

use super::app::{EATS_MEMORY, python};
use super::bench::{Bench, SOON, Server, gone, is_alive, kill, log_with, number_in};
use super::endings::MemoryCgroup;

const LIMIT: u64 = 64_000_000;

/// Takes memory, a little more than its argument in megabytes, and says so.
const TAKES: &str = r"
import sys, time
taken = [bytearray(1 << 20) for _ in range(int(sys.argv[1]))]
print('taken', flush=True)
time.sleep(1000)  # It lives until it is killed.
";

/// A child that takes too much, and a parent that goes on.
const HAS_A_GREEDY_CHILD: &str = r"
import os, time
child = os.fork()
if child == 0:
    open('/proc/self/oom_score_adj', 'w').write('1000')
    taken = []
    while True: taken.append(bytearray(1 << 20))
_, status = os.waitpid(child, 0)
print('the child ended by signal', os.WTERMSIG(status), flush=True)
time.sleep(1000)  # It lives until it is killed.
";

/// Leaves a process that has left session, environment and parent.
const HIDES: &str = r"
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve('/bin/sh', ['sh', '-c', 'echo $$ > hidden; exec sleep 1000'], {})
    os._exit(0)
os.wait()
time.sleep(1000)  # It lives until it is killed.
";

fn memory(bytes: u64) -> Limits {
    Limits { memory: Some(bytes), ..Limits::default() }
}

/// The control group of a process in version 1 or 2, if the keeper made it one.
fn group_of(pid: u32, controller: &str) -> Option<PathBuf> {
    let membership = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let of = |line: &str| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let is_it = controllers.split(',').any(|name| name == controller);
        let root = if is_it { format!("/sys/fs/cgroup/{controller}") } else { "/sys/fs/cgroup".to_owned() };
        (is_it || controllers.is_empty()).then(|| Path::new(&root).join(path.trim_start_matches('/')))
    };
    membership.lines().filter_map(of).find(|path| path.to_string_lossy().contains("lithouse-keeper-"))
}

/// Whether instances get groups here; says loudly when they do not.
async fn has_groups(bench: &Bench, server: &Server) -> bool {
    let probe = bench.shell("echo up; sleep 1000");
    let pid = server.start(&probe, "out | up").await;
    let group = group_of(pid, "memory");
    server.keeper.terminate(&probe.instance, std::time::Duration::ZERO).await.unwrap();
    server.ending(&probe.instance).await;
    if group.is_none() {
        println!("skipped: the keeper can make no control groups here");
    }
    group.is_some()
}

#[tokio::test]
async fn an_app_that_uses_its_whole_limit_is_ended_and_the_limit_is_told() {
    let bench = Bench::new();
    let server = bench.connect().await;
    if !has_groups(&bench, &server).await {
        return bench.end(server).await;
    }
    let mut greedy = bench.launch(python(), &["-c", TAKES, "200"]);
    greedy.may_take = memory(LIMIT);
    assert_eq!(server.run(&greedy).await, Ending::OutOfMemory { limit: Some(LIMIT) });
    let log = fs::read_to_string(&greedy.log).unwrap();
    assert!(log.ends_with("sys | out of memory: it used its whole limit of 64 MB\n"), "{log}");
    let peak = server.report(&greedy.instance).await.unwrap().memory_peak.unwrap();
    assert!((LIMIT - LIMIT / 10..=LIMIT).contains(&peak), "{peak}");

    let mut modest = bench.launch(python(), &["-c", TAKES, "20"]);
    modest.may_take = memory(LIMIT);
    let pid = server.start(&modest, "out | taken").await;
    let (_, peak) = server.keeper.peaks().await.unwrap().into_iter().find(|(id, _)| *id == modest.instance).unwrap();
    assert!((20 << 20..LIMIT).contains(&peak), "{peak}");
    // Somebody else's SIGKILL is no want of memory, also a moment after another app's end by it.
    kill(i32::try_from(pid).unwrap(), Signal::KILL);
    assert_eq!(server.ending(&modest.instance).await, Ending::Signalled { signal: 9 });
    bench.end(server).await;
}

#[tokio::test]
async fn anothers_want_of_memory_is_not_taken_for_this_apps() {
    let Some(cgroup) = MemoryCgroup::make(LIMIT) else {
        println!("skipped: no memory cgroup can be made here");
        return;
    };
    let bench = Bench::new();
    let server = bench.connect().await;
    if !has_groups(&bench, &server).await {
        return bench.end(server).await;
    }
    let launch = bench.shell("echo up; exec sleep 1000");
    let pid = server.start(&launch, "out | up").await;
    let mut greedy = std::process::Command::new(python());
    let greedy = greedy.args(["-c", EATS_MEMORY]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let mut greedy = greedy.spawn().unwrap();
    cgroup.add(greedy.id());
    drop(greedy.stdin.take());
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&greedy.wait().unwrap()), Some(9), "the kernel ended it");
    kill(i32::try_from(pid).unwrap(), Signal::KILL);
    assert_eq!(server.ending(&launch.instance).await, Ending::Signalled { signal: 9 });
    bench.end(server).await;
}

#[tokio::test]
async fn a_worker_that_takes_too_much_is_told_in_the_log_and_the_app_goes_on() {
    let bench = Bench::new();
    let server = bench.connect().await;
    if !has_groups(&bench, &server).await {
        return bench.end(server).await;
    }
    let mut launch = bench.launch(python(), &["-c", HAS_A_GREEDY_CHILD]);
    launch.may_take = memory(LIMIT);
    let pid = server.start(&launch, "out | the child ended by signal 9").await;
    log_with(&launch.log, "sys | out of memory: a process of the app was ended at its limit of 64 MB\n").await;
    assert!(is_alive(i32::try_from(pid).unwrap()));
    bench.end(server).await;
}

#[tokio::test]
async fn every_limit_is_set_before_the_program_runs_and_the_group_goes_with_the_instance() {
    let bench = Bench::new();
    let server = bench.connect().await;
    if !has_groups(&bench, &server).await {
        return bench.end(server).await;
    }
    let mut launch = bench.shell("ulimit -n; ulimit -u; cat /proc/self/cgroup | grep -c lithouse-keeper; echo up; sleep 1000");
    launch.may_take = Limits { memory: Some(LIMIT), cpu: Cores::try_from(0.25).ok(), processes: Some(5), open_files: Some(123) };
    let pid = server.start(&launch, "out | up").await;
    let log = fs::read_to_string(&launch.log).unwrap();
    assert!(log.contains("out | 123\n"), "{log}");
    assert!(!log.contains("out | 5\n"), "processes are counted by the group and not by user: {log}");
    let (memory, pids, cpu) = (group_of(pid, "memory").unwrap(), group_of(pid, "pids").unwrap(), group_of(pid, "cpu").unwrap());
    let says = |group: &Path, files: [&str; 2]| {
        let text = files.iter().find_map(|file| fs::read_to_string(group.join(file)).ok()).unwrap();
        text.split_whitespace().next().unwrap().to_owned()
    };
    // Whole pages.
    assert_eq!(says(&memory, ["memory.limit_in_bytes", "memory.max"]), (LIMIT / 4096 * 4096).to_string());
    assert_eq!(says(&pids, ["pids.max", "pids.max"]), "5");
    assert_eq!(says(&cpu, ["cpu.cfs_quota_us", "cpu.max"]), "25000");

    // Changed while it runs.
    server.keeper.limit(&launch.instance, Limits { processes: Some(9), ..Limits::default() }).await.unwrap();
    assert_eq!(says(&pids, ["pids.max", "pids.max"]), "9");
    assert_eq!(
        says(&cpu, ["cpu.cfs_quota_us", "cpu.max"]).trim_start_matches("max"),
        if cpu.join("cpu.max").exists() { "" } else { "-1" }
    );

    server.keeper.terminate(&launch.instance, SOON).await.unwrap();
    server.ending(&launch.instance).await;
    wait_until("the groups are gone", SOON, async || [&memory, &pids, &cpu].iter().all(|group| !group.exists())).await;
    let place = memory.parent().unwrap().to_owned();
    assert!(place.exists());
    bench.end(server).await;
    assert!(!place.exists(), "the keeper's own place goes with it");
}

#[tokio::test]
async fn what_a_killed_keeper_left_in_its_groups_is_ended_and_removed_by_the_next() {
    let bench = Bench::new();
    let server = bench.connect().await;
    if !has_groups(&bench, &server).await {
        return bench.end(server).await;
    }
    // Nothing but the group tells whose its last process is.
    let launch = bench.launch(python(), &["-c", HIDES]);
    let pid = server.keeper.spawn(launch.clone()).await.unwrap().pid;
    let hidden = number_in(&bench.scratch().join("hidden")).await;
    let place = group_of(pid, "memory").unwrap().parent().unwrap().to_owned();
    kill(i32::try_from(server.keeper.pid()).unwrap(), Signal::KILL);
    gone(i32::try_from(server.keeper.pid()).unwrap()).await;
    let next = bench.connect().await;
    assert!(!place.exists());
    // It has left its group, and with that can do nothing more; what the kernel still has to clear away may show for a moment.
    gone(hidden).await;
    bench.end(next).await;
}

#[tokio::test]
async fn without_control_groups_memory_is_watched_and_each_process_limited() {
    let bench = Bench::new();
    let server = bench.connect_as(&bench.special(["--groups", "0"])).await;
    let mut greedy =
        bench.launch(python(), &["-c", HAS_A_GREEDY_CHILD.replace("taken.append", "time.sleep(0.005); taken.append").as_str()]);
    greedy.may_take = memory(LIMIT);
    assert_eq!(server.run(&greedy).await, Ending::OutOfMemory { limit: Some(LIMIT) });
    let log = fs::read_to_string(&greedy.log).unwrap();
    assert!(log.ends_with("sys | out of memory: it used its whole limit of 64 MB\n"), "{log}");

    let mut launch = bench.shell("ulimit -n; ulimit -u || ulimit -p; echo up; sleep 1000");
    launch.program = "/bin/bash".into();
    launch.may_take = Limits { cpu: Cores::try_from(0.5).ok(), processes: Some(500), open_files: Some(123), ..Limits::default() };
    let pid = server.start(&launch, "out | up").await;
    assert_eq!(group_of(pid, "memory"), None);
    let log = fs::read_to_string(&launch.log).unwrap();
    assert!(log.contains("out | 123\n") && log.contains("out | 500\n"), "{log}");
    assert!(log.contains("sys | its limit of processor time is not held: "), "{log}");
    bench.end(server).await;
}

#[tokio::test]
async fn a_halted_app_is_told_and_stops_at_once() {
    let bench = Bench::new();
    let mut server = bench.connect().await;
    let launch = bench.shell("echo up; while :; do sleep 0.05; done");
    let pid = i32::try_from(server.start(&launch, "out | up").await).unwrap();
    kill(pid, Signal::STOP);
    let halted = |event| match event {
        Some(lithouse_engine::keeper::KeeperEvent::Halted(report)) => report.is_halted,
        other => panic!("{other:?}"),
    };
    assert!(halted(server.events.recv().await));
    assert!(server.report(&launch.instance).await.unwrap().is_halted);
    kill(pid, Signal::CONT);
    assert!(!halted(server.events.recv().await));
    assert!(!server.report(&launch.instance).await.unwrap().is_halted);
    kill(pid, Signal::STOP);
    let began = std::time::Instant::now();
    server.keeper.terminate(&launch.instance, SOON).await.unwrap();
    assert_eq!(server.ending(&launch.instance).await, Ending::Stopped { forced: false });
    assert!(began.elapsed() < SOON, "it did not wait for its grace");
    bench.end(server).await;
}
