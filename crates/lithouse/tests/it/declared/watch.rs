// SPDX-License-Identifier: Apache-2.0
//! Changes that are taken by themselves.

use lithouse_testkit::wait_until_blocking;

use super::lab::app;
use crate::server::{PATIENCE, Server};

#[test]
fn a_server_that_watches_takes_changes_of_its_folder_and_its_configuration_by_itself() {
    let server = Server::prepare(&["--watch"]);
    app(&server.of_folder("one"), "first of one");
    app(&server.of_folder("two"), "first of two");
    let server = server.up();
    let one = server.pid_of("one");
    app(&server.of_folder("three"), "first of three");
    server.wait_to_read("/apps/three/", "first of three");
    std::fs::write(server.of_folder("two").join("app.py"), "second of two").unwrap();
    server.wait_to_read("/apps/two/", "second of two");
    std::fs::remove_dir_all(server.of_folder("three")).unwrap();
    wait_until_blocking("the removed app is gone", PATIENCE, || server.get("/api/apps/three").status == 404);
    server.write("lithouse.toml", "[apps.two]\nname = \"Second\"\n");
    server.wait_for("two", "named", |app| app["name"] == "Second");
    server.write("lithouse.toml", "[apps.two]\nnme = \"Third\"\n");
    server.wait_until_said(&["error: lithouse.toml:2: unknown key `apps.two.nme`"]);
    assert_eq!(server.app("two")["name"], "Second", "the last good configuration counts");
    server.write("lithouse.toml", "[apps.two]\nname = \"Third\"\n");
    server.wait_for("two", "named", |app| app["name"] == "Third");
    assert_eq!(server.pid_of("one"), one);
    server.wait_until_said(&["removed      three"]);
}

#[test]
fn a_server_that_does_not_watch_waits_to_be_asked() {
    let server = Server::prepare(&["apps"]);
    app(&server.of_folder("one"), "first of one");
    let server = server.up();
    app(&server.of_folder("two"), "first of two");
    server.pid_of("one");
    assert_eq!(server.refresh()["added"], serde_json::json!(["two"]), "nobody took it before");
}
