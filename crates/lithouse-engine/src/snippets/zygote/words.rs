// SPDX-License-Identifier: Apache-2.0
//! What the zygote says on standard error: into the server's log, and the last of it kept for the reason of a failure.

use std::process::ChildStderr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;

/// Longer lines are cut.
const LINE_BYTES: usize = 1000;
/// After as many lines only their end is kept: a zygote that says so much says nothing new.
const LOGGED_LINES: usize = 200;

/// The last line that was said.
#[derive(Debug, Clone, Default)]
pub(super) struct Words(Arc<Mutex<String>>);

impl Words {
    /// Listens until the other end is closed.
    pub(super) fn listen(stderr: Option<ChildStderr>) -> Self {
        let words = Self::default();
        if let Some(pipe) = stderr.and_then(|stderr| pipe::Receiver::from_owned_fd(stderr.into()).ok()) {
            let kept = words.clone();
            tokio::spawn(async move { kept.follow(pipe).await });
        }
        words
    }

    /// The last line; empty if nothing was said.
    pub(super) fn last(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn follow(&self, pipe: pipe::Receiver) {
        let mut reader = BufReader::new(pipe);
        let mut lines = 0_usize;
        let mut line = Vec::new();
        loop {
            line.clear();
            // A line without end comes in pieces.
            match (&mut reader).take(LINE_BYTES as u64).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if text.is_empty() {
                continue;
            }
            lines += 1;
            if lines <= LOGGED_LINES {
                tracing::info!(target: "lithouse::snippets", "zygote: {text}");
            }
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text;
        }
    }
}
