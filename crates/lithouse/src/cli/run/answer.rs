// SPDX-License-Identifier: Apache-2.0
//! The answer to a run, as far as the command line reads it.

use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::frame::Frame;
use crate::cli::failure::Failure;
use crate::cli::output;

/// How a run ended, and what came of it.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    status: String,
    pub(super) output: Output,
    #[serde(default)]
    error: Option<RunError>,
}

/// What it left.
#[derive(Debug, Deserialize)]
pub(super) struct Output {
    #[serde(default)]
    pub(super) charts: Vec<Chart>,
    #[serde(default)]
    pub(super) dataframes: Vec<Frame>,
    #[serde(default)]
    pub(super) files: Vec<File>,
    #[serde(default)]
    truncated: Vec<String>,
}

/// A picture in base64, or a figure.
#[derive(Debug, Deserialize)]
pub(super) struct Chart {
    pub(super) format: String,
    pub(super) data: Box<RawValue>,
}

/// A file in base64.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) data: String,
}

#[derive(Debug, Deserialize)]
struct RunError {
    #[serde(rename = "type")]
    kind: String,
    message: String,
    #[serde(default)]
    line: Option<u32>,
    #[serde(default)]
    traceback: Option<String>,
}

impl Answer {
    /// Prints what is for people and was not printed yet: tables, the traceback, what was cut.
    pub(super) fn show(&self) -> Result<(), Failure> {
        for (index, frame) in self.output.dataframes.iter().enumerate() {
            if index > 0 {
                output::line("")?;
            }
            output::line(&frame.render())?;
        }
        if let Some(traceback) = self.error.as_ref().and_then(|error| error.traceback.as_deref()) {
            output::pass_on(traceback);
        }
        if !self.output.truncated.is_empty() {
            output::note(&format!("cut or left out: {}", output::plain(&self.output.truncated.join(", "))));
        }
        Ok(())
    }

    /// Whether it ran to its end; if not, how it ended.
    pub(super) fn verdict(&self, file: &Path) -> Result<(), Failure> {
        if self.status == "success" {
            return Ok(());
        }
        let name = file.display().to_string();
        let hint = match self.status.as_str() {
            "rejected" => Some(format!("`lithouse check {name}` lists every issue")),
            "timeout" => Some("`--timeout` gives it up to 60 s".to_owned()),
            _ => None,
        };
        Err(Failure::NotSuccess { name, claim: self.claim(), hint })
    }

    fn claim(&self) -> String {
        let verb = match self.status.as_str() {
            "error" => "failed",
            "timeout" => "was ended",
            "memory_limit" => "ran out of memory",
            "output_limit" => "wrote too much",
            "crashed" => "crashed",
            "rejected" => "was not run",
            _ => "did not succeed",
        };
        let Some(error) = &self.error else { return verb.to_owned() };
        let place = error.line.map(|line| format!(" in line {line}")).unwrap_or_default();
        match (self.status.as_str(), error.message.lines().next()) {
            ("error", Some(message)) => format!("{verb}{place}: {}: {message}", error.kind),
            ("error", None) => format!("{verb}{place}: {}", error.kind),
            (_, Some(message)) => format!("{verb}{place}: {message}"),
            (_, None) => format!("{verb}{place}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: &str, error: &str) -> String {
        let answer = format!(r#"{{"status": "{status}", "output": {{}}, "error": {error}}}"#);
        let answer: Answer = serde_json::from_str(&answer).unwrap();
        answer.verdict(Path::new("a.py")).map_or_else(|failure| failure.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn every_end_has_words_of_its_own() {
        let error = |kind: &str, message: &str, line: &str| {
            format!(r#"{{"type": "{kind}", "message": "{message}", "line": {line}, "column": null, "traceback": null}}"#)
        };
        assert_eq!(told("success", "null"), "fine");
        assert_eq!(told("error", &error("KeyError", "'a'", "3")), "`a.py` failed in line 3: KeyError: 'a'");
        assert_eq!(told("error", &error("AssertionError", "", "null")), "`a.py` failed: AssertionError");
        assert_eq!(
            told("timeout", &error("TimeoutError", "the code ran longer than 1 s", "1")),
            "`a.py` was ended in line 1: the code ran longer than 1 s"
        );
        assert_eq!(told("rejected", &error("PolicyError", "no", "2")), "`a.py` was not run in line 2: no");
        assert_eq!(told("something_new", "null"), "`a.py` did not succeed");
    }
}
