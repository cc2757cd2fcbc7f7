// SPDX-License-Identifier: Apache-2.0
//! When a crashed app is started again: 1 s, doubling to 60 s, from the beginning once it was healthy for 60 s.

use std::time::Duration;

/// The first pause.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long an app must have been healthy for its failures to be forgotten.
pub const FORGET_AFTER: Duration = Duration::from_secs(60);

/// Counts the failures in a row of one app.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause before the next start, after an instance that was healthy for so long (zero: it never was).
    pub fn after_failure(&mut self, healthy_for: Duration) -> Duration {
        if healthy_for >= FORGET_AFTER {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.pause()
    }

    /// After so many failures in a row.
    pub fn after(failures: u32) -> Self {
        Self { failures }
    }

    /// How many failures in a row there were.
    pub fn failures(self) -> u32 {
        self.failures
    }

    /// The pause that the last failure asked for.
    pub fn pause(self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(6);
        (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
    }

    /// Forgets every failure, because a person asked for a start.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_one_second_to_sixty() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u64> = (0..9).map(|_| backoff.after_failure(Duration::ZERO).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_minute_of_health_forgets_the_failures_and_less_does_not() {
        let mut backoff = Backoff::default();
        backoff.after_failure(Duration::ZERO);
        backoff.after_failure(Duration::ZERO);
        assert_eq!(backoff.after_failure(Duration::from_millis(59_999)).as_secs(), 4);
        assert_eq!(backoff.after_failure(Duration::from_secs(60)).as_secs(), 1);
    }
}
