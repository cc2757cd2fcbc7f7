// SPDX-License-Identifier: Apache-2.0
//! Words: settings with a fixed choice, some of which may be for later.

use std::marker::PhantomData;

use serde_json::Value as Json;

use super::{Reader, Wrong};
use crate::config::suggest;

/// A choice.
pub(in crate::config) trait Word: Copy + PartialEq + 'static {
    /// What may be said, with what it means. What means nothing is not available yet.
    const WORDS: &'static [(&'static str, Option<Self>)];
    /// Further words that other programs use for the same.
    const ALSO: &'static [(&'static str, Self)] = &[];
}

/// One of the words of a choice, in capitals or not.
pub(in crate::config) struct OneOf<W>(PhantomData<W>);

impl<W: Word> Reader for OneOf<W> {
    type Value = W;

    fn expected() -> String {
        let known: Vec<String> = available::<W>().map(|word| format!("`{word}`")).collect();
        match known.as_slice() {
            [only] => format!("{only} is expected"),
            [first @ .., last] => format!("{} or {last} is expected", first.join(", ")),
            [] => String::new(),
        }
    }

    fn example() -> &'static str {
        available::<W>().next().unwrap_or_default()
    }

    fn words() -> Vec<&'static str> {
        available::<W>().collect()
    }

    fn of_text(text: &str) -> Result<W, Wrong> {
        let is_said = |word: &str| word.eq_ignore_ascii_case(text.trim());
        if let Some((_, word)) = W::ALSO.iter().find(|(word, _)| is_said(word)) {
            return Ok(*word);
        }
        match W::WORDS.iter().find(|(word, _)| is_said(word)) {
            Some((_, Some(word))) => Ok(*word),
            Some((_, None)) => Err(Wrong::Because {
                problem: "that is not available yet".to_owned(),
                hint: format!("leave it out; for now {}", Self::expected()),
            }),
            None => Err(suggest::nearest(text, available::<W>())
                .map_or(Wrong::Form, |near| Wrong::Because { problem: Self::expected(), hint: suggest::did_you_mean(near) })),
        }
    }

    fn show(value: &W) -> Json {
        let word = W::WORDS.iter().find(|(_, word)| *word == Some(*value));
        word.map_or(Json::Null, |(word, _)| (*word).into())
    }
}

fn available<W: Word>() -> impl Iterator<Item = &'static str> {
    W::WORDS.iter().filter(|(_, word)| word.is_some()).map(|(word, _)| *word)
}

/// A setting whose feature is not there yet: whatever it is set to is refused, so that nobody believes it holds.
pub(in crate::config) struct NotYet;

/// The value of a setting that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nothing {}

impl Reader for NotYet {
    type Value = Option<Nothing>;

    fn expected() -> String {
        "not available yet".to_owned()
    }

    fn example() -> &'static str {
        ""
    }

    fn of_text(_text: &str) -> Result<Option<Nothing>, Wrong> {
        Err(Wrong::Because { problem: "that is not available yet".to_owned(), hint: "leave it out".to_owned() })
    }

    fn show(_value: &Option<Nothing>) -> Json {
        Json::Null
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Wind {
        North,
        South,
    }

    impl Word for Wind {
        const WORDS: &'static [(&'static str, Option<Self>)] =
            &[("north", Some(Self::North)), ("south", Some(Self::South)), ("none", None)];
        const ALSO: &'static [(&'static str, Self)] = &[("boreas", Self::North)];
    }

    #[test]
    fn a_word_is_read_in_capitals_too_and_a_near_one_is_suggested() {
        assert_eq!(OneOf::<Wind>::of_text("SOUTH"), Ok(Wind::South));
        assert_eq!(OneOf::<Wind>::of_text("boreas"), Ok(Wind::North));
        assert_eq!(OneOf::<Wind>::of_text("sideways"), Err(Wrong::Form));
        let near =
            Wrong::Because { problem: "`north` or `south` is expected".to_owned(), hint: "did you mean `south`?".to_owned() };
        assert_eq!(OneOf::<Wind>::of_text("suoth"), Err(near));
        assert_eq!(OneOf::<Wind>::show(&Wind::North), "north");
    }

    #[test]
    fn a_word_for_later_is_refused_as_such() {
        let Err(Wrong::Because { problem, hint }) = OneOf::<Wind>::of_text("none") else { panic!() };
        assert_eq!(problem, "that is not available yet");
        assert_eq!(hint, "leave it out; for now `north` or `south` is expected");
    }
}
