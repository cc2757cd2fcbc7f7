// SPDX-License-Identifier: Apache-2.0
//! Disks that are full or read-only, with real ones: a small file system is mounted where the data folder, or a part of it, lies. It
//! needs root; without, each test says so and ends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use lithouse_testkit::wait_until_blocking;
use serde_json::json;

use super::clients::number_in;
use crate::form::Form;
use crate::hard_times::told::Told;
use crate::server::{HELLO, PATIENCE, STREAMLIT, Server, signal};
use crate::snapshot::assert_frozen;

/// A small file system of its own, taken away again whatever the test did.
pub(crate) struct Disk(PathBuf);

impl Disk {
    pub(crate) fn mount(at: &Path, mebibytes: u32) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"]).arg(at).status();
        let is_mounted = mounted.is_ok_and(|status| status.success());
        if !is_mounted {
            eprintln!("skipped: this needs the right to mount");
        }
        is_mounted.then(|| Self(at.to_owned()))
    }

    /// Leaves no room at all.
    pub(crate) fn fill(&self) {
        let ballast = format!("of={}", self.0.join("ballast").display());
        for size in ["bs=64k", "bs=1k"] {
            let filled = Command::new("dd").args(["if=/dev/zero", size, "oflag=append", "conv=notrunc", &ballast]).output();
            assert!(!filled.unwrap().status.success(), "the disk is not full");
        }
    }

    /// Leaves this much room, and no more.
    fn leave(&self, kibibytes: u64) {
        self.fill();
        let ballast = std::fs::File::options().write(true).open(self.0.join("ballast")).unwrap();
        ballast.set_len(ballast.metadata().unwrap().len().saturating_sub(kibibytes << 10)).unwrap();
    }

    /// Makes it this large.
    pub(crate) fn resize(&self, mebibytes: u32) {
        let option = format!("remount,size={mebibytes}m");
        let resized = Command::new("mount").args(["-o", &option]).arg(&self.0).status().unwrap();
        assert!(resized.success());
    }

    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }

    /// Lays the same files over themselves, read-only: what is open stays so, and nothing else can be opened to write.
    pub(crate) fn read_only_over(at: &Path) -> Option<Self> {
        let run = |args: &[&str]| Command::new("mount").args(args).arg(at).status().is_ok_and(|status| status.success());
        if !run(&["--bind", at.to_str().unwrap()]) {
            eprintln!("skipped: this needs the right to mount");
            return None;
        }
        let disk = Self(at.to_owned());
        assert!(run(&["-o", "remount,bind,ro"]), "it could not be made read-only");
        Some(disk)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// An app that runs from a folder with a Python of its own, so that the small disk need not hold an environment.
fn put_app_in_place(server: &Server, key: &str) {
    let folder = server.folder().join("apps").join(key);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("app.py"), HELLO).unwrap();
    super::processes::put_quick_python(&folder);
}

/// Waits until what was built has given its room back, so that a disk that is filled then stays full.
fn wait_until_nothing_is_in_the_making(server: &Server) {
    let names =
        || -> Vec<_> { std::fs::read_dir(server.data().join("tmp")).unwrap().flatten().map(|entry| entry.file_name()).collect() };
    wait_until_blocking("nothing is in the making", PATIENCE, || if names().is_empty() { Ok(()) } else { Err(names()) });
}

