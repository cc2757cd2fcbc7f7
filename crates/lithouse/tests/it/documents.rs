// SPDX-License-Identifier: Apache-2.0
//! The documents of the API: the one for programs is frozen, and the pages for people ask nobody but us.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use crate::server::Server;
use crate::snapshot::assert_frozen;

#[test]
fn the_document_of_the_api_is_as_it_was_read_over() {
    let server = Server::start_without_environments();
    let answer = server.get("/openapi.json").expect(200);
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    assert_frozen("openapi.json", &answer.text().replace(&version, "\"version\": \"…\""));
}

#[test]
fn every_operation_has_a_name_of_its_own_a_summary_and_a_success() {
    let server = Server::start_without_environments();
    let document = server.get("/openapi.json").expect(200).json();
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no name"));
            assert!(names.insert(name.to_owned()), "`{name}` is there twice");
            assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{name}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{name}");
            assert!(responses.values().all(|response| response["headers"]["X-Request-Id"].is_object()), "{name}");
        }
    }
    assert!(names.len() >= 16, "{names:?}");
}

#[test]
fn a_method_that_a_path_does_not_have_is_refused_with_those_it_has() {
    let server = Server::start_without_environments();
    for (path, methods) in [("/health", "GET,HEAD"), ("/api/apps/x", "GET,HEAD,PATCH,DELETE"), ("/openapi.json", "GET,HEAD")] {
        let answer = server.post(path);
        assert_eq!(answer.headers["allow"], methods, "{path}");
        answer.expect_problem(405, "method_not_allowed");
    }
}

const PAGES: [&str; 2] = ["/docs", "/redoc"];

#[test]
fn the_pages_are_made_of_our_own_files_and_may_ask_nobody_else() {
    let server = Server::start_without_environments();
    for path in PAGES {
        let page = server.get(path).expect(200);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{path}: {policy}");
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("http") && !policy.contains('*'),
            "{path}: {policy}"
        );
        let html = page.text();
        assert!(!html.contains("//") && !html.contains("<script>"), "{html}");
        let files = html.split("src=\"").chain(html.split("rel=\"stylesheet\" href=\"")).filter_map(|rest| rest.split_once('"'));
        let files: Vec<&str> = files.map(|(file, _)| file).filter(|file| !file.contains('<')).collect();
        assert!(files.len() >= 2, "{files:?}");
        for file in files {
            server.get(&format!("/{file}")).expect(200);
        }
    }
}

#[test]
fn a_slash_behind_a_document_leads_to_it() {
    let server = Server::start_without_environments();
    for path in PAGES.into_iter().chain(["/openapi.json"]) {
        let answer = server.get(&format!("{path}/")).expect(308);
        // From there it leads to the same whatever lies before it.
        assert_eq!(answer.headers["location"], format!("..{path}"), "{path}/");
    }
}

#[test]
fn the_documents_are_compressed_for_whoever_takes_it_and_not_sent_twice() {
    let server = Server::start_without_environments();
    for path in PAGES.into_iter().chain(["/openapi.json", "/docs/swagger-ui-bundle.js", "/redoc/redoc.standalone.js"]) {
        // A client that decompresses shows neither the coding nor the size.
        let (head, body) = raw_get(&server, path, "Accept-Encoding: gzip\r\n");
        assert!(head.contains("content-encoding: gzip\r\n") && head.contains("vary: accept-encoding\r\n"), "{path}: {head}");
        let mut unpacked = Vec::new();
        GzDecoder::new(&body[..]).read_to_end(&mut unpacked).unwrap();
        let (plain_head, plain) = raw_get(&server, path, "");
        assert!(!plain_head.contains("content-encoding"), "{path}: {plain_head}");
        assert!(plain == unpacked, "{path}: the two forms differ");
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
        let again = server.get_with(path, &[("If-None-Match", tag)]).expect(304);
        assert!(again.body.is_empty() && again.headers["etag"] == tag, "{path}");
        server.get_with(path, &[("If-None-Match", "W/\"0000000000000000\"")]).expect(200);
    }
}

/// Head and body as they come over the wire.
pub(crate) fn raw_get(server: &Server, path: &str, headers: &str) -> (String, Vec<u8>) {
    use std::io::Write;
    let mut client = std::net::TcpStream::connect(server.address()).unwrap();
    write!(client, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", server.address()).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let body = answer.split_off(end);
    (String::from_utf8(answer).unwrap(), body)
}

#[test]
fn the_documents_are_for_whoever_may_use_the_api_alone() {
    let server = Server::start_without_environments();
    for path in PAGES.into_iter().chain(["/openapi.json", "/docs/start.js", "/redoc/start.js", "/docs/licences.txt"]) {
        server.get(path).expect(200);
        server.get_with(path, &[("X-Forwarded-For", "192.0.2.1")]).expect_problem(401, "not_signed_in");
        server.get_with(path, &[("Host", "evil.example")]).expect_problem(403, "host_not_served");
    }
}

/// What the binary embeds of others is what was looked at, whoever compressed it.
#[test]
fn the_embedded_files_of_others_are_those_that_were_taken() {
    let taken = [
        ("swagger-ui-bundle.js", "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2"),
        ("swagger-ui.css", "a6a4cf68f069eb89984d5d43644e6a812e749df08d2b1320c6e06e6973847d10"),
        ("redoc.standalone.js", "1dcb9be6d613eeb619c54792a1fadc885de50cffe992761419ed6bbaa88fd9d8"),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/docs");
    for (name, digest) in taken {
        let gzip = std::fs::read(folder.join(format!("{name}.gz"))).unwrap();
        let mut plain = Vec::new();
        GzDecoder::new(&gzip[..]).read_to_end(&mut plain).unwrap();
        let found = Sha256::digest(&plain).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        assert_eq!(found, digest, "{name}");
    }
    let size: u64 = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.metadata().unwrap().len()).sum();
    assert!(size < 2_000_000, "the binary grows by {size} bytes");
}
