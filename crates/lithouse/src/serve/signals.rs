// SPDX-License-Identifier: Apache-2.0
//! The signals that end the server.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM, SIGINT, and the SIGHUP of a terminal that was closed. From when this is made, none of them ends us by itself.
pub(super) struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
    /// None where whoever started us wanted it ignored, as `nohup` does.
    hang_up: Option<Signal>,
}

impl EndSignals {
    pub(super) fn listen() -> io::Result<Self> {
        // To be found out before a handler takes the place of what was inherited.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: if ignores_hang_up(&status) { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    /// Waits for one of them.
    pub(super) async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            Some(()) = async { self.hang_up.as_mut()?.recv().await } => {}
        }
    }
}

/// Whether a process of this `/proc/<pid>/status` ignores SIGHUP, the first signal of the mask.
fn ignores_hang_up(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_bit_of_the_mask_of_ignored_signals_is_sighup() {
        let status =
            |mask: &str| format!("Name:\tlithouse\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\nSigCgt:\t0000000000000001\n");
        assert!(ignores_hang_up(&status("0000000000000001")));
        assert!(ignores_hang_up(&status("0000000000001001")));
        assert!(!ignores_hang_up(&status("0000000000001000")));
        assert!(!ignores_hang_up(&status("")));
        assert!(!ignores_hang_up(""));
    }
}
