// SPDX-License-Identifier: Apache-2.0
//! `/health`: what it tells of each part, shown by the real fault of that part, and by its end.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use lithouse_testkit::wait_until_blocking;
use serde_json::{Value, json};

use crate::faults::disks::Disk;
use crate::faults::processes::put_quick_python;
use crate::form::Form;
use crate::server::{HELLO, PATIENCE, Server, signal};
use crate::store_of_envs;

impl Server {
    #[track_caller]
    fn health(&self) -> Value {
        self.get("/health").expect(200).json()
    }

    /// The part, once it is so.
    #[track_caller]
    fn wait_for_part(&self, part: &str, state: &str) -> Value {
        wait_until_blocking(&format!("`{part}` is {state}"), PATIENCE, || {
            let mut health = self.health();
            let is_so = health[part]["state"] == state;
            if is_so { Ok(health[part].take()) } else { Err(health) }
        })
    }

    /// The reason of a part that is degraded, told with the whole.
    #[track_caller]
    fn fault_of(&self, part: &str) -> String {
        let told = self.wait_for_part(part, "degraded");
        let reason = told["reason"].as_str().unwrap_or_else(|| panic!("no reason in {told}")).to_owned();
        let health = self.health();
        assert_eq!(health["status"], "degraded", "{health}");
        let metrics = self.get("/metrics").text();
        assert!(metrics.contains(&format!("lithouse_degraded{{part=\"{part}\"}} 1\n")), "{metrics}");
        reason
    }

    fn up_again(&self, part: &str) -> Value {
        let told = self.wait_for_part(part, "ok");
        assert!(!self.health()["reasons"].to_string().contains(part));
        told
    }
}

/// A server that is not started yet, whose app needs no build.
fn with_quick_app() -> Server {
    let server = Server::prepare(&["apps"]);
    let folder = server.folder().join("apps/here");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("app.py"), HELLO).unwrap();
    put_quick_python(&folder);
    server
}

#[test]
fn every_part_is_told_of_a_server_that_is_well_and_strangers_are_told_a_word() {
    let server = with_quick_app().up();
    server.wait_for_status("here", "running");
    let health = server.health();
    assert_eq!((&health["status"], &health["reasons"]), (&json!("up"), &json!([])), "{health}");
    for part in ["database", "disk", "keeper", "configuration"] {
        assert_eq!((&health[part]["state"], &health[part]["reason"]), (&json!("ok"), &json!(null)), "{part} {health}");
    }
    assert_eq!(health["keeper"]["pid"].as_u64(), server.keeper_pid().map(u64::from));
    assert_eq!(health["builds"]["state"], "unused");
    assert_eq!(health["apps"], json!({"running": 1}));
    assert_eq!(health["started_at"], server.get("/api/server").json()["started_at"]);
    assert!(health["disk"]["free"].as_u64() <= health["disk"]["size"].as_u64());
    let told = server.get_with("/health", &[("X-Forwarded-For", "192.0.2.1")]).expect(200);
    assert_eq!(told.text(), "{\"status\":\"up\"}");
}

#[test]
fn apps_that_are_not_well_are_counted_and_do_not_degrade_the_server() {
    let server = Server::prepare_with_uv(&[]).up();
    let app = server.create(Form::app("no-such-package-lithouse-42\n", HELLO));
    server.wait_for_status(&app, "failed");
    let health = server.health();
    assert_eq!((&health["status"], &health["apps"]), (&json!("up"), &json!({"failed": 1})), "{health}");
    assert_eq!(health["builds"]["state"], "ok");
    assert!(health["builds"]["uv"].is_string() && health["builds"]["python"].is_string(), "{health}");
}

