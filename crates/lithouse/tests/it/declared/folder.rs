// SPDX-License-Identifier: Apache-2.0
//! Apps of a folder: new, changed, gone.

use lithouse_testkit::{put_program, wait_until_blocking};

use super::lab::{app, assert_nothing_done, keys};
use crate::form::Form;
use crate::server::{HELLO, PATIENCE, Server, is_alive, signal};

#[test]
fn a_refresh_takes_new_changed_and_removed_apps_of_the_folder_and_touches_no_other() {
    let server = Server::prepare(&["apps"]);
    for key in ["one", "two", "three"] {
        app(&server.of_folder(key), &format!("first of {key}"));
    }
    let server = server.up();
    let pids = ["one", "two", "three"].map(|key| server.pid_of(key));
    assert_nothing_done(&server.refresh(), 3);

    app(&server.of_folder("four"), "first of four");
    std::fs::write(server.of_folder("two").join("app.py"), "second of two").unwrap();
    std::fs::remove_dir_all(server.of_folder("three")).unwrap();
    let refreshed = server.refresh();
    assert_eq!(keys(&refreshed, "added"), ["four"]);
    assert_eq!(keys(&refreshed, "restarted"), ["two"]);
    assert_eq!(keys(&refreshed, "removed"), ["three"]);
    assert_eq!(refreshed["unchanged"], 1, "{refreshed}");

    server.wait_to_read("/apps/two/", "second of two");
    server.wait_to_read("/apps/four/", "first of four");
    assert_eq!(server.pid_of("one"), pids[0], "an app that did not change keeps its process");
    assert_ne!(server.pid_of("two"), pids[1]);
    server.get("/api/apps/three").expect_problem(404, "no_such_app");
    assert!(!is_alive(u32::try_from(pids[2]).unwrap()), "a removed app has stopped when the refresh returns");
    assert!(!server.data().join("logs/three.log").exists());
    assert_nothing_done(&server.refresh(), 3);
}

#[test]
fn what_changed_while_the_server_was_down_counts_when_it_comes_back() {
    let server = Server::prepare(&["apps"]);
    for key in ["same", "changed", "gone"] {
        app(&server.of_folder(key), &format!("first of {key}"));
    }
    let mut server = server.up();
    let same = server.pid_of("same");
    let changed = server.pid_of("changed");
    let gone = u32::try_from(server.pid_of("gone")).unwrap();
    server.kill();
    std::fs::write(server.of_folder("changed").join("app.py"), "second of changed").unwrap();
    std::fs::remove_dir_all(server.of_folder("gone")).unwrap();
    app(&server.of_folder("new"), "first of new");
    server.start_again();
    server.wait_to_read("/apps/changed/", "second of changed");
    server.wait_to_read("/apps/new/", "first of new");
    assert_eq!(server.pid_of("same"), same);
    assert_ne!(server.pid_of("changed"), changed);
    server.get("/api/apps/gone").expect_problem(404, "no_such_app");
    wait_until_blocking("the removed app has ended", PATIENCE, || !is_alive(gone));
    assert_nothing_done(&server.refresh(), 3);
}

#[test]
fn a_stopped_app_stays_stopped_and_one_that_has_ended_by_itself_is_started() {
    let server = Server::prepare(&["apps"]);
    app(&server.of_folder("stopped"), "first of stopped");
    app(&server.of_folder("crashing"), "first of crashing");
    let server = server.up();
    let pid = u32::try_from(server.pid_of("crashing")).unwrap();
    server.pid_of("stopped");
    server.post("/api/apps/stopped/stop").expect(200);
    server.wait_for_status("stopped", "stopped");
    server.patch("/api/apps/crashing", &serde_json::json!({"restart_on_crash": false})).expect(200);
    signal(pid, "KILL");
    server.wait_for_status("crashing", "crashed");
    // Files of a stopped app count when it is started.
    std::fs::write(server.of_folder("stopped").join("app.py"), "second of stopped").unwrap();
    let refreshed = server.refresh();
    assert_eq!(keys(&refreshed, "started"), ["crashing"]);
    assert_eq!(refreshed["unchanged"], 1, "{refreshed}");
    server.pid_of("crashing");
    assert_eq!(server.app("stopped")["status"], "stopped");
    assert_eq!(server.app("crashing")["restart_on_crash"], false, "what people set of an app of a folder stays");
    server.post("/api/apps/stopped/start").expect(200);
    server.wait_to_read("/apps/stopped/", "second of stopped");
    assert_nothing_done(&server.refresh(), 2);
}

