// SPDX-License-Identifier: Apache-2.0
//! Disks that become full in the middle of something. `faults/disks.rs` has those that are full or read-only from the beginning. It needs
//! the right to mount; without, each row says so and ends.

use std::io::Write as _;

use lithouse_testkit::wait_until_blocking;
use serde_json::Value;

use super::row::Plan;
use super::wheels::{TINY, index};
use crate::faults::disks::Disk;
use crate::form::Form;
use crate::server::PATIENCE;

#[test]
fn a_disk_that_becomes_full_during_a_build_fails_it_and_leaves_nothing_of_it() {
    let plan = Plan::of("disk-full-build", "");
    let Some(disk) = Disk::mount(&plan.server.data().join("envs"), 6) else { return };
    let index = index(&plan.server);
    let mut row = plan.begin_with(&index);
    let small = row.server.create(Form::app(TINY, "# small\n"));
    row.server.wait_for_status(&small, "running");
    let app = row.server.create(Form::app(&format!("{TINY}large==1.0\n"), "# large\n"));
    let mut failed = row.server.wait_for_status(&app, "failed");
    // Which file it was at is chance, and so is what uv has said by then.
    let reason = failed["reason"].as_str().unwrap();
    let (said, file) = reason.split_once('`').unwrap_or((reason, ""));
    failed["reason"] = format!("{said}`…`{}", file.split_once('`').map_or("", |(_, rest)| rest)).into();
    failed["reason_log"] = serde_json::json!([]);
    row.told("its app", &failed);
    let environments =
        || std::fs::read_dir(row.server.data().join("envs")).unwrap().flatten().filter(|entry| entry.path().is_dir()).count();
    wait_until_blocking("half an environment is cleared away", PATIENCE, || environments() == 1);
    assert_eq!(row.server.get(&format!("/apps/{small}/")).expect(200).text(), "# small\n");
    row.when("there is room");
    disk.resize(64);
    row.server.post(&format!("/api/apps/{app}/start")).expect(200);
    row.server.wait_for_status(&app, "running");
    assert_eq!(row.server.get(&format!("/apps/{app}/")).expect(200).text(), "# large\n");
    for app in [small, app] {
        row.server.delete(&format!("/api/apps/{app}")).expect(204);
    }
    drop(disk);
    row.end();
}

#[test]
fn a_disk_that_becomes_full_while_a_bundle_is_unpacked_keeps_nothing_of_it() {
    let plan = Plan::of("disk-full-unpack", "");
    let Some(disk) = Disk::mount(&plan.server.data(), 24) else { return };
    let mut row = plan.begin();
    let bundle = |mebibytes: usize| {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        archive.start_file("app.py", zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(b"# here\n").unwrap();
        archive.start_file("requirements.txt", zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(b"no-such-package-lithouse-42\n").unwrap();
        archive.start_file("large.dat", zip::write::SimpleFileOptions::default()).unwrap();
        let mut state = 1_u64;
        for _ in 0..mebibytes << 10 {
            let mut piece = [0_u8; 1024];
            for byte in &mut piece[..100] {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = state.to_be_bytes()[0];
            }
            archive.write_all(&piece).unwrap();
        }
        Form::default().file("bundle", "app.zip", archive.finish().unwrap().into_inner())
    };
    let refused = row.server.post_form("/api/apps", bundle(40));
    row.answer("POST /api/apps", &refused);
    let apps = row.server.get("/api/apps").expect(200).json()["apps"].as_array().map(Vec::<Value>::len);
    assert_eq!(apps, Some(1), "half an app is left");
    let uploads = || std::fs::read_dir(row.server.data().join("tmp")).unwrap().count();
    wait_until_blocking("half an upload is cleared away", PATIENCE, || uploads() == 0);
    row.when("one that fits is sent");
    let app = row.server.create(bundle(4));
    row.server.wait_for_status(&app, "failed");
    row.server.delete(&format!("/api/apps/{app}")).expect(204);
    row.finish(disk);
}
