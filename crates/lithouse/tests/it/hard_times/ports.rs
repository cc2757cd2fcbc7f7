// SPDX-License-Identifier: Apache-2.0
//! Ports that are taken: all of the range, one of it, or the server's own.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;

use lithouse_testkit::{free_ports, wait_until_blocking};

use super::row::{Plan, Row};
use super::wheels::{EndlessBuild, TINY, index};
use crate::form::Form;
use crate::server::{HELLO, PATIENCE, STREAMLIT};

#[test]
fn a_full_range_of_ports_is_told_with_the_setting_to_change_and_freed_ports_are_used_again() {
    let first = free_ports(2);
    let plan = Plan::of("full-range", &format!("port_range = \"{first}-{}\"", first + 1));
    // The neighbour has its port before there are others.
    let mut row = plan.begin();
    row.add(&["second", "third"]);
    row.hide(&format!("{first}-{}", first + 1), "FIRST-LAST");
    // Whichever came second has the other port.
    let (has, has_none) = wait_until_blocking("one has failed and one runs", PATIENCE, || {
        let (second, third) = (row.server.app("second"), row.server.app("third"));
        match (second["status"].as_str().unwrap(), third["status"].as_str().unwrap()) {
            ("running", "failed") => Ok(("second", "third")),
            ("failed", "running") => Ok(("third", "second")),
            other => Err(format!("{other:?}")),
        }
    });
    let told = row.server.app(has_none);
    row.told("the one too many", &told);
    row.when("one is deployed");
    let refused = row.server.post_form("/api/apps", Form::app(STREAMLIT, HELLO));
    row.answer("POST /api/apps", &refused);
    assert_eq!(row.server.get("/api/apps").json()["apps"].as_array().unwrap().len(), 3, "half an app is left");
    row.when("it is started all the same");
    let started = row.server.lithouse(&["start", has_none]);
    assert_eq!(started.status.code(), Some(1), "{}", String::from_utf8_lossy(&started.stderr));
    row.when("the other one is stopped, which gives its port back");
    assert!(row.server.lithouse(&["stop", has]).status.success());
    assert!(row.server.lithouse(&["start", has_none]).status.success());
    let told = row.server.app(has_none);
    row.told("the one that was too many", &told);
    row.end();
}

#[test]
fn an_app_that_never_ran_keeps_no_port_once_it_has_failed_or_is_stopped() {
    let first = free_ports(2);
    // One for the neighbour, and one for all others.
    let plan = Plan::of("ports-of-failed", &format!("port_range = \"{first}-{}\"", first + 1));
    let index = index(&plan.server);
    let build = EndlessBuild::beside(&plan.server);
    let mut row = plan.begin_with(&index);
    let deploy = |row: &Row, key: &str, requirements: &str| {
        row.server.post_form("/api/apps", Form::app(requirements, "# here\n").text("key", key))
    };
    for key in ["one", "two"] {
        deploy(&row, key, &format!("{TINY}tiny==99\n")).expect(201);
        let failed = row.server.wait_for_status(key, "failed");
        assert_eq!(failed["port"], serde_json::Value::Null, "{failed}");
    }

    row.server.post_form("/api/apps", build.form().text("key", "slow")).expect(201);
    wait_until_blocking("the package is being built", PATIENCE, || build.has_begun.exists());
    assert!(row.server.app("slow")["port"].is_u64(), "{}", row.server.app("slow"));
    deploy(&row, "other", TINY).expect_problem(503, "no_free_port");
    assert!(row.server.lithouse(&["stop", "slow"]).status.success());
    assert_eq!(row.server.app("slow")["port"], serde_json::Value::Null);

    deploy(&row, "other", TINY).expect(201);
    row.server.wait_for_status("other", "running");
    std::fs::write(&build.is_broken, "").unwrap();
    assert_eq!(row.server.post("/api/apps/slow/start").expect(200).json()["port"], serde_json::Value::Null);
    row.server.wait_for_status("slow", "failed");
    row.server.delete("/api/apps/other").expect(204);

    row.when("one that has failed is stopped");
    row.lithouse(&["stop", "one"]);
    row.app("one", "stopped");
    row.rest();
    row.server.kill();
    row.server.start_again_with_env(&index.each_ref().map(|(name, value)| (*name, value.as_str())));
    row.visit();
    assert_eq!((&row.server.app("one")["status"], &row.server.app("two")["status"]), (&"stopped".into(), &"failed".into()));
    let started = row.server.lithouse(&["start", "one"]);
    assert_eq!(started.status.code(), Some(1), "{}", String::from_utf8_lossy(&started.stderr));
    row.server.wait_for_status("one", "failed");
    row.end();
}

#[test]
fn a_new_release_that_finds_no_port_fails_and_the_old_one_serves_on() {
    let first = free_ports(2);
    let plan = Plan::of("full-range-release", &format!("port_range = \"{first}-{}\"", first + 1));
    let index = index(&plan.server);
    let mut row = plan.begin_with(&index);
    row.hide(&format!("{first}-{}", first + 1), "FIRST-LAST");
    let app = row.server.create(Form::app(TINY, "# first\n"));
    row.server.wait_for_status(&app, "running");
    let before = row.server.app(&app);
    row.server.post_form(&format!("/api/apps/{app}/releases"), Form::app(TINY, "# second\n")).expect(201);
    let told = |seen: &serde_json::Value| seen["reason"].as_str().is_some_and(|reason| reason.contains("release 2 failed"));
    let seen = row.server.wait_for(&app, "told of the failed release", told);
    row.told("the first release", &seen);
    assert_eq!((&seen["pid"], &seen["release"]), (&before["pid"], &before["release"]));
    assert_eq!(row.server.get(&format!("/apps/{app}/")).expect(200).text(), "# first\n");
    row.end();
}

#[test]
fn a_port_of_the_range_that_a_stranger_has_is_passed_over() {
    let first = free_ports(2);
    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
    let row = Plan::of("stranger-in-range", &format!("port_range = \"{first}-{}\"", first + 1)).begin();
    assert_eq!(row.server.app("neighbour")["port"], first + 1);
    drop(stranger);
    row.end();
}

#[test]
fn a_listen_address_that_another_program_has_is_told_and_nothing_is_begun() {
    let mut row = Plan::of("listener-taken", "").begin();
    let address = row.server.address();
    let elsewhere = row.server.folder().join("elsewhere");
    let data = elsewhere.join("data");
    std::fs::create_dir(&elsewhere).unwrap();
    for verb in ["serve", "start"] {
        let mut command = row.server.command();
        command.args([verb, "--listen", &address, "--data"]).arg(&data).current_dir(&elsewhere).stdin(Stdio::null());
        let output = command.output().unwrap();
        row.output(&format!("lithouse {verb} --listen 127.0.0.1:PORT"), &output);
        assert!(!data.join("keeper.lock").exists(), "a keeper was started");
    }
    row.end();
}