#[test]
fn an_app_that_failed_is_started_again_with_what_was_mended() {
    let server = Server::prepare(&["apps"]);
    app(&server.of_folder("broken"), "exit");
    let server = server.up();
    server.wait_for_status("broken", "failed");
    std::fs::write(server.of_folder("broken").join("app.py"), "mended").unwrap();
    assert_eq!(keys(&server.refresh(), "started"), ["broken"]);
    server.wait_to_read("/apps/broken/", "mended");
}

#[test]
fn an_app_that_failed_before_it_ever_ran_is_tried_again_by_the_next_server() {
    let server = Server::prepare(&["apps"]);
    app(&server.of_folder("lacking"), "first of lacking");
    let settings = server.of_folder("lacking").join("venv/pyvenv.cfg");
    let whole = std::fs::read(&settings).unwrap();
    std::fs::remove_file(&settings).unwrap();
    let mut server = server.up();
    let failed = server.wait_for_status("lacking", "failed");
    assert!(failed["reason"].as_str().unwrap().starts_with("streamlit is not installed"), "{failed}");
    // Nothing that was mended yet: it fails once more.
    assert!(server.stop().success());
    server.start_again();
    server.wait_for_status("lacking", "failed");
    assert!(server.stop().success());
    std::fs::write(&settings, whole).unwrap();
    server.start_again();
    server.wait_to_read("/apps/lacking/", "first of lacking");
    assert_eq!(server.wait_for_status("lacking", "running")["reason"], serde_json::Value::Null);
}

#[test]
fn data_that_an_app_writes_beside_its_script_does_not_restart_it() {
    let server = Server::prepare(&["apps"]);
    app(&server.of_folder("one"), "first of one");
    let server = server.up();
    let pid = server.pid_of("one");
    server.write("apps/one/data.csv", "1");
    server.write("apps/one/__pycache__/app.pyc", "1");
    server.write("apps/one/venv/lib/new.py", "1");
    assert_nothing_done(&server.refresh(), 1);
    assert_eq!(server.pid_of("one"), pid);
    server.write("apps/one/.streamlit/config.toml", "");
    assert_eq!(keys(&server.refresh(), "restarted"), ["one"]);
}

#[test]
fn what_cannot_be_served_is_told_and_the_rest_is_served() {
    let server = Server::prepare(&["apps"]);
    app(&server.of_folder("Sales Report"), "x");
    app(&server.of_folder("a7c1e0f2b9f84a62"), "x");
    app(&server.of_folder("fine"), "fine");
    server.write("apps/notes/readme.txt", "no app");
    let server = server.up();
    let said = server.wait_until_said(&[
        "not served: `apps/Sales Report`: a key starts with a letter or digit",
        "rename the folder, such as `sales-report`",
    ]);
    assert!(!said.contains("notes"), "a folder without a script is no app: {said}");
    server.wait_to_read("/apps/fine/", "fine");
    let refreshed = server.refresh();
    assert_eq!(keys(&refreshed, "passed_over"), ["apps/Sales Report", "apps/a7c1e0f2b9f84a62"]);
    assert_eq!(refreshed["unchanged"], 1, "{refreshed}");
}

#[test]
fn an_app_that_was_deployed_keeps_its_key() {
    let server = Server::prepare(&["apps"]);
    std::fs::create_dir(server.folder().join("apps")).unwrap();
    let server = server.up();
    server.create(Form::app("six\n", HELLO).text("key", "sales"));
    app(&server.of_folder("sales"), "of the folder");
    let refreshed = server.refresh();
    assert_eq!(keys(&refreshed, "passed_over"), ["sales"]);
    let reason = refreshed["passed_over"][0]["reason"].as_str().unwrap();
    assert_eq!(reason, "an app that was deployed has that key; `lithouse rm sales` makes room for it");
    assert!(!server.get("/apps/sales/").text().contains("of the folder"));
    server.delete("/api/apps/sales").expect(204);
    assert_eq!(keys(&server.refresh(), "added"), ["sales"]);
    server.wait_to_read("/apps/sales/", "of the folder");
}

