// SPDX-License-Identifier: Apache-2.0
//! The keeper becomes another program, and nobody notices.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lithouse_core::ending::Ending;
use lithouse_engine::keeper::{ConnectError, InstanceState, Keeper, KeeperEvent, KeeperProgram, Launch, LogLimits};
use lithouse_testkit::{put_program, wait_until};
use rustix::process::Signal;

use super::app::python;
use super::bench::{BINARY, Bench, SOON, Server, is_alive, kill, log_with, texts};

/// Echoes lines on one connection after another, through the listener it inherited.
const ECHOES: &str = r"
import socket
listener = socket.socket(fileno=0)
print('up', flush=True)
while True:
    connection, _ = listener.accept()
    while data := connection.recv(1000): connection.sendall(data)
";

/// Numbered lines in bursts, until there is a file `enough`; then how many there were.
const COUNTS: &str = "i=0; while [ ! -e enough ]; do i=$((i+1)); echo $i; printf 'x' >&2; [ $((i % 50)) != 0 ] || sleep 0.005; done; \
                      echo last $i";

/// Takes memory without end once there is a file `eat`.
const EATS: &str = r"
import os, time
print('up', flush=True)
# A pause between two looks.
while not os.path.exists('eat'): time.sleep(0.01)
eaten = []
while True: eaten.append(bytearray(1 << 20))
";

/// A program like the keeper's that is another build.
fn another_build(bench: &Bench, name: &str) -> KeeperProgram {
    let path = bench.scratch().join(name);
    put_program(&path, [fs::read(BINARY).unwrap().as_slice(), name.as_bytes()].concat());
    KeeperProgram { program: path, ..bench.program() }
}

/// What a keeper's process runs at the moment.
fn program_of(keeper: &Keeper) -> PathBuf {
    fs::read_link(format!("/proc/{}/exe", keeper.pid())).unwrap()
}

fn descriptors_of(keeper: &Keeper) -> usize {
    fs::read_dir(format!("/proc/{}/fd", keeper.pid())).unwrap().count()
}

fn everything(log: &Path) -> String {
    let numbered = |number: u32| PathBuf::from(format!("{}.{number}", log.display()));
    let aside = (1..10_000).map(numbered).take_while(|path| path.exists()).collect::<Vec<_>>();
    aside.iter().rev().map(PathBuf::as_path).chain([log]).map(|path| fs::read_to_string(path).unwrap()).collect()
}

fn echo(stream: &mut TcpStream, text: &str) {
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut back = vec![0; text.len()];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, text.as_bytes());
}

