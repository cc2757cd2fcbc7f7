// SPDX-License-Identifier: Apache-2.0
//! The access log: one line a request, written by a thread of its own so that a slow disk slows no answer.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use http::{Method, Request, Response, header};
use lithouse_engine::log::RotatingFile;
use time::OffsetDateTime;
use time::macros::format_description;

use super::Door;

/// How many lines wait for the disk before further ones are dropped.
const WAITING: usize = 8192;
const LONGEST_PATH: usize = 2048;

/// What is known of a request before it is answered. The path is logged without its query, which may hold secrets.
pub(super) struct Line {
    peer: String,
    method: Method,
    path: String,
}

impl Line {
    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    pub(super) fn of<B>(request: &Request<B>, door: Door) -> Self {
        let peer = match door {
            Door::Tcp { peer, .. } => peer.ip().to_string(),
            Door::Control => "control".to_owned(),
        };
        let path = request.uri().path();
        Self { peer, method: request.method().clone(), path: path.chars().take(LONGEST_PATH).collect() }
    }
}

/// Where the lines go. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct AccessLog {
    lines: SyncSender<String>,
    lost: Arc<AtomicU64>,
}

impl AccessLog {
    /// Opens the log, which is kept in so many files of so many bytes, and starts its thread, which ends with the last handle.
    pub(crate) fn open(path: &Path, bytes: u64, files: usize) -> std::io::Result<Self> {
        let mut file = RotatingFile::open(path, bytes, files)?;
        let (lines, waiting) = sync_channel::<String>(WAITING);
        let lost = Arc::<AtomicU64>::default();
        let losing = Arc::clone(&lost);
        std::thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            while let Ok(mut block) = waiting.recv() {
                // What has come meanwhile goes to the disk in one write.
                let mut count = 1;
                for line in waiting.try_iter().take(WAITING) {
                    block.push_str(&line);
                    count += 1;
                }
                // A full disk must not end the server; the lines are lost and the next ones tried again.
                if file.write_all(block.as_bytes()).is_err() {
                    losing.fetch_add(count, Ordering::Relaxed);
                }
            }
        })?;
        Ok(Self { lines, lost })
    }

    /// How many lines were not written.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn write<B>(&self, line: &Line, response: &Response<B>, id: &str, took: Duration) {
        let now = OffsetDateTime::now_utc()
            .format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"))
            .unwrap_or_default();
        let size = response.headers().get(header::CONTENT_LENGTH).and_then(|size| size.to_str().ok()).unwrap_or("-");
        let Line { peer, method, path } = line;
        let status = response.status().as_u16();
        let text = format!("{now} {peer} {method} {path} {status} {size} {:.1}ms {id}\n", took.as_secs_f64() * 1000.0);
        // Where lines come faster than the disk takes them, some are dropped rather than every answer slowed.
        if self.lines.try_send(text).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}
