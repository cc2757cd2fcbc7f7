// SPDX-License-Identifier: Apache-2.0
//! Server-sent events: messages with a name, and the lines of those without one.

use std::collections::VecDeque;
use std::time::Duration;

use super::{ClientError, Lines, SILENCE};

/// What a message is called that has no name.
const UNNAMED: &str = "message";

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Message {
    /// What it is called.
    pub(in crate::cli) name: String,
    /// What it says.
    pub(in crate::cli) data: String,
}

/// The events of a stream.
#[derive(Debug)]
pub(in crate::cli) struct Messages {
    lines: Lines,
    /// How long the stream may be silent; a comment counts as a sign of life.
    patience: Option<Duration>,
    name: String,
    data: Vec<String>,
    /// Of the event that is being read, and of the last that is complete.
    id: Option<String>,
    last_id: Option<String>,
}

impl Messages {
    pub(super) fn new(lines: Lines, patience: Option<Duration>) -> Self {
        Self { lines, patience, name: String::new(), data: Vec::new(), id: None, last_id: None }
    }

    /// The next event; `None` at the end of the stream. Dropping the future loses nothing.
    pub(in crate::cli) async fn next(&mut self) -> Result<Option<Message>, ClientError> {
        loop {
            // An event that its empty line did not complete is none.
            let Some(line) = self.line().await? else { return Ok(None) };
            if let Some(message) = self.take(&line) {
                return Ok(Some(message));
            }
        }
    }

    async fn line(&mut self) -> Result<Option<String>, ClientError> {
        let Some(patience) = self.patience else { return self.lines.next().await };
        match tokio::time::timeout(patience, self.lines.next()).await {
            Ok(line) => line,
            Err(_) => Err(ClientError::Silent { address: self.lines.address().to_owned(), seconds: patience.as_secs() }),
        }
    }

    fn take(&mut self, line: &str) -> Option<Message> {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            _ if line.is_empty() => return self.complete(),
            "data" => self.data.push(value.to_owned()),
            "event" => value.clone_into(&mut self.name),
            "id" => self.id = Some(value.to_owned()),
            // A comment keeps the connection alive; when to come back we know ourselves.
            _ => {}
        }
        None
    }

    fn complete(&mut self) -> Option<Message> {
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        let name = if name.is_empty() { UNNAMED.to_owned() } else { name };
        // An event without data is none, but its id counts.
        self.last_id = self.id.take().or(self.last_id.take());
        (!data.is_empty()).then(|| Message { name, data: data.join("\n") })
    }
}

/// The lines of a stream's unnamed messages. One may hold several: a server sends together what was written together.
#[derive(Debug)]
pub(in crate::cli) struct Events {
    messages: Messages,
    /// The lines of messages that are complete.
    complete: VecDeque<String>,
}

impl Events {
    pub(super) fn new(lines: Lines) -> Self {
        Self { messages: Messages::new(lines, Some(SILENCE)), complete: VecDeque::new() }
    }

    /// What to name to go on after all that was given. None of a server that does not say.
    pub(in crate::cli) fn last_id(&self) -> Option<&str> {
        self.messages.last_id.as_deref()
    }

    /// The next line; `None` at the end of the stream. Dropping the future loses nothing.
    pub(in crate::cli) async fn next(&mut self) -> Result<Option<String>, ClientError> {
        loop {
            if let Some(line) = self.complete.pop_front() {
                return Ok(Some(line));
            }
            let Some(message) = self.messages.next().await? else { return Ok(None) };
            if message.name == UNNAMED {
                self.complete.extend(message.data.split('\n').map(str::to_owned));
            }
        }
    }
}