#[tokio::test]
async fn another_build_takes_over_and_no_line_ending_or_connection_is_lost() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let mut echoing = bench.launch(python(), &["-c", ECHOES]);
    echoing.listen = Some("127.0.0.1:0".parse().unwrap());
    let echoing_pid = server.start(&echoing, "out | up").await;
    let address = server.report(&echoing.instance).await.unwrap().listen.unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    echo(&mut stream, "before");
    let counting: Vec<Launch> =
        (0..3).map(|_| Launch { log_limits: LogLimits { bytes: 100_000, files: 10_000 }, ..bench.shell(COUNTS) }).collect();
    for launch in &counting {
        server.keeper.spawn(launch.clone()).await.unwrap();
        wait_until("it counts", SOON, async || fs::metadata(&launch.log).is_ok_and(|log| log.len() > 5_000)).await;
    }
    let short: Vec<Launch> = (0..20).map(|number| bench.shell(&format!("sleep 0.{}; exit 7", 10 + number * 4))).collect();
    for launch in &short {
        server.keeper.spawn(launch.clone()).await.unwrap();
    }
    let ended = bench.shell("exit 3");
    server.run(&ended).await;
    let before: Vec<_> =
        server.keeper.list().await.unwrap().into_iter().map(|report| (report.instance, report.started_at)).collect();
    let keeper = server.keeper.pid();
    let mut descriptors = None;
    drop(server);

    let builds = ["one", "two"].map(|name| another_build(&bench, name));
    let mut last: Option<Server> = None;
    for round in 0..3 {
        for program in &builds {
            // The one before is gone: two servers at once would each have its own way.
            drop(last.take());
            let server = bench.connect_as(program).await;
            assert_eq!(server.keeper.pid(), keeper, "round {round}");
            assert_eq!(program_of(&server.keeper), program.program);
            echo(&mut stream, "meanwhile");
            last = Some(server);
        }
        let settled = |server: &Server| descriptors_of(&server.keeper);
        let server = last.as_ref().unwrap();
        for launch in short.iter().filter(|_| round == 0) {
            assert_eq!(server.ending(&launch.instance).await, Ending::Exited { code: 7 });
        }
        match descriptors {
            None => descriptors = Some(settled(server)),
            Some(expected) => {
                wait_until("no descriptor is left over", SOON, async || match settled(server) {
                    count if count <= expected => Ok(()),
                    count => Err((count, expected)),
                })
                .await;
            }
        }
    }
    let server = last.unwrap();
    assert_eq!(server.ending(&ended.instance).await, Ending::Exited { code: 3 });
    let after: Vec<_> =
        server.keeper.list().await.unwrap().into_iter().map(|report| (report.instance, report.started_at)).collect();
    assert_eq!(after, before);
    let report = server.report(&echoing.instance).await.unwrap();
    assert_eq!((report.pid, report.listen, report.state), (Some(echoing_pid), Some(address), InstanceState::Alive));
    echo(&mut stream, "after");
    drop(stream);
    echo(&mut TcpStream::connect(address).unwrap(), "anew");

    fs::write(bench.scratch().join("enough"), "").unwrap();
    for launch in &counting {
        assert_eq!(server.ending(&launch.instance).await, Ending::Exited { code: 0 });
        let log = everything(&launch.log);
        let (mut numbers, mut crosses, mut last) = (Vec::new(), 0, 0);
        for text in texts(&log) {
            if let Some(text) = text.strip_prefix("err | ") {
                crosses += text.len();
            } else if let Some(text) = text.strip_prefix("out | last ") {
                last = text.parse().unwrap();
            } else if let Some(text) = text.strip_prefix("out | ") {
                numbers.push(text.parse::<usize>().unwrap());
            }
        }
        assert!(last >= 100 && numbers.iter().copied().eq(1..=last), "{last} of {}", numbers.len());
        assert_eq!(crosses, last, "what had no end of line came too");
    }
    // The new program is the parent as the old one was.
    let orphan = bench.shell("(sleep 1000 & echo $! > orphan); echo up; sleep 1000");
    server.start(&orphan, "out | up").await;
    let pid = super::bench::number_in(&bench.scratch().join("orphan")).await;
    server.keeper.terminate(&orphan.instance, SOON).await.unwrap();
    server.ending(&orphan.instance).await;
    assert!(!is_alive(pid));
    bench.end(server).await;
}

#[tokio::test]
async fn a_stop_a_halt_and_a_limit_go_on_in_the_next_program() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let stubborn = bench.shell("trap '' TERM; echo up; while :; do sleep 0.05; done");
    server.start(&stubborn, "out | up").await;
    let halted = bench.shell("echo up; exec sleep 1000");
    let halted_pid = i32::try_from(server.start(&halted, "out | up").await).unwrap();
    let mut greedy = bench.launch(python(), &["-c", EATS]);
    greedy.may_take.memory = Some(64_000_000);
    server.start(&greedy, "out | up").await;
    kill(halted_pid, Signal::STOP);
    wait_until("the halt is told", SOON, async || server.report(&halted.instance).await.unwrap().is_halted).await;
    server.keeper.terminate(&stubborn.instance, Duration::from_millis(500)).await.unwrap();
    drop(server);

    let program = another_build(&bench, "next");
    let mut server = bench.connect_as(&program).await;
    assert_eq!(program_of(&server.keeper), program.program);
    assert!(server.report(&halted.instance).await.unwrap().is_halted);
    assert_eq!(server.ending(&stubborn.instance).await, Ending::Stopped { forced: true });
    fs::write(bench.scratch().join("eat"), "").unwrap();
    assert_eq!(server.ending(&greedy.instance).await, Ending::OutOfMemory { limit: Some(64_000_000) });
    kill(halted_pid, Signal::CONT);
    let goes_on = |event: &KeeperEvent| matches!(event, KeeperEvent::Halted(report) if !report.is_halted);
    while !goes_on(&server.events.recv().await.unwrap()) {}
    bench.end(server).await;
}

