// SPDX-License-Identifier: Apache-2.0
//! Another build of the program takes over server and keeper, and the apps go on.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use lithouse_testkit::{put_program, wait_until_blocking};

use crate::server::{HELLO, PATIENCE, Server, signal};

#[test]
fn a_new_build_takes_the_keepers_place_and_no_app_notices() {
    let mut server = Server::start();
    let app = server.running_app(HELLO);
    let before = server.app(&app);
    let keeper = server.keeper_pid().unwrap();
    let newer = server.folder().join("lithouse");
    put_program(&newer, [fs::read(env!("CARGO_BIN_EXE_lithouse")).unwrap().as_slice(), b"newer"].concat());
    server.kill();
    let mut command = Command::new(&newer);
    command.current_dir(server.folder()).env("LITHOUSE_DATA", server.data());
    server.start_again_as(command);
    assert_eq!(fs::read_link(format!("/proc/{keeper}/exe")).unwrap(), newer);
    let after = server.wait_for_status(&app, "running");
    for same in ["pid", "port", "restarts", "started_at"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert!(server.is_healthy(&app));
    // The new one looks after it as the old one did.
    signal(u32::try_from(after["pid"].as_u64().unwrap()).unwrap(), "KILL");
    server.wait_for(&app, "started again", |seen| seen["status"] == "running" && seen["restarts"] == 1);
    assert_eq!(server.keeper_pid(), Some(keeper));
}

#[test]
fn a_followed_log_goes_on_across_a_restart_of_the_app() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let mut following = server.command().args(["logs", &app, "-f"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(following.stdout.take().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let mut seen = Vec::new();
    let mut until = |text: &str| {
        wait_until_blocking(&format!("`{text}` is followed"), PATIENCE, || {
            seen.extend(told.try_iter());
            if seen.iter().any(|line| line.contains(text)) { Ok(()) } else { Err(seen.clone()) }
        });
    };
    let pid = server.app(&app)["pid"].clone();
    until(&format!("started, pid {pid}"));
    server.post(&format!("/api/apps/{app}/restart")).expect(200);
    until("the app was stopped");
    let next = server.wait_for(&app, "running anew", |seen| seen["status"] == "running" && seen["pid"] != pid)["pid"].clone();
    until(&format!("started, pid {next}"));
    following.kill().unwrap();
    following.wait().unwrap();
}
