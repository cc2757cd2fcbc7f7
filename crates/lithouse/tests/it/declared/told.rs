// SPDX-License-Identifier: Apache-2.0
//! What is told of the apps of a folder: their order, and at the terminal which of them failed, or that there are none.

use super::lab::app;
use crate::server::{HELLO, Server};

#[test]
fn apps_of_one_start_are_listed_by_their_keys_page_by_page() {
    let server = Server::prepare(&["apps"]);
    let wanted = ["a", "b", "c", "d", "e", "f", "g"];
    for key in wanted {
        app(&server.of_folder(key), key);
    }
    let server = server.up();
    let mut listed = Vec::new();
    let mut path = "/api/apps?limit=3".to_owned();
    loop {
        let page = server.get(&path).expect(200).json();
        listed.extend(page["apps"].as_array().unwrap().iter().map(|app| app["key"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/apps?limit=3&after={next}");
    }
    assert_eq!(listed, wanted);
    app(&server.of_folder("0"), "a later one");
    server.refresh();
    let all = server.get("/api/apps").expect(200).json();
    assert_eq!(all["apps"][7]["key"], "0", "what came later is listed later: {all}");
}

#[test]
fn who_serves_at_a_terminal_is_told_which_app_failed_and_why() {
    let server = Server::prepare(&["apps"]);
    app(&server.of_folder("fine"), "fine");
    app(&server.of_folder("broken"), "exit");
    let server = server.up();
    let failed = server.wait_for_status("broken", "failed");
    let told = format!("`broken` has failed: {}\n", failed["reason"].as_str().unwrap());
    let said = server.wait_until_said(&[&told]);
    assert!(!said.contains("`fine`"), "{said}");
}

#[test]
fn a_folder_without_apps_is_named_and_one_that_is_an_app_itself_too() {
    let server = Server::prepare(&["apps"]);
    std::fs::create_dir(server.folder().join("apps")).unwrap();
    let mut server = server.up();
    server.wait_until_said(&["no app in `apps`: it holds one folder an app, each with an `app.py`\n"]);
    assert!(server.stop().success());
    server.write("apps/app.py", HELLO);
    server.start_again();
    let above = server.folder().canonicalize().unwrap();
    server
        .wait_until_said(&[&format!("no app in `apps`: it is an app itself; `lithouse serve {}` serves it\n", above.display())]);
    assert!(server.stop().success());
    app(&server.of_folder("one"), "first of one");
    server.start_again();
    server.wait_to_read("/apps/one/", "first of one");
    assert!(!server.said().contains("no app"), "{}", server.said());
}
