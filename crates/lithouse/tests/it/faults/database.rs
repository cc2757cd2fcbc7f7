// SPDX-License-Identifier: Apache-2.0
//! A database that is damaged, emptied, of a newer version, or not there: the server says so and how to come back, touches nothing,
//! and ends no app.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, SystemTime};

use lithouse_testkit::wait_until_blocking;
use serde_json::json;

use crate::form::Form;
use crate::hard_times::told::Told;
use crate::server::{HELLO, PATIENCE, Server, is_alive};
use crate::snapshot::assert_frozen;

/// Needs no build to be accepted, and none to be stopped.
fn app(key: &str) -> Form {
    Form::app("six\n", HELLO).text("key", key)
}

/// A server with one app that people stopped, and a copy of its database.
fn server_with_copy() -> Server {
    let mut server = Server::start();
    server.create(app("kept"));
    server.post("/api/apps/kept/stop").expect(200);
    // Deployed after the start, whose look found no app, so that the next start is the one that copies.
    server.kill();
    server.start_again();
    let copy = server.data().join("backup/lithouse.db");
    wait_until_blocking("the database is copied", PATIENCE, || copy.exists());
    server
}

/// Tries to start the server over what lies there.
fn try_to_start(server: &Server) -> Output {
    server.command().args(["serve", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).output().unwrap()
}

/// The server does not start, with these words and the way back, and leaves the database as it was.
#[track_caller]
fn assert_refused(server: &Server, words: &[&str]) {
    let path = server.data().join("lithouse.db");
    let before = fs::read(&path).ok();
    let refused = try_to_start(server);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    for word in words.iter().chain(&["error: the database", "lithouse.db`", "\nhint: "]) {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
    assert_eq!(said.lines().count(), 2, "{said}");
    let mut told = Told::new(server);
    told.hide(env!("CARGO_PKG_VERSION"), "VERSION");
    for line in said.lines() {
        // Which page it was is told in SQLite's words.
        let (line, what) = line.split_once("is damaged: ").unwrap_or((line, ""));
        let what = if what.starts_with("file is not") || what.is_empty() { what } else { "…" };
        told.line(&without_day(&format!("{line}{}{what}", if what.is_empty() { "" } else { "is damaged: " })));
    }
    // One such start a test.
    let test = std::thread::current().name().unwrap().rsplit("::").next().unwrap().to_owned();
    assert_frozen(&format!("hard-times/database/{test}.txt"), told.text());
    assert!(fs::read(&path).ok() == before, "the database was touched");
}

/// A text in which the day and the time of a copy may stand.
fn without_day(text: &str) -> String {
    match text.split_once(" of 20") {
        Some((before, after)) => format!("{before} of DAY{}", after.split_once(" UTC").map_or("", |(_, rest)| rest)),
        None => text.to_owned(),
    }
}

/// Does what the hint says.
fn bring_back(server: &Server) {
    let data = server.data();
    let aside = data.join("aside");
    fs::create_dir(&aside).unwrap();
    for name in ["lithouse.db", "lithouse.db-wal", "lithouse.db-shm"] {
        if data.join(name).exists() {
            fs::rename(data.join(name), aside.join(name)).unwrap();
        }
    }
    fs::copy(data.join("backup/lithouse.db"), data.join("lithouse.db")).unwrap();
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = fs::File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

/// Ends the server so that the file holds everything.
fn end_with_all_in_one_file(server: &mut Server) {
    assert!(server.stop().success());
    assert!(!server.data().join("lithouse.db-wal").exists());
}

#[test]
fn a_file_that_is_no_database_is_refused_and_its_copy_brings_the_apps_back() {
    let mut server = server_with_copy();
    end_with_all_in_one_file(&mut server);
    fs::write(server.data().join("lithouse.db"), "no database at all, but long enough to be looked at by SQLite\n".repeat(100))
        .unwrap();
    assert_refused(&server, &["is damaged: file is not a database", "copy `backup/lithouse.db` of 2", "UTC"]);
    bring_back(&server);
    server.start_again();
    assert_eq!(server.app("kept")["status"], "stopped");
}

#[test]
fn a_page_in_the_middle_that_is_damaged_is_found_at_the_start() {
    let mut server = server_with_copy();
    end_with_all_in_one_file(&mut server);
    let path = server.data().join("lithouse.db");
    let pages = fs::metadata(&path).unwrap().len() / 4096;
    assert!(pages > 4, "{pages}");
    // All but the first, which holds the header and the list of tables.
    for page in 1..pages {
        overwrite(&path, page * 4096, &[0xA5; 512]);
    }
    assert_refused(&server, &["is damaged: "]);
}

#[test]
fn a_database_that_was_cut_off_is_found_at_the_start() {
    let mut server = server_with_copy();
    end_with_all_in_one_file(&mut server);
    let path = server.data().join("lithouse.db");
    let length = fs::metadata(&path).unwrap().len();
    fs::File::options().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
    assert_refused(&server, &["is damaged: "]);
}

#[test]
fn an_emptied_database_is_refused_where_there_are_apps_and_no_app_ends() {
    let mut server = Server::start();
    let app = server.running_app(HELLO);
    let pid = u32::try_from(server.app(&app)["pid"].as_u64().unwrap()).unwrap();
    server.kill();
    let kept = server.folder().join("kept");
    fs::create_dir(&kept).unwrap();
    for name in ["lithouse.db", "lithouse.db-wal", "lithouse.db-shm"] {
        fs::rename(server.data().join(name), kept.join(name)).unwrap();
    }
    fs::write(server.data().join("lithouse.db"), "").unwrap();
    assert_refused(&server, &["is empty, though `apps` holds apps", "put a copy of yours there", "`meta.json`"]);
    assert!(is_alive(pid), "an app ended because the database was lost");
    for name in ["lithouse.db", "lithouse.db-wal", "lithouse.db-shm"] {
        fs::rename(kept.join(name), server.data().join(name)).unwrap();
    }
    server.start_again();
    assert_eq!(server.wait_for_status(&app, "running")["pid"], json!(pid));
}

#[test]
fn an_empty_file_of_a_first_start_that_was_cut_short_is_begun_with() {
    let server = Server::prepare(&[]);
    fs::create_dir_all(server.data()).unwrap();
    fs::write(server.data().join("lithouse.db"), "").unwrap();
    let server = server.up();
    assert_eq!(server.get("/api/apps").expect(200).json()["apps"], json!([]));
}

#[test]
fn a_folder_in_the_place_of_the_database_is_named() {
    let server = Server::prepare(&[]);
    fs::create_dir_all(server.data().join("lithouse.db")).unwrap();
    assert_refused(&server, &["is no file"]);
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_as_it_is() {
    let mut server = server_with_copy();
    end_with_all_in_one_file(&mut server);
    let path = server.data().join("lithouse.db");
    let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)";
    let statement =
        "import sqlite3, sys; base = sqlite3.connect(sys.argv[1]); base.execute(sys.argv[2]); base.commit(); base.close()";
    let changed = std::process::Command::new("python3").args(["-c", statement]).arg(&path).arg(sql).status().unwrap();
    assert!(changed.success());
    assert_refused(&server, &["was written by a newer version of Lithouse"]);
}

#[test]
fn a_lost_write_ahead_log_loses_no_folder_of_an_app() {
    let mut server = server_with_copy();
    end_with_all_in_one_file(&mut server);
    server.start_again();
    let later = server.create(app("later"));
    server.kill();
    fs::remove_file(server.data().join("lithouse.db-wal")).unwrap();
    let _ = fs::remove_file(server.data().join("lithouse.db-shm"));
    server.start_again();
    assert_eq!(server.app("kept")["status"], "stopped");
    server.get("/api/apps/later").expect_problem(404, "no_such_app");
    assert!(server.data().join("apps").join(&later).join("releases/1/app.py").exists());
    server.wait_until_said(&[&later, "does not know"]);
}

#[test]
fn damage_while_the_server_runs_ends_neither_it_nor_its_apps_and_the_next_start_tells() {
    let mut server = Server::start();
    let app = server.running_app(HELLO);
    let pid = u32::try_from(server.app(&app)["pid"].as_u64().unwrap()).unwrap();
    for name in ["lithouse.db", "lithouse.db-wal"] {
        let path = server.data().join(name);
        let length = fs::metadata(&path).unwrap().len();
        overwrite(&path, 0, &vec![0xA5; usize::try_from(length).unwrap()]);
    }
    // Whether it is noticed by now depends on what SQLite remembers; either way there is an answer.
    let answer = server.post(&format!("/api/apps/{app}/start"));
    assert!([200, 500].contains(&answer.status), "{}", answer.text());
    assert!(server.is_healthy(&app) && is_alive(pid));
    server.kill();
    assert_refused(&server, &["is damaged: file is not a database"]);
    assert!(is_alive(pid), "an app ended because the database was damaged");
}

#[test]
fn copies_are_made_once_a_day_and_seven_are_kept() {
    let mut server = server_with_copy();
    let copy = server.data().join("backup/lithouse.db");
    let first = fs::metadata(&copy).unwrap().modified().unwrap();
    server.kill();
    server.start_again();
    server.get("/api/apps").expect(200);
    for day in 1..=8 {
        let yesterday = SystemTime::now() - Duration::from_hours(25);
        fs::File::options().write(true).open(&copy).unwrap().set_modified(yesterday).unwrap();
        server.kill();
        server.start_again();
        wait_until_blocking(&format!("the copy of day {day}"), PATIENCE, || {
            fs::metadata(&copy).is_ok_and(|facts| facts.modified().unwrap() > yesterday + Duration::from_hours(1))
        });
    }
    assert!(fs::metadata(&copy).unwrap().modified().unwrap() > first);
    let mut copies: Vec<String> =
        fs::read_dir(copy.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    copies.sort();
    assert_eq!(copies, ["", ".1", ".2", ".3", ".4", ".5", ".6"].map(|end| format!("lithouse.db{end}")));
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
}
