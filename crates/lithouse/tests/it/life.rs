// SPDX-License-Identifier: Apache-2.0
//! It stays up: crashes, kills and restarts of apps, server and keeper.

use std::process::Stdio;

use serde_json::json;

use crate::form::Form;
use crate::server::{HELLO, PATIENCE, STREAMLIT, Server, is_alive, signal};
use lithouse_testkit::wait_until_blocking;

fn pid_of(server: &Server, app: &str) -> u32 {
    u32::try_from(server.app(app)["pid"].as_u64().unwrap()).unwrap()
}

#[test]
fn a_script_that_raises_keeps_its_process_and_tells_why() {
    let server = Server::start();
    let app = server.create(Form::app(STREAMLIT, "import streamlit as st\nst.title('x')\n1/0\n"));
    let seen = server.wait_for(&app, "running with a reason", |seen| seen["status"] == "running" && seen["reason"].is_string());
    assert!(seen["reason"].as_str().unwrap().contains("ZeroDivisionError"), "{seen}");
    assert!(seen["reason_log"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains("ZeroDivisionError")));
    assert!(server.is_healthy(&app));
}

#[test]
fn an_app_whose_process_ends_is_started_again_and_the_reason_is_shown() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let mut crashes = 0;
    // The reason is shown for as long as the pause lasts, which doubles with each crash: one of them is long enough to be seen.
    let waiting = loop {
        let pid = pid_of(&server, &app);
        signal(pid, "SEGV");
        crashes += 1;
        let is_back = |seen: &serde_json::Value| seen["status"] == "running" && seen["pid"] != json!(pid);
        let is_waiting = |seen: &serde_json::Value| seen["status"] == "starting" && seen["reason"].is_string();
        let seen = server.wait_for(&app, "waiting for its restart, or back", |seen| is_waiting(seen) || is_back(seen));
        if is_waiting(&seen) {
            break seen;
        }
    };
    assert!(waiting["reason"].as_str().unwrap().contains("signal 11 (SIGSEGV)"), "{waiting}");
    let back = server.wait_for(&app, "running again", |seen| seen["status"] == "running");
    assert_eq!(back["restarts"], crashes);
    let log = server.get(&format!("/api/apps/{app}/logs")).text();
    assert!(log.contains("sys | ") && log.contains("SIGSEGV"), "{log}");
}

#[test]
fn an_app_that_shall_not_be_restarted_is_crashed_with_the_signal_that_ended_it() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    server.patch(&format!("/api/apps/{app}"), &json!({"restart_on_crash": false})).expect(200);
    signal(pid_of(&server, &app), "KILL");
    let crashed = server.wait_for_status(&app, "crashed");
    assert!(crashed["reason"].as_str().unwrap().contains("SIGKILL"), "{crashed}");
    assert_eq!(crashed["pid"], json!(null));
}

#[test]
fn a_release_whose_process_ends_while_it_is_proved_has_failed_with_its_exit_code() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let exits = "import os, streamlit as st\nst.write('x')\nprint('last words', flush=True)\nos._exit(7)\n";
    server.post_form(&format!("/api/apps/{app}/releases"), Form::app(STREAMLIT, exits)).expect(201);
    let seen = server.wait_for(&app, "told of the failed release", |seen| seen["reason"].is_string());
    assert_eq!((&seen["status"], &seen["release"]), (&json!("running"), &json!(1)));
    assert!(seen["reason"].as_str().unwrap().contains("exit code 7"), "{seen}");
}

#[test]
fn an_app_that_ends_before_it_is_healthy_has_failed_with_its_exit_code_and_last_words() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let state = server.data().join("apps").join(&app).join("state");
    std::fs::write(state.join("sitecustomize.py"), "import os\nprint('no licence', flush=True)\nos._exit(9)\n").unwrap();
    let change = json!({"env": {"PYTHONPATH": state}, "restart_on_crash": false});
    server.patch(&format!("/api/apps/{app}"), &change).expect(200);
    server.post(&format!("/api/apps/{app}/restart")).expect(200);
    let failed = server.wait_for_status(&app, "failed");
    assert!(failed["reason"].as_str().unwrap().contains("exit code 9"), "{failed}");
    let log: Vec<&str> = failed["reason_log"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(log.iter().any(|line| line.contains("no licence")), "{failed}");
    // What the process before it said is no reason.
    assert_eq!(log.iter().position(|line| line.contains("sys | started, pid")), Some(0), "{failed}");
    assert!(!log.iter().any(|line| line.contains("the script ran")), "{failed}");
    std::fs::remove_file(state.join("sitecustomize.py")).unwrap();
    server.post(&format!("/api/apps/{app}/start")).expect(200);
    server.wait_for_status(&app, "running");
}

