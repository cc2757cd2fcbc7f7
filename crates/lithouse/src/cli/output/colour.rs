// SPDX-License-Identifier: Apache-2.0
//! Colour, where somebody sees it and did not refuse it. Nothing is told by colour alone.

use std::io::IsTerminal;

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

/// Whether stdout takes colours.
pub(super) fn is_wanted() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    std::io::stdout().is_terminal() && !refused && !is_dumb
}
