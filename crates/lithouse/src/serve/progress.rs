// SPDX-License-Identifier: Apache-2.0
//! Tells the person at the terminal how far the start of many apps is.

use std::collections::BTreeSet;
use std::time::Duration;

use lithouse_core::app::{AppStatus, Desired};
use lithouse_engine::engine::Engine;
/// Whoever reads it wants to know that it goes on, not each step.
const PAUSE: Duration = Duration::from_secs(3);
/// The failures of more apps than these are not told one by one.
const MOST_TOLD: usize = 20;

/// Tells it, and which apps came to nothing and why, until no app is on its way any more. Who has few apps, which are there at
/// once, is told nothing.
pub(super) async fn run(engine: Engine, say: fn(&str)) {
    let mut told = String::new();
    let mut failures = Failures::default();
    loop {
        tokio::time::sleep(PAUSE).await;
        let mut apps = engine.apps();
        apps.retain(|app| app.desired == Desired::Running);
        failures
            .new_lines(apps.iter().map(|app| (app.log_name.as_str(), app.status, app.reason.as_deref())))
            .iter()
            .for_each(|line| say(line));
        let count = Count::of(apps.iter().map(|app| app.status));
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

/// The apps that came to nothing: each is told once.
#[derive(Debug, Default)]
struct Failures {
    told: BTreeSet<String>,
}

impl Failures {
    /// What is to be told now of these apps, each with its name, its status and why that is so.
    fn new_lines<'a>(&mut self, apps: impl Iterator<Item = (&'a str, AppStatus, Option<&'a str>)>) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, status, reason) in apps {
            let what = match status {
                AppStatus::Failed => "failed",
                AppStatus::Crashed => "crashed",
                _ => continue,
            };
            if self.told.len() > MOST_TOLD || !self.told.insert(name.to_owned()) {
                continue;
            }
            lines.push(if self.told.len() > MOST_TOLD {
                "more apps have failed: `lithouse status` tells them all".to_owned()
            } else {
                format!("`{name}` has {what}: {}", reason.unwrap_or("nobody knows why").replace(char::is_control, " "))
            });
        }
        lines
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

    #[test]
    fn an_app_that_came_to_nothing_is_told_once_and_many_are_not_told_one_by_one() {
        use AppStatus::{Crashed, Failed, Running};
        let mut failures = Failures::default();
        let apps = [("a", Failed, Some("no\nstreamlit")), ("b", Running, None), ("c", Crashed, Some("exit code 1"))];
        assert_eq!(failures.new_lines(apps.into_iter()), ["`a` has failed: no streamlit", "`c` has crashed: exit code 1"]);
        assert_eq!(failures.new_lines(apps.into_iter()), [""; 0]);
        let many: Vec<String> = (0..100).map(|number| format!("app-{number:03}")).collect();
        let lines = failures.new_lines(many.iter().map(|name| (name.as_str(), Failed, Some("x"))));
        assert_eq!(lines.len(), 19);
        assert_eq!(lines[17], "`app-017` has failed: x");
        assert_eq!(lines[18], "more apps have failed: `lithouse status` tells them all");
        assert_eq!(failures.new_lines(many.iter().map(|name| (name.as_str(), Failed, Some("x")))), [""; 0]);
    }
}
