// SPDX-License-Identifier: Apache-2.0
//! What holds of every text that says what an app needs, and of every complaint of uv about it.
#![expect(clippy::expect_used, reason = "a target fails by panicking, and what it works with must be there")]

use std::fs;

use super::explain::{Context, explain};
use super::interpreter::Interpreter;
use super::local::LocalPaths;
use super::lock::{Asked, normal_lines, only_given_hashes};
use super::log::mask_credentials;
use super::plain_requirements;
use super::requirements::{Requirements, package_name};
use crate::fuzz::lab;

/// What stands between the texts of an input, on a line of its own.
const BETWEEN: &str = "%%%";

/// Reads the texts of the input as `requirements.txt`, `pyproject.toml`, `uv.toml`, a lock of uv, and what uv says when it fails; an empty
/// one is not there.
pub fn requirements(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut texts = texts(&text).into_iter();
    let mut next = || texts.next().unwrap_or_default();
    let (requirements, project, settings, lock, words) = (next(), next(), next(), next(), next());

    let lab = lab();
    let folder = lab.path().join("app");
    fs::create_dir(&folder).expect("a folder");
    for (name, text) in [("requirements.txt", &requirements), ("pyproject.toml", &project), ("uv.toml", &settings)] {
        if !text.is_empty() {
            fs::write(folder.join(name), text).expect("a file");
        }
    }
    let asked = Asked::read(&folder);
    let given = Requirements::parse(&requirements);
    names(&given);
    if let Ok(asked) = &asked {
        names(&asked.given);
        let python = python();
        let is_admitted = asked.project.requires_python.as_ref().is_none_or(|needed| python.satisfies(needed));
        let _ = is_admitted;
    }
    let is_plain = plain_requirements(&folder).is_some();
    assert!(!is_plain || (given.options.is_empty() && given.hashes.is_empty()), "{requirements:?}");

    locked(&lock, &given);
    complaint(&words, &folder);
    masked(&words);
}

fn texts(text: &str) -> Vec<String> {
    let mut texts = vec![String::new()];
    for line in text.split_inclusive('\n') {
        if line.trim_end() == BETWEEN {
            texts.push(String::new());
        } else if let Some(last) = texts.last_mut() {
            last.push_str(line);
        }
    }
    texts
}

/// One that runs somewhere.
fn python() -> Interpreter {
    let text = r#"{"executable": "/usr/bin/python3", "version": "3.12.4", "numbers": [3, 12, 4], "is_final": true,
        "implementation": "cpython", "platform": "linux"}"#;
    serde_json::from_str(text).expect("an interpreter")
}

fn names(given: &Requirements) {
    for name in given.names.iter().chain(given.hashes.keys()) {
        assert_eq!(package_name(name).as_ref(), Some(name));
    }
    for option in &given.options {
        assert!(option.starts_with("--") && !option.contains('\n'), "{option:?}");
    }
}

fn locked(lock: &str, given: &Requirements) {
    let lines = normal_lines(lock);
    for line in &lines {
        assert!(!line.is_empty() && line.trim() == line && !line.contains(['\n', '\t']), "{line:?}");
    }
    let count = lines.len();
    let local = LocalPaths::find(lines.iter().map(String::as_str), "/nonexistent".as_ref());
    let _ = local.is_empty();
    if let Ok(narrowed) = only_given_hashes(lines, given) {
        assert_eq!(narrowed.len(), count);
        // No other hash is left than one that was given.
        for line in &narrowed {
            let Some(allowed) = package_name(line).and_then(|name| given.hashes.get(&name)) else { continue };
            assert!(line.split(" --hash=").skip(1).all(|hash| allowed.contains(hash)), "{line:?}");
        }
    }
}

fn complaint(words: &str, folder: &std::path::Path) {
    let error = explain(words, 1, Context { python: "3.12.4", folder });
    let said = error.to_string();
    assert!(!said.trim().is_empty());
    assert!(said.len() < words.len() + 3000, "{said}");
}

/// No password of an address is left, wherever it stands.
fn masked(words: &str) {
    let masked = mask_credentials(words);
    for (at, _) in masked.match_indices("://") {
        let after = &masked[at + 3..];
        let authority = after.split(|character: char| character == '/' || character.is_whitespace()).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        assert!(user.is_none_or(|user| user == "***"), "{masked:?} of {words:?}");
    }
}
