// SPDX-License-Identifier: Apache-2.0
//! Apps that do not want to end, and what they leave behind.

use lithouse_testkit::wait_until_blocking;

use super::row::{Plan, Row};
use crate::server::{PATIENCE, is_alive, signal};

/// Answers, and tells of SIGTERM what it thinks of it. So does its child, which has a session of its own.
const STUBBORN: &str = "\
import os, signal, socket
door = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
def told(*_): print('told to end, and stays', flush=True)
signal.signal(signal.SIGTERM, told)
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open('child', 'w').write(str(os.getpid()))
    while True: signal.pause()
while True:
    visitor = door.accept()[0]
    visitor.recv(65536)
    visitor.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n')
    visitor.close()
";
const SHORT_GRACE: &str = "stop_grace = \"1s\"";

/// The process whose pid the app has written into this file.
fn pid_in(row: &Row, key: &str, file: &str) -> u32 {
    let path = row.folder(key).join(file);
    wait_until_blocking(&format!("`{file}` tells a pid"), PATIENCE, || {
        std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok())
    })
}

#[test]
fn an_app_that_ignores_sigterm_is_killed_after_the_grace_with_all_that_it_started() {
    // Long enough that it hears SIGTERM before, however busy the machine is.
    let mut row = Plan::of("ignores-sigterm", "stop_grace = \"5s\"").app("stubborn", STUBBORN, "").begin();
    row.server.wait_for_status("stubborn", "running");
    let child = pid_in(&row, "stubborn", "child");
    row.lithouse(&["stop", "stubborn"]);
    row.app("stubborn", "stopped");
    assert!(!is_alive(child));
    row.log("stubborn", &["told to end"]);
    row.lithouse(&["start", "stubborn"]);
    row.end();
}

#[test]
fn a_deployed_app_that_ignores_sigterm_is_deleted_all_the_same() {
    let mut row = Plan::of("ignores-sigterm-deleted", SHORT_GRACE).begin();
    crate::store_of_envs::link_into(&row.server.data());
    let script = "import os, signal, subprocess, streamlit as st, threading, sys\nst.write('x')\n\
                  if not hasattr(sys, 'stubborn'):\n    sys.stubborn = subprocess.Popen(['sh', '-c', \
                  'trap \"\" TERM; echo $$ > ../../state/child; while :; do sleep 7753; done'], start_new_session=True)\n";
    let app = row.server.running_app(script);
    let child = row.server.data().join("apps").join(&app).join("state/child");
    let child: u32 =
        wait_until_blocking("the child is there", PATIENCE, || std::fs::read_to_string(&child).ok()?.trim().parse().ok());
    let deleted = row.server.delete(&format!("/api/apps/{app}"));
    row.answer("DELETE /api/apps/ID", &deleted);
    assert!(!is_alive(child));
    let asked = row.server.get(&format!("/api/apps/{app}"));
    row.answer("GET /api/apps/ID", &asked);
    row.end();
}

#[test]
fn a_server_with_many_apps_that_ignore_sigterm_tells_all_of_them_before_it_kills_the_first() {
    const MANY: usize = 6;
    let plan = (0..MANY).fold(Plan::of("all-ignore-sigterm", "stop_grace = \"6s\""), |plan, number| {
        plan.app(&format!("stubborn-{number}"), STUBBORN, "")
    });
    let mut row = plan.begin();
    let children: Vec<u32> = (0..MANY)
        .map(|number| {
            let key = format!("stubborn-{number}");
            row.server.wait_for_status(&key, "running");
            pid_in(&row, &key, "child")
        })
        .collect();
    row.rest();
    assert!(row.server.stop().success());
    assert_eq!(row.server.processes(), []);
    assert!(children.iter().all(|child| !is_alive(*child)));
    let mut told = Vec::new();
    let mut killed = Vec::new();
    for number in 0..MANY {
        let log = std::fs::read_to_string(row.server.data().join(format!("logs/stubborn-{number}.log"))).unwrap();
        let stamp = |words: &str| {
            let line = log.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("no `{words}` in {log}"));
            line.split(' ').next().unwrap().to_owned()
        };
        told.push(stamp("told to end"));
        killed.push(stamp("SIGKILL"));
    }
    // One grace for all of them, and not one after the other.
    assert!(told.iter().max() < killed.iter().min(), "{told:?} {killed:?}");
    row.server.start_again();
    row.visit();
    row.log("stubborn-0", &["told to end"]);
    row.end();
}

