// SPDX-License-Identifier: Apache-2.0
//! The build log of one release, shown on stderr while it is written.
//!
//! It is a help, not a condition: a deploy goes on without it where it cannot be had.

use std::collections::VecDeque;
use std::time::Duration;

use crate::cli::app_name::AppName;
use crate::cli::client::{Client, Events};
use crate::cli::log_line::LogLine;
use crate::cli::output::{self, Moment};

/// How many shown lines are remembered: more than the server sends anew when it is followed again.
const REMEMBERED: usize = 1_000;
const TAIL: usize = 500;
const LONGEST_DRAIN: Duration = Duration::from_secs(30);

/// The build log of one release.
pub(in crate::cli) struct BuildLog<'a> {
    source: Option<Source<'a>>,
    stream: Option<Events>,
    shown: VecDeque<String>,
    /// The line before was left out; one without a time of its own belongs to it.
    is_skipping: bool,
}

struct Source<'a> {
    client: &'a Client,
    path: String,
    since: Option<Moment>,
}

impl Source<'_> {
    async fn follow(&self) -> Option<Events> {
        self.client.events(&format!("{}&follow=true", self.path)).await.ok()
    }
}

impl<'a> BuildLog<'a> {
    /// Shows what is written from that moment on; what stands before belongs to earlier releases.
    pub(in crate::cli) fn since(client: &'a Client, app: &AppName, since: Option<Moment>) -> Self {
        let path = app.path(&format!("/logs?tail={TAIL}&stream=build"));
        Self { source: Some(Source { client, path, since }), stream: None, shown: VecDeque::new(), is_skipping: false }
    }

    /// Shows nothing.
    pub(in crate::cli) fn none() -> Self {
        Self { source: None, stream: None, shown: VecDeque::new(), is_skipping: false }
    }

    /// Whether a text was shown, and is still remembered.
    pub(in crate::cli) fn has_shown(&self, text: &str) -> bool {
        self.shown.iter().any(|line| LogLine::parse(line).text == text)
    }

    /// Shows what comes in that time.
    pub(in crate::cli) async fn follow_for(&mut self, time: Duration) {
        let over = tokio::time::sleep(time);
        tokio::pin!(over);
        // A log that is not there yet, or whose stream broke, is asked for again the next time.
        if self.stream.is_none()
            && let Some(source) = &self.source
        {
            tokio::select! {
                stream = source.follow() => self.stream = stream,
                () = &mut over => return,
            }
        }
        while self.stream.is_some() {
            tokio::select! {
                () = self.show_next() => {}
                () = &mut over => return,
            }
        }
        over.await;
    }

    /// Shows what is left of a log that nothing is added to any more: it is read once more, to its end.
    pub(in crate::cli) async fn drain(&mut self) {
        self.stream = None;
        let Some((client, path)) = self.source.as_ref().map(|source| (source.client, source.path.clone())) else { return };
        let draining = async {
            let Ok(mut lines) = client.lines(&path).await else { return };
            while let Ok(Some(line)) = lines.next().await {
                self.show(line);
            }
        };
        // What does not come in time is left to `lithouse logs`.
        let _ = tokio::time::timeout(LONGEST_DRAIN, draining).await;
    }

    async fn show_next(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        match stream.next().await {
            Ok(Some(line)) => self.show(line),
            Ok(None) | Err(_) => self.stream = None,
        }
    }

    fn show(&mut self, line: String) {
        let parsed = LogLine::parse(&line);
        if let Some(written) = parsed.moment() {
            let is_earlier = self.source.as_ref().and_then(|source| source.since).is_some_and(|since| written < since);
            self.is_skipping = is_earlier || self.shown.contains(&line);
        }
        if self.is_skipping {
            return;
        }
        output::foreign_note(parsed.text);
        self.shown.push_back(line);
        if self.shown.len() > REMEMBERED {
            self.shown.pop_front();
        }
    }
}
