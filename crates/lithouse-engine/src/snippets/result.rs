// SPDX-License-Identifier: Apache-2.0
//! What a child says, read with suspicion: foreign code runs in that process, and may have written every byte of it.
//!
//! Nothing here is repaired. What is longer, deeper, more or other than a child of ours would send is [`Malformed`] as a whole, and
//! the run has crashed then. What passes is sound JSON in one line, so it can be put into an answer as it is.

mod chart;
mod few;
mod file;
mod frame;
mod json;
mod table;

use serde::Deserialize;
use serde_json::value::RawValue;

use self::chart::chart;
use self::few::{Few, Pairs};
use super::limits::{CHARTS, CHARTS_BYTES, FRAMES, OUTPUT_FILE_BYTES, OUTPUT_FILES, VARIABLES};
use super::outcome::{RunError, Status, Variables};

/// The longest message of an exception that is passed on, in bytes; and its longest traceback.
const MESSAGE_BYTES: usize = 64 << 10;
const TRACEBACK_BYTES: usize = 512 << 10;
/// The longest name of anything.
const NAME_BYTES: usize = 4 << 10;
/// The longest variable, with its type.
const VARIABLE_BYTES: usize = 256 << 10;
/// The words for what was cut, and how many there may be.
const CUT_WORDS: usize = 16;
const CUT_WORD_BYTES: usize = 300;

/// The longest complaint of ours.
const COMPLAINT_BYTES: usize = 300;

/// Something that no child of ours would say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(String);

impl Malformed {
    /// For what is noticed elsewhere.
    pub(super) fn from_words(words: String) -> Self {
        Self(words)
    }

    fn of(what: &str, error: impl std::fmt::Display) -> Self {
        // The words quote what was sent, which may be long.
        Self(shortened(format!("{what}: {error}"), COMPLAINT_BYTES))
    }
}

/// One frame of a child.
#[derive(Debug)]
pub(super) enum Said {
    /// It is confined, and waits.
    Parked,
    /// It could not be confined.
    Refused { step: String, errno: i32, message: String },
    /// A chart was shown.
    Chart(Box<RawValue>),
    /// The end.
    Result(Box<ChildResult>),
}

/// The result of a run, as its child tells it.
#[derive(Debug)]
pub(super) struct ChildResult {
    pub(super) status: Status,
    /// In milliseconds; not yet held against any clock of ours.
    pub(super) execution_time: u64,
    /// There is one unless the status is [`Status::Success`].
    pub(super) error: Option<RunError>,
    pub(super) charts: Vec<Box<RawValue>>,
    pub(super) dataframes: Vec<Box<RawValue>>,
    pub(super) variables: Variables,
    pub(super) files: Vec<Box<RawValue>>,
    pub(super) truncated: Vec<String>,
}

