// SPDX-License-Identifier: Apache-2.0
//! Apps that do not come up.

use std::time::Duration;

use serde_json::json;

use super::row::{Plan, Row};
use crate::faults::processes::{QUICK, put_python};
use crate::form::Form;
use crate::server::{HELLO, STREAMLIT, is_alive};

const QUICKLY: &str = "start_timeout = \"8s\"\nstop_grace = \"2s\"";

#[test]
fn an_app_that_exits_at_once_has_failed_with_its_exit_code_and_last_words() {
    let mut row = Plan::of("exits-at-once", "")
        .command("sick", "echo 'no licence for this machine'; exit 3", "", "restart_on_crash = false")
        .begin();
    row.app("sick", "failed");
    let asked = row.server.get("/apps/sick/");
    row.answer("GET /apps/sick/", &asked);
    row.lithouse(&["start", "sick"]);
    row.log("sick", &["licence"]);
    row.end();
}

/// An app that is given up on after its time to start: what it has said and done is told, and nothing of it lives on.
fn given_up(name: &'static str, command: &str, program: &str) -> Row {
    let mut row = Plan::of(name, QUICKLY).command("sick", command, program, "").begin();
    row.server.wait_for_status("sick", "failed");
    row.wait_for_line("sick", "sys | the app was");
    row.app("sick", "failed");
    row.log("sick", &["words"]);
    row
}

#[test]
fn an_app_that_opens_nothing_is_given_up_after_its_time_to_start() {
    let mut row = given_up("opens-nothing", "echo its last words; exec sleep 7751", "");
    let asked = row.server.get("/apps/sick/");
    row.answer("GET /apps/sick/", &asked);
    row.lithouse(&["start", "sick"]);
    row.end();
}

#[test]
fn an_app_that_listens_and_never_answers_is_given_up_after_its_time_to_start() {
    let program = "import os, signal, socket\ns = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\n\
                   print('its last words', flush=True)\nwhile True: signal.pause()\n";
    given_up("never-answers", "exec python3 -S app.py", program).end();
}

#[test]
fn an_app_that_answers_with_errors_is_given_up_after_its_time_to_start() {
    let program = "import os, socket\ns = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\n\
                   print('its last words', flush=True)\nwhile True:\n    v = s.accept()[0]\n    v.recv(9999)\n    \
                   v.sendall(b'HTTP/1.1 500 X\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n')\n    v.close()\n";
    given_up("answers-errors", "exec python3 -S app.py", program).end();
}

#[test]
fn an_app_that_hangs_up_on_everybody_is_given_up_after_its_time_to_start() {
    let program = "import os, socket\ns = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\n\
                   print('its last words', flush=True)\nwhile True: s.accept()[0].close()\n";
    given_up("hangs-up", "exec python3 -S app.py", program).end();
}

/// Its child has a session of its own, and holds the port.
#[test]
fn a_child_that_holds_the_port_ends_with_the_app_that_is_given_up() {
    let program = "import os, signal, socket\ns = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\n\
                   if os.fork() == 0:\n    os.setsid()\n    open('child', 'w').write(str(os.getpid()))\n    \
                   while True: signal.pause()\nprint('its last words', flush=True)\nwhile True: signal.pause()\n";
    let row = given_up("child-holds-the-port", "exec python3 -S app.py", program);
    let child: u32 = std::fs::read_to_string(row.folder("sick").join("child")).unwrap().parse().unwrap();
    assert!(!is_alive(child));
    row.end();
}

/// An app of the folder whose health is asked as Streamlit's.
#[test]
fn a_health_path_with_the_wrong_words_is_no_health() {
    let plan = Plan::of("wrong-health", QUICKLY);
    let folder = plan.server.folder().join("apps/sick");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("app.py"), HELLO).unwrap();
    put_python(&folder, &QUICK.replace("\\r\\n\\r\\nok", "\\r\\n\\r\\nno"));
    let mut row = plan.begin();
    row.wait_for_line("sick", "sys | the app was");
    row.app("sick", "failed");
    std::fs::remove_dir_all(folder).unwrap();
    row.end();
}

#[test]
fn a_release_that_never_becomes_healthy_changes_nothing_for_visitors() {
    let mut row = Plan::of("release-never-healthy", "stop_grace = \"2s\"").begin();
    crate::store_of_envs::link_into(&row.server.data());
    let app = row.server.running_app(HELLO);
    // The first release may have taken longer.
    row.come_back_with("start_timeout = \"8s\"");
    let before = row.server.app(&app);
    let state = row.server.data().join("apps").join(&app).join("state");
    std::fs::write(
        state.join("sitecustomize.py"),
        "import signal\nprint('waiting for the licence', flush=True)\nsignal.pause()\n",
    )
    .unwrap();
    row.server.patch(&format!("/api/apps/{app}"), &json!({"env": {"PYTHONPATH": state}})).expect(200);
    row.server.post_form(&format!("/api/apps/{app}/releases"), Form::app(STREAMLIT, HELLO)).expect(201);
    row.server.wait_for(&app, "told of the failed release", |seen| {
        assert!(row.server.is_healthy(&app));
        std::thread::sleep(Duration::from_millis(50)); // A visitor's pace.
        seen["reason"].is_string()
    });
    row.wait_for_line(&app, "sys | the app was");
    let mut seen = row.server.app(&app);
    // What the process of the first release has said comes when it will.
    let is_told =
        |line: &&serde_json::Value| ["waiting for", "sys | "].iter().any(|words| line.as_str().unwrap().contains(words));
    seen["reason_log"] = seen["reason_log"].as_array().unwrap().iter().filter(is_told).cloned().collect();
    row.told("the first release", &seen);
    for field in ["pid", "port", "release", "status", "restarts"] {
        assert_eq!(seen[field], before[field], "{field}");
    }
    let releases = row.server.get(&format!("/api/apps/{app}/releases")).expect(200).json();
    assert_eq!(releases["releases"][0]["state"], "failed");
    row.end();
}
