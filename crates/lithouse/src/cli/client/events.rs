// SPDX-License-Identifier: Apache-2.0
//! Server-sent events, as far as logs need them: the lines of each message.

use std::collections::VecDeque;

use super::{ClientError, Lines};

/// The lines of a stream's messages. A message may hold several: a server sends together what was written together.
#[derive(Debug)]
pub(in crate::cli) struct Events {
    lines: Lines,
    /// The lines of the message that is coming.
    coming: Vec<String>,
    is_message: bool,
    /// The lines of messages that are complete.
    complete: VecDeque<String>,
}

impl Events {
    pub(super) fn new(lines: Lines) -> Self {
        Self { lines, coming: Vec::new(), is_message: true, complete: VecDeque::new() }
    }

    /// The next line; `None` at the end of the stream. Dropping the future loses nothing.
    pub(in crate::cli) async fn next(&mut self) -> Result<Option<String>, ClientError> {
        loop {
            if let Some(line) = self.complete.pop_front() {
                return Ok(Some(line));
            }
            // A message that its empty line did not complete is none.
            let Some(line) = self.lines.next().await? else { return Ok(None) };
            self.take(&line);
        }
    }

    fn take(&mut self, line: &str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            _ if line.is_empty() => {
                let data = std::mem::take(&mut self.coming);
                if std::mem::replace(&mut self.is_message, true) {
                    self.complete.extend(data);
                }
            }
            "data" => self.coming.push(value.to_owned()),
            "event" => self.is_message = value.is_empty() || value == "message",
            // A comment keeps the connection alive; ids and retries are for those that come back by themselves.
            _ => {}
        }
    }
}
