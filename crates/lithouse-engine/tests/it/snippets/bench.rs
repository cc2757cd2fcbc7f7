// SPDX-License-Identifier: Apache-2.0
//! Not tests: what a run costs, printed for people. `cargo test -p lithouse-engine --test it -- --ignored --nocapture snippets::bench`

use std::time::{Duration, Instant};

use lithouse_engine::snippets::Level;

use super::lab::{Lab, offer, open};
use super::processes::settled;

#[test]
#[ignore = "prints figures and asserts nothing"]
fn hello() {
    for level in [Level::Full, Level::Standard, Level::Basic, Level::None] {
        if !offer().has(level) {
            continue;
        }
        let lab = Lab::new(level);
        settled(&lab);
        let mut times: Vec<Duration> = (0..100)
            .map(|_| {
                // Somebody who comes now and then, and finds a parked process.
                std::thread::sleep(Duration::from_millis(20));
                let began = Instant::now();
                lab.run("print('Hello World')").printed();
                began.elapsed()
            })
            .collect();
        times.sort();
        println!("{level}: now and then: p50 {:?}, p90 {:?}, p99 {:?}", times[50], times[90], times[99]);
        let (began, runs) = (Instant::now(), 300);
        lab.runtime.block_on(async {
            let clients = (0..4).map(|_| {
                let snippets = lab.snippets.clone();
                tokio::spawn(async move {
                    for _ in 0..runs / 4 {
                        snippets.execute(open("print('Hello World')"), None).await.unwrap();
                    }
                })
            });
            for client in clients.collect::<Vec<_>>() {
                client.await.unwrap();
            }
        });
        println!("{level}: four clients without a pause: {:.0} runs a second", f64::from(runs) / began.elapsed().as_secs_f64());
    }
}