#[test]
fn a_killed_server_finds_its_apps_again_with_every_line_they_printed() {
    let mut server = Server::start();
    let script = r"
import streamlit as st, sys, threading, time
st.write('x')
if not hasattr(sys, 'counting'):
    sys.counting = True
    def count():
        for number in range(100000):
            print('line', number)
            time.sleep(0.01)  # The pace of an app that prints all the time: lines before, during and after the server's death.
    threading.Thread(target=count, daemon=True).start()
";
    let app = server.running_app(script);
    let before = server.app(&app);
    let log = server.data().join(format!("logs/{app}.log"));
    let numbers = || -> Vec<u64> {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.lines().filter_map(|line| line.split_once("out | line ")?.1.parse().ok()).collect()
    };
    let counted = |most: usize| if numbers().len() > most { Ok(()) } else { Err(numbers().len()) };
    wait_until_blocking("it counts", PATIENCE, || counted(5));
    server.kill();
    assert!(is_alive(u32::try_from(before["pid"].as_u64().unwrap()).unwrap()), "the app died with the server");
    let killed_at = numbers().len();
    wait_until_blocking("lines come that nobody but the keeper reads", PATIENCE, || counted(killed_at + 30));
    server.start_again();
    let after = server.app(&app);
    for field in ["pid", "port", "started_at", "release"] {
        assert_eq!(after[field], before[field], "{field}");
    }
    server.wait_for_status(&app, "running");
    let back_at = numbers().len();
    wait_until_blocking("it counts on", PATIENCE, || counted(back_at + 5));
    let told = server.get(&format!("/api/apps/{app}/logs?tail=100000")).text();
    let told: Vec<u64> = told.lines().filter_map(|line| line.split_once("out | line ")?.1.parse().ok()).collect();
    assert!(told.len() > killed_at + 35, "{told:?}");
    assert_eq!(told, (0..told.len() as u64).collect::<Vec<_>>(), "lines are missing");
}

#[test]
fn a_killed_keeper_takes_its_apps_along_and_they_are_started_again_and_that_is_told() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let (first, keeper) = (pid_of(&server, &app), server.keeper_pid().unwrap());
    signal(keeper, "KILL");
    wait_until_blocking("the app ends with the keeper", PATIENCE, || !is_alive(first));
    let back = server.wait_for(&app, "running again", |seen| seen["status"] == "running" && seen["pid"] != json!(first));
    assert!(back["pid"].is_u64() && server.is_healthy(&app));
    assert_ne!(server.keeper_pid(), Some(keeper));
    assert!(!server.wait_until_said(&["keeper"]).contains('\u{1b}'), "{:?}", server.said());
}

#[test]
fn after_the_machine_was_gone_everything_is_started_again_as_people_wanted_it() {
    let mut server = Server::start();
    let (runs, rests) = (server.running_app(HELLO), server.running_app(HELLO));
    server.post(&format!("/api/apps/{rests}/stop")).expect(200);
    server.wait_for_status(&rests, "stopped");
    let (first, keeper) = (pid_of(&server, &runs), server.keeper_pid().unwrap());
    // The server first: it would have another keeper at once.
    server.kill();
    signal(keeper, "KILL");
    wait_until_blocking("everything is gone", PATIENCE, || !is_alive(keeper) && !is_alive(first));
    server.start_again();
    let back = server.wait_for_status(&runs, "running");
    assert_ne!(back["pid"], json!(first));
    assert!(server.is_healthy(&runs));
    assert_eq!(server.app(&rests)["status"], "stopped");
}

