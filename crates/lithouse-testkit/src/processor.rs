// SPDX-License-Identifier: Apache-2.0
//! What a computation costs, whatever else the machine does meanwhile.

use std::time::Duration;

/// The processor time that this thread has used outside of the kernel, in steps of 10 ms.
#[expect(clippy::expect_used, reason = "a test cannot measure without it")]
pub fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("the kernel tells");
    let fields = stat.rsplit_once(") ").expect("a name in brackets").1;
    let ticks = fields.split(' ').nth(11).and_then(|ticks| ticks.parse::<u64>().ok()).expect("a number");
    // The kernel's clock for programs has a hundred ticks a second.
    Duration::from_millis(ticks * 10)
}
