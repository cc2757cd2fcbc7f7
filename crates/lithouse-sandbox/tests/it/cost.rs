// SPDX-License-Identifier: Apache-2.0
//! What each layer costs, for whoever wants to know: `cargo test -p lithouse-sandbox --test it cost -- --ignored --nocapture`.

use std::collections::BTreeMap;
use std::time::Instant;

use lithouse_sandbox::level::Level;

use crate::zygote::{everywhere, everywhere_if};

const RUNS: u32 = 100;
const SECONDS: u32 = 30;

#[test]
#[ignore = "it measures, and claims nothing"]
fn the_cost_of_each_step_is_printed() {
    everywhere(|zygote| {
        let mut durations: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        let mut order = Vec::new();
        let mut parked = Vec::new();
        for _ in 0..RUNS {
            let begin = Instant::now();
            let child = zygote.fork(0);
            parked.push(begin.elapsed().as_secs_f64() * 1e6);
            let steps = child.run("found = DURATIONS").found();
            for step in steps.as_array().expect("a list") {
                let (name, duration) = (step[0].as_str().expect("a name"), step[1].as_f64().expect("a number"));
                if !durations.contains_key(name) {
                    order.push(name.to_owned());
                }
                durations.entry(name.to_owned()).or_default().push(duration);
            }
        }
        println!("{:?}, median and best of {RUNS} in microseconds", zygote.ground);
        let mut sum = 0.0;
        for name in order {
            let (median, best) = middle(durations.get_mut(&name).expect("it was measured"));
            sum += median;
            println!("  {median:8.1} {best:8.1}  {name}");
        }
        let (median, best) = middle(&mut parked);
        println!(
            "  {sum:8.1}           all steps\n  {median:8.1} {best:8.1}  from the wish to a child that is parked and counted"
        );
    });
}

/// Nothing but time bounds them where there is no cgroup. Each costs as much as its file has of them, so all files get as many.
#[test]
#[ignore = "it measures, and claims nothing"]
fn how_many_locks_on_ranges_a_run_can_hold_is_printed() {
    let code = "
import fcntl, threading, time
files, counts = [], []
def open_all():
    while True:
        files.append(open(str(len(files)), 'w'))
attempt(open_all)
threads = len(os.sched_getaffinity(0))
def fill(mine):
    end, count = time.monotonic(), 0
    for file in mine:
        start, end = 1 << 40, end + SECONDS / len(mine)
        while time.monotonic() < end:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, start)
            start, count = start - 2, count + 1
    counts.append(count)
workers = [threading.Thread(target=fill, args=(files[index::threads],)) for index in range(threads)]
for worker in workers: worker.start()
for worker in workers: worker.join()
found = f'{sum(counts)} locks in {len(files)} files by {threads} threads'
";
    everywhere_if(
        |ground| ground.level == Level::Standard && ground.own_uids == ground.as_root,
        |zygote| {
            let found = zygote.run(&format!("SECONDS = {SECONDS}\n{code}")).found();
            println!("{found} in {SECONDS} s; `grep file_lock_cache /proc/slabinfo` tells the size of one");
        },
    );
}

fn middle(measured: &mut [f64]) -> (f64, f64) {
    measured.sort_by(f64::total_cmp);
    (measured[measured.len() / 2], measured[0])
}
