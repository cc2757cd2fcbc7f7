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
pub(super) struct Patience {
    pause: Duration,
    away_since: Option<Instant>,
}

impl Default for Patience {
    fn default() -> Self {
        Self { pause: FIRST_PAUSE, away_since: None }
    }
}

impl Patience {
    /// How long to wait before the next question: short at first, so that what is quick looks quick.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        pause
    }

    /// The server answers.
    pub(super) fn restore(&mut self) {
        self.away_since = None;
    }

    /// Takes an error for a short absence, if it can be one.
    pub(super) fn excuse(&mut self, error: ClientError) -> Result<(), ClientError> {
        if !error.is_passing() {
            return Err(error);
        }
        if self.away_since.is_none() {
            output::note("the server is away; waiting for it");
        }
        let since = *self.away_since.get_or_insert_with(Instant::now);
        if since.elapsed() < LONGEST_ABSENCE { Ok(()) } else { Err(error) }
    }
}