/// What must hold of every wish that no room is left for: an answer that says so, and no change.
#[test]
fn on_a_full_disk_every_wish_is_answered_nothing_is_half_done_and_room_is_enough_to_go_on() {
    let mut server = Server::prepare_with_uv(&["apps"]);
    let Some(disk) = Disk::mount(&server.data(), 24) else { return };
    put_app_in_place(&server, "here");
    server.start_again();
    server.wait_for_status("here", "running");
    // What cannot be built shows as well as any other app that nothing is half done.
    let app = server.create(Form::app("no-such-package-lithouse-42\n", HELLO));
    server.wait_for_status(&app, "failed");
    let folder = server.data().join("apps").join(&app);
    let before = (std::fs::read_dir(folder.join("releases")).unwrap().count(), server.app(&app));
    wait_until_nothing_is_in_the_making(&server);
    disk.fill();
    let large = format!("# {}\n{HELLO}", "x".repeat(1 << 20));
    let mut told = Told::new(&server);
    told.answer("POST /api/apps", &server.post_form("/api/apps", Form::app("six\n", &large)).expect(507));
    let released = server.post_form(&format!("/api/apps/{app}/releases"), Form::app("six\n", &large)).expect(507);
    told.answer("POST /api/apps/ID/releases", &released);
    let edited = server.put(&format!("/api/apps/{app}/files/app.py"), large.as_bytes()).expect(507);
    told.answer("PUT /api/apps/ID/files/app.py", &edited);
    assert_frozen("hard-times/disk-full.txt", told.text());
    // Small ones may find the last bytes of the database's log; whatever is answered, it is done or not done.
    for _ in 0..40 {
        let patched = server.patch(&format!("/api/apps/{app}"), &json!({"description": "x".repeat(1000)}));
        assert!([200, 507].contains(&patched.status), "{}", patched.text());
    }
    let after = (std::fs::read_dir(folder.join("releases")).unwrap().count(), server.app(&app));
    assert_eq!(after.0, before.0, "half a release is left");
    assert_eq!(after.1["release"], before.1["release"]);
    assert_eq!(server.get("/api/apps").json()["apps"].as_array().unwrap().len(), 2, "half an app is left");
    wait_until_nothing_is_in_the_making(&server);
    // People can look, use their apps, stop and start them, and come back after a crash.
    assert!(server.is_healthy("here"));
    server.post("/api/apps/here/stop").expect(200);
    server.wait_for_status("here", "stopped");
    server.kill();
    server.start_again();
    assert_eq!(server.app("here")["status"], "stopped");
    let started = server.post("/api/apps/here/start");
    assert!([200, 507].contains(&started.status), "{}", started.text());
    // Room is made, and everything goes again without anybody's help.
    disk.make_room();
    server.post("/api/apps/here/start").expect(200);
    server.wait_for_status("here", "running");
    server.post_form(&format!("/api/apps/{app}/releases"), Form::app("no-such-package-lithouse-43\n", HELLO)).expect(201);
    server.wait_for(&app, "failed again", |seen| seen["status"] == "failed" && seen["reason"].to_string().contains("43"));
    server.delete(&format!("/api/apps/{app}")).expect(204);
    assert!(!folder.exists());
    assert!(server.stop().success());
}