#[test]
fn a_database_that_another_program_holds_is_told_until_it_lets_go() {
    let server = Server::start_without_environments();
    let script = "import sqlite3, sys\n\
                  held = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)\n\
                  held.execute('BEGIN IMMEDIATE')\nprint('held', flush=True)\nsys.stdin.read()\n";
    let mut holder = Command::new("python3")
        .args(["-c", script])
        .arg(server.data().join("lithouse.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    BufReader::new(holder.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    server.fault_of("database");
    // On a busy machine, a look that takes long is at times told to have had no answer before it has found out why.
    wait_until_blocking("it is told why", PATIENCE, || {
        let reason = server.health()["database"]["reason"].to_string();
        if reason.contains("held by another program") { Ok(()) } else { Err(reason) }
    });
    wait_until_blocking("`healthcheck` tells it", PATIENCE, || {
        let said = server.command().arg("healthcheck").output().unwrap();
        assert_eq!((said.status.code(), &said.stdout[..]), (Some(0), &b"degraded\n"[..]));
        if String::from_utf8_lossy(&said.stderr).contains("held by another program") { Ok(()) } else { Err(said) }
    });
    wait_until_blocking("`status` tells it", PATIENCE, || {
        let said = server.command().arg("status").output().unwrap();
        if String::from_utf8_lossy(&said.stderr).contains("degraded: the database is held") { Ok(()) } else { Err(said) }
    });
    drop(holder.stdin.take());
    holder.wait().unwrap();
    server.up_again("database");
}

#[test]
fn a_database_file_that_is_gone_is_told_while_the_server_still_works_with_it() {
    let server = Server::start_without_environments();
    let (path, aside) = (server.data().join("lithouse.db"), server.folder().join("aside.db"));
    std::fs::rename(&path, &aside).unwrap();
    let reason = server.fault_of("database");
    assert!(reason.contains("was removed or replaced"), "{reason}");
    std::fs::rename(&aside, &path).unwrap();
    server.up_again("database");
}

#[test]
fn a_full_disk_is_told_until_there_is_room() {
    let server = Server::prepare(&[]);
    let Some(disk) = Disk::mount(&server.data(), 24) else { return };
    let mut server = server.up();
    let before = server.up_again("disk");
    assert_eq!(before["size"], 24 << 20, "{before}");
    disk.fill();
    let reason = server.fault_of("disk");
    assert!(reason.contains("full") && reason.contains("free some space"), "{reason}");
    disk.make_room();
    server.up_again("disk");
    assert!(server.stop().success());
}

#[test]
fn a_read_only_disk_is_told_and_so_is_a_keeper_that_cannot_come_back_on_it() {
    let mut server = with_quick_app().up();
    server.wait_for_status("here", "running");
    let Some(disk) = Disk::read_only_over(&server.data()) else { return };
    let reason = server.fault_of("disk");
    assert!(reason.contains("read-only"), "{reason}");
    signal(server.keeper_pid().unwrap(), "KILL");
    let reason = server.fault_of("keeper");
    assert!(reason.contains("there is no keeper"), "{reason}");
    wait_until_blocking("it is told why", PATIENCE, || {
        let reason = server.health()["keeper"]["reason"].to_string();
        if reason.contains("Read-only file system") { Ok(()) } else { Err(reason) }
    });
    assert_eq!(server.health()["keeper"]["pid"], json!(null));
    assert!(server.get("/metrics").text().contains("lithouse_keeper_up 0\n"));
    drop(disk);
    server.up_again("disk");
    let keeper = server.up_again("keeper");
    assert_eq!((keeper["losses"].as_u64(), keeper["pid"].as_u64()), (Some(1), server.keeper_pid().map(u64::from)));
    assert!(keeper["reason"].as_str().unwrap().contains("was lost"), "{keeper}");
    server.wait_for_status("here", "running");
    assert!(server.stop().success());
}

#[test]
fn builds_without_uv_and_network_are_told_until_there_is_one() {
    let mut server = Server::prepare(&[]);
    let programs = server.folder().join("bin");
    std::fs::create_dir(&programs).unwrap();
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap().stdout;
    std::os::unix::fs::symlink(String::from_utf8(python).unwrap().trim(), programs.join("python3")).unwrap();
    let nowhere = lithouse_testkit::free_port();
    let index = format!("http://127.0.0.1:{nowhere}/simple");
    server.start_again_with_env(&[
        ("PATH", programs.to_str().unwrap()),
        ("PIP_INDEX_URL", &index),
        ("PIP_RETRIES", "0"),
        ("PIP_CONFIG_FILE", "/dev/null"),
    ]);
    let app = server.create(Form::app("six\n", HELLO));
    server.wait_for_status(&app, "failed");
    let reason = server.fault_of("builds");
    assert!(reason.contains("uv is not available") && reason.contains("install uv"), "{reason}");
    let Some(uv) = store_of_envs::uv() else { return };
    std::os::unix::fs::symlink(uv, programs.join("uv")).unwrap();
    server.post(&format!("/api/apps/{app}/start")).expect(200);
    server.up_again("builds");
}

#[test]
fn a_refresh_that_was_refused_is_told_until_one_is_taken() {
    let mut server = Server::prepare(&[]);
    let file = server.folder().join("lithouse.toml");
    std::fs::write(&file, "[hosting]\nstart_timeout = 60\n").unwrap();
    server.start_again();
    let refresh = |code| assert_eq!(server.command().arg("refresh").output().unwrap().status.code(), Some(code));
    std::fs::File::options().append(true).open(&file).unwrap().write_all(b"start_timeoutt = 70\n").unwrap();
    refresh(4);
    let reason = server.fault_of("configuration");
    assert!(reason.contains("start_timeoutt") && reason.contains("refresh again"), "{reason}");
    std::fs::write(&file, "[hosting]\nstart_timeout = 60\n").unwrap();
    refresh(0);
    server.up_again("configuration");
}
