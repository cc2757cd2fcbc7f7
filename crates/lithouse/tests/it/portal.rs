// SPDX-License-Identifier: Apache-2.0
//! The page at `/` as it comes over the wire. What it does in a browser is tried in one, in `e2e`.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::documents::raw_get;
use crate::form::Form;
use crate::server::{Answer, HELLO, STREAMLIT, Server};

/// A server with two apps that are stopped.
fn with_stopped_apps() -> Server {
    let server = Server::start();
    for (key, name) in [("tides", "Tides <b>"), ("lamps", "Lamps")] {
        let app = server.create(Form::app(STREAMLIT, HELLO).text("key", key).text("name", name));
        server.post(&format!("/api/apps/{app}/stop")).expect(200);
        server.wait_for_status(&app, "stopped");
    }
    server
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers[name].to_str().unwrap()
}

#[test]
fn the_page_lists_searches_and_frames_the_apps_without_a_script() {
    let server = with_stopped_apps();
    let page = server.get("/").expect(200).text();
    for part in [">Tides &lt;b&gt;</a>", "href=\"/?app=tides\"", "href=\"/apps/lamps/\"", ">Stopped</span>", ">2 apps</p>"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let found = server.get("/?q=TIDE&sort=used").expect(200).text();
    assert!(found.contains("/apps/tides/") && !found.contains("/apps/lamps/") && found.contains(">1 of 2 apps</p>"), "{found}");
    let framed = server.get("/?app=lamps").expect(200).text();
    assert!(framed.contains("<iframe src=\"/apps/lamps/\" title=\"Lamps\""), "{framed}");
    let unknown = server.get("/?app=nowhere").expect(404).text();
    assert!(unknown.contains("no app called “nowhere”") && unknown.contains("href=\"/?app=lamps\""), "{unknown}");
}

#[test]
fn the_page_may_load_nothing_but_our_own_files_and_stands_in_nobodys_frame() {
    let server = Server::start_without_environments();
    for path in ["/", "/?app=nowhere", "/portal/apps"] {
        let answer = server.get(path);
        let policy = header(&answer, "content-security-policy");
        for part in
            ["default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-src 'self'", "frame-ancestors 'none'"]
        {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{path}: {policy}");
        let html = answer.text();
        assert!(!html.contains("<script>") && !html.contains("style=") && !html.contains("//"), "{html}");
    }
}

#[test]
fn the_files_of_the_page_are_asked_for_once_and_kept() {
    let server = Server::start_without_environments();
    let page = server.get("/").expect(200).text();
    let files: std::collections::BTreeSet<&str> = page.split('"').filter(|part| part.starts_with("/portal/")).collect();
    assert!(files.len() >= 9, "{files:?}");
    for file in files {
        let answer = server.get(file).expect(200);
        assert_eq!(header(&answer, "cache-control"), "private, max-age=31536000, immutable", "{file}");
        assert!(!answer.body.is_empty() && header(&answer, "x-content-type-options") == "nosniff", "{file}");
    }
    server.get("/portal/000000000000/look.css").expect_problem(404, "no_such_path");
}

#[test]
fn the_list_is_sent_again_only_when_something_has_changed() {
    let server = with_stopped_apps();
    let first = server.get("/portal/apps").expect(200);
    let tag = header(&first, "etag").to_owned();
    let again = server.get_with("/portal/apps", &[("If-None-Match", &tag)]).expect(304);
    assert!(again.body.is_empty() && header(&again, "etag") == tag);
    server.patch("/api/apps/lamps", &serde_json::json!({ "description": "Who lights them" })).expect(200);
    let changed = server.get_with("/portal/apps", &[("If-None-Match", &tag)]).expect(200);
    assert!(changed.text().contains("Who lights them") && header(&changed, "etag") != tag);
}

#[test]
fn the_page_is_compressed_for_whoever_takes_it_and_for_the_local_user_alone() {
    let server = Server::start_without_environments();
    let (packed, body) = raw_get(&server, "/", "Accept-Encoding: gzip\r\n");
    let (plain, whole) = raw_get(&server, "/", "");
    assert!(packed.contains("content-encoding: gzip\r\n") && packed.contains("vary: accept-encoding\r\n"), "{packed}");
    let mut unpacked = Vec::new();
    GzDecoder::new(&body[..]).read_to_end(&mut unpacked).unwrap();
    assert!(!plain.contains("content-encoding") && unpacked == whole, "{plain}");
    assert!(plain.contains("cache-control: private, no-cache\r\n"), "{plain}");
    for path in ["/", "/portal/apps"] {
        server.get_with(path, &[("X-Forwarded-For", "192.0.2.1")]).expect_problem(401, "not_signed_in");
    }
}

#[test]
fn a_person_who_mistypes_an_address_gets_a_page_with_the_way_to_the_apps_and_a_program_a_problem() {
    let server = Server::start_without_environments();
    let accept = [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    for path in ["/nope", "/apps/nope/"] {
        let page = server.get_with(path, &accept).expect(404);
        assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8", "{path}");
        assert!(page.text().contains("<a href=\"/\" target=\"_top\">"), "{path}: {}", page.text());
        assert!(header(&page, "content-security-policy").starts_with("default-src 'none'; style-src 'unsafe-inline'"), "{path}");
    }
    server.get_with("/nope", &[("Accept", "*/*")]).expect_problem(404, "no_such_path");
    let home = server.get_with("/apps", &accept).expect(307);
    assert_eq!(header(&home, "location"), "/");
    server.post("/apps").expect_problem(405, "method_not_allowed");
}
