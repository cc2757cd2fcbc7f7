// SPDX-License-Identifier: Apache-2.0
//! The task that carries one instance's output into its log, from its first line to the remark on how it ended.
//!
//! It reads a bounded piece and then lets others have their turn, so that a flood of one app delays the rest by milliseconds; the
//! flooding app itself waits at its full pipe. It never stops reading because the log cannot be written.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::lines::{Lines, Source, remark};
use super::log_file::LogFile;

/// Text without an end of line is shown when nothing followed it for this long …
const QUIET: Duration = Duration::from_millis(100);

/// … and after this long in any case.
const PATIENCE: Duration = Duration::from_secs(1);

/// Output is waited for no longer than this once every process of the instance is gone: then somebody else holds the pipe.
const AFTER_THE_END: Duration = Duration::from_secs(2);

/// Tells the task what to add to the log.
#[derive(Debug)]
pub(super) enum Remark {
    /// A line of the keeper's own.
    Line(String),
    /// The last line, after which the task ends: every process of the instance is gone.
    Last(String),
}

/// What the task needs.
#[derive(Debug)]
pub(super) struct Drain {
    streams: [Stream; 2],
    log: LogFile,
    remarks: mpsc::UnboundedReceiver<Remark>,
}

#[derive(Debug)]
struct Stream {
    pipe: Option<Receiver>,
    lines: Lines,
    /// When the waiting text began, and when it last grew.
    waiting: Option<(Instant, Instant)>,
}

impl Drain {
    pub(super) fn new(out: OwnedFd, err: OwnedFd, mut log: LogFile, remarks: mpsc::UnboundedReceiver<Remark>) -> Self {
        let mut stream = |pipe, source| {
            let pipe = Receiver::from_owned_fd(pipe);
            if let Err(error) = &pipe {
                log.append(&remark(&format!("what it writes to `{source}` cannot be read: {error}")));
            }
            Stream { pipe: pipe.ok(), lines: Lines::of(source), waiting: None }
        };
        Self { streams: [stream(out, Source::Out), stream(err, Source::Err)], log, remarks }
    }

    /// Runs until the last remark is written.
    pub(super) async fn run(mut self) {
        let mut last: Option<(String, Instant)> = None;
        loop {
            let [out, err] = &mut self.streams;
            let flush_at = [out.flush_at(), err.flush_at()].into_iter().flatten().min();
            let give_up_at = last.as_ref().map(|(_, at)| *at);
            if last.is_some() && out.pipe.is_none() && err.pipe.is_none() {
                break;
            }
            let mut text = String::new();
            tokio::select! {
                () = out.readable() => out.read(&mut text),
                () = err.readable() => err.read(&mut text),
                remark = self.remarks.recv(), if last.is_none() => match remark {
                    Some(Remark::Line(line)) => text = super::lines::remark(&line),
                    Some(Remark::Last(line)) => last = Some((line, Instant::now() + AFTER_THE_END)),
                    // Without a last remark the keeper itself is ending.
                    None => last = Some((String::new(), Instant::now())),
                },
                () = at(flush_at) => {
                    let now = Instant::now();
                    for stream in [out, err] {
                        stream.flush(now, &mut text);
                    }
                }
                () = at(give_up_at) => break,
            }
            self.log.append(&text);
            tokio::task::yield_now().await;
        }
        let mut text = String::new();
        for stream in &mut self.streams {
            stream.lines.finish(&mut text);
        }
        if let Some((line, _)) = last.filter(|(line, _)| !line.is_empty()) {
            text += &remark(&line);
        }
        self.log.append(&text);
    }
}

/// Waits for this moment, or for ever where there is none.
pub(super) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

impl Stream {
    async fn readable(&self) {
        match &self.pipe {
            // An error shows when it is read.
            Some(pipe) => drop(pipe.readable().await),
            None => std::future::pending().await,
        }
    }

    fn read(&mut self, text: &mut String) {
        let Some(pipe) = &self.pipe else { return };
        let mut buffer = [0; 16 << 10];
        match pipe.try_read(&mut buffer) {
            Ok(0) => self.pipe = None,
            Ok(length) => {
                self.lines.take(&buffer[..length], text);
                let now = Instant::now();
                let began = self.waiting.filter(|_| text.is_empty()).map_or(now, |(began, _)| began);
                self.waiting = self.lines.is_pending().then_some((began, now));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.pipe = None,
        }
    }

    fn flush_at(&self) -> Option<Instant> {
        self.waiting.map(|(began, grew)| (began + PATIENCE).min(grew + QUIET))
    }

    fn flush(&mut self, now: Instant, text: &mut String) {
        if self.flush_at().is_some_and(|at| at <= now) {
            self.lines.flush(text);
            self.waiting = None;
        }
    }
}