/// A frame before anything of it is looked at more closely.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Outer<'a> {
    Parked {},
    Refused {
        step: String,
        errno: i32,
        message: String,
    },
    #[serde(borrow)]
    Chart(&'a RawValue),
    #[serde(borrow)]
    Result(Parts<'a>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts<'a> {
    status: Status,
    execution_time: f64,
    error: Option<RunError>,
    #[serde(borrow)]
    charts: Few<&'a RawValue, CHARTS>,
    #[serde(borrow)]
    dataframes: Few<&'a RawValue, FRAMES>,
    #[serde(borrow)]
    variables: Pairs<'a, VARIABLES>,
    #[serde(borrow)]
    files: Few<&'a RawValue, OUTPUT_FILES>,
    truncated: Few<String, CUT_WORDS>,
}

/// Reads one frame.
pub(super) fn read(frame: &[u8]) -> Result<Said, Malformed> {
    let outer: Outer<'_> = serde_json::from_slice(frame).map_err(|error| Malformed::of("a frame", error))?;
    match outer {
        Outer::Parked {} => Ok(Said::Parked),
        Outer::Refused { step, errno, message } => Ok(Said::Refused { step, errno, message: shortened(message, NAME_BYTES) }),
        Outer::Chart(raw) => Ok(Said::Chart(chart(raw)?)),
        Outer::Result(parts) => Ok(Said::Result(Box::new(result(parts)?))),
    }
}

fn result(parts: Parts<'_>) -> Result<ChildResult, Malformed> {
    for word in &parts.truncated.0 {
        bounded("bytes in a word for what was cut", word.len(), CUT_WORD_BYTES)?;
    }
    let chart_bytes = parts.charts.0.iter().map(|raw| raw.get().len()).sum();
    bounded("bytes in charts", chart_bytes, CHARTS_BYTES)?;
    let mut file_bytes = 0;
    let mut files = Vec::with_capacity(parts.files.0.len());
    for raw in &parts.files.0 {
        let (size, file) = file::file(raw)?;
        file_bytes += size;
        bounded("bytes in files", file_bytes, OUTPUT_FILE_BYTES)?;
        files.push(file);
    }
    Ok(ChildResult {
        status: status(parts.status)?,
        execution_time: milliseconds(parts.execution_time)?,
        error: error(parts.status, parts.error)?,
        charts: parts.charts.0.into_iter().map(chart).collect::<Result<_, _>>()?,
        dataframes: parts.dataframes.0.into_iter().map(frame::frame).collect::<Result<_, _>>()?,
        variables: variables(parts.variables)?,
        files,
        truncated: parts.truncated.0,
    })
}

fn bounded(what: &str, count: usize, most: usize) -> Result<(), Malformed> {
    if count > most { Err(Malformed(format!("{count} {what}, where {most} are the most"))) } else { Ok(()) }
}

/// A child can tell of these ends alone; the others are seen from outside.
fn status(status: Status) -> Result<Status, Malformed> {
    match status {
        Status::Success | Status::Error | Status::Timeout | Status::MemoryLimit => Ok(status),
        Status::OutputLimit | Status::Crashed | Status::Rejected => Err(Malformed("a status that no child can tell".to_owned())),
    }
}

fn error(status: Status, error: Option<RunError>) -> Result<Option<RunError>, Malformed> {
    match (status == Status::Success, error) {
        (true, None) => Ok(None),
        (false, Some(error)) => Ok(Some(RunError {
            kind: shortened(error.kind, NAME_BYTES),
            message: shortened(error.message, MESSAGE_BYTES),
            traceback: error.traceback.map(|text| shortened(text, TRACEBACK_BYTES)),
            ..error
        })),
        (true, Some(_)) => Err(Malformed("an error in a success".to_owned())),
        (false, None) => Err(Malformed("a failure without an error".to_owned())),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn milliseconds(value: f64) -> Result<u64, Malformed> {
    if (0.0..1e9).contains(&value) { Ok(value.round() as u64) } else { Err(Malformed(format!("a duration of {value} ms"))) }
}

fn variables(pairs: Pairs<'_, VARIABLES>) -> Result<Variables, Malformed> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Variable<'a> {
        #[serde(rename = "type")]
        kind: String,
        #[serde(borrow)]
        value: &'a RawValue,
    }
    let mut variables = Vec::with_capacity(pairs.0.len());
    for (name, raw) in pairs.0 {
        bounded("bytes in a variable's name", name.len(), NAME_BYTES)?;
        bounded("bytes in a variable", raw.get().len(), VARIABLE_BYTES)?;
        let variable: Variable<'_> = serde_json::from_str(raw.get()).map_err(|error| Malformed::of("a variable", error))?;
        bounded("bytes in a type's name", variable.kind.len(), NAME_BYTES)?;
        json::check(variable.value)?;
        json::check(raw)?;
        variables.push((name, raw.to_owned()));
    }
    Ok(Variables(variables))
}

/// Cuts a text at a limit, between two characters.
fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