#[test]
fn children_daemons_and_their_daemons_end_with_their_app() {
    let program = "\
import os, signal, socket, subprocess, sys, time
door = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
def note(name):
    open(name, 'w').write(str(os.getpid()))
    while True: signal.pause()
if os.fork() == 0: note('plain')
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: note('daemon')
    os._exit(0)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: os.environ.clear(); os.chdir('/'); note(sys.path[0] + '/hidden')
        os._exit(0)
    os._exit(0)
while True:
    visitor = door.accept()[0]
    visitor.recv(65536)
    visitor.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n')
    visitor.close()
";
    let mut row = Plan::of("daemons", SHORT_GRACE).app("family", program, "restart_on_crash = false").begin();
    let app = row.server.wait_for_status("family", "running");
    let all = ["plain", "daemon", "hidden"].map(|file| pid_in(&row, "family", file));
    row.when("its own process is killed");
    signal(u32::try_from(app["pid"].as_u64().unwrap()).unwrap(), "KILL");
    row.app("family", "crashed");
    assert!(all.iter().all(|pid| !is_alive(*pid)), "{all:?}");
    for file in ["plain", "daemon", "hidden"] {
        std::fs::remove_file(row.folder("family").join(file)).unwrap();
    }
    row.when("it is started and stopped");
    row.lithouse(&["start", "family"]);
    let all = ["plain", "daemon", "hidden"].map(|file| pid_in(&row, "family", file));
    row.lithouse(&["stop", "family"]);
    assert!(all.iter().all(|pid| !is_alive(*pid)), "{all:?}");
    row.end();
}

/// Every child forks at once, and so do its children.
#[test]
fn a_storm_of_forks_comes_to_the_apps_limit_and_no_further() {
    let program = "\
import os, signal, socket, time
door = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
def answer():
    while True:
        visitor = door.accept()[0]
        visitor.recv(65536)
        visitor.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n')
        visitor.close()
if os.fork() == 0:
    while not os.path.exists('storm'): time.sleep(0.02)  # Between two looks.
    while True:
        try: os.fork()
        except OSError as error:
            print('no further:', error.strerror, flush=True)
            while True: signal.pause()
answer()
";
    let mut row = Plan::of("fork-storm", SHORT_GRACE).app("storm", program, "[apps.storm.limits]\nprocesses = 40").begin();
    let keeper = std::fs::read_to_string(row.server.data().join("logs/keeper.log")).unwrap();
    if !keeper.contains("held by cgroups") {
        eprintln!("skipped: without cgroups it is the user's processes that are counted");
        return;
    }
    let before = row.server.wait_for_status("storm", "running");
    std::fs::write(row.folder("storm").join("storm"), "").unwrap();
    row.wait_for_line("storm", "no further");
    let of_app = || row.server.processes().iter().filter(|(_, command)| command.contains("app.py")).count();
    assert!(of_app() <= 41, "{}", of_app());
    let after = row.server.app("storm");
    assert_eq!((&after["status"], &after["pid"]), (&before["status"], &before["pid"]));
    row.lithouse(&["stop", "storm"]);
    row.end();
}

#[test]
fn a_child_that_keeps_the_output_open_does_not_keep_the_end_from_being_told() {
    let program = "echo its last words; setsid sleep 7754 & echo $! > held; exit 4";
    let mut row = Plan::of("output-held-open", SHORT_GRACE).command("sick", program, "", "restart_on_crash = false").begin();
    let held = pid_in(&row, "sick", "held");
    row.app("sick", "failed");
    row.log("sick", &["words"]);
    assert!(!is_alive(held));
    let followed = row.server.command().args(["logs", "sick"]).output().unwrap();
    assert!(String::from_utf8_lossy(&followed.stdout).contains("exit code 4"));
    row.end();
}