#[test]
fn a_server_that_takes_over_from_another_knows_which_apps_have_crashed_and_how_often() {
    let mut server = Server::start();
    let (down, again) = (server.running_app(HELLO), server.running_app(HELLO));
    server.patch(&format!("/api/apps/{down}"), &json!({"restart_on_crash": false})).expect(200);
    for app in [&down, &again] {
        signal(pid_of(&server, app), "KILL");
    }
    let crashed = server.wait_for_status(&down, "crashed");
    server.wait_for(&again, "running again", |seen| seen["status"] == "running" && seen["restarts"] == 1);
    server.kill();
    server.start_again();
    for field in ["status", "reason", "restarts", "pid"] {
        assert_eq!(server.app(&down)[field], crashed[field], "{field}");
    }
    assert_eq!(server.app(&again)["restarts"], 1);

    // With nobody there to hear of it, an end is a crash like any other.
    let pid = pid_of(&server, &again);
    server.kill();
    signal(pid, "KILL");
    wait_until_blocking("the app is gone", PATIENCE, || !is_alive(pid));
    server.start_again();
    server.wait_for(&again, "running again", |seen| seen["status"] == "running" && seen["restarts"] == 2);
    assert_eq!(server.app(&down)["status"], "crashed");

    // Whoever ends the server and starts it again wants all to run.
    assert!(server.stop().success());
    server.start_again();
    for app in [&down, &again] {
        assert_eq!(server.wait_for_status(app, "running")["restarts"], 0);
    }
}

#[test]
fn told_to_end_the_server_ends_everything_and_the_next_start_brings_it_back_as_it_was() {
    let mut server = Server::start();
    let runs = server.running_app(HELLO);
    let rests = server.running_app(HELLO);
    server.post(&format!("/api/apps/{rests}/stop")).expect(200);
    server.wait_for_status(&rests, "stopped");
    assert!(server.stop().success());
    assert_eq!(server.processes(), []);
    server.start_again();
    server.wait_for_status(&runs, "running");
    assert_eq!(server.app(&rests)["status"], "stopped");
    server.wait_until_said(&[&format!("/apps/{runs}/")]);
}

#[test]
fn a_hang_up_ends_the_server_like_any_other_wish_to_end() {
    let mut server = Server::prepare(&[]);
    // Whatever runs the tests may ignore the signal.
    server.start_again_as(server.command_under(&["env", "--default-signal=HUP"]));
    crate::store_of_envs::link_into(&server.data());
    let app = server.running_app(HELLO);
    assert!(server.stop_by("HUP").success());
    assert_eq!(server.processes(), []);
    server.start_again();
    server.wait_for_status(&app, "running");
}

#[test]
fn a_server_under_nohup_outlives_a_hang_up_and_still_ends_when_told() {
    let mut server = Server::prepare(&[]);
    server.start_again_as(server.command_under(&["nohup"]));
    signal(server.pid(), "HUP");
    // An ignored signal leaves nothing to wait for; that it is ignored, and not just on its way, is a fact of the process.
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let mask = |name: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(mask.trim(), 16).unwrap()
    };
    assert_eq!((mask("SigIgn:") & 1, mask("SigCgt:") & 1), (1, 0), "{status}");
    server.get("/health").expect(200);
    assert!(server.stop().success());
    assert_eq!(server.processes(), []);
}

