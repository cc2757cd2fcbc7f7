// SPDX-License-Identifier: Apache-2.0
//! What an app may take, and what is told when it took all of it, or was halted.

use serde_json::{Value, json};

use crate::form::Form;
use crate::server::{HELLO, Server, signal};
use crate::store_of_envs;

/// Takes memory without end once there is a file `eat` in its data.
const GREEDY: &str = "\
import os, threading, time
def eat():
    while not os.path.exists(os.environ['LITHOUSE_APP_DATA'] + '/eat'): time.sleep(0.02)  # Between two looks.
    taken = []
    while True: taken.append(bytearray(1 << 20))
threading.Thread(target=eat, daemon=True).start()
print('the script ran')
";

const LIMIT: u64 = 400_000_000;

#[test]
fn an_app_that_uses_all_its_memory_is_told_apart_and_its_peak_shown() {
    let mut server = Server::start();
    server.stop();
    server.start_again_with_env(&[("LITHOUSE_APP_MEMORY", "400MB")]);
    store_of_envs::link_into(&server.data());
    let app = server.running_app(GREEDY);
    let change = json!({"limits": {"processes": 200}, "restart_on_crash": false});
    let changed = server.patch(&format!("/api/apps/{app}"), &change).expect(200).json();
    assert_eq!(changed["limits"], json!({"memory": LIMIT, "cpu": null, "processes": 200, "open_files": null}));
    let peak = changed["memory_peak"].as_u64();
    assert!(peak.is_some_and(|peak| (10_000_000..LIMIT).contains(&peak)), "{changed}");
    assert!(peak >= changed["memory"].as_u64() && changed["memory"].is_u64(), "{changed}");
    std::fs::write(server.data().join(format!("apps/{app}/state/eat")), "").unwrap();
    let ended = server.wait_for(&app, "`crashed`", |seen| seen["status"] == "crashed");
    let reason = ended["reason"].as_str().unwrap();
    assert!(reason.starts_with("out of memory: it used its whole limit of 400 MB; "), "{reason}");
    assert!(ended["memory_peak"].as_u64().is_some_and(|peak| peak > LIMIT / 2), "{ended}");
    assert_eq!(ended["pid"], Value::Null);
}

#[test]
fn an_app_is_given_its_limits_with_its_files() {
    let server = Server::start();
    let form = || Form::app("", HELLO).text("key", "small");
    for (wrong, code) in [
        (r#"{"memory": 5}"#, "invalid_limit"),
        (r#"{"ram": 5}"#, "invalid_field"),
        ("[400000000]", "invalid_field"),
        ("400MB", "invalid_field"),
    ] {
        server.post_form("/api/apps", form().text("limits", wrong)).expect_problem(400, code);
    }
    let limits = json!({"memory": LIMIT, "cpu": 0.5, "processes": null, "open_files": 256});
    let made = server.post_form("/api/apps", form().text("limits", &limits.to_string())).expect(201).json();
    assert_eq!(made["limits"], limits);
    let listed: Value = serde_json::from_slice(&server.command().args(["apps", "--json"]).output().unwrap().stdout).unwrap();
    assert_eq!(listed["apps"][0]["limits"], limits);
}

#[test]
fn limits_that_are_none_are_refused_and_null_takes_one_away() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let path = format!("/api/apps/{app}");
    let limits = |limits: Value| server.patch(&path, &json!({ "limits": limits }));
    limits(json!({"cpu": 1.5, "open_files": 1024.0})).expect(200);
    for (wrong, code) in [
        (json!({"memory": 5}), "invalid_limit"),
        (json!({"cpu": 0}), "invalid_limit"),
        (json!({"cpu": 5000}), "invalid_limit"),
        (json!({"processes": 1}), "invalid_limit"),
        (json!({"open_files": 3}), "invalid_limit"),
        (json!({"memory": "1GB"}), "invalid_field"),
        (json!({"ram": 1_000_000_000}), "invalid_field"),
        (json!(["memory"]), "invalid_field"),
        (json!([null, null]), "invalid_field"),
        (json!({"open_files": 1024.5}), "invalid_limit"),
        (json!({"processes": -1}), "invalid_limit"),
        (json!({"memory": -1}), "invalid_limit"),
        (json!({"memory": 1e30}), "invalid_limit"),
    ] {
        let problem = limits(wrong.clone()).expect_problem(400, code);
        assert!(code != "invalid_limit" || problem["hint"] == "null takes the limit away", "{wrong} {problem}");
    }
    let after = limits(json!({"cpu": null})).expect(200).json();
    assert_eq!(after["limits"], json!({"memory": null, "cpu": null, "processes": null, "open_files": 1024}));
    assert_eq!(server.patch(&path, &json!({"name": "Hello"})).expect(200).json()["limits"], after["limits"]);
}

#[test]
fn an_app_without_limits_of_its_own_has_those_of_all_apps() {
    let mut server = Server::start();
    let app = server.running_app(HELLO);
    server.stop();
    server.start_again_with_env(&[("LITHOUSE_APP_OPEN_FILES", "900"), ("LITHOUSE_APP_MEMORY", "2GB")]);
    let seen = server.wait_for_status(&app, "running");
    assert_eq!(seen["limits"], json!({"memory": 2_000_000_000_u64, "cpu": null, "processes": null, "open_files": 900}));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", seen["pid"])).unwrap();
    assert!(
        limits.lines().any(|line| line.starts_with("Max open files") && line.split_whitespace().nth(3) == Some("900")),
        "{limits}"
    );
}

#[test]
fn a_halted_app_says_so_and_heeds_every_wish_at_once() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let path = format!("/api/apps/{app}");
    let halt = || {
        let pid = u32::try_from(server.wait_for_status(&app, "running")["pid"].as_u64().unwrap()).unwrap();
        signal(pid, "STOP");
        let halted = server.wait_for(&app, "halted", |seen| seen["reason"].as_str().is_some_and(|why| why.starts_with("halted")));
        let expected = format!("halted by a signal; `kill -CONT {pid}` or `lithouse restart {app}` lets it go on");
        assert_eq!(halted["reason"], expected);
        pid
    };
    let pid = halt();
    signal(pid, "CONT");
    server.wait_for(&app, "told nothing of", |seen| seen["reason"] == Value::Null && seen["pid"] == pid);
    let pid = halt();
    server.post(&format!("{path}/restart")).expect(200);
    server.wait_for(&app, "another process that runs", |seen| seen["status"] == "running" && seen["pid"] != pid);
    halt();
    server.post(&format!("{path}/stop")).expect(200);
    let stopped = server.wait_for_status(&app, "stopped");
    assert_eq!(stopped["reason"], Value::Null);
    server.post(&format!("{path}/start")).expect(200);
    halt();
    server.delete(&path).expect(204);
}
