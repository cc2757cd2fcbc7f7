// SPDX-License-Identifier: Apache-2.0
//! Looks at the script of an upload before anything is built for it: whether this server's Python can read it.

use std::path::Path;

use lithouse_core::policy::{Python, script_fault};

use crate::plain_file;

/// A larger script is left to Python itself.
const LARGEST: u64 = 1 << 20;

/// Why a script cannot be an app. Each names the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// Nothing is in it.
    #[error("the script `{file}` is empty")]
    Empty {
        /// The script.
        file: String,
    },
    /// Python would not read it.
    #[error("the script `{file}` is not Python: line {line}, column {column}: {message}")]
    Syntax {
        /// The script.
        file: String,
        /// Counted from 1.
        line: u32,
        /// Counted from 1, in code points.
        column: u32,
        /// What is wrong there.
        message: String,
    },
    /// It is not text in the coding that it declares, or in UTF-8.
    #[error("the script `{file}` is not UTF-8 text: line {line} has a byte that cannot be read")]
    NotText {
        /// The script.
        file: String,
        /// Counted from 1.
        line: usize,
    },
}

/// Looks at the file `entry` of a folder. It blocks. What cannot be told for sure is left to Python.
pub(crate) fn check(folder: &Path, entry: &str, python: Option<Python>) -> Result<(), ScriptError> {
    let Ok(bytes) = plain_file::read(&folder.join(entry), LARGEST) else { return Ok(()) };
    let file = || entry.to_owned();
    if bytes.is_empty() {
        return Err(ScriptError::Empty { file: file() });
    }
    let text = match decode(&bytes) {
        Decoded::Text(text) => text,
        Decoded::Unknown => return Ok(()),
        Decoded::Broken { line } => return Err(ScriptError::NotText { file: file(), line }),
    };
    match script_fault(&text, python) {
        None => Ok(()),
        Some(issue) => Err(ScriptError::Syntax { file: file(), line: issue.line, column: issue.column, message: issue.message }),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Decoded {
    Text(String),
    /// In a coding that only Python knows.
    Unknown,
    Broken {
        line: usize,
    },
}

/// Reads a script as Python does: UTF-8, unless one of the first two lines declares another coding (PEP 263).
fn decode(bytes: &[u8]) -> Decoded {
    let (bytes, has_mark) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => (rest, true),
        None => (bytes, false),
    };
    match declared_coding(bytes).map(|coding| coding.replace('_', "-")).as_deref() {
        None | Some("utf-8" | "utf8" | "utf-8-sig") => match std::str::from_utf8(bytes) {
            Ok(text) => Decoded::Text(text.to_owned()),
            Err(error) => {
                let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
                Decoded::Broken { line: before.split(|byte| *byte == b'\n').count() }
            }
        },
        // Each byte is a letter; which one makes no difference to the syntax.
        Some(coding)
            if !has_mark
                && ["latin", "iso-8859-", "iso8859-", "cp125", "windows-125"].iter().any(|of| coding.starts_with(of)) =>
        {
            Decoded::Text(
                bytes.iter().map(|byte| char::from(*byte)).map(|letter| if letter.is_ascii() { letter } else { 'ä' }).collect(),
            )
        }
        Some(_) => Decoded::Unknown,
    }
}

/// The coding that a comment in the first line declares, or in the second one below a comment or a blank line.
fn declared_coding(bytes: &[u8]) -> Option<String> {
    for line in bytes.split(|byte| *byte == b'\n').take(2) {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let comment = String::from_utf8_lossy(line.strip_prefix(b"#")?).into_owned();
        for (at, word) in comment.match_indices("coding") {
            let rest = &comment[at + word.len()..];
            let Some(rest) = rest.strip_prefix([':', '=']) else { continue };
            let name: String = rest
                .trim_start_matches([' ', '\t'])
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
                .collect();
            if !name.is_empty() {
                return Some(name.to_ascii_lowercase());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(script: &[u8]) -> Result<(), ScriptError> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("app.py"), script).expect("a file");
        check(folder.path(), "app.py", None)
    }

    #[test]
    fn scripts_in_every_coding_that_python_reads_are_taken() {
        for script in [
            b"x = 'caf\xc3\xa9'\n".as_slice(),
            b"\xef\xbb\xbfx = 1\n",
            b"\xef\xbb\xbf# coding: utf-8\nx = '\xc3\xa9'\n",
            b"# -*- coding: latin-1 -*-\nx = 'caf\xe9'\n",
            b"#!/usr/bin/env python3\n# vim: set fileencoding=cp1252 :\nx = '\x93'\n",
            b"\n# coding=iso_8859_15\nx = '\xa4'\n",
            b"# coding: shift_jis\nx = '\x83\x5c'\n",
            b"# coding: made-up\nx = (\n",
        ] {
            assert_eq!(checked(script), Ok(()), "{}", script.escape_ascii());
        }
    }

    #[test]
    fn what_no_python_reads_is_told_with_its_line() {
        let not_text = |line| Err(ScriptError::NotText { file: "app.py".to_owned(), line });
        assert_eq!(checked(b"x = 1\ny = 'caf\xe9'\n"), not_text(2));
        assert_eq!(checked(b"x = 1\n\n# coding: latin-1\ny = 'caf\xe9'\n"), not_text(4));
        assert_eq!(checked(b"# the coding is latin-1\nx = '\xe9'\n"), not_text(2));
        assert_eq!(checked(b""), Err(ScriptError::Empty { file: "app.py".to_owned() }));
        let error = checked(b"# coding: latin-1\nx = '\xe9\n").expect_err("no end");
        assert!(error.to_string().starts_with("the script `app.py` is not Python: line 2, column "), "{error}");
    }
}
