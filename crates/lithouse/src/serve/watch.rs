// SPDX-License-Identifier: Apache-2.0
//! Takes changes of the folder and of the configuration by itself, where that is asked for.
//!
//! It looks again and again instead of being told by the kernel: that works on every file system, also on those of other machines,
//! and needs no watch for each of the thousands of folders that environments have.

use std::time::{Duration, Instant};

use lithouse_engine::engine::{Outcome, Revive};

use super::say;
use crate::plain::plain;
use crate::refresh::{Refreshed, Refresher, Sight};

/// The shortest pause between two looks. A change is taken once two looks have seen the same.
const PAUSE: Duration = Duration::from_millis(900);
/// The longest one. A busy machine must not make a change wait for ever.
const LONGEST: Duration = Duration::from_secs(5);
/// Between the two, a look may take one part in so many of our time.
const SHARE: u32 = 20;

/// Looks for ever. `taken` is what there was before the server read it: what has changed since is found.
pub(super) async fn run(refresher: Refresher, mut taken: Sight) {
    let mut last = None;
    loop {
        let began = Instant::now();
        let seen = refresher.look().await;
        if seen == taken {
            last = None;
        } else if last.as_ref() == Some(&seen) {
            take(&refresher).await;
            // Also what is wrong is not tried again before it has changed. The configuration may have named other folders.
            taken = refresher.look().await;
            last = None;
        } else {
            last = Some(seen);
        }
        tokio::time::sleep((began.elapsed() * SHARE).clamp(PAUSE, LONGEST)).await;
    }
}

async fn take(refresher: &Refresher) {
    match refresher.refresh(Revive::No).await {
        Ok(Refreshed { outcome, later }) => {
            for line in lines(&outcome) {
                say::note(&plain(&line));
            }
            for app in &outcome.passed_over {
                say::warn(&plain(&format!("not served: `{}`: {}", app.name, app.reason)));
            }
            for name in later {
                say::note(&format!("`{name}` counts from the next start"));
            }
        }
        Err(error) => {
            say::warn(&format!("a change could not be taken, and the server goes on as it is\nerror: {error}"));
        }
    }
}

fn lines(outcome: &Outcome) -> Vec<String> {
    let all = [
        ("added", &outcome.added),
        ("changed", &outcome.changed),
        ("restarted", &outcome.restarted),
        ("removed", &outcome.removed),
        ("started", &outcome.started),
    ];
    all.iter().flat_map(|(what, keys)| keys.iter().map(move |key| format!("{what:<12} {key}"))).collect()
}
