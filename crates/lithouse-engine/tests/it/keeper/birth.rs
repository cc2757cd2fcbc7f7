// SPDX-License-Identifier: Apache-2.0
//! How an app's process comes into the world: its listener, its circumstances, and the launches that fail.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;

use lithouse_core::ending::Ending;
use lithouse_engine::keeper::{CallError, LaunchLimits, Refusal};

use super::app::{ANSWERS_ONCE, LOOKS_AROUND, python};
use super::bench::{Bench, SOON, log_with, texts};

#[tokio::test]
async fn a_request_sent_before_the_app_accepts_waits_for_it() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let mut launch = bench.launch(python(), &["-c", ANSWERS_ONCE]);
    launch.listen = Some("127.0.0.1:0".parse().unwrap());
    let address = server.keeper.spawn(launch.clone()).await.unwrap().listen.unwrap();
    assert_eq!(server.report(&launch.instance).await.unwrap().listen, Some(address));

    let mut visitor = TcpStream::connect(address).unwrap();
    visitor.set_read_timeout(Some(SOON)).unwrap();
    visitor.write_all(b"GET /").unwrap();
    fs::write(bench.scratch().join("go"), "").unwrap();
    let mut answer = String::new();
    visitor.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answered");
    assert_eq!(server.ending(&launch.instance).await, Ending::Exited { code: 0 });
    bench.end(server).await;
}

#[tokio::test]
async fn an_address_is_free_again_when_its_app_has_ended_and_not_before() {
    let bench = Bench::new();
    let server = bench.connect().await;
    // The app closes its copy; the keeper's still holds visitors.
    let mut first = bench.shell("exec 0<&-; echo closed; while [ ! -e go ]; do sleep 0.05; done");
    // Nobody else listens at this one of the loopback's addresses, so that nobody takes the port between the two.
    first.listen = Some("127.60.0.1:0".parse().unwrap());
    let address = server.keeper.spawn(first.clone()).await.unwrap().listen.unwrap();
    log_with(&first.log, "closed").await;
    TcpStream::connect(address).unwrap();
    let mut second = bench.shell("sleep 1000");
    second.listen = Some(address);
    let refused = server.refused(&second).await;
    assert!(matches!(refused, CallError::Refused(Refusal::AddressInUse { port }) if port == address.port()), "{refused:?}");

    fs::write(bench.scratch().join("go"), "").unwrap();
    server.ending(&first.instance).await;
    assert_eq!(server.keeper.spawn(second).await.unwrap().listen, Some(address));
    bench.end(server).await;
}

#[tokio::test]
async fn a_port_that_somebody_else_has_is_told_and_nothing_is_started() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut launch = bench.shell("sleep 1000");
    launch.listen = Some(held.local_addr().unwrap());
    let refused = server.refused(&launch).await;
    assert!(matches!(refused, CallError::Refused(Refusal::AddressInUse { .. })), "{refused:?}");
    assert_eq!(server.keeper.list().await.unwrap(), []);
    bench.end(server).await;
}

#[tokio::test]
async fn an_app_finds_itself_alone_with_what_it_was_given() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let mut launch = bench.launch(python(), &["-c", LOOKS_AROUND]);
    launch.listen = Some("127.0.0.1:0".parse().unwrap());
    launch.limits = LaunchLimits { open_files: Some(100), nice: Some(5), ..LaunchLimits::default() };
    let address = server.keeper.spawn(launch.clone()).await.unwrap().listen.unwrap();
    let log = log_with(&launch.log, "done").await;
    let folder = fs::canonicalize(bench.scratch()).unwrap();
    for expected in [
        "out | environment ['BENCH', 'LITHOUSE_INSTANCE', 'LITHOUSE_KEEPER_HOME', 'PATH']".to_owned(),
        "out | descriptors [0, 1, 2]".to_owned(),
        "out | session True".to_owned(),
        "out | umask 0o27".to_owned(),
        "out | core (0, 0)".to_owned(),
        "out | files 100".to_owned(),
        "out | nice 5".to_owned(),
        "out | oom 500".to_owned(),
        "out | privileges 1".to_owned(),
        "out | blocked 0000000000000000 sigterm True".to_owned(),
        format!("out | folder {}", folder.display()),
        format!("out | listener ('127.0.0.1', {})", address.port()),
    ] {
        assert!(texts(&log).contains(&expected.as_str()), "no line `{expected}` in:\n{log}");
    }
    bench.end(server).await;
}

