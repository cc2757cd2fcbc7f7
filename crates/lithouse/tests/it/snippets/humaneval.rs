// SPDX-License-Identifier: Apache-2.0
//! Every problem of `HumanEval` with its own solution and tests, as an everyday workload: 164 small programs that people wrote without
//! a thought of us. `scripts/setup-humaneval.sh` fetches them.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::{execute, ready};

/// One program: its name and its code.
type Program = (String, String);

fn programs() -> Vec<Program> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let fetched = Command::new(root.join("scripts/setup-humaneval.sh")).output().unwrap();
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
    let path = PathBuf::from(String::from_utf8(fetched.stdout).unwrap().trim());
    let mut lines = String::new();
    GzDecoder::new(std::fs::File::open(&path).unwrap()).read_to_string(&mut lines).unwrap();
    lines.lines().map(|line| program(&serde_json::from_str(line).unwrap())).collect()
}

fn program(problem: &Value) -> Program {
    let part = |name: &str| problem[name].as_str().unwrap();
    let code = format!("{}{}\n{}\ncheck({})\n", part("prompt"), part("canonical_solution"), part("test"), part("entry_point"));
    (part("task_id").to_owned(), code)
}

/// What came of each program that did not run to its end.
fn unsuccessful(programs: &[Program], policy: &str) -> BTreeMap<String, Value> {
    let server = ready(&["--snippets-allow-open", "--max-workers", "2"]);
    let rest = Mutex::new(programs.iter());
    let found = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = rest.lock().unwrap().next();
                    let Some((name, code)) = next else { return };
                    let answer = execute(&server, &json!({ "code": code, "policy": policy }));
                    if answer["status"] != "success" {
                        found.lock().unwrap().insert(name.clone(), answer);
                    }
                }
            });
        }
    });
    found.into_inner().unwrap()
}

/// The calls and imports that the strict policy refuses, as far as these programs have any, found by their words alone.
fn forbidden_words(code: &str) -> Vec<&'static str> {
    const CALLS: [&str; 5] = ["eval", "exec", "open", "compile", "__import__"];
    const MODULES: [&str; 5] = ["os", "sys", "subprocess", "socket", "urllib"];
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let is_called = |name: &&str| {
        code.match_indices(&format!("{name}("))
            .any(|(at, _)| !code[..at].ends_with(|before: char| is_word(before) || before == '.'))
    };
    let is_imported = |name: &&str| {
        code.lines().map(str::trim).any(|line| line == format!("import {name}") || line.starts_with(&format!("from {name} ")))
    };
    CALLS.into_iter().filter(is_called).chain(MODULES.into_iter().filter(is_imported)).collect()
}

#[test]
fn every_solution_passes_its_own_tests_under_the_open_policy() {
    let programs = programs();
    assert_eq!(programs.len(), 164);
    let failed = unsuccessful(&programs, "open");
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn under_the_strict_policy_those_alone_are_refused_that_use_a_forbidden_name() {
    let programs = programs();
    let failed = unsuccessful(&programs, "restricted");
    for (name, answer) in &failed {
        assert_eq!(answer["status"], "rejected", "{name}: {answer:#}");
    }
    let refused: BTreeMap<&str, String> =
        failed.iter().map(|(name, answer)| (name.as_str(), answer["error"]["message"].to_string())).collect();
    let expected: BTreeMap<&str, Vec<&str>> = programs
        .iter()
        .map(|(name, code)| (name.as_str(), forbidden_words(code)))
        .filter(|(_, words)| !words.is_empty())
        .collect();
    assert_eq!(refused.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{refused:#?} {expected:#?}");
    assert!(!expected.is_empty() && expected.len() < 8, "{expected:#?}");
    for (name, words) in expected {
        assert!(words.iter().any(|word| refused[name].contains(&format!("`{word}`"))), "{name}: {words:?}: {}", refused[name]);
    }
}