#[test]
fn an_app_of_the_folder_is_removed_by_taking_it_out_of_the_folder() {
    let server = Server::prepare(&["apps"]);
    app(&server.of_folder("one"), "first of one");
    let server = server.up();
    server.pid_of("one");
    let refused = server.lithouse(&["rm", "one", "--yes"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(4));
    let told = "error: the app is there because the folder of apps names it\n\
                hint: move its folder out of the folder of apps; then `lithouse refresh`\n";
    assert_eq!(said, told);
    std::fs::rename(server.of_folder("one"), server.folder().join("elsewhere")).unwrap();
    let done = server.lithouse(&["refresh"]);
    assert_eq!(String::from_utf8_lossy(&done.stdout), "removed   one\n");
    server.get("/apps/one/").expect(404);
    assert!(server.folder().join("elsewhere/app.py").exists(), "the folder is a person's and stays");
}

#[test]
fn a_folder_of_apps_that_is_gone_is_a_mistake_and_no_reason_to_remove_the_apps() {
    let server = Server::prepare(&[]);
    app(&server.of_folder("one"), "first of one");
    let server = server.up();
    let pid = server.pid_of("one");
    std::fs::rename(server.folder().join("apps"), server.folder().join("away")).unwrap();
    let refused = server.lithouse(&["refresh"]);
    assert_eq!(refused.status.code(), Some(4));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.starts_with("error: there is no folder `apps`\nhint: "), "{said}");
    assert_eq!(server.pid_of("one"), pid);
    std::fs::rename(server.folder().join("away"), server.folder().join("apps")).unwrap();
    assert_nothing_done(&server.refresh(), 1);
}

#[test]
fn what_an_app_keeps_outlives_its_absence_from_the_folder() {
    let server = Server::prepare(&["apps"]);
    app(&server.of_folder("one"), "first of one");
    let server = server.up();
    server.pid_of("one");
    let state = |server: &Server| server.data().join(format!("apps/{}/state", server.app("one")["app_id"].as_str().unwrap()));
    std::fs::write(state(&server).join("sales.db"), "what people entered").unwrap();
    std::fs::rename(server.of_folder("one"), server.folder().join("elsewhere")).unwrap();
    assert_eq!(keys(&server.refresh(), "removed"), ["one"]);
    std::fs::rename(server.folder().join("elsewhere"), server.of_folder("one")).unwrap();
    assert_eq!(keys(&server.refresh(), "added"), ["one"]);
    server.pid_of("one");
    assert_eq!(std::fs::read_to_string(state(&server).join("sales.db")).unwrap(), "what people entered");
}

#[test]
fn a_refresh_is_taken_over_the_control_socket_alone() {
    let server = Server::start_without_environments();
    server.post("/api/server/refresh").expect_problem(403, "control_socket_only");
    let done = server.lithouse(&["refresh"]);
    assert!(done.status.success());
    let told = String::from_utf8_lossy(&done.stdout);
    assert_eq!(told, "nothing to do: neither a folder nor the configuration names an app\n");
}

#[test]
fn a_refresh_while_an_app_is_built_for_the_first_time_takes_what_changed_and_nothing_else() {
    let mut server = Server::prepare(&["apps"]);
    // Builds as long as the test takes.
    let uv = server.folder().join("uv");
    put_program(&uv, "#!/bin/sh\nwhile [ -e \"$0\" ]; do sleep 0.1; done\n");
    server.write("apps/one/app.py", "first of one");
    server.write("apps/one/requirements.txt", "six\n");
    server.start_again_with_env(&[("LITHOUSE_UV", uv.to_str().unwrap())]);
    server.wait_for_status("one", "building");
    assert_nothing_done(&server.refresh(), 1);
    server.write("apps/one/requirements.txt", "six==1.17.0\n");
    assert_eq!(keys(&server.refresh(), "restarted"), ["one"]);
    server.wait_for_status("one", "building");
    assert_nothing_done(&server.refresh(), 1);
}
