// SPDX-License-Identifier: Apache-2.0
//! Clears what bears a home's mark: at a keeper's start what an earlier one left behind, and at its end the rest of its own.

use std::time::{Duration, Instant};

use super::belonging::left_behind;
use super::processes;

/// A process that SIGKILL does not end in this time hangs in the kernel, and nobody can end it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends every process that bears the mark, and waits until they are gone. Answers how many there were, and how many are left.
///
/// It blocks: for the time before the keeper answers, and after it has nothing more to say.
pub(super) fn clear(mark: &str) -> (usize, usize) {
    let us = rustix::process::getpid().as_raw_nonzero().get();
    let deadline = Instant::now() + PATIENCE;
    let mut cleared = 0;
    loop {
        let snapshot = processes::snapshot(0);
        let left = left_behind(mark, us, &snapshot);
        cleared = cleared.max(left.len());
        if left.is_empty() || Instant::now() > deadline {
            return (cleared, left.len());
        }
        for process in left {
            processes::kill(process);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