#[test]
fn a_terminal_that_is_closed_ends_its_server_well() {
    let terminal = "
import os, pty, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
child, person = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b''
while b'listening on' not in seen:
    seen += os.read(person, 65536)
os.close(person)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";
    let server = Server::prepare(&[]);
    let mut command = server.command_under(&["python3", "-c", terminal]);
    let ended = command.args(["serve", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(server.processes(), []);
}

#[test]
fn a_daemon_that_hides_from_its_app_is_gone_with_it_though_an_older_app_runs_on() {
    let server = Server::start();
    let older = server.running_app(HELLO);
    let script = "import subprocess, streamlit as st\nst.write('x')\n\
                  subprocess.Popen(['sh', '-c', 'setsid env -i sleep 7773 >/dev/null 2>&1 </dev/null & echo $! > ../../state/pid'], env={})\n";
    let app = server.running_app(script);
    let pid = server.data().join("apps").join(&app).join("state/pid");
    let hidden: u32 =
        wait_until_blocking("the daemon runs", PATIENCE, || std::fs::read_to_string(&pid).ok()?.trim().parse().ok());
    wait_until_blocking("it hides", PATIENCE, || {
        let command = std::fs::read_to_string(format!("/proc/{hidden}/cmdline")).unwrap_or_default();
        if command.starts_with("sleep") { Ok(()) } else { Err(command) }
    });
    server.delete(&format!("/api/apps/{app}")).expect(204);
    // It is out of its group by now; what the kernel still has to clear away may show for a moment.
    wait_until_blocking("it is gone", PATIENCE, || !is_alive(hidden));
    assert_eq!(server.app(&older)["status"], "running");
}

#[test]
fn a_server_that_cannot_start_leaves_no_keeper_behind() {
    let server = Server::prepare(&[]);
    let failed = server.command().args(["serve", "no-such-folder", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert!(!failed.status.success());
    assert_eq!(server.processes(), []);
}

#[test]
fn a_full_disk_keeps_no_server_from_coming_back_and_nobody_from_making_room() {
    let mut server = Server::prepare_with_uv(&[]);
    let data = server.data();
    std::fs::create_dir_all(&data).unwrap();
    let Some(_disk) = SmallDisk::mount(&data) else {
        eprintln!("skipped: this needs the right to mount");
        return;
    };
    server.start_again();
    // It cannot be built, which is all the same here.
    let app = server.create(Form::app("no-such-package-lithouse-42\n", HELLO));
    server.wait_for_status(&app, "failed");
    wait_until_blocking("what the build needed is cleared away", PATIENCE, || {
        std::fs::read_dir(data.join("tmp")).unwrap().next().is_none()
    });
    let ballast = data.join("ballast");
    let filled =
        std::process::Command::new("dd").args(["if=/dev/zero", "bs=4k"]).arg(format!("of={}", ballast.display())).output();
    assert!(!filled.unwrap().status.success(), "the disk is not full");
    let one_more = Form::app("six\n", &format!("# {}\n{HELLO}", "x".repeat(1 << 20)));
    server.post_form("/api/apps", one_more).expect_problem(507, "disk_full");
    server.post(&format!("/api/apps/{app}/stop")).expect(200);
    server.kill();
    server.start_again();
    server.delete(&format!("/api/apps/{app}")).expect(204);
    server.get(&format!("/api/apps/{app}")).expect_problem(404, "no_such_app");
    assert!(server.stop().success());
}

/// A disk of 16 MiB, taken away again whatever the test did.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: &std::path::Path) -> Option<Self> {
        let mut mount = std::process::Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(at).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn two_servers_never_share_a_data_folder() {
    let server = Server::start_without_environments();
    let second = server.command().args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && said.contains(&server.pid().to_string()), "{said}");
    server.get("/api/apps").expect(200);
}

#[test]
fn apps_of_a_folder_are_served_in_place_under_their_keys() {
    let server = Server::prepare_with_uv(&["apps"]);
    for (key, text) in [("one", "first"), ("two", "second")] {
        let folder = server.folder().join("apps").join(key);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("app.py"), format!("import streamlit as st\nst.write('{text}')\nprint('{text}')\n")).unwrap();
        std::fs::write(folder.join("requirements.txt"), STREAMLIT).unwrap();
    }
    let server = server.up();
    for key in ["one", "two"] {
        let app = server.wait_for_status(key, "running");
        assert_eq!(app["access_url"], server.url(&format!("/apps/{key}/")));
        assert!(server.is_healthy(key));
    }
    server.wait_until_said(&["/apps/one/", "/apps/two/"]);
    server.put("/api/apps/one/files/app.py", b"x").expect_problem(409, "served_in_place");
    let refused = server.delete("/api/apps/one").expect_problem(409, "declared");
    assert_eq!(refused["hint"], "move its folder out of the folder of apps; then `lithouse refresh`");
    assert!(server.folder().join("apps/one/app.py").exists() && server.is_healthy("one"));
}
