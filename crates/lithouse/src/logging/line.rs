// SPDX-License-Identifier: Apache-2.0
//! How a line of our logs is written: as text or as JSON. Whatever stands in a value, it stays within its value and within its line.

use std::error::Error;
use std::fmt::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::macros::format_description;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::LogFormat;
use crate::plain::is_harmful;

/// How lines are written somewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines {
    pub(super) format: LogFormat,
    pub(super) has_colour: bool,
    /// Whether text says which part of the program speaks.
    pub(super) has_target: bool,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> FormatEvent<S, JsonFields> for Lines {
    fn format_event(&self, context: &FmtContext<'_, S, JsonFields>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let of_span = extensions.get::<FormattedFields<JsonFields>>();
            // What the event says itself counts, then the nearest span.
            let of_span = of_span.and_then(|of_span| serde_json::from_str::<Map<String, Value>>(of_span).ok());
            for (name, value) in of_span.into_iter().flatten() {
                fields.0.entry(name).or_insert(value);
            }
        }
        let metadata = event.metadata();
        self.write(&mut out, *metadata.level(), metadata.target(), fields.0)
    }
}

impl Lines {
    /// Writes one line.
    pub(super) fn write(self, out: &mut impl Write, level: Level, target: &str, mut fields: Map<String, Value>) -> fmt::Result {
        let message = fields.remove("message").unwrap_or_default();
        match self.format {
            LogFormat::Json => {
                let line = JsonLine { time: now(), level: level.as_str().to_ascii_lowercase(), target, message, fields };
                writeln!(out, "{}", json(&line))
            }
            LogFormat::Text => {
                let (paint, plain) = if self.has_colour { (colour(level), "\u{1b}[0m") } else { ("", "") };
                write!(out, "{} {paint}{:>5}{plain} ", now(), level.as_str())?;
                if self.has_target {
                    write!(out, "{target}: ")?;
                }
                out.write_str(&escaped(&bare(&message)))?;
                for (name, value) in &fields {
                    write!(out, " {name}={}", quoted(&bare(value)))?;
                }
                writeln!(out)
            }
        }
    }
}

/// What every line has, in this order.
#[derive(Serialize)]
struct JsonLine<'a> {
    time: String,
    level: String,
    target: &'a str,
    message: Value,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// A value as one line of JSON, which has nothing in it that steers a terminal either.
pub(crate) fn json(value: &impl Serialize) -> String {
    // Texts, numbers and maps with text keys always serialise.
    let text = serde_json::to_string(value).unwrap_or_default();
    if !text.contains(is_harmful) {
        return text;
    }
    // They stand within texts, where each may be written by its number; none is beyond the first plane.
    text.chars().fold(String::new(), |mut text, each| {
        if is_harmful(each) {
            let _ = write!(text, "\\u{:04x}", u32::from(each));
        } else {
            text.push(each);
        }
        text
    })
}

/// The time of a line.
pub(crate) fn now() -> String {
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    // A time of this fixed form can only fail for years that no clock shows.
    OffsetDateTime::now_utc().format(&form).unwrap_or_default()
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn escaped(text: &str) -> String {
    if text.contains(is_harmful) { text.chars().map(harmless).collect() } else { text.to_owned() }
}

fn harmless(character: char) -> String {
    match character {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        harmful if is_harmful(harmful) => format!("\\u{{{:x}}}", u32::from(harmful)),
        other => other.to_string(),
    }
}

/// A value that could be taken for more than one, or for none, stands in quotes.
fn quoted(text: &str) -> String {
    let is_odd = |each: char| each.is_whitespace() || matches!(each, '"' | '=') || is_harmful(each);
    if !text.is_empty() && !text.contains(is_odd) {
        return text.to_owned();
    }
    let inner = text.chars().map(|each| match each {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        other => harmless(other),
    });
    format!("\"{}\"", inner.collect::<String>())
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        Level::DEBUG => "\u{1b}[34m",
        Level::TRACE => "\u{1b}[35m",
    }
}

/// The fields of an event, its message among them.
#[derive(Debug, Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    /// With all that it came of.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Many errors tell their cause themselves.
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        self.put(field, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "a\n2026-01-01T00:00:00.000Z ERROR x: forged\r\u{1b}[2J\u{85}\u{2028}\u{202e}\u{9b}\" level=\"error";

    fn written(format: LogFormat, value: &str) -> String {
        let mut out = String::new();
        let fields = [("message", value), ("name", value), ("plain", "word")].map(|(name, text)| (name.to_owned(), text.into()));
        let lines = Lines { format, has_colour: false, has_target: true };
        lines.write(&mut out, Level::WARN, "lithouse::x", fields.into_iter().collect()).unwrap();
        out
    }

    #[test]
    fn whatever_a_value_holds_a_line_stays_one_line_and_steers_nothing() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let line = written(format, EVIL);
            assert!(line.ends_with('\n') && !line.trim_end_matches('\n').contains(is_harmful), "{line:?}");
        }
    }

    #[test]
    fn a_value_of_json_is_read_back_as_it_was() {
        let line: Value = serde_json::from_str(&written(LogFormat::Json, EVIL)).unwrap();
        assert_eq!((&line["message"], &line["name"], &line["plain"]), (&EVIL.into(), &EVIL.into(), &"word".into()));
        assert_eq!((&line["level"], &line["target"]), (&"warn".into(), &"lithouse::x".into()));
    }

    #[test]
    fn a_value_of_text_cannot_pass_for_another_field() {
        let line = written(LogFormat::Text, "x level=error");
        assert!(line.contains(" WARN lithouse::x: x level=error name=\"x level=error\" plain=word\n"), "{line}");
        assert_eq!([quoted(""), quoted("a\\b"), quoted("say \"x\\\"")], ["\"\"", "a\\b", "\"say \\\"x\\\\\\\"\""]);
    }
}
