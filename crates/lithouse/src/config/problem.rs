// SPDX-License-Identifier: Apache-2.0
//! What is wrong with the configuration, all of it at once.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    message: String,
    hint: Option<String>,
}

impl Problem {
    /// A problem in words, with its place.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// The same with the next step, unless it has one already.
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(formatter, "\nhint: {hint}"))
    }
}

/// Why there is no configuration. It is shown as the text behind a first `error: `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", told(.0))]
pub(crate) struct Problems(pub(super) Vec<Problem>);

/// So many are shown to people; whoever has more mends these first.
const SHOWN: usize = 20;

fn told(problems: &[Problem]) -> String {
    let more = problems.len().saturating_sub(SHOWN);
    let shown = problems.iter().take(SHOWN).map(ToString::to_string);
    shown.chain((more > 0).then(|| format!("and {more} more"))).collect::<Vec<_>>().join("\nerror: ")
}

impl Problems {
    /// What is wrong, without what to do about it.
    pub(crate) fn details(&self) -> String {
        self.0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; ")
    }

    /// What to do about the first of them that tells.
    pub(crate) fn hint(&self) -> Option<String> {
        self.0.iter().find_map(|problem| problem.hint.clone())
    }

    /// Each of them for programs.
    pub(crate) fn each(&self) -> Vec<serde_json::Value> {
        self.0.iter().map(|problem| serde_json::json!({ "detail": problem.message, "hint": problem.hint })).collect()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_very_many_problems_the_first_are_shown_and_the_others_counted() {
        let many = Problems((0..2_000).map(|number| Problem::new(format!("line {number}"))).collect());
        let text = many.to_string();
        assert!(
            text.starts_with("line 0\nerror: line 1\n") && text.ends_with("\nerror: line 19\nerror: and 1980 more"),
            "{text}"
        );
        assert_eq!(many.each().len(), 2_000);
    }
}
