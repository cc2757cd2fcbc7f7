// SPDX-License-Identifier: Apache-2.0
//! What a snippet may say, checked on its syntax tree before it is run.
//!
//! This is a lint for people: it names what will not work in the sandbox, where, and what to use instead. It confines
//! nobody, and nothing relies on it for that; there are many ways around it, and the boundary is the kernel. It owns the
//! rules and their words. It runs nothing and knows no sandbox, queue or HTTP.

mod code;
mod modules;
mod names;
mod python;
mod rules;
mod script;
mod syntax;
mod text;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use python::Python;
pub use script::script_fault;
use syntax::FaultKind;

/// The longest code that is taken, in bytes of UTF-8.
pub const MAX_CODE_BYTES: usize = 51_200;
/// As many issues are listed at most.
const MAX_ISSUES: usize = 1000;

/// How strictly code is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Only allowed libraries and the harmless part of the standard library; no files, no network, no code made at run time.
    #[default]
    Restricted,
    /// Whatever Python can read.
    Open,
}

/// What the configuration may say about the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Libraries that may be imported, with all their submodules, besides the harmless standard library. A name here goes
    /// before every refusal.
    pub libraries: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { libraries: modules::LIBRARIES.map(str::to_owned).to_vec() }
    }
}

/// One thing that is wrong with a piece of code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1, in code points.
    pub column: u32,
    /// What kind of thing it is, for programs. It is one of a fixed set.
    pub code: &'static str,
    /// What it is, and what to do instead, for people.
    pub message: String,
}

/// The rules, ready to be asked. It never changes.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    rules: Rules,
}

/// An issue before its place is counted out.
struct Finding {
    offset: usize,
    code: &'static str,
    message: String,
}

impl Policy {
    /// A policy of these rules.
    pub fn new(rules: Rules) -> Self {
        Self { rules }
    }

    /// All that is wrong with a piece of code, in the order of its text; nothing if it may be run. Any text gets its answer
    /// in bounded time and on a small stack. Syntax that the `python` which is to run it does not have is an issue; without
    /// one, that of the newest is taken.
    pub fn check(&self, code: &str, mode: Mode, python: Option<Python>) -> Vec<Issue> {
        let mut findings = match unreadable(code) {
            Some(finding) => vec![finding],
            None => self.read(code, mode, python),
        };
        findings.sort_by_key(|finding| finding.offset);
        if findings.len() > MAX_ISSUES {
            findings.truncate(MAX_ISSUES);
            let offset = findings.last().map_or(0, |finding| finding.offset);
            let message = format!("there are more issues: only the first {MAX_ISSUES} are listed");
            findings.push(Finding { offset, code: code::TOO_MANY_ISSUES, message });
        }
        let mut places = text::Places::new(code);
        let placed = |Finding { offset, code, message }| {
            let (line, column) = places.of(offset);
            Issue { line, column, code, message }
        };
        findings.into_iter().map(placed).collect()
    }

    fn read(&self, code: &str, mode: Mode, python: Option<Python>) -> Vec<Finding> {
        let script = syntax::read(code, rules::WATCH, python);
        let mut findings: Vec<Finding> = Vec::new();
        for fault in script.faults {
            let code = match fault.kind {
                FaultKind::Syntax => code::SYNTAX_ERROR,
                FaultKind::Depth => code::TOO_DEEP,
            };
            findings.push(Finding { offset: fault.offset, code, message: fault.message });
        }
        match mode {
            Mode::Open => {}
            Mode::Restricted => {
                for sight in &script.sights {
                    let judged = rules::judge(sight, &self.rules);
                    findings.extend(judged.map(|(code, message)| Finding { offset: sight.offset, code, message }));
                }
                findings.extend(text::direction_marks(code).map(hidden_direction));
            }
        }
        findings
    }
}

/// What keeps a text from being read at all.
fn unreadable(code: &str) -> Option<Finding> {
    if code.len() > MAX_CODE_BYTES {
        let message = format!("the code has {} bytes: {MAX_CODE_BYTES} are allowed; send data with `files`", code.len());
        return Some(Finding { offset: 0, code: code::TOO_LONG, message });
    }
    let offset = code.find('\0')?;
    let message = "Python reads no code with a NUL character in it: write it as `\\0` in a string".to_owned();
    Some(Finding { offset, code: code::NUL_BYTE, message })
}

fn hidden_direction((offset, mark): (usize, char)) -> Finding {
    let number = u32::from(mark);
    let message = format!(
        "the invisible character `U+{number:04X}` changes the direction of text, and can make code look like other code: write it as \
         `\\u{number:04x}` in a string"
    );
    Finding { offset, code: code::BIDI_CONTROL, message }
}