#[tokio::test]
async fn no_signal_is_ignored_from_the_start() {
    let bench = Bench::new();
    let server = bench.connect().await;
    // The keeper ignores SIGPIPE, and whoever started it by `nohup` had it ignore more.
    let launch = bench.launch("/bin/grep", &["SigIgn", "/proc/self/status"]);
    server.run(&launch).await;
    let log = fs::read_to_string(&launch.log).unwrap();
    let ignored = texts(&log)[1].strip_prefix("out | SigIgn:\t").unwrap();
    // Signals 32 and 33 are the C library's own, which sets them itself when it needs them.
    assert_eq!(u64::from_str_radix(ignored, 16).unwrap() & !(0b11 << 31), 0, "{log}");
    bench.end(server).await;
}

#[tokio::test]
async fn an_app_gets_the_usual_number_of_descriptors_though_the_keeper_has_more() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let launch = bench.shell("ulimit -n; ulimit -Hn");
    server.run(&launch).await;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let log = fs::read_to_string(&launch.log).unwrap();
    assert_eq!(texts(&log)[1..3], [limit.current, limit.maximum].map(|limit| format!("out | {}", limit.unwrap())));
    bench.end(server).await;
}

#[tokio::test]
async fn launches_that_cannot_succeed_are_told_apart_and_leave_nothing() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let plain = bench.scratch().join("plain.txt");
    fs::write(&plain, "not a program").unwrap();
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).unwrap();

    let refused = server.refused(&bench.launch("/no/such/program", &[])).await;
    assert!(matches!(refused, CallError::Refused(Refusal::ProgramNotFound { .. })), "{refused:?}");
    let refused = server.refused(&bench.launch("no-such-program-on-the-path", &[])).await;
    assert!(matches!(refused, CallError::Refused(Refusal::ProgramNotFound { .. })), "{refused:?}");

    let launch = bench.launch(plain.to_str().unwrap(), &[]);
    let refused = server.refused(&launch).await;
    let CallError::Refused(Refusal::NotStarted { reason, .. }) = &refused else { panic!("{refused:?}") };
    assert!(reason.contains("Permission denied"), "{reason}");
    let log = fs::read_to_string(&launch.log).unwrap();
    assert!(log.contains("sys | the app could not be started: its program could not be run: Permission denied"), "{log}");

    let mut launch = bench.shell("true");
    launch.cwd = bench.scratch().join("gone");
    let refused = server.refused(&launch).await;
    assert!(matches!(refused, CallError::Refused(Refusal::FolderNotFound { .. })), "{refused:?}");

    let mut launch = bench.shell("true");
    launch.args.push("a\0b".to_owned());
    let refused = server.refused(&launch).await;
    assert!(matches!(refused, CallError::Refused(Refusal::NotALaunch { .. })), "{refused:?}");

    assert_eq!(server.keeper.list().await.unwrap(), []);
    bench.end(server).await;
}

#[tokio::test]
async fn a_port_is_free_again_at_once_after_a_launch_that_failed() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let mut launch = bench.launch("/no/such/program", &[]);
    // Nobody else listens at this one of the loopback's addresses.
    launch.listen = Some(([127, 60, 0, 2], lithouse_testkit::free_port()).into());
    server.refused(&launch).await;
    launch.program = "/bin/true".into();
    assert_eq!(server.run(&launch).await, Ending::Exited { code: 0 });
    bench.end(server).await;
}

#[tokio::test]
async fn an_environment_that_acts_on_programs_acts_on_the_app_only() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let mut launch = bench.shell("echo $LITHOUSE_INSTANCE $LITHOUSE_KEEPER_HOME");
    // The loader would complain about it on the standard error of every program it acts on.
    launch.env.insert("LD_PRELOAD".to_owned(), "/no/such/library.so".to_owned());
    launch.env.insert("LITHOUSE_INSTANCE".to_owned(), "forged".to_owned());
    server.run(&launch).await;
    let log = fs::read_to_string(&launch.log).unwrap();
    assert_eq!(log.matches("library.so").count(), 1, "{log}");
    assert!(log.contains(&format!("out | {} ", launch.instance)), "{log}");
    bench.end(server).await;
}

#[tokio::test]
async fn an_instance_is_never_started_twice() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let launch = bench.shell("echo up; sleep 1000");
    server.start(&launch, "up").await;
    let refused = server.refused(&launch).await;
    assert!(matches!(refused, CallError::Refused(Refusal::InstanceExists { .. })), "{refused:?}");
    bench.end(server).await;
}
