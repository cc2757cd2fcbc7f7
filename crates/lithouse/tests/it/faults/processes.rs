// SPDX-License-Identifier: Apache-2.0
//! Processes that are killed or stopped from outside, other than the server by itself: apps, uv, the guard of a build, the keeper,
//! whole groups.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lithouse_testkit::forge::{self, ZipEntry};
use lithouse_testkit::{put_program, wait_until_blocking};
use serde_json::json;

use super::leftovers::{check, check_at_rest, check_nothing_is_left};
use super::promises::{Dice, Promises};
use crate::form::Form;
use crate::server::{HELLO, PATIENCE, STREAMLIT, Server, is_alive, signal};

/// An app with a package of its own whose making waits for ever.
fn build_that_waits() -> Form {
    let project = "[project]\nname = \"slow\"\nversion = \"1\"\n[build-system]\nrequires = []\nbuild-backend = \"waits\"\nbackend-path = [\".\"]\n";
    let backend = "import threading\ndef build_wheel(*_):\n    print('waiting', flush=True)\n    threading.Event().wait()\n";
    let entries = [
        ("app.py", HELLO),
        ("requirements.txt", &format!("{STREAMLIT}./slow\n")),
        ("slow/pyproject.toml", project),
        ("slow/waits.py", backend),
    ];
    Form::default().file("bundle", "app.zip", forge::zip(&entries.map(|(name, content)| ZipEntry::file(name, content))))
}

/// The process of a build that waits whose program, or hidden verb, is this one.
fn process_of_build(server: &Server, what: &str) -> u32 {
    wait_until_blocking(&format!("a build that waits has its {what}"), PATIENCE, || {
        let processes = server.processes();
        let is_waiting = processes.iter().any(|(_, command)| command.contains("build_wheel"));
        let is_it = |command: &str| {
            let mut words = command.split(' ');
            let program = words.next().unwrap_or_default();
            Path::new(program).ends_with(what) || words.next() == Some(what)
        };
        let found = processes.iter().find(|(_, command)| is_it(command)).filter(|_| is_waiting).map(|(pid, _)| *pid);
        found.ok_or(processes)
    })
}

