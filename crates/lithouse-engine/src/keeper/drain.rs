// SPDX-License-Identifier: Apache-2.0
//! The task that carries one instance's output into its log, from its first line to the remark on how it ended.
//!
//! It reads a bounded piece and then lets others have their turn, so that a flood of one app delays the rest by milliseconds; the
//! flooding app itself waits at its full pipe. It never stops reading because the log cannot be written.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use serde::{Deserialize, Serialize};

use super::handover::Held;
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
    /// Ends the task where it is, and gives what it holds to whoever goes on.
    HandOver(oneshot::Sender<Drain>),
}

/// What the task needs.
#[derive(Debug)]
pub(super) struct Drain {
    streams: [Stream; 2],
    log: LogFile,
    remarks: mpsc::UnboundedReceiver<Remark>,
    /// The last line, and when it is written even if somebody still holds a pipe.
    last: Option<(String, Instant)>,
}

/// What a drain holds, for the next program of this process; `D` is a descriptor, or its number.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptDrain<D> {
    /// The pipe, if it is open, and what of a line came already.
    streams: [(Option<D>, Vec<u8>); 2],
    log: LogFile,
    last: Option<String>,
}

impl<D> KeptDrain<D> {
    /// Its pipes.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = &D> {
        self.streams.iter().filter_map(|(pipe, _)| pipe.as_ref())
    }

    /// The same with other descriptors.
    pub(super) fn map<E>(self, mut each: impl FnMut(D) -> io::Result<E>) -> io::Result<KeptDrain<E>> {
        let [(out, out_pending), (err, err_pending)] = self.streams;
        let streams = [(out.map(&mut each).transpose()?, out_pending), (err.map(&mut each).transpose()?, err_pending)];
        Ok(KeptDrain { streams, log: self.log, last: self.last })
    }
}

#[derive(Debug)]
struct Stream {
    pipe: Option<Receiver>,
    lines: Lines,
    /// When the waiting text began, and when it last grew.
    waiting: Option<(Instant, Instant)>,
}

impl Drain {
    pub(super) fn new(out: OwnedFd, err: OwnedFd, log: LogFile, remarks: mpsc::UnboundedReceiver<Remark>) -> Self {
        let streams = [(Some(out.into()), Vec::new()), (Some(err.into()), Vec::new())];
        Self::take_up(KeptDrain { streams, log, last: None }, remarks)
    }

    /// Goes on where another left off.
    pub(super) fn take_up(kept: KeptDrain<Held>, remarks: mpsc::UnboundedReceiver<Remark>) -> Self {
        let mut log = kept.log;
        let mut stream = |(pipe, pending): (Option<Held>, Vec<u8>), source| {
            let pipe = pipe.map(|pipe| Receiver::from_owned_fd(pipe.into())).transpose().inspect_err(|error| {
                log.append(&remark(&format!("what it writes to `{source}` cannot be read: {error}")));
            });
            let now = Instant::now();
            let waiting = (!pending.is_empty()).then_some((now, now));
            Stream { pipe: pipe.ok().flatten(), lines: Lines::with(source, pending), waiting }
        };
        let [out, err] = kept.streams;
        let streams = [stream(out, Source::Out), stream(err, Source::Err)];
        let last = kept.last.map(|line| (line, Instant::now() + AFTER_THE_END));
        Self { streams, log, remarks, last }
    }

    /// What it holds, for whoever takes it up.
    pub(super) fn keep(self) -> KeptDrain<Held> {
        let streams = self.streams.map(|stream| {
            // A pipe that the runtime does not give back is as good as closed.
            let pipe = stream.pipe.and_then(|pipe| pipe.into_nonblocking_fd().ok()).map(Held::from);
            (pipe, stream.lines.into_pending())
        });
        KeptDrain { streams, log: self.log, last: self.last.map(|(line, _)| line) }
    }

    /// Runs until the last remark is written. Answers whether it came to that, and was not handed over before.
    pub(super) async fn run(mut self) -> bool {
        loop {
            let [out, err] = &mut self.streams;
            let flush_at = [out.flush_at(), err.flush_at()].into_iter().flatten().min();
            let give_up_at = self.last.as_ref().map(|(_, at)| *at);
            if self.last.is_some() && out.pipe.is_none() && err.pipe.is_none() {
                break;
            }
            let mut text = String::new();
            tokio::select! {
                () = out.readable() => out.read(&mut text),
                () = err.readable() => err.read(&mut text),
                remark = self.remarks.recv(), if self.last.is_none() || !self.remarks.is_closed() => match remark {
                    Some(Remark::Line(line)) => text = super::lines::remark(&line),
                    Some(Remark::Last(line)) => self.last = Some((line, Instant::now() + AFTER_THE_END)),
                    Some(Remark::HandOver(to)) => {
                        // Whoever asked for it waits.
                        let _ = to.send(self);
                        return false;
                    }
                    // Without a last remark the keeper itself is ending.
                    None => drop(self.last.get_or_insert_with(|| (String::new(), Instant::now()))),
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
        if let Some((line, _)) = self.last.filter(|(line, _)| !line.is_empty()) {
            text += &remark(&line);
        }
        self.log.append(&text);
        true
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

    fn has_more(&self) -> bool {
        self.pipe.as_ref().is_some_and(|pipe| rustix::io::ioctl_fionread(pipe).is_ok_and(|bytes| bytes > 0))
    }

    fn flush_at(&self) -> Option<Instant> {
        self.waiting.map(|(began, grew)| (began + PATIENCE).min(grew + QUIET))
    }

    fn flush(&mut self, now: Instant, text: &mut String) {
        if self.flush_at().is_some_and(|at| at <= now) {
            if self.has_more() {
                // It was not quiet, but we were slow: the rest of the line may be there already.
                self.waiting = Some((now, now));
                return;
            }
            self.lines.flush(text);
            self.waiting = None;
        }
    }
}
