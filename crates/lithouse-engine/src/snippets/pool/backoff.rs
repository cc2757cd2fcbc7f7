// SPDX-License-Identifier: Apache-2.0
//! The pauses between attempts that fail one after the other.

use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);
/// As many failures in a row are bad luck; with more of them something is wrong.
const BAD_LUCK: u32 = 2;

/// Counts failures, and says when to try again.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    not_before: Option<Instant>,
}

impl Backoff {
    pub(super) fn failed(&mut self, now: Instant) {
        let pause = FIRST.saturating_mul(1 << self.failures.min(20)).min(LONGEST);
        self.failures += 1;
        self.not_before = Some(now + pause);
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Whether it fails again and again.
    pub(super) fn is_hopeless(&self) -> bool {
        self.failures > BAD_LUCK
    }

    /// When to try again; none for at once.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_a_success_forgets_them() {
        let now = Instant::now();
        let mut backoff = Backoff::default();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            backoff.failed(now);
            pauses.push((backoff.not_before().unwrap() - now).as_millis());
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert!(backoff.is_hopeless());
        backoff.succeeded();
        assert!(!backoff.is_hopeless() && backoff.not_before().is_none());
    }
}