fn wait_until_no_build(server: &Server) {
    wait_until_blocking("nothing of the build is left", PATIENCE, || {
        let left: Vec<_> = server.processes().into_iter().filter(|(_, command)| !command.contains(" keeper ")).collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
}

/// The build is ended by `end`; its app says so, nothing of it stays, and a deploy of what can be built works.
fn a_build_that_is_ended(victim: &str, reason: &[&str]) {
    let server = Server::start();
    let app = server.create(build_that_waits());
    signal(process_of_build(&server, victim), "KILL");
    let failed = server.wait_for_status(&app, "failed");
    let said = failed["reason"].as_str().unwrap();
    assert!(reason.iter().any(|words| said.contains(words)), "{said}");
    wait_until_no_build(&server);
    for environment in std::fs::read_dir(server.data().join("envs")).unwrap() {
        let path = environment.unwrap().path();
        assert!(path.join("lithouse.json").exists() || path.is_file(), "half an environment is left: {}", path.display());
    }
    server.post_form(&format!("/api/apps/{app}/releases"), Form::app(STREAMLIT, HELLO)).expect(201);
    assert_eq!(server.wait_for_status(&app, "running")["reason"], json!(null));
}

#[test]
fn a_uv_that_is_killed_in_the_middle_of_a_build_fails_it_with_that_reason_and_the_next_works() {
    a_build_that_is_ended("uv", &["SIGKILL", "signal 9", "killed"]);
}

#[test]
fn a_guard_that_is_killed_takes_its_build_along_and_the_next_works() {
    a_build_that_is_ended("guard", &["SIGKILL", "signal 9", "killed"]);
}

#[test]
fn a_build_whose_server_and_guard_are_killed_at_once_is_ended_by_the_next_start() {
    let mut server = Server::start();
    let app = server.create(build_that_waits());
    let uv = process_of_build(&server, "uv");
    let guard = process_of_build(&server, "guard");
    // Held still, the guard cannot see that its server is gone before it is killed too.
    signal(guard, "STOP");
    server.kill();
    signal(guard, "KILL");
    wait_until_blocking("the guard is gone", PATIENCE, || !is_alive(guard));
    assert!(is_alive(uv), "it ended by itself, so that this shows nothing");
    server.start_again();
    assert!(!is_alive(uv));
    server.wait_until_said(&["processes of a build were left behind"]);
    process_of_build(&server, "uv");
    server.delete(&format!("/api/apps/{app}")).expect(204);
    // The app is gone at once, and its build within moments, with its folder last of all.
    wait_until_no_build(&server);
    let tmp = server.data().join("tmp");
    wait_until_blocking("the folder of the build is gone", PATIENCE, || {
        let left = std::fs::read_dir(&tmp).unwrap().flatten().map(|entry| entry.file_name()).collect::<Vec<_>>();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
    check_nothing_is_left(&server);
}

#[test]
fn a_whole_group_that_is_killed_is_the_app_and_it_is_started_again() {
    let server = Server::start();
    let app = server.running_app(&format!(
        "{HELLO}import subprocess, sys\nif not hasattr(sys, 'c'):\n    sys.c = subprocess.Popen(['sleep', '600'])\n"
    ));
    let pid = server.app(&app)["pid"].as_u64().unwrap();
    wait_until_blocking("the app has its child", PATIENCE, || {
        server.processes().iter().any(|(_, command)| command.starts_with("sleep "))
    });
    let killed = Command::new("kill").args(["-KILL", "--", &format!("-{pid}")]).status().unwrap();
    assert!(killed.success());
    server.wait_for(&app, "running again", |seen| {
        seen["status"] == "running" && seen["pid"] != json!(pid) && seen["restarts"] == 1
    });
    let log = server.get(&format!("/api/apps/{app}/logs")).text();
    assert!(log.contains("SIGKILL"), "{log}");
}

#[test]
fn a_server_that_was_stopped_for_a_while_goes_on_where_it_was() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let before = server.app(&app);
    signal(server.pid(), "STOP");
    let address = server.address();
    let path = format!("/apps/{app}/_stcore/health");
    let waiting = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let pid = u32::try_from(before["pid"].as_u64().unwrap()).unwrap();
    std::thread::sleep(Duration::from_secs(5)); // Time itself: longer than any interval of the server's own.
    assert!(is_alive(pid) && !waiting.is_finished());
    signal(server.pid(), "CONT");
    assert!(waiting.join().unwrap().starts_with("HTTP/1.1 200 "), "a client that waited was not answered");
    let after = server.app(&app);
    for field in ["pid", "port", "started_at", "restarts", "status"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    assert!(!server.said().contains("lost"), "{}", server.said());
}

#[test]
fn a_server_that_was_stopped_while_apps_end_hears_of_it_afterwards() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let pid = u32::try_from(server.app(&app)["pid"].as_u64().unwrap()).unwrap();
    signal(server.pid(), "STOP");
    signal(pid, "KILL");
    wait_until_blocking("the app is gone", PATIENCE, || !is_alive(pid));
    signal(server.pid(), "CONT");
    server.wait_for(&app, "running again", |seen| seen["status"] == "running" && seen["pid"] != json!(pid));
    assert_eq!(server.app(&app)["restarts"], 1);
}

/// The server, the keeper, an app, uv, a guard, or all of them at once.
#[test]
fn twenty_kills_of_whatever_there_is_lose_no_app_and_leave_nothing() {
    let mut server = Server::start();
    let promises = Promises::default();
    let mut dice = Dice(16_180_339);
    for round in 0..20 {
        let wishes: Vec<u64> = (0..4).map(|_| dice.roll(8)).collect();
        let instant = Duration::from_millis(dice.roll(400));
        let kind = dice.roll(6);
        let mut asking = Dice(dice.roll(1 << 30));
        std::thread::scope(|scope| {
            let (server, promises) = (&server, &promises);
            scope.spawn(move || wishes.into_iter().for_each(|wish| promises.ask(server, wish, &mut asking)));
            std::thread::sleep(instant); // The random instant of this round.
            let of = |what: &str| {
                server.processes().into_iter().filter(|(_, command)| command.contains(what)).map(|(pid, _)| pid).collect()
            };
            let victims: Vec<u32> = match kind {
                0 => of(" keeper "),
                1 => of("launch.py"),
                2 => of("uv "),
                3 => of(" guard "),
                4 => of(""),
                _ => of("").into_iter().chain([server.pid()]).collect(),
            };
            for pid in victims {
                signal(pid, "KILL");
            }
        });
        if kind > 4 || round % 5 == 4 {
            server.kill();
            server.start_again();
        }
        wait_until_blocking("there is a keeper", PATIENCE, || server.keeper_pid().is_some_and(is_alive));
        check(&server, &promises.lock(), &format!("round {round}, kind {kind}"));
    }
    // A release whose first start or build was killed has failed, which is its end: people start it again.
    for app in promises.lock().kept() {
        let seen = server.wait_for(&app, "at rest", |seen| {
            ["running", "stopped", "failed", "crashed"].contains(&seen["status"].as_str().unwrap())
        });
        if ["failed", "crashed"].contains(&seen["status"].as_str().unwrap()) {
            server.post(&format!("/api/apps/{app}/start")).expect(200);
        }
    }
    check_at_rest(&server, &promises.lock(), "at the end");
    check_nothing_is_left(&server);
}

/// Answers as Streamlit does when it is well, and starts in no time.
pub(crate) const QUICK: &str = r#"#!/usr/bin/env -S python3 -S
import socket
listener = socket.socket(fileno=0)
while True:
    visitor = listener.accept()[0]
    visitor.recv(65536)
    visitor.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    visitor.close()
"#;

/// Makes an app that is served in place one that answers at once.
pub(crate) fn put_quick_python(app: &Path) {
    put_python(app, QUICK);
}

/// Makes an app that is served in place one that this program is, in the place of its Python.
pub(crate) fn put_python(app: &Path, program: &str) {
    let bin = app.join("venv/bin");
    std::fs::create_dir_all(&bin).unwrap();
    // Whether it has Streamlit is its own affair.
    std::fs::write(app.join("venv/pyvenv.cfg"), "include-system-site-packages = true\n").unwrap();
    put_program(&bin.join("python"), program);
}

#[test]
fn a_server_that_is_killed_while_fifty_apps_start_starts_each_of_them_once() {
    const APPS: usize = 50;
    let mut server = Server::prepare(&["apps"]);
    for index in 0..APPS {
        let folder = server.folder().join(format!("apps/app-{index:02}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("app.py"), HELLO).unwrap();
        put_quick_python(&folder);
    }
    server.start_again();
    let running = |server: &Server| {
        let apps = server.get("/api/apps").expect(200).json();
        apps["apps"].as_array().unwrap().iter().filter(|app| app["status"] == "running").count()
    };
    for some in [1, 10, 25] {
        wait_until_blocking("some run", PATIENCE, || running(&server) >= some);
        server.kill();
        server.start_again();
    }
    wait_until_blocking("all run", PATIENCE, || if running(&server) == APPS { Ok(()) } else { Err(running(&server)) });
    check_at_rest(&server, &Promises::default().lock(), "after three kills");
    let launched = server.processes().into_iter().filter(|(_, command)| command.contains("launch.py")).count();
    assert_eq!(launched, APPS);
}