#[tokio::test]
async fn a_keeper_of_another_protocol_becomes_one_of_ours_with_its_apps() {
    let bench = Bench::new();
    // Whoever starts it is of that version too, which no server here is.
    let other = bench.special(["--protocol", "99"]);
    let mut keeper = std::process::Command::new(&other.program).args(&other.args).spawn().unwrap();
    wait_until("the keeper listens", SOON, async || std::os::unix::net::UnixStream::connect(bench.home.keeper_socket()).is_ok())
        .await;
    let server = bench.connect().await;
    assert_eq!(server.keeper.pid(), keeper.id());
    assert_eq!(server.run(&bench.shell("exit 4")).await, Ending::Exited { code: 4 });
    // And back: an older server after a downgrade.
    let running = bench.shell("echo up; sleep 1000");
    let pid = server.start(&running, "out | up").await;
    drop(server);
    let error = Keeper::connect(&bench.home, &KeeperProgram { program: another_build(&bench, "old").program, ..other }).await;
    assert!(matches!(error, Err(ConnectError::Version { theirs: 99, .. })), "the test's own server is of this version");
    let server = bench.connect().await;
    assert_eq!(server.report(&running.instance).await.unwrap().pid, Some(pid));
    bench.end(server).await;
    keeper.wait().unwrap();
}

#[tokio::test]
async fn a_program_that_cannot_take_over_leaves_the_old_one_going_on() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let launch = bench.shell("i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done");
    let pid = server.start(&launch, "out | 10\n").await;
    let (keeper, program) = (server.keeper.pid(), program_of(&server.keeper));
    drop(server);
    let no_program = another_build(&bench, "no-program");
    fs::set_permissions(&no_program.program, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let reads_another = KeeperProgram { args: bench.special(["--reads", "99"]).args, ..another_build(&bench, "reads-another") };
    for (other, why) in [(no_program, "Permission denied"), (reads_another, "version 1 of the handover is not known to it")] {
        let server = bench.connect_as(&other).await;
        assert_eq!((server.keeper.pid(), program_of(&server.keeper)), (keeper, program.clone()), "{why}");
        assert_eq!(server.report(&launch.instance).await.unwrap().pid, Some(pid));
        let log = fs::read_to_string(bench.home.logs().join("keeper.log")).unwrap();
        assert!(log.contains(why), "{log}");
        // It does everything that it did before.
        assert_eq!(server.run(&bench.shell("exit 4")).await, Ending::Exited { code: 4 });
        log_with(&launch.log, "out | 100\n").await;
    }
    let server = bench.connect().await;
    server.keeper.terminate(&launch.instance, SOON).await.unwrap();
    server.ending(&launch.instance).await;
    let log = fs::read_to_string(&launch.log).unwrap();
    let numbers: Vec<usize> = texts(&log).iter().filter_map(|text| text.strip_prefix("out | ")?.parse().ok()).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len()), "{numbers:?}");
    bench.end(server).await;
}

#[tokio::test]
async fn a_keeper_of_the_same_build_is_left_as_it_is() {
    let bench = Bench::new();
    drop(bench.connect().await);
    let server = bench.connect().await;
    let log = fs::read_to_string(bench.home.logs().join("keeper.log")).unwrap();
    assert!(!log.contains("becoming"), "{log}");
    bench.end(server).await;
}
