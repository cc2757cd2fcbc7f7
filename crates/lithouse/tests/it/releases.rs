// SPDX-License-Identifier: Apache-2.0
//! Releases and files: new ones, failed ones, older ones, edits and bundles.

use std::io::Write;

use serde_json::{Value, json};

use crate::form::Form;
use crate::server::{HELLO, PATIENCE, STREAMLIT, Server};
use lithouse_testkit::wait_until_blocking;

fn script(text: &str) -> String {
    format!("import streamlit as st\nst.write('{text}')\nprint('this is {text}')\n")
}

fn releases(server: &Server, app: &str) -> Vec<Value> {
    server.get(&format!("/api/apps/{app}/releases")).expect(200).json()["releases"].as_array().unwrap().clone()
}

fn wait_for_release(server: &Server, app: &str, number: u64, state: &str) -> Value {
    wait_until_blocking(&format!("release {number} is {state}"), PATIENCE, || {
        let releases = releases(server, app);
        let found = releases.iter().find(|release| release["release"] == number && release["state"] == state);
        found.cloned().ok_or(releases)
    })
}

pub(crate) fn zip_of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn tar_gz_of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[test]
fn a_new_release_takes_over_and_an_older_one_can_be_brought_back() {
    let server = Server::start();
    let app = server.running_app(&script("one"));
    let sent = server.post_form(&format!("/api/apps/{app}/releases"), Form::app(STREAMLIT, &script("two"))).expect(201).json();
    assert_eq!((&sent["release"], &sent["active"]), (&json!(2), &json!(false)));
    wait_for_release(&server, &app, 2, "ready");
    let now = server.wait_for(&app, "at release 2", |seen| seen["release"] == 2);
    assert_eq!(now["status"], "running");
    assert!(std::fs::read_to_string(server.data().join("apps").join(&app).join("app.py")).unwrap().contains("two"));

    server.post(&format!("/api/apps/{app}/releases/1/activate")).expect(200);
    server.wait_for(&app, "back at release 1", |seen| seen["release"] == 1 && seen["status"] == "running");
    let listed = releases(&server, &app);
    assert_eq!((&listed[0]["release"], &listed[0]["active"]), (&json!(2), &json!(false)));
    assert_eq!((&listed[1]["release"], &listed[1]["active"]), (&json!(1), &json!(true)));
    server.post(&format!("/api/apps/{app}/releases/1/activate")).expect_problem(409, "already_active");
    server.post(&format!("/api/apps/{app}/releases/7/activate")).expect_problem(404, "no_such_release");
}

#[test]
fn a_failed_release_changes_nothing_for_visitors_and_says_why() {
    let server = Server::start();
    let app = server.running_app(&script("one"));
    let before = server.app(&app);
    let raising = "import streamlit as st\nst.write('x')\nraise ValueError('not today')\n";
    server.post_form(&format!("/api/apps/{app}/releases"), Form::app(STREAMLIT, raising)).expect(201);
    let failed = wait_for_release(&server, &app, 2, "failed");
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("ValueError: not today") && reason.contains("`app.py`, line 3"), "{reason}");
    // It is stored before it is shown.
    let is_told = |seen: &Value| seen["reason"].as_str().is_some_and(|reason| reason.contains("release 2 failed"));
    let after = server.wait_for(&app, "told of it", is_told);
    assert_eq!((&after["pid"], &after["release"], &after["status"]), (&before["pid"], &json!(1), &json!("running")));

    server.post_form(&format!("/api/apps/{app}/releases"), Form::app("no-such-package-lithouse-42\n", HELLO)).expect(201);
    let failed = wait_for_release(&server, &app, 3, "failed");
    assert!(failed["reason"].as_str().unwrap().contains("no-such-package-lithouse-42"), "{failed}");
    assert_eq!(server.app(&app)["pid"], before["pid"]);
    assert!(server.is_healthy(&app));
}

