// SPDX-License-Identifier: Apache-2.0
//! What is sent: the code with its input and its files.

use std::path::{Component, Path};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::RunArgs;
use crate::cli::snippet::{self, SnippetError};

/// Seconds as a number that JSON has.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() => Ok(seconds),
        _ => Err("a number of seconds is expected, such as `10` or `0.5`".to_owned()),
    }
}

/// Reads everything that belongs to the run.
pub(super) fn read(args: &RunArgs) -> Result<Bytes, SnippetError> {
    if args.stdin.as_deref().is_some_and(snippet::is_stdin) && snippet::is_stdin(&args.file) {
        return Err(SnippetError::StdinTwice);
    }
    let mut question = Map::new();
    question.insert("code".to_owned(), snippet::code(&args.file)?.into());
    if let Some(seconds) = args.timeout {
        question.insert("timeout".to_owned(), seconds.into());
    }
    if let Some(policy) = args.policy {
        question.insert("policy".to_owned(), policy.as_str().into());
    }
    if let Some(path) = &args.stdin {
        question.insert("stdin".to_owned(), snippet::text(path)?.into());
    }
    let mut files = Vec::with_capacity(args.files.len());
    for path in &args.files {
        files.push(json!({ "name": name_of(path), "data": STANDARD.encode(snippet::bytes(path)?) }));
    }
    if !files.is_empty() {
        question.insert("files".to_owned(), files.into());
    }
    Ok(Value::Object(question).to_string().into())
}

/// The path in the working folder: the same where that stays inside of it, else its last part.
fn name_of(path: &Path) -> String {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    let names: Option<Vec<_>> = parts
        .map(|part| match part {
            Component::Normal(name) => Some(name.to_string_lossy()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
        })
        .collect();
    match names {
        Some(names) => names.join("/"),
        None => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_they_are_given_as_far_as_that_stays_inside() {
        for (path, name) in [
            ("a.csv", "a.csv"),
            ("./data/a.csv", "data/a.csv"),
            ("data//b/../a.csv", "a.csv"),
            ("/tmp/a.csv", "a.csv"),
            ("../a.csv", "a.csv"),
        ] {
            assert_eq!(name_of(Path::new(path)), name, "{path}");
        }
    }

    #[test]
    fn only_numbers_that_json_has_are_seconds() {
        assert_eq!(seconds("0.5"), Ok(0.5));
        for wrong in ["", "1s", "nan", "inf", "1e999"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
