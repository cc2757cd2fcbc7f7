// SPDX-License-Identifier: Apache-2.0
//! What holds of every code that is checked. `cargo fuzz` looks for one of which it does not; the tests replay what it found.

use crate::policy::{Mode, Policy, Python};

/// The newest Python that is asked for, and one that lacks much of its syntax.
const PYTHONS: [Option<Python>; 3] = [None, Some(Python { major: 3, minor: 10 }), Some(Python { major: 3, minor: 14 })];

/// Checks a code under every policy: each issue has a place in the code and one line of words, and a stricter policy finds no less.
pub fn snippet_policy(input: &[u8]) {
    let code = String::from_utf8_lossy(input);
    let policy = Policy::default();
    let lines = code.lines().count() + code.matches('\r').count() + 1;
    for python in PYTHONS {
        let [open, restricted] = [Mode::Open, Mode::Restricted].map(|mode| policy.check(&code, mode, python));
        for issue in open.iter().chain(&restricted) {
            assert!((1..=lines).contains(&(issue.line as usize)), "{issue:?} is not among {lines} lines");
            assert!((1..=code.chars().count() + 1).contains(&(issue.column as usize)), "{issue:?}");
            assert!(!issue.message.is_empty() && !issue.code.is_empty(), "{issue:?}");
            assert!(!issue.message.chars().any(char::is_control), "{issue:?}");
            assert!(issue.message.len() < 2000, "{issue:?}");
        }
        for issues in [&open, &restricted] {
            assert!(issues.is_sorted_by_key(|issue| (issue.line, issue.column)), "{issues:?}");
            assert!(issues.len() <= 1001, "{}", issues.len());
        }
        if restricted.len() < 1000 {
            assert!(open.iter().all(|issue| restricted.contains(issue)), "{open:?} and not {restricted:?}");
        }
        assert_eq!(policy.check(&code, Mode::Restricted, python), restricted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_in_codes_holds() {
        lithouse_testkit::replay("snippet_policy", snippet_policy);
    }
}
