// SPDX-License-Identifier: Apache-2.0
//! What holds of everything that others send to the engine. `cargo fuzz` looks for what it does not hold of; the tests replay what it
//! has found.
#![expect(clippy::expect_used, reason = "a target fails by panicking, and what it works with must be there")]

pub use crate::bundle::fuzz::{archive_tar, archive_zip};
pub use crate::environment::fuzz::requirements;
pub use crate::keeper::fuzz::keeper_protocol;
pub use crate::snippets::fuzz::snippet_result;

use std::path::Path;

use tempfile::TempDir;

/// A folder that costs no disk, where there is one.
pub(crate) fn lab() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder to work in")
}

/// What comes over a stream, cut into pieces of these lengths, again and again.
pub(crate) fn pieces(bytes: &[u8], lengths: &[u8]) -> Vec<Vec<u8>> {
    let mut lengths = lengths.iter().cycle();
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = usize::from(lengths.next().copied().unwrap_or(u8::MAX)) % 64 + 1;
        let (piece, further) = rest.split_at(length.min(rest.len()));
        pieces.push(piece.to_vec());
        rest = further;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use lithouse_testkit::replay;

    use super::*;

    #[test]
    fn what_was_found_in_zips_holds() {
        replay("archive_zip", archive_zip);
    }

    #[test]
    fn what_was_found_in_tars_holds() {
        replay("archive_tar", archive_tar);
    }

    #[test]
    fn what_was_found_in_requirements_holds() {
        replay("requirements", requirements);
    }

    #[test]
    fn what_was_found_in_frames_of_server_and_keeper_holds() {
        replay("keeper_protocol", keeper_protocol);
    }

    #[test]
    fn what_was_found_in_results_of_snippets_holds() {
        replay("snippet_result", snippet_result);
    }
}
