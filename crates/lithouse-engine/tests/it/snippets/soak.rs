// SPDX-License-Identifier: Apache-2.0
//! Load and faults at once: more clients than there is room for, runs of every kind, and processes that are killed beside them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lithouse_engine::snippets::{ExecuteError, Level, Outcome, Request, Status};
use lithouse_testkit::wait_until;
use rustix::process::{Pid, Signal, kill_process};

use super::lab::{Lab, PATIENCE, offer, open};
use super::processes::{processes, settled};

/// Two run and eight wait, so that some are sent away.
const CLIENTS: usize = 14;
const BETWEEN_FAULTS: Duration = Duration::from_secs(1);

/// Code, and how it ends when nothing comes in between.
const RUNS: [(&str, Status); 8] = [
    ("print('served')", Status::Success),
    ("import pandas as pd\nprint(pd.DataFrame({'a': [1, 1], 'b': [2, 3]}).groupby('a').sum())", Status::Success),
    ("1 / 0", Status::Error),
    ("while True: pass", Status::Timeout),
    ("with open('full', 'wb') as file:\n  while True: file.write(bytes(1 << 20))", Status::Error),
    ("kept = []\nwhile True: kept.append(bytearray(1 << 20))", Status::MemoryLimit),
    ("import os\nos._exit(3)", Status::Crashed),
    ("while True: print('x' * 65536)", Status::OutputLimit),
];

#[derive(Debug, Default)]
struct Seen {
    as_meant: AtomicU32,
    sent_away: AtomicU32,
    hit_by_a_fault: AtomicU32,
}

impl Seen {
    /// How many were run, whatever came of it.
    fn answered(&self) -> u32 {
        self.as_meant.load(Ordering::Relaxed) + self.hit_by_a_fault.load(Ordering::Relaxed)
    }

    fn is_enough(&self) -> bool {
        self.as_meant.load(Ordering::Relaxed) > 10 && self.sent_away.load(Ordering::Relaxed) > 0
    }
}

fn request(code: &str) -> Request {
    Request { timeout: Some(Duration::from_secs(if code == "while True: pass" { 1 } else { 60 })), ..open(code) }
}

fn is_hit(outcome: &Outcome) -> bool {
    outcome.status == Status::Crashed && outcome.error.as_ref().is_some_and(|error| error.kind == "ProcessEnded")
}

fn soak(time: Duration) {
    // At the weaker levels a full disk would be the machine's.
    let Some(level) = [Level::Full, Level::Standard].into_iter().find(|level| offer().has(*level)) else {
        eprintln!("SKIPPED: this machine offers neither `full` nor `standard`: {:?}", offer().findings);
        return;
    };
    let lab = Lab::new(level);
    settled(&lab);
    let (seen, end) = (Arc::new(Seen::default()), Instant::now() + time);
    // On a machine with much else to do it takes longer until enough has happened.
    let is_over = move |seen: &Seen| Instant::now() > end && (seen.is_enough() || Instant::now() > end + PATIENCE);
    lab.runtime.block_on(async {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (snippets, seen) = (lab.snippets.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    for turn in client.. {
                        if is_over(&seen) {
                            break;
                        }
                        let (code, meant) = RUNS[turn % RUNS.len()];
                        let counter = match snippets.execute(request(code), None).await {
                            Ok(outcome) if outcome.status == meant => &seen.as_meant,
                            Ok(outcome) if is_hit(&outcome) => &seen.hit_by_a_fault,
                            Ok(outcome) => panic!("{code}: {outcome:?}"),
                            // A zygote that is killed while it warms up leaves nothing to run with, for a moment.
                            Err(ExecuteError::Busy { .. } | ExecuteError::Unavailable { retry_after: Some(_), .. }) => {
                                // A client that is sent away waits before it comes again.
                                tokio::time::sleep(Duration::from_millis(20)).await;
                                &seen.sent_away
                            }
                            Err(error) => panic!("{code}: {error}"),
                        };
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let mut answered_before = 0;
        // Every fifth one meets the zygote, which is the oldest of them; it takes its time to be warm again.
        for victim in (0..).map(|turn: usize| if turn % 5 == 3 { 0 } else { turn + 1 }) {
            // The pace of the faults.
            tokio::time::sleep(BETWEEN_FAULTS).await;
            // A zygote that is killed each time before it is warm serves nobody.
            let answered = |seen: &Seen| seen.answered() > answered_before || is_over(seen);
            wait_until("somebody is answered since the last fault", PATIENCE, async || answered(&seen)).await;
            if is_over(&seen) {
                break;
            }
            answered_before = seen.answered();
            let all = processes(&lab);
            if let Some(process) = all.get(victim % all.len().max(1)) {
                // It may have ended meanwhile.
                let _ = kill_process(Pid::from_raw(process.pid).expect("a pid"), Signal::KILL);
            }
        }
        for client in clients {
            client.await.expect("every answer was one of those that may come");
        }
    });
    settled(&lab);
    assert_eq!(lab.run("print('served')").printed(), "served\n");
    assert!(seen.is_enough(), "{seen:?}");
}

#[test]
fn under_load_and_faults_everybody_is_answered_and_the_service_comes_back_to_rest() {
    soak(Duration::from_secs(10));
}

#[test]
#[ignore = "`make soak` runs it, for as many seconds as `SOAK_SECONDS` says"]
fn the_same_holds_for_longer() {
    let seconds = std::env::var("SOAK_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(120);
    soak(Duration::from_secs(seconds));
}
