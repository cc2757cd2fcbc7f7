// SPDX-License-Identifier: Apache-2.0
//! Who outlives whom: apps the server, nobody the keeper, and no home another.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lithouse_core::ending::Ending;
use lithouse_engine::keeper::{CallError, ConnectError, InstanceState, Keeper, KeeperEvent, KeeperProgram};
use lithouse_testkit::wait_until;
use rustix::process::Signal;

use super::app::{DAEMONIZES, python};
use super::bench::{BINARY, Bench, SOON, gone, is_alive, kill, log_with, number_in, texts};

#[tokio::test]
async fn a_server_that_vanishes_loses_no_line_and_no_ending() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let counting = bench.shell("i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i; sleep 0.002; done; exit 5");
    let steady = bench.shell("echo up; while :; do sleep 0.05; done");
    let pid = server.start(&steady, "out | up").await;
    server.start(&counting, "line 1").await;
    let keeper = server.keeper.pid();
    drop(server);

    log_with(&counting.log, "exit code 5").await;
    let server = bench.connect().await;
    assert_eq!(server.keeper.pid(), keeper, "it is the same keeper");
    assert_eq!(server.ending(&counting.instance).await, Ending::Exited { code: 5 });
    let log = fs::read_to_string(&counting.log).unwrap();
    let lines: Vec<_> = texts(&log).into_iter().filter(|text| text.starts_with("out")).map(str::to_owned).collect();
    assert_eq!(lines, (1..=300).map(|number| format!("out | line {number}")).collect::<Vec<_>>());
    let report = server.report(&steady.instance).await.unwrap();
    assert_eq!((report.pid, report.state), (Some(pid), InstanceState::Alive));
    bench.end(server).await;
}

#[tokio::test]
async fn a_stop_goes_on_when_the_server_that_asked_for_it_is_gone() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let launch = bench.shell("trap '' TERM; echo up; while :; do sleep 0.05; done");
    let pid = server.start(&launch, "out | up").await;
    server.keeper.terminate(&launch.instance, Duration::from_millis(300)).await.unwrap();
    drop(server);
    gone(i32::try_from(pid).unwrap()).await;
    let server = bench.connect().await;
    assert_eq!(server.ending(&launch.instance).await, Ending::Stopped { forced: true });
    bench.end(server).await;
}

#[tokio::test]
async fn apps_die_with_their_keeper_and_the_next_one_clears_what_escaped() {
    let bench = Bench::new();
    let mut server = bench.connect().await;
    let plain = bench.shell("echo up; exec sleep 1000");
    let plain_pid = i32::try_from(server.start(&plain, "out | up").await).unwrap();
    let daemonizes = bench.launch(python(), &["-c", DAEMONIZES]);
    let parent = i32::try_from(server.start(&daemonizes, "daemonized").await).unwrap();
    let daemon = number_in(&bench.scratch().join("daemon")).await;

    kill(i32::try_from(server.keeper.pid()).unwrap(), Signal::KILL);
    assert_eq!(server.events.recv().await, Some(KeeperEvent::Lost));
    assert_eq!(server.events.recv().await, None);
    assert!(matches!(server.keeper.list().await, Err(CallError::Lost)));
    gone(plain_pid).await;
    gone(parent).await;
    assert!(is_alive(daemon), "only the next keeper can know of it");

    let next = bench.connect().await;
    assert_ne!(next.keeper.pid(), server.keeper.pid());
    assert!(!is_alive(daemon), "all is cleared before it answers");
    assert_eq!(next.keeper.list().await.unwrap(), []);
    bench.end(next).await;
}