#[test]
fn only_the_newest_releases_are_kept_and_those_that_are_needed() {
    let mut server = Server::start();
    server.stop();
    server.start_again_with_env(&[("LITHOUSE_KEEP_RELEASES", "2")]);
    crate::store_of_envs::link_into(&server.data());
    let app = server.running_app(&script("one"));
    let send = |script: &str| server.post_form(&format!("/api/apps/{app}/releases"), Form::app(STREAMLIT, script)).expect(201);
    let numbers = |releases: &[Value]| releases.iter().map(|each| each["release"].as_u64().unwrap()).collect::<Vec<_>>();
    let folders = || {
        let entries = std::fs::read_dir(server.data().join(format!("apps/{app}/releases"))).unwrap();
        let mut numbers: Vec<u64> = entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
        numbers.sort_unstable_by_key(|number| std::cmp::Reverse(*number));
        numbers
    };
    let kept_are = |expected: &[u64]| {
        wait_until_blocking(&format!("{expected:?} are kept"), PATIENCE, || {
            let seen = (numbers(&releases(&server, &app)), folders());
            if seen.0 == expected && seen.1 == expected { Ok(()) } else { Err(seen) }
        });
    };
    send(&script("two"));
    wait_for_release(&server, &app, 2, "ready");
    for number in 3..=5 {
        send("import streamlit as st\nst.write('x')\nraise ValueError('not today')\n");
        wait_for_release(&server, &app, number, "failed");
    }
    // Visitors get the second, and could be brought back to the first.
    kept_are(&[5, 4, 2, 1]);
    server.post(&format!("/api/apps/{app}/releases/3/activate")).expect_problem(404, "no_such_release");
    server.post(&format!("/api/apps/{app}/releases/1/activate")).expect(200);
    server.wait_for(&app, "back at release 1", |seen| seen["release"] == 1 && seen["status"] == "running");
    kept_are(&[5, 4, 2, 1]);
    send(&script("six"));
    server.wait_for(&app, "at release 6", |seen| seen["release"] == 6);
    kept_are(&[6, 5, 2, 1]);
}

#[test]
fn an_edited_file_is_a_new_release_and_edits_in_a_row_build_on_each_other() {
    let server = Server::start();
    let app = server.running_app(&script("one"));
    let files = server.get(&format!("/api/apps/{app}/files")).expect(200).json();
    let paths: Vec<_> = files["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["app.py", "requirements.txt"]);
    assert_eq!(server.get(&format!("/api/apps/{app}/files/requirements.txt")).expect(200).text(), STREAMLIT);

    let helper = server.put(&format!("/api/apps/{app}/files/lib/words.py"), b"WORD = 'edited'\n").expect(201).json();
    assert_eq!(helper["release"], 2);
    let uses = "import streamlit as st\nfrom lib.words import WORD\nst.write(WORD)\nprint('it is', WORD)\n";
    assert_eq!(server.put(&format!("/api/apps/{app}/files/app.py"), uses.as_bytes()).expect(201).json()["release"], 3);
    wait_for_release(&server, &app, 3, "ready");
    server.wait_for(&app, "at release 3", |seen| seen["release"] == 3 && seen["status"] == "running");
    wait_until_blocking("the edited script ran", PATIENCE, || {
        let log = server.get(&format!("/api/apps/{app}/logs")).text();
        if log.contains("out | it is edited") { Ok(()) } else { Err(log) }
    });
    assert_eq!(server.get(&format!("/api/apps/{app}/files/lib/words.py")).expect(200).text(), "WORD = 'edited'\n");

    server.get(&format!("/api/apps/{app}/files/nope.py")).expect_problem(404, "no_such_file");
    server.get(&format!("/api/apps/{app}/files/lib")).expect_problem(400, "is_a_folder");
    for hostile in ["..%2f..%2f..%2flithouse.db", "%2fetc%2fpasswd", "lib%2f..%2f..%2fmeta.json"] {
        server.get(&format!("/api/apps/{app}/files/{hostile}")).expect_problem(400, "invalid_path");
        server.put(&format!("/api/apps/{app}/files/{hostile}"), b"x").expect_problem(400, "invalid_path");
    }
    server.get("/api/apps/%ff").expect_problem(400, "invalid_path");
    assert_eq!(releases(&server, &app).len(), 3);
}

#[test]
fn edits_that_come_at_once_are_all_kept() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (server, app) = (&server, &app);
            scope.spawn(move || server.put(&format!("/api/apps/{app}/files/f{number}.txt"), b"x").expect(201));
        }
    });
    let files = server.get(&format!("/api/apps/{app}/files")).json().to_string();
    for number in 0..6 {
        assert!(files.contains(&format!("f{number}.txt")), "{files}");
    }
}

