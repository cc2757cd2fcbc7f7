// SPDX-License-Identifier: Apache-2.0
//! Uploads that break off on their way: nothing of them is left.

use std::fs;
use std::io::Write;

use lithouse_testkit::wait_until_blocking;

use super::{Exchange, LARGE, around};
use crate::form::Form;
use crate::server::{HELLO, PATIENCE, Server};

/// The bytes of all that is being received.
fn received(server: &Server) -> u64 {
    fn size(folder: &std::path::Path) -> u64 {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(
                |entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().map_or(0, |facts| facts.len()) },
            )
            .sum()
    }
    size(&server.data().join("tmp"))
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing() {
    let server = Server::start_without_environments();
    let app = server.create(Form::app("six\n", HELLO));
    // Its build would write beside what is looked at.
    server.post(&format!("/api/apps/{app}/stop")).expect(200);
    server.wait_for_status(&app, "stopped");
    let (apps, release, file) = ("/api/apps", format!("/api/apps/{app}/releases"), format!("/api/apps/{app}/files/large"));
    let block = vec![7; 1 << 20];
    for (method, path, field) in
        [("POST", apps, "bundle"), ("POST", apps, "app"), ("POST", release.as_str(), "bundle"), ("PUT", file.as_str(), "")]
    {
        let (kind, [before, _]) = around(field);
        let kind = if field.is_empty() { "application/octet-stream" } else { &kind };
        let mut exchange = Exchange::begin(&server, method, path, kind, LARGE);
        exchange.connection.write_all(&before).unwrap();
        for _ in 0..8 {
            exchange.connection.write_all(&block).unwrap();
        }
        wait_until_blocking("it is being received", PATIENCE, || {
            let received = received(&server);
            if received >= 4 << 20 { Ok(()) } else { Err(received) }
        });
        drop(exchange);
        wait_until_blocking(&format!("nothing is left of {method} {path} {field}"), PATIENCE, || {
            let left: Vec<_> = fs::read_dir(server.data().join("tmp")).unwrap().flatten().map(|entry| entry.path()).collect();
            if left.is_empty() { Ok(()) } else { Err(left) }
        });
    }
    assert_eq!(server.get("/api/apps").json()["apps"].as_array().unwrap().len(), 1);
    assert_eq!(server.get(&release).json()["releases"].as_array().unwrap().len(), 1);
}
