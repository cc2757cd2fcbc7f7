// SPDX-License-Identifier: Apache-2.0
//! How long things took, counted so that noting one costs a few additions and waits for nobody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts durations by what they do not exceed.
#[derive(Debug)]
pub struct Durations {
    /// The bounds in seconds, rising.
    bounds: &'static [f64],
    /// One more than there are bounds: the last is for what exceeds all of them.
    counts: Box<[AtomicU64]>,
    microseconds: AtomicU64,
}

/// What was counted up to one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct DurationCounts {
    /// Each bound in seconds, with the number of durations that do not exceed it.
    pub within: Vec<(f64, u64)>,
    /// The number of all.
    pub count: u64,
    /// All of them together.
    pub sum: Duration,
}

impl Durations {
    /// Nothing is counted yet. The bounds are in seconds, and rise.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(), microseconds: AtomicU64::new(0) }
    }

    /// Counts one.
    pub fn note(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let place = self.bounds.partition_point(|bound| *bound < seconds);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        self.microseconds.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn read(&self) -> DurationCounts {
        let mut count = 0;
        let mut counted = self.counts.iter().map(|counter| {
            count += counter.load(Ordering::Relaxed);
            count
        });
        let within = self.bounds.iter().copied().zip(counted.by_ref()).collect();
        let exceeding = self.counts.last().map_or(0, |counter| counter.load(Ordering::Relaxed));
        let count = count + exceeding;
        DurationCounts { within, count, sum: Duration::from_micros(self.microseconds.load(Ordering::Relaxed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_for_every_bound_that_it_does_not_exceed() {
        let durations = Durations::new(&[0.1, 1.0]);
        for milliseconds in [0, 100, 101, 1000, 60_000] {
            durations.note(Duration::from_millis(milliseconds));
        }
        let counts = durations.read();
        assert_eq!(counts.within, [(0.1, 2), (1.0, 4)]);
        assert_eq!((counts.count, counts.sum), (5, Duration::from_millis(61_201)));
    }
}
