// SPDX-License-Identifier: Apache-2.0
//! Tells the person at the terminal how far the start of many apps is.

use std::time::Duration;

use lithouse_core::app::{AppStatus, Desired};
use lithouse_engine::engine::Engine;

/// Whoever reads it wants to know that it goes on, not each step.
const PAUSE: Duration = Duration::from_secs(3);

/// Tells it until no app is on its way any more. Who has few apps, which are there at once, is told nothing.
pub(super) async fn run(engine: Engine, say: fn(&str)) {
    let mut told = String::new();
    loop {
        tokio::time::sleep(PAUSE).await;
        let count = Count::of(engine.apps().iter().filter(|app| app.desired == Desired::Running).map(|app| app.status));
        if count.on_their_way == 0 {
            if !told.is_empty() {
                say(&format!("started      {}", count.words()));
            }
            return;
        }
        let line = format!("starting     {}", count.words());
        if line != told {
            say(&line);
            told = line;
        }
    }
}

/// How many apps do what.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    all: usize,
    running: usize,
    building: usize,
    failed: usize,
    on_their_way: usize,
}

impl Count {
    fn of(states: impl Iterator<Item = AppStatus>) -> Self {
        states.fold(Self::default(), |mut count, status| {
            count.all += 1;
            count.on_their_way += usize::from(status.is_passing());
            match status {
                AppStatus::Running | AppStatus::Sleeping => count.running += 1,
                AppStatus::Building => count.building += 1,
                AppStatus::Failed | AppStatus::Crashed => count.failed += 1,
                AppStatus::Starting | AppStatus::Stopping | AppStatus::Stopped => {}
            }
            count
        })
    }

    fn words(&self) -> String {
        let plural = if self.all == 1 { "" } else { "s" };
        let first = format!("{} app{plural}: {} running", self.all, self.running);
        let others = [(self.building, "building"), (self.failed, "failed")];
        let others = others.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        std::iter::once(first).chain(others).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_counts_every_app_once() {
        use AppStatus::{Building, Crashed, Failed, Running, Starting};
        let count = Count::of([Running, Running, Starting, Building, Failed, Crashed].into_iter());
        assert_eq!(count.words(), "6 apps: 2 running, 1 building, 2 failed");
        assert_eq!(count.on_their_way, 2);
        assert_eq!(Count::of([Starting].into_iter()).words(), "1 app: 0 running");
    }
}