#[tokio::test]
async fn shutdown_ends_all_apps_at_the_same_time() {
    let bench = Bench::new();
    let mut server = bench.connect().await;
    let stubborn: Vec<_> = (0..6).map(|_| bench.shell("trap 'echo asked' TERM; echo up; while :; do sleep 0.05; done")).collect();
    for launch in &stubborn {
        server.start(launch, "out | up").await;
    }
    let began = Instant::now();
    let ask = |grace| {
        let keeper = server.keeper.clone();
        tokio::spawn(async move { keeper.shutdown(grace).await })
    };
    // Within a grace that no test would live to see the end of, all are asked: none waits for another's end.
    let long = ask(Duration::from_secs(1000));
    for launch in &stubborn {
        log_with(&launch.log, "out | asked").await;
    }
    let refused = server.keeper.spawn(bench.shell("true")).await;
    assert!(refused.is_err(), "the keeper starts nothing more: {refused:?}");
    let grace = Duration::from_secs(1);
    let short = ask(grace);
    short.await.unwrap().unwrap();
    long.await.unwrap().unwrap();
    assert!(began.elapsed() >= grace, "{:?}", began.elapsed());
    let mut forced = 0;
    while let Some(KeeperEvent::Ended(report)) = server.events.recv().await {
        forced += i32::from(matches!(report.state, InstanceState::Ended { ending: Ending::Stopped { forced: true }, .. }));
    }
    assert_eq!(forced, 6, "each end is told before the keeper goes");
    assert!(!bench.home.keeper_socket().exists());
    assert_eq!(bench.alive(), [0; 0]);
}

#[tokio::test]
async fn sigterm_to_the_keeper_ends_its_apps_gently() {
    let bench = Bench::new();
    let mut server = bench.connect().await;
    let launch = bench.shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done");
    server.start(&launch, "out | up").await;
    let pid = i32::try_from(server.keeper.pid()).unwrap();
    kill(pid, Signal::HUP);
    assert_eq!(server.keeper.list().await.unwrap().len(), 1, "a hangup means nothing to it");
    kill(pid, Signal::TERM);
    assert!(matches!(server.events.recv().await, Some(KeeperEvent::Ended(_))));
    gone(pid).await;
    let log = fs::read_to_string(&launch.log).unwrap();
    assert!(texts(&log).contains(&"out | bye") && log.ends_with("sys | the app was stopped\n"), "{log}");
}

#[tokio::test]
async fn a_second_keeper_of_a_home_is_refused_and_says_who_is_there() {
    let bench = Bench::new();
    let server = bench.connect().await;
    for _ in 0..2 {
        let second = Command::new(BINARY).args(["keeper", "--data"]).arg(bench.home.root()).output().unwrap();
        let said = String::from_utf8(second.stderr).unwrap();
        assert!(!second.status.success());
        assert!(said.starts_with("another keeper of `") && said.contains(" is running"), "{said}");
        // The second time the lock file is a new one that nobody holds.
        fs::remove_file(bench.home.keeper_lock()).unwrap();
    }
    assert_eq!(server.keeper.list().await.unwrap(), []);
    server.keeper.shutdown(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn servers_that_come_at_the_same_time_get_one_keeper() {
    let bench = Bench::new();
    let (one, two, three) = tokio::join!(bench.connect(), bench.connect(), bench.connect());
    assert_eq!(one.keeper.pid(), two.keeper.pid());
    assert_eq!(one.keeper.pid(), three.keeper.pid());
    bench.end(one).await;
}

#[tokio::test]
async fn a_keeper_that_cannot_start_says_why() {
    let bench = Bench::new();
    let program = KeeperProgram { program: "/no/such/binary".into(), args: vec![] };
    assert!(matches!(Keeper::connect(&bench.home, &program).await, Err(ConnectError::Start { .. })));
    fs::create_dir(bench.home.keeper_lock()).unwrap();
    let error = Keeper::connect(&bench.home, &bench.program()).await.unwrap_err();
    let ConnectError::Ended { said, .. } = &error else { panic!("{error:?}") };
    assert!(said.starts_with("cannot lock `") && said.contains("Is a directory"), "{said}");
}

#[tokio::test]
async fn homes_side_by_side_do_not_disturb_each_other() {
    let (one, two) = (Bench::new(), Bench::new());
    let (server_one, server_two) = tokio::join!(one.connect(), two.connect());
    let launch = two.launch(python(), &["-c", DAEMONIZES]);
    server_two.start(&launch, "daemonized").await;
    let daemon = number_in(&two.scratch().join("daemon")).await;
    server_one.run(&one.shell("exit 0")).await;
    one.end(server_one).await;
    assert!(is_alive(daemon));
    assert_eq!(server_two.report(&launch.instance).await.unwrap().state, InstanceState::Alive);
    two.end(server_two).await;
}

#[tokio::test]
async fn a_keeper_keeps_nothing_of_whoever_started_it() {
    let bench = Bench::new();
    // A caller with an open file, a working folder and a terminal's worth of streams.
    let script = "exec 9</etc/passwd; cd /tmp; exec \"$@\" 2>/dev/null";
    let mut child = Command::new("/bin/sh")
        .args(["-c", script, "sh", BINARY, "keeper", "--data"])
        .arg(bench.home.root())
        .env("SECRET", "x")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("it answers", SOON, async || UnixStream::connect(bench.home.keeper_socket()).is_ok()).await;
    let server = bench.connect().await;
    let pid = server.keeper.pid();
    assert_eq!(pid, child.id());
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).unwrap_or_default();
    assert_eq!(link("cwd"), Path::new("/"));
    for stream in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(link(stream), Path::new("/dev/null"), "{stream}");
    }
    let open: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|fd| fs::read_link(fd.unwrap().path())).collect();
    assert!(!open.iter().flatten().any(|path| path == Path::new("/etc/passwd")), "{open:?}");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    assert_eq!(stat.rsplit_once(") ").unwrap().1.split(' ').nth(3), Some(pid.to_string().as_str()), "a session of its own");
    bench.end(server).await;
    child.wait().unwrap();
}

