// SPDX-License-Identifier: Apache-2.0
//! How often to ask, and how long a server may be away.

use std::time::{Duration, Instant};

use crate::cli::client::ClientError;
use crate::cli::output;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Longer than a server takes to be replaced by its next version.
const LONGEST_ABSENCE: Duration = Duration::from_secs(20);

/// The pause between two questions, and the moment since which nobody answers.
#[derive(Debug)]
pub(in crate::cli) struct Patience {
    pause: Duration,
    longest_absence: Duration,
    away_since: Option<Instant>,
}

impl Default for Patience {
    fn default() -> Self {
        Self::of(LONGEST_ABSENCE)
    }
}

impl Patience {
    /// For a server that may be away so long.
    pub(in crate::cli) fn of(longest_absence: Duration) -> Self {
        Self { pause: FIRST_PAUSE, longest_absence, away_since: None }
    }

    /// Whether the server was away when it was last asked.
    pub(in crate::cli) fn is_tried(&self) -> bool {
        self.away_since.is_some()
    }

    /// What comes next is a new thing to wait for: the pauses are short again.
    pub(in crate::cli) fn begin_anew(&mut self) {
        self.pause = FIRST_PAUSE;
        self.restore();
    }

    /// How long to wait before the next question: short at first, so that what is quick looks quick.
    pub(in crate::cli) fn pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        pause
    }

    /// The server answers.
    pub(in crate::cli) fn restore(&mut self) {
        self.away_since = None;
    }

    /// Takes an error for a short absence, if it can be one.
    pub(in crate::cli) fn excuse(&mut self, error: ClientError) -> Result<(), ClientError> {
        if !error.is_passing() {
            return Err(error);
        }
        if self.away_since.is_none() {
            output::note("the server is away; waiting for it");
        }
        let since = *self.away_since.get_or_insert_with(Instant::now);
        if since.elapsed() < self.longest_absence { Ok(()) } else { Err(error) }
    }
}
