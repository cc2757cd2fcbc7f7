// SPDX-License-Identifier: Apache-2.0
//! Colour, where somebody sees it and did not refuse it. Nothing is told by colour alone.

use std::ffi::OsString;

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;

/// A colour by its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Paint {
    /// As it should be.
    Good,
    /// On its way.
    Passing,
    /// Broken.
    Bad,
    /// Resting.
    Faint,
    /// A heading.
    Strong,
}

impl Paint {
    /// The text in this colour.
    pub(in crate::cli) fn on(self, text: &str) -> String {
        let code = match self {
            Self::Good => "32",
            Self::Passing => "33",
            Self::Bad => "31",
            Self::Faint => "2",
            Self::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// When to use colours, as it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum When {
    /// Where somebody sees them, by the variables that programs share.
    Auto,
    /// In files and pipes too.
    Always,
    /// Nowhere.
    Never,
}

impl When {
    /// From now on, and for what the parser of the command line writes.
    pub(in crate::cli) fn hold(self) {
        let choice = match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        };
        choice.write_global();
    }

    /// What the arguments say of it, before they are understood: what is wrong with them is told in colour or not.
    pub(in crate::cli) fn typed(arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let mut words = arguments.take_while(|word| word != "--").filter_map(|word| word.into_string().ok());
        let mut said = None;
        while let Some(word) = words.next() {
            let value = if word == "--color" { words.next() } else { word.strip_prefix("--color=").map(str::to_owned) };
            said = value.and_then(|value| Self::from_str(&value, false).ok()).or(said);
        }
        said
    }
}

/// Whether stdout takes colours.
pub(super) fn is_wanted() -> bool {
    AutoStream::choice(&std::io::stdout()) != ColorChoice::Never
}

/// Whether stderr takes colours.
pub(super) fn is_wanted_on_stderr() -> bool {
    AutoStream::choice(&std::io::stderr()) != ColorChoice::Never
}
