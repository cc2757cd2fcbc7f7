// SPDX-License-Identifier: Apache-2.0
//! How much a log tells: one level, or a level for each part of the program.

use serde_json::Value as Json;

use super::{Reader, Wrong};
use crate::config::suggest;

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
const ONE_EXPECTED: &str = "`error`, `warn`, `info`, `debug` or `trace` is expected";
/// `LOG_LEVEL` is shared with programs that say it so.
const ALSO: [(&str, &str); 3] = [("critical", "error"), ("warning", "warn"), ("none", "off")];
/// The level of what is not named.
const USUAL: &str = "info";

/// How much the log tells, such as `info` or `info,lithouse_proxy=debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLevels(String);

impl LogLevels {
    /// As it was said, with the words for levels that we use.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The level of what is not named, where that was not said.
    pub(crate) fn usual(&self) -> Option<&'static str> {
        self.0.split(',').all(|part| part.contains('=')).then_some(USUAL)
    }
}

/// A level, and levels of parts, with commas between them.
pub(in crate::config) struct Levels;

impl Reader for Levels {
    type Value = LogLevels;

    fn expected() -> String {
        format!("{ONE_EXPECTED}, or levels of parts such as `info,lithouse_proxy=debug`")
    }

    fn example() -> &'static str {
        "info"
    }

    fn words() -> Vec<&'static str> {
        LEVELS.to_vec()
    }

    fn of_text(text: &str) -> Result<LogLevels, Wrong> {
        let parts: Result<Vec<_>, _> = text.split(',').map(|part| of_part(part.trim())).collect();
        let parts = parts?;
        if parts.iter().filter(|part| !part.contains('=')).count() > 1 {
            return Err(Wrong::Because {
                problem: "it has two levels for everything".to_owned(),
                hint: "name the part that one of them is for, such as `lithouse_proxy=debug`".to_owned(),
            });
        }
        Ok(LogLevels(parts.join(",")))
    }

    fn show(value: &LogLevels) -> Json {
        value.as_str().into()
    }
}

fn of_part(part: &str) -> Result<String, Wrong> {
    let Some((target, level)) = part.split_once('=') else { return Ok(level_of(part)?.to_owned()) };
    let is_path = !target.is_empty() && target.split("::").all(is_segment);
    if !is_path {
        let problem = format!("`{target}` is not a part of the program");
        return Err(Wrong::Because {
            problem,
            hint: "parts are named as the log names them, such as `lithouse_engine::app`".to_owned(),
        });
    }
    Ok(format!("{target}={}", level_of(level)?))
}

fn is_segment(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn level_of(word: &str) -> Result<&'static str, Wrong> {
    let is_said = |known: &str| known.eq_ignore_ascii_case(word);
    if let Some((_, level)) = ALSO.iter().find(|(known, _)| is_said(known)) {
        return Ok(level);
    }
    LEVELS.into_iter().find(|known| is_said(known)).ok_or_else(|| match suggest::nearest(word, LEVELS) {
        Some(near) => Wrong::Because { problem: ONE_EXPECTED.to_owned(), hint: suggest::did_you_mean(near) },
        None => Wrong::Form,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_and_levels_of_parts_are_read() {
        for (text, read) in [
            ("INFO", "info"),
            ("warning", "warn"),
            ("info, lithouse_proxy=DEBUG", "info,lithouse_proxy=debug"),
            ("lithouse_engine::app=trace,off", "lithouse_engine::app=trace,off"),
        ] {
            assert_eq!(Levels::of_text(text).unwrap().as_str(), read);
        }
        let usual = |text| Levels::of_text(text).unwrap().usual();
        assert_eq!((usual("hyper=debug"), usual("hyper=debug,warn")), (Some("info"), None));
    }

    #[test]
    fn what_is_no_level_is_refused_with_what_may_be_meant() {
        let hint = |text| match Levels::of_text(text) {
            Err(Wrong::Because { hint, .. }) => hint,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(hint("inof"), "did you mean `info`?");
        assert_eq!(hint("info,lithouse_proxy=debgu"), "did you mean `debug`?");
        assert!(hint("lithouse-proxy=debug").contains("as the log names them"));
        assert!(hint("=debug").contains("as the log names them"));
        assert!(hint("info,debug").contains("name the part"));
        for text in ["", ",", "info,", "much", "a=b=c", "[span]=info"] {
            assert!(Levels::of_text(text).is_err(), "{text}");
        }
    }
}
