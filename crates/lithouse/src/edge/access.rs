// SPDX-License-Identifier: Apache-2.0
//! The access log: one line a request, written by a thread of its own so that a slow disk slows no answer.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use axum::body::HttpBody;
use http::{Method, Request, Response, header};
use lithouse_engine::log::RotatingFile;
use serde::Serialize;

use super::Door;
use crate::config::LogFormat;
use crate::logging::line::{json, now};
use crate::plain::is_harmful;

/// How many lines wait for the disk before further ones are dropped.
const WAITING: usize = 8192;
const LONGEST_PATH: usize = 2048;

/// The most characters that are told of what a client calls itself.
const LONGEST_AGENT: usize = 512;

/// What is known of a request before it is answered. The path is logged without its query, which may hold secrets.
pub(super) struct Line {
    peer: String,
    method: Method,
    path: String,
    user_agent: Option<String>,
}

impl Line {
    /// Of something that is no request.
    pub(super) fn of_no_request(door: Door) -> Self {
        let method = Method::from_bytes(b"-").unwrap_or_default();
        Self { peer: name_of(door), method, path: "-".to_owned(), user_agent: None }
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }
}

/// Who came through a door.
fn name_of(door: Door) -> String {
    match door {
        Door::Tcp { peer, .. } => peer.ip().to_string(),
        Door::Control => "control".to_owned(),
    }
}

/// One request as an object.
#[derive(Serialize)]
struct Entry<'a> {
    time: String,
    level: &'static str,
    target: &'static str,
    message: &'static str,
    client: &'a str,
    method: &'a str,
    path: &'a str,
    status: u16,
    /// None where the length is not known before the end.
    bytes: Option<u64>,
    duration_ms: f64,
    /// The app that was asked for, as it was named.
    app: Option<&'a str>,
    user_agent: Option<&'a str>,
    request_id: &'a str,
}

/// Written by its bytes, as in addresses, where it could be taken for something else: for the end of the line, say.
fn plain(path: &str) -> String {
    if path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return path.chars().take(LONGEST_PATH).collect();
    }
    path.chars().take(LONGEST_PATH).fold(String::new(), |mut plain, each| {
        if each.is_whitespace() || is_harmful(each) {
            let mut bytes = [0; 4];
            for byte in each.encode_utf8(&mut bytes).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(plain, "%{byte:02X}");
            }
        } else {
            plain.push(each);
        }
        plain
    })
}

/// Where the lines go. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct AccessLog {
    lines: SyncSender<String>,
    lost: Arc<AtomicU64>,
    format: LogFormat,
}

impl AccessLog {
    /// Opens the log, which is kept in so many files of so many bytes, and starts its thread, which ends with the last handle.
    pub(crate) fn open(path: &Path, format: LogFormat, bytes: u64, files: usize) -> std::io::Result<Self> {
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
        Ok(Self { lines, lost, format })
    }

    /// How many lines were not written.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// What is to be logged of a request.
    pub(super) fn line<B>(&self, request: &Request<B>, door: Door) -> Line {
        let peer = name_of(door);
        let user_agent = match self.format {
            LogFormat::Text => None,
            LogFormat::Json => request
                .headers()
                .get(header::USER_AGENT)
                .map(|agent| String::from_utf8_lossy(agent.as_bytes()).chars().take(LONGEST_AGENT).collect()),
        };
        Line { peer, method: request.method().clone(), path: plain(request.uri().path()), user_agent }
    }

    pub(super) fn write<B: HttpBody>(&self, line: &Line, response: &Response<B>, id: &str, took: Duration) {
        let told = response.headers().get(header::CONTENT_LENGTH).and_then(|size| size.to_str().ok()?.parse().ok());
        let bytes: Option<u64> = told.or_else(|| response.body().size_hint().exact());
        let Line { peer, method, path, user_agent } = line;
        let status = response.status().as_u16();
        let took = took.as_secs_f64() * 1000.0;
        let text = match self.format {
            LogFormat::Text => {
                let size = bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
                format!("{} {peer} {method} {path} {status} {size} {took:.1}ms {id}\n", now())
            }
            LogFormat::Json => {
                let entry = Entry {
                    time: now(),
                    level: "info",
                    target: "lithouse::access",
                    message: "request",
                    client: peer,
                    method: method.as_str(),
                    path,
                    status,
                    bytes,
                    duration_ms: (took * 1000.0).round() / 1000.0,
                    app: path.strip_prefix("/apps/").and_then(|rest| rest.split('/').next()).filter(|name| !name.is_empty()),
                    user_agent: user_agent.as_deref(),
                    request_id: id,
                };
                json(&entry) + "\n"
            }
        };
        // Where lines come faster than the disk takes them, some are dropped rather than every answer slowed.
        if self.lines.try_send(text).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_however_it_is_written() {
        assert_eq!(plain("/apps/sales/%0A?"), "/apps/sales/%0A?");
        assert_eq!(plain("/umsätze/📈"), "/umsätze/📈");
        assert_eq!(plain("/a\u{85}b\u{2028}c\u{a0}d\u{202e}"), "/a%C2%85b%E2%80%A8c%C2%A0d%E2%80%AE");
        assert_eq!(plain(&"/".repeat(LONGEST_PATH + 1)).len(), LONGEST_PATH);
    }
}