#[test]
fn a_link_that_an_app_wrote_into_its_folder_is_not_followed() {
    let server = Server::start();
    let app = server.running_app(HELLO);
    let folder = server.data().join("apps").join(&app).join("releases/1");
    std::os::unix::fs::symlink(server.data().join("lithouse.db"), folder.join("innocent.txt")).unwrap();
    std::os::unix::fs::symlink(server.data(), folder.join("inside")).unwrap();
    server.get(&format!("/api/apps/{app}/files/innocent.txt")).expect_problem(404, "no_such_file");
    server.get(&format!("/api/apps/{app}/files/inside/lithouse.db")).expect_problem(404, "no_such_file");
}

#[test]
fn bundles_of_both_kinds_are_unpacked_and_hostile_ones_are_refused_whole() {
    let server = Server::start();
    let files = [
        ("app.py", "import streamlit as st, helper\nst.write(helper.X)\n"),
        ("helper.py", "X = 1\n"),
        ("requirements.txt", STREAMLIT),
    ];
    for (name, bundle) in [("a.zip", zip_of(&files)), ("a.tar.gz", tar_gz_of(&files))] {
        let app = server.create(Form::default().file("bundle", name, bundle));
        server.wait_for_status(&app, "running");
        assert_eq!(server.app(&app)["reason"], json!(null), "{name}");
    }
    let before = server.get("/api/apps").json()["apps"].as_array().unwrap().len();
    let refused: [(&str, Vec<u8>); 3] = [
        ("climbing", zip_of(&[("app.py", HELLO), ("../escape.py", "x")])),
        ("not an archive", b"hello".to_vec()),
        ("no script", zip_of(&[("readme.txt", "x")])),
    ];
    for (what, bundle) in refused {
        let answer = server.post_form("/api/apps", Form::default().file("bundle", "b.zip", bundle));
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
    }
    assert_eq!(server.get("/api/apps").json()["apps"].as_array().unwrap().len(), before);
    assert!(!server.data().join("apps/escape.py").exists() && !server.data().join("tmp/escape.py").exists());
    wait_until_blocking("no upload is left behind", PATIENCE, || {
        let left: Vec<_> = std::fs::read_dir(server.data().join("tmp")).unwrap().flatten().map(|entry| entry.path()).collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
}

#[test]
fn what_is_missing_unknown_or_doubled_in_a_form_is_named() {
    let server = Server::start_without_environments();
    let refused = |form: Form, status, code| server.post_form("/api/apps", form).expect_problem(status, code);
    let missing = refused(Form::default().file("app", "app.py", HELLO), 400, "missing_field");
    assert!(missing["detail"].as_str().unwrap().contains("`requirements`") && missing["hint"].is_string(), "{missing}");
    refused(Form::default().file("requirements", "r.txt", "six\n"), 400, "missing_field");
    refused(Form::app("six\n", HELLO).text("colour", "red"), 400, "unknown_field");
    refused(Form::app("six\n", HELLO).text("key", "Not A Key"), 400, "invalid_key");
    refused(Form::app("six\n", HELLO).file("app", "app.py", HELLO), 400, "duplicate_field");
    refused(Form::app("six\n", ""), 400, "empty_file");
    refused(Form::app("six\n", HELLO).file("bundle", "b.zip", "x"), 400, "contradicting_fields");
    server.post("/api/apps").expect_problem(415, "not_multipart");
    server.create(Form::app("six\n", HELLO).text("key", "taken"));
    refused(Form::app("six\n", HELLO).text("key", "taken"), 409, "name_taken");
    assert_eq!(server.get("/api/apps").json()["apps"].as_array().unwrap().len(), 1);
}
