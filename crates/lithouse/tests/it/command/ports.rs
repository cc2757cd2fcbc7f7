// SPDX-License-Identifier: Apache-2.0
//! Ports that an app opens by itself, or that the configuration fixes: nobody else's process is ever taken for the app.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;

use lithouse_testkit::{free_port, free_ports, wait_until_blocking};
use serde_json::Value;

use super::{configured, told};
use crate::server::{PATIENCE, Server};

#[test]
fn a_stranger_on_the_port_of_a_command_gets_no_request_and_the_app_another_port() {
    let (server, folder) = configured("command = \"until [ -e go ]; do sleep 0.05; done; exec python3 serve.py\"");
    let server = server.up();
    // Another program may be quicker, and then the app moves on by itself.
    let (stranger, port) = wait_until_blocking("the test has the app's port", PATIENCE, || {
        let port = u16::try_from(server.app("other")["port"].as_u64()?).ok()?;
        Some((TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?, port))
    });
    stranger.set_nonblocking(true).unwrap();
    server.wait_for("other", "on another port", |app| !app["pid"].is_null() && app["port"] != port);
    std::fs::write(folder.join("go"), "").unwrap();
    let running = server.wait_for_status("other", "running");
    // It may have had to move once more before it came to open its port.
    assert_ne!(running["port"], port);
    assert_eq!(told(&server, "/apps/other/")["env"]["PORT"], running["port"].to_string());
    assert_eq!(stranger.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_fixed_port_is_the_apps_and_one_in_use_is_refused_with_who_has_it() {
    let port = free_port();
    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let (server, _) = configured(&format!("command = \"python3 serve.py\"\nport = {port}"));
    let server = server.up();
    let failed = server.wait_for_status("other", "failed");
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains(&format!("port {port} is in use by `")), "{reason}");
    assert!(reason.contains(&format!("(pid {})", std::process::id())), "{reason}");
    drop(stranger);
    server.post("/api/apps/other/start").expect(200);
    let running = server.wait_for_status("other", "running");
    assert_eq!(running["port"], port);
    // A restart in place gives it back first.
    server.post("/api/apps/other/restart").expect(200);
    let again = server.wait_for("other", "restarted", |app| app["status"] == "running" && app["pid"] != running["pid"]);
    assert_eq!(again["port"], port);
}

#[test]
fn a_refresh_starts_an_app_again_whose_fixed_port_was_in_use() {
    let port = free_port();
    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let (server, _) = configured(&format!("command = \"python3 serve.py\"\nport = {port}"));
    let server = server.up();
    let failed = server.wait_for_status("other", "failed");
    assert!(failed["reason"].as_str().unwrap().contains("end that program and `lithouse refresh`"), "{failed}");
    drop(stranger);
    assert!(server.lithouse(&["refresh"]).status.success());
    assert_eq!(server.wait_for_status("other", "running")["port"], port);
}

/// A server, up, whose app has a fixed port, answers that it still loads, and ends by force only.
fn with_an_app_that_loads() -> (Server, PathBuf, u16) {
    let port = free_port();
    let lines = format!("command = \"trap '' TERM; exec python3 serve.py\"\nport = {port}\n[hosting]\nstop_grace = \"2s\"");
    let (server, folder) = configured(&lines);
    std::fs::write(folder.join("loading"), "").unwrap();
    let server = server.up();
    wait_until_blocking("the app listens", PATIENCE, || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
    (server, folder, port)
}

/// The app once it runs, which it does without having failed before.
#[track_caller]
fn runs_without_a_failure(server: &Server) -> Value {
    server.wait_for("other", "running", |app| {
        assert_ne!(app["status"], "failed", "{app}");
        app["status"] == "running"
    })
}

#[test]
fn an_app_that_changes_during_its_first_start_gets_its_fixed_port_once_the_old_process_has_ended() {
    let (server, folder, port) = with_an_app_that_loads();
    let old = server.app("other")["pid"].clone();
    let config = server.folder().join("lithouse.toml");
    let lines = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, lines.replace("[hosting]", "url = \"else\"\n[hosting]")).unwrap();
    assert!(server.lithouse(&["refresh"]).status.success());
    std::fs::remove_file(folder.join("loading")).unwrap();
    let running = runs_without_a_failure(&server);
    assert_eq!(running["port"], port);
    assert_ne!(running["pid"], old);
    assert_eq!(told(&server, "/apps/else/")["pid"], running["pid"]);
}

#[test]
fn an_app_that_another_server_finds_in_its_first_start_gets_its_fixed_port_again() {
    let (mut server, folder, port) = with_an_app_that_loads();
    server.kill();
    server.start_again();
    std::fs::remove_file(folder.join("loading")).unwrap();
    assert_eq!(runs_without_a_failure(&server)["port"], port);
}

#[test]
fn a_fixed_port_in_the_range_is_given_to_nobody_else_even_while_its_app_is_stopped() {
    let first = free_ports(2);
    let second = first + 1;
    let (server, _) = configured(&format!("command = \"python3 serve.py\"\nport = {first}"));
    let config = server.folder().join("lithouse.toml");
    let lines = std::fs::read_to_string(&config).unwrap();
    let more = format!(
        "{lines}[apps.another]\ndir = \"other\"\ncommand = \"python3 serve.py\"\n[hosting]\nport_range = \"{first}-{second}\"\n"
    );
    std::fs::write(&config, more).unwrap();
    let server = server.up();
    assert_eq!(server.wait_for_status("other", "running")["port"], first);
    assert_eq!(server.wait_for_status("another", "running")["port"], second);
    server.post("/api/apps/other/stop").expect(200);
    server.wait_for_status("other", "stopped");
    server.post("/api/apps/another/restart").expect(200);
    let again = server.wait_for("another", "running", |app| app["status"] == "running");
    assert_eq!(again["port"], second);
}
