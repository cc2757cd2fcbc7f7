// SPDX-License-Identifier: Apache-2.0
//! One line of a log: `2026-01-02T03:04:05.678Z build | text`.

use super::output::Moment;

/// A line, taken apart. What is not in the shape of a log line is all text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogLine<'a> {
    /// When it was written, as it stands there.
    pub(super) time: Option<&'a str>,
    /// Where it comes from: `out`, `err`, `build`.
    pub(super) stream: Option<&'a str>,
    /// What was written.
    pub(super) text: &'a str,
}

impl<'a> LogLine<'a> {
    /// Takes a line apart.
    pub(super) fn parse(line: &'a str) -> Self {
        let taken = line.split_once(" |").and_then(|(head, text)| {
            let (time, stream) = head.split_once(' ')?;
            Moment::parse(time)?;
            Some(Self { time: Some(time), stream: Some(stream), text: text.strip_prefix(' ').unwrap_or(text) })
        });
        taken.unwrap_or(Self { time: None, stream: None, text: line })
    }

    /// When it was written.
    pub(super) fn moment(&self) -> Option<Moment> {
        self.time.and_then(Moment::parse)
    }

    /// One line of JSON.
    pub(super) fn to_json(&self) -> String {
        serde_json::json!({ "time": self.time, "stream": self.stream, "line": self.text }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_told_from_the_text() {
        let line = LogLine::parse("2026-01-02T03:04:05.678Z build | a | b");
        assert_eq!((line.time, line.stream, line.text), (Some("2026-01-02T03:04:05.678Z"), Some("build"), "a | b"));
        assert_eq!(LogLine::parse("2026-01-02T03:04:05Z run |").text, "");
    }

    #[test]
    fn a_line_without_the_prefix_is_all_text() {
        for line in ["", "a | b", "not-a-time run | x", "2026-01-02T03:04:05Z", " | "] {
            assert_eq!(LogLine::parse(line), LogLine { time: None, stream: None, text: line });
        }
    }
}
