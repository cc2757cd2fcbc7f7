// SPDX-License-Identifier: Apache-2.0
//! The examples of the help pages, run as they stand there against a real server.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::server::Server;

/// Those that are not run here, and why.
const ELSEWHERE: [(&str, &str); 8] = [
    ("lithouse serve ", "it runs until it is ended; it is what all other tests start"),
    ("lithouse start ./apps", "it would listen on a port that others may have"),
    ("lithouse service install", "it would change this machine"),
    ("lithouse logs sales -f", "it goes on for ever"),
    ("lithouse deploy ", "it builds an environment; the tests of `deploy` do"),
    ("lithouse rollback ", "it needs three releases; the tests of releases do"),
    ("lithouse run ", "it needs the environment of snippets; the tests of snippets do"),
    ("lithouse healthcheck --url", "it asks a port that others may have"),
];

/// An app that needs no environment.
const APP: &str = "[apps.sales]\ndir = \"sales\"\ncommand = \"python3 -m http.server --bind 127.0.0.1 $PORT\"\n";

/// Every example of every help page.
fn examples() -> Vec<String> {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/help");
    let mut examples = Vec::new();
    for page in fs::read_dir(pages).unwrap() {
        let text = fs::read_to_string(page.unwrap().path()).unwrap();
        let lines = text.split("Example:\n").nth(1).unwrap_or_default().lines();
        examples.extend(lines.map(|line| line.trim().to_owned()).filter(|line| line.starts_with("lithouse ")));
    }
    // What ends the app, and then the server, comes last.
    examples.sort_by_key(|example| {
        (example == "lithouse stop", example.starts_with("lithouse rm"), example.contains("stop"), example.clone())
    });
    examples.dedup();
    examples
}

#[test]
fn every_example_of_the_help_does_what_it_says() {
    let server = Server::prepare(&[]);
    fs::create_dir(server.folder().join("sales")).unwrap();
    fs::write(server.folder().join("lithouse.toml"), APP).unwrap();
    fs::write(server.folder().join("plot.py"), "import math\nprint(math.pi)\n").unwrap();
    let server = server.up();
    server.wait_for_status("sales", "running");
    let own = Path::new(env!("CARGO_BIN_EXE_lithouse")).parent().unwrap().display();
    let (examples, mut tried) = (examples(), 0);
    for example in &examples {
        if ELSEWHERE.iter().any(|(beginning, _)| example.starts_with(beginning)) {
            continue;
        }
        let mut command = Command::new("sh");
        command.args(["-c", example]).current_dir(server.folder()).stdin(Stdio::null());
        command.env_clear().env("PATH", format!("{own}:{}", std::env::var("PATH").unwrap()));
        // Those that name a folder or an address of their own are about no server.
        command.env("LITHOUSE_DATA", server.data());
        let run = command.output().unwrap();
        // `doctor` tells of the machine that the tests run on, and an app of the configuration is not removed.
        let allowed: &[i32] = match example.split_whitespace().nth(1) {
            Some("doctor") => &[0, 1],
            Some("rm") => &[4],
            _ => &[0],
        };
        let code = run.status.code().unwrap();
        assert!(allowed.contains(&code), "`{example}` ended with {code}: {run:?}");
        tried += 1;
    }
    assert!(tried >= 15, "{examples:?}");
    for (beginning, _) in ELSEWHERE {
        assert!(examples.iter().any(|example| example.starts_with(beginning)), "`{beginning}` is no example any more");
    }
}
