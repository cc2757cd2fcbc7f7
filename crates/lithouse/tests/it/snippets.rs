// SPDX-License-Identifier: Apache-2.0
//! Snippets over HTTP and on the command line, run by real Python in the sandbox of this machine.

mod answers;
mod command;
mod endings;
mod humaneval;
mod refusals;
mod stream;

use std::sync::{Arc, Mutex, Weak};

use lithouse_testkit::wait_until_blocking;
use serde_json::{Value, json};

use crate::server::{PATIENCE, Server};

/// A server that runs snippets. Tests that run beside each other share it; it ends with the last of them.
fn server() -> Arc<Server> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    // A test that failed while it started the server leaves nothing half done behind.
    let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(server) = shared.upgrade() {
        return server;
    }
    // As many wait as there are tests at a time, on a machine of many cores too: one that comes to a full queue is refused.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = cores.div_ceil(2).max(4).to_string();
    let server = Arc::new(ready(&["--snippets-allow-open", "--max-workers", &workers]));
    *shared = Arc::downgrade(&server);
    server
}

/// A server of one's own, once its Python is warm.
#[track_caller]
fn ready(args: &[&str]) -> Server {
    let server = Server::start_with_snippets(args);
    wait_until_blocking("snippets can be run", PATIENCE, || {
        let health = server.get("/health").json();
        assert_ne!(health["snippets"]["state"], "failed", "{health:#}");
        // With no process parked yet, the first run would wait for one.
        if health["snippets"]["parked"] != 0 { Ok(()) } else { Err(health) }
    });
    server
}

/// The answer to a request that is taken.
#[track_caller]
fn execute(server: &Server, request: &Value) -> Value {
    server.post_json("/execute", request).expect(200).json()
}

/// What came of code that may say anything.
#[track_caller]
fn run(code: &str) -> Value {
    execute(&server(), &json!({ "code": code, "policy": "open" }))
}

/// What came of code that ran to its end.
#[track_caller]
fn output(code: &str) -> Value {
    let answer = run(code);
    assert_eq!((&answer["status"], &answer["error"]), (&json!("success"), &Value::Null), "{answer:#}");
    answer["output"].clone()
}
