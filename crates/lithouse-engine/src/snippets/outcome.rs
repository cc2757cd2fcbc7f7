// SPDX-License-Identifier: Apache-2.0
//! How a run ended and what came of it, in the shape in which it is answered.

use lithouse_core::policy::Issue;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The whole of a run.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// How long the code itself took, in milliseconds.
    pub execution_time: u64,
    /// What it left, also when it did not end well.
    pub output: Output,
    /// Why it did not end well; none for [`Status::Success`] alone.
    pub error: Option<RunError>,
}

/// The ways in which a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The code ran to its end.
    Success,
    /// It raised something, or is no Python.
    Error,
    /// It took too long.
    Timeout,
    /// It wanted more memory than it may have.
    MemoryLimit,
    /// It wrote more than it may.
    OutputLimit,
    /// Its process ended without an answer.
    Crashed,
    /// The policy refused to run it.
    Rejected,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Success, Self::Error, Self::Timeout, Self::MemoryLimit, Self::OutputLimit, Self::Crashed, Self::Rejected];

    /// The word that stands in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::MemoryLimit => "memory_limit",
            Self::OutputLimit => "output_limit",
            Self::Crashed => "crashed",
            Self::Rejected => "rejected",
        }
    }
}

/// What a run left.
#[derive(Debug, Default, Serialize)]
pub struct Output {
    /// What it wrote to standard output, as far as it is kept.
    pub stdout: String,
    /// The same of standard error.
    pub stderr: String,
    /// Pictures and figures, in the order in which they came to be. Each is an object in the shape of the API.
    pub charts: Vec<Box<RawValue>>,
    /// Data frames and series.
    pub dataframes: Vec<Box<RawValue>>,
    /// Its global variables: an object of name to type and value.
    pub variables: Variables,
    /// What lay in its working folder at the end.
    pub files: Vec<Box<RawValue>>,
    /// What was cut or left out: `stdout`, `stderr`, `charts`, `dataframes`, `variables`, `files`.
    pub truncated: Vec<String>,
}

/// An object of variables, in the order in which they came to be.
#[derive(Debug, Default)]
pub struct Variables(pub Vec<(String, Box<RawValue>)>);

impl Serialize for Variables {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Why a run did not end well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunError {
    /// The name of the exception as Python shows it, or one of ours such as `TimeoutError`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it says.
    pub message: String,
    /// The line of the code, counted from 1, where it is known.
    pub line: Option<u32>,
    /// The column in that line, counted from 1, where it is known.
    pub column: Option<u32>,
    /// As Python prints it, with the frames of the code alone.
    pub traceback: Option<String>,
}

impl Outcome {
    /// Code that the policy refuses.
    pub(super) fn rejected(issues: &[Issue]) -> Self {
        let first = issues.first();
        let first_words = first.map_or("", |issue| &issue.message);
        let message = match issues.len() {
            0 | 1 => first_words.to_owned(),
            2 => format!("{first_words} (and 1 more issue)"),
            count => format!("{first_words} (and {} more issues)", count - 1),
        };
        let error = RunError {
            kind: "PolicyError".to_owned(),
            message,
            line: first.map(|issue| issue.line),
            column: first.map(|issue| issue.column),
            traceback: None,
        };
        Self { status: Status::Rejected, execution_time: 0, output: Output::default(), error: Some(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_has_every_field_of_the_api() {
        let outcome = Outcome { status: Status::Success, execution_time: 12, output: Output::default(), error: None };
        let text = serde_json::to_string(&outcome).unwrap();
        assert_eq!(
            text,
            r#"{"status":"success","execution_time":12,"output":{"stdout":"","stderr":"","charts":[],"dataframes":[],"variables":{},"files":[],"truncated":[]},"error":null}"#
        );
    }

    #[test]
    fn a_refusal_tells_the_first_issue_and_how_many_more() {
        let issue = |line| Issue { line, column: 3, code: "forbidden_import", message: format!("issue {line}") };
        let told = |count: u32| Outcome::rejected(&(1..=count).map(issue).collect::<Vec<_>>()).error.unwrap();
        assert_eq!((told(1).message.as_str(), told(1).line, told(1).column), ("issue 1", Some(1), Some(3)));
        assert_eq!(told(2).message, "issue 1 (and 1 more issue)");
        assert_eq!(told(4).message, "issue 1 (and 3 more issues)");
        assert_eq!((told(1).kind.as_str(), told(1).traceback), ("PolicyError", None));
    }
}
