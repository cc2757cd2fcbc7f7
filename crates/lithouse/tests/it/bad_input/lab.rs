// SPDX-License-Identifier: Apache-2.0
//! What every row does: a server with one app, the request, the frozen answer, and everything as it was.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use lithouse_testkit::wait_until_blocking;
use serde_json::Value;

use super::request::Request;
use crate::form::Form;
use crate::server::{Answer, PATIENCE, Server};
use crate::snapshot::assert_frozen;

/// One test for each row: its name, and what is sent.
macro_rules! refused {
    ($table:literal: $($name:ident: $sent:expr;)+) => {$(
        #[test]
        fn $name() {
            $crate::bad_input::lab::refuse($table, stringify!($name), $sent);
        }
    )+};
}
pub(super) use refused;

/// A script that nothing is wrong with.
pub(super) const SCRIPT: &str = "import streamlit as st\nst.write('hello')\n";

/// The server of all rows that are under way. A start is dear, and a row leaves everything as it was; so each has it for itself
/// for a while.
static SHARED: Mutex<Weak<Mutex<Server>>> = Mutex::new(Weak::new());

fn shared() -> Arc<Mutex<Server>> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    // One that a row failed at may not be as it was.
    if let Some(server) = shared.upgrade().filter(|server| !server.is_poisoned()) {
        return server;
    }
    let server = Arc::new(Mutex::new(server()));
    *shared = Arc::downgrade(&server);
    server
}

/// A server with an app `there` that has ended up in a state which it does not leave by itself: there is no uv to build it with.
fn server() -> Server {
    let server = Server::prepare(&["--uv", "/bin/false"]).up();
    server.create(Form::app("six\n", SCRIPT).text("key", "there"));
    server.wait_for_status("there", "failed");
    wait_until_blocking("its build is cleared away", PATIENCE, || {
        std::fs::read_dir(server.data().join("tmp")).unwrap().next().is_none()
    });
    server
}

/// Sends the requests, which must be refused, and freezes what is answered.
#[track_caller]
pub(super) fn refuse(table: &str, name: &str, sent: Vec<Request>) {
    let shared = shared();
    let server = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let before = World::of(&server);
    let mut answers: Vec<(String, String)> = Vec::new();
    for request in sent {
        let answer = request.send(&server);
        assert!(answer.as_ref().is_none_or(|answer| answer.status >= 400), "it was taken: {answer:?}");
        let told = shown(answer.as_ref(), before.apps["apps"][0]["app_id"].as_str().unwrap());
        let line = format!("{} {}", request.method, short(&request.path));
        match answers.last_mut().filter(|(_, same)| *same == told) {
            Some((lines, _)) => write!(lines, "\n{line}").unwrap(),
            None => answers.push((line, told)),
        }
        wait_until_blocking("everything is as it was", PATIENCE, || {
            let now = World::of(&server);
            if now == before { Ok(()) } else { Err(Box::new(now)) }
        });
    }
    let text: Vec<String> = answers.into_iter().map(|(lines, answer)| format!("{lines}\n\n{answer}")).collect();
    assert_frozen(&format!("bad_input/{table}/{name}.txt"), &text.join("\n"));
}

/// An answer without what differs from run to run.
fn shown(answer: Option<&Answer>, app: &str) -> String {
    let Some(answer) = answer else { return "the connection ends without an answer\n".to_owned() };
    let mut text = format!("{}\n", answer.status);
    for name in ["content-type", "allow", "retry-after", "location", "www-authenticate"] {
        for value in answer.headers.get_all(name) {
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
    }
    let mut body = answer.text();
    if let Some(id) = answer.headers.get("x-request-id") {
        body = body.replace(id.to_str().unwrap(), "<request id>");
    }
    text.push('\n');
    text.push_str(&body.replace(app, "<app id>"));
    text
}

/// A long path is told by its beginning.
fn short(path: &str) -> String {
    if path.len() <= 200 { path.to_owned() } else { format!("{}… ({} bytes)", &path[..100], path.len()) }
}

/// All that a refused request must leave as it was.
#[derive(Debug, PartialEq)]
struct World {
    apps: Value,
    releases: Value,
    files: Value,
    /// Every file below the folders that uploads and builds work in, with its size.
    disk: BTreeMap<String, u64>,
    /// How the app is answered for.
    route: u16,
}

impl World {
    fn of(server: &Server) -> Self {
        let mut disk = BTreeMap::new();
        for folder in ["apps", "envs", "tmp"] {
            walk(&server.data().join(folder), folder, &mut disk);
        }
        let read = |path| server.get(path).expect(200).json();
        // To ask for its page is to use it.
        let mut apps = read("/api/apps");
        for app in apps["apps"].as_array_mut().unwrap() {
            app["last_used_at"] = Value::Null;
        }
        Self {
            apps,
            releases: read("/api/apps/there/releases"),
            files: read("/api/apps/there/files"),
            disk,
            route: server.get("/apps/there/").status,
        }
    }
}

fn walk(folder: &Path, name: &str, found: &mut BTreeMap<String, u64>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{name}/{}", entry.file_name().display());
        match entry.metadata() {
            Ok(facts) if facts.is_dir() => {
                found.insert(format!("{name}/"), 0);
                walk(&entry.path(), &name, found);
            }
            Ok(facts) => drop(found.insert(name, facts.len())),
            // It was just removed.
            Err(_) => {}
        }
    }
}
