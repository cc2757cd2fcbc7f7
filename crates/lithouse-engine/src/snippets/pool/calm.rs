// SPDX-License-Identifier: Apache-2.0
//! When the pool forks. A fork takes a core for some milliseconds, which whoever waits for a short run would have to wait for too.

use std::time::Duration;

use tokio::time::Instant;

/// A run that takes longer than this waits for no answer that a fork could hold up.
const AFTER_BEGIN: Duration = Duration::from_millis(20);
/// How long the answer to a run may take to be sent.
const AFTER_END: Duration = Duration::from_millis(1);

/// Since when nothing is under way that a fork would disturb.
#[derive(Debug)]
pub(super) struct Calm(Instant);

impl Calm {
    pub(super) fn new(now: Instant) -> Self {
        Self(now)
    }

    /// A run has been given its child.
    pub(super) fn begun(&mut self, now: Instant) {
        self.0 = now + AFTER_BEGIN;
    }

    /// A run is over. Others may be under way, but those are not as young.
    pub(super) fn ended(&mut self, now: Instant) {
        self.0 = now + AFTER_END;
    }

    /// When children are to be forked: at once (none), or at this time, while there is more than half of what there should be.
    pub(super) fn forks_at(&self, available: usize, workers: usize, now: Instant) -> Option<Instant> {
        (available > workers / 2 && now < self.0).then_some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_forked_while_a_young_run_goes_on_unless_children_run_short() {
        let now = Instant::now();
        let mut calm = Calm::new(now);
        assert_eq!(calm.forks_at(4, 4, now), None);
        calm.begun(now);
        assert_eq!(calm.forks_at(3, 4, now), Some(now + AFTER_BEGIN));
        assert_eq!(calm.forks_at(2, 4, now), None, "half of them must be there");
        assert_eq!(calm.forks_at(0, 1, now), None, "a single worker forks when it has none");
        assert_eq!(calm.forks_at(3, 4, now + AFTER_BEGIN), None);
        calm.ended(now);
        assert_eq!(calm.forks_at(3, 4, now), Some(now + AFTER_END));
    }
}