/// Room for the files of a wish and not, or only in part, for what the database notes of it: so a transaction ends at each of its steps.
#[test]
fn what_is_accepted_around_a_full_disk_outlives_a_crash_and_nothing_stays_locked_when_there_is_room() {
    let mut server = Server::prepare_with_uv(&[]);
    let Some(disk) = Disk::mount(&server.data(), 24) else { return };
    server.start_again();
    let one = server.create(Form::app("no-such-package-lithouse-42\n", HELLO));
    server.wait_for_status(&one, "failed");
    wait_until_nothing_is_in_the_making(&server);
    let mut apps = BTreeSet::from([one.clone()]);
    let mut said = String::new();
    let create = |server: &Server, apps: &mut BTreeSet<String>| {
        let answer = server.post_form("/api/apps", Form::app("no-such-package-lithouse-42\n", HELLO));
        if answer.status == 201 {
            apps.insert(answer.json()["app_id"].as_str().unwrap().to_owned());
        }
        answer.status
    };
    let mut describe = |server: &Server, text: String| {
        let answer = server.patch(&format!("/api/apps/{one}"), &json!({"description": text}));
        if answer.status == 200 {
            said = text;
        }
        answer.status
    };
    let (mut accepted, mut refused) = (0, 0);
    for kibibytes in [0, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64] {
        disk.leave(kibibytes);
        for _ in 0..3 {
            for status in [create(&server, &mut apps), describe(&server, format!("{kibibytes} {}", "x".repeat(900)))] {
                accepted += u32::from([200, 201].contains(&status));
                refused += u32::from(status == 507);
                assert!([200, 201, 507].contains(&status), "{status} with {kibibytes} KiB");
            }
        }
    }
    assert!(accepted > 0 && refused > 0, "{accepted} accepted, {refused} refused");
    disk.make_room();
    for round in 0..6 {
        assert_eq!(create(&server, &mut apps), 201);
        assert_eq!(describe(&server, format!("round {round}")), 200);
        let gone = apps.iter().find(|app| **app != one).unwrap().clone();
        server.delete(&format!("/api/apps/{gone}")).expect(204);
        apps.remove(&gone);
    }
    server.kill();
    server.start_again();
    let listed = server.get("/api/apps").expect(200).json()["apps"].clone();
    let listed: BTreeSet<String> =
        listed.as_array().unwrap().iter().map(|app| app["app_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, apps);
    assert_eq!(server.app(&one)["description"], said);
    assert!(server.stop().success());
}

#[test]
fn a_small_upload_on_a_full_disk_is_refused_for_the_disk_and_not_for_what_is_in_it() {
    let mut server = Server::prepare_with_uv(&[]);
    let Some(disk) = Disk::mount(&server.data(), 24) else { return };
    server.start_again();
    let app = server.create(Form::app("no-such-package-lithouse-42\n", HELLO));
    server.wait_for_status(&app, "failed");
    let bundle = || Form::default().file("bundle", "ok.zip", crate::releases::zip_of(&[("app.py", HELLO)]));
    wait_until_nothing_is_in_the_making(&server);
    disk.fill();
    for path in ["/api/apps".to_owned(), format!("/api/apps/{app}/releases")] {
        for form in [bundle(), Form::app("six\n", HELLO)] {
            server.post_form(&path, form).expect_problem(507, "disk_full");
        }
    }
    server.put(&format!("/api/apps/{app}/files/app.py"), HELLO.as_bytes()).expect_problem(507, "disk_full");
    disk.make_room();
    server.post_form("/api/apps", bundle()).expect(201);
    assert!(server.stop().success());
}

#[test]
fn on_a_read_only_disk_wishes_are_refused_with_that_reason_and_apps_go_on() {
    let mut server = Server::prepare_with_uv(&["apps"]);
    put_app_in_place(&server, "here");
    server.start_again();
    let before = server.wait_for_status("here", "running");
    let app = server.create(Form::app("no-such-package-lithouse-42\n", HELLO));
    server.wait_for_status(&app, "failed");
    let Some(disk) = Disk::read_only_over(&server.data()) else { return };
    let mut told = Told::new(&server);
    told.answer("POST /api/apps", &server.post_form("/api/apps", Form::app("six\n", HELLO)).expect(507));
    let edited = server.put(&format!("/api/apps/{app}/files/app.py"), b"x").expect(507);
    told.answer("PUT /api/apps/ID/files/app.py", &edited);
    assert!(server.is_healthy("here"));
    assert_eq!(server.app("here")["pid"], before["pid"]);
    server.kill();
    let refused = server.command().args(["serve", "apps", "--listen", "127.0.0.1:0"]).output().unwrap();
    told.output("lithouse serve apps", &refused);
    assert_frozen("hard-times/disk-read-only.txt", told.text());
    drop(disk);
    server.start_again();
    assert_eq!(server.wait_for_status("here", "running")["pid"], before["pid"]);
    server.delete(&format!("/api/apps/{app}")).expect(204);
    assert_eq!(server.get("/api/apps").json()["apps"].as_array().unwrap().len(), 1, "half an app is left");
}

#[test]
fn an_app_that_fills_the_disk_of_its_log_goes_on_and_the_gap_is_told() {
    let server = Server::prepare_with_uv(&[]);
    let Some(disk) = Disk::mount(&server.data().join("logs"), 4) else { return };
    let server = server.up();
    crate::store_of_envs::link_into(&server.data());
    let app = server.running_app(super::clients::COUNTING);
    let log = server.data().join(format!("logs/{app}.log"));
    let numbers = || super::rounds::numbers_in(&log);
    wait_until_blocking("it counts", PATIENCE, || numbers().len() > 10);
    disk.fill();
    let full_at = numbers().len();
    assert!(server.is_healthy(&app));
    let other = server.create(Form::app(STREAMLIT, HELLO));
    server.wait_for_status(&other, "running");
    disk.make_room();
    wait_until_blocking("it is told and goes on", PATIENCE, || {
        let text = std::fs::read_to_string(&log).unwrap();
        let told = text.lines().position(|line| line.contains("lines could not be written"));
        told.filter(|at| text.lines().skip(*at).any(|line| number_in(line).is_some())).ok_or(text.len())
    });
    let lines = numbers();
    assert!(lines.len() > full_at);
    assert!(lines.windows(2).all(|pair| pair[0] < pair[1]), "lines are out of order or twice there");
    assert_eq!(server.app(&app)["restarts"], 0);
    signal(server.pid(), "TERM");
}
