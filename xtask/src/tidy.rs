// SPDX-License-Identifier: Apache-2.0
//! What the project asks of its own text, and no other tool checks. Runs as a test too.
//!
//! The table below is the whole of it: a name, what is asked, why, and the function that looks.

mod dependencies;
mod docs;
mod repository;
mod source;
mod text;

use std::fmt::Write;
use std::path::Path;

use repository::Repository;

/// One thing that is asked.
struct Check {
    /// What has to hold, in a sentence that is printed when it does not.
    claim: &'static str,
    /// Why it has to hold.
    reason: &'static str,
    look: fn(&Repository) -> Vec<Finding>,
}

/// A place where a claim does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    /// A path, with a line where there is one.
    place: String,
    what: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

const CHECKS: &[Check] = &[
    Check {
        claim: "our crates depend on each other only as the table in `xtask/src/tidy/dependencies.rs` allows",
        reason: "a crate exists for a boundary, and the table is the boundary; a new edge needs an ADR",
        look: dependencies::edges_are_allowed,
    },
    Check {
        claim: "no crate reaches a library that its purpose forbids, not even through others",
        reason: "the core stays free of I/O and async, the engine of HTTP servers, the proxy of the store, the sandbox of tokio",
        look: dependencies::libraries_are_allowed,
    },
    Check {
        claim: "the library and binary roots of all crates but the sandbox forbid unsafe code",
        reason: "unsafe code is audited in one place",
        look: source::roots_forbid_unsafe,
    },
    Check {
        claim: "every Rust file begins with the SPDX line",
        reason: "the licence travels with the file",
        look: source::files_begin_with_the_licence,
    },
    Check {
        claim: "every module begins with a `//!` comment",
        reason: "a reader learns first what the module owns and what it does not",
        look: source::modules_say_what_they_own,
    },
    Check {
        claim: "there is no `mod.rs`",
        reason: "`foo.rs` beside `foo/` keeps names telling in every list of files",
        look: source::no_mod_rs,
    },
    Check {
        claim: "lints are waived with `#[expect]` and a reason",
        reason: "a waiver that is needed no more shows itself, and the next reader knows why there was one",
        look: source::waivers_give_their_reason,
    },
    Check {
        claim: "no source file but tests has more than 1,000 lines",
        reason: "a file has one idea, and the codebases that read best lose the thread there",
        look: source::files_are_small,
    },
    Check {
        claim: "tests do not sleep, or say on the line or above it why they must",
        reason: "a sleep is too short on a slow machine and too long on a fast one; wait for the fact, with a deadline",
        look: text::tests_do_not_sleep,
    },
    Check {
        claim: "nothing is left to be done later",
        reason: "what is worth doing later is an issue, with a reader",
        look: text::nothing_is_left_to_do,
    },
    Check {
        claim: "no file names a folder of the machine it was written on",
        reason: "it exists nowhere else",
        look: text::no_local_paths,
    },
    Check {
        claim: "no file names the host of a package registry",
        reason: "whoever builds behind a mirror must not be led around it; the lock file of npm omits hosts by `.npmrc`",
        look: text::no_registry_hosts,
    },
    Check {
        claim: "the paths that `ARCHITECTURE.md` names exist",
        reason: "a map that names places which are gone is worse than none",
        look: docs::named_paths_exist,
    },
];

/// Looks at the repository, and tells what does not hold; nothing when all does.
pub(crate) fn check(root: &Path) -> anyhow::Result<String> {
    let repository = Repository::read(root)?;
    let mut report = String::new();
    for check in CHECKS {
        let findings = (check.look)(&repository);
        if findings.is_empty() {
            continue;
        }
        writeln!(report, "{}\n  since {}", check.claim, check.reason)?;
        for Finding { place, what } in findings {
            writeln!(report, "    {place}: {what}")?;
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
        let report = check(root).expect("the checks run");
        assert!(report.is_empty(), "the repository is not tidy\n\n{report}");
    }

    #[test]
    fn every_check_says_what_and_why_in_a_clause() {
        for check in CHECKS {
            for text in [check.claim, check.reason] {
                assert!(text.starts_with(|first: char| first.is_lowercase() || first == '`') && !text.ends_with('.'), "{text}");
            }
        }
    }
}