#[tokio::test]
async fn a_keeper_started_by_a_server_knows_none_of_its_secrets() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let environment = fs::read(format!("/proc/{}/environ", server.keeper.pid())).unwrap();
    let names: Vec<_> = environment
        .split(|byte| *byte == 0)
        .filter(|line| !line.is_empty())
        .map(|line| String::from_utf8_lossy(line).split('=').next().unwrap().to_owned())
        .collect();
    let known = ["PATH", "HOME", "LANG", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "RUST_BACKTRACE"];
    assert!(names.iter().all(|name| known.contains(&name.as_str())), "{names:?}");
    bench.end(server).await;
}

#[tokio::test]
async fn a_home_may_lie_deeper_than_a_socket_address_is_long() {
    let deep = format!("{}/{}", "a".repeat(100), "b".repeat(100));
    let bench = Bench::below(tempfile::tempdir().unwrap(), &deep);
    let server = bench.connect().await;
    assert_eq!(server.run(&bench.shell("exit 0")).await, Ending::Exited { code: 0 });
    bench.end(server).await;
}

#[tokio::test]
async fn a_keeper_that_no_server_came_to_ends_and_one_that_had_a_server_stays_without() {
    let bench = Bench::new();
    let program = bench.special(["--awaits-ms", "300"]);
    // Whoever started it has gone before it answered.
    let mut alone = Command::new(BINARY).args(&program.args).stdin(Stdio::null()).spawn().unwrap();
    let ended = wait_until("it ends", SOON, async || alone.try_wait().unwrap()).await;
    assert!(ended.success(), "{ended}");
    assert!(!bench.home.keeper_socket().exists());

    let program = bench.special(["--awaits-ms", "5000"]);
    let server = bench.connect_as(&program).await;
    let keeper = server.keeper.pid();
    drop(server);
    tokio::time::sleep(Duration::from_secs(6)).await; // Time itself: longer than it would have waited.
    let server = bench.connect_as(&program).await;
    assert_eq!(server.keeper.pid(), keeper, "it stays, and with it what is known of crashes");
    bench.end(server).await;
}

#[tokio::test]
async fn a_keeper_whose_home_was_removed_ends_with_its_apps() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let launch = bench.shell("echo up; exec sleep 1000");
    server.start(&launch, "out | up").await;
    let pid = i32::try_from(server.keeper.pid()).unwrap();
    // In one step: what is removed piece by piece is made again piece by piece.
    let away = bench.scratch().join("away");
    fs::rename(bench.home.root(), &away).unwrap();
    fs::remove_dir_all(&away).unwrap();
    gone(pid).await;
    assert_eq!(bench.alive(), [0; 0]);
    assert!(!bench.home.root().exists(), "and does not raise it again");
}
