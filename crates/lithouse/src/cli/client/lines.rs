// SPDX-License-Identifier: Apache-2.0
//! A body read line by line.

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::ClientError;

/// A line longer than any log has is cut into several.
const LONGEST: usize = 1 << 20;

/// The lines of a body.
#[derive(Debug)]
pub(in crate::cli) struct Lines {
    body: Incoming,
    buffer: BytesMut,
    /// How much of the buffer holds no line end.
    searched: usize,
    is_over: bool,
    longest: usize,
    address: String,
}

impl Lines {
    pub(super) fn new(body: Incoming, address: String) -> Self {
        Self { body, buffer: BytesMut::new(), searched: 0, is_over: false, longest: LONGEST, address }
    }

    /// The same for lines that may be longer.
    pub(super) fn up_to(self, longest: usize) -> Self {
        Self { longest, ..self }
    }

    /// Whom they come from.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The next line, without its end; `None` after the last. Dropping the future loses nothing.
    pub(in crate::cli) async fn next(&mut self) -> Result<Option<String>, ClientError> {
        loop {
            if let Some(at) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.take(self.searched + at);
                self.buffer.advance(1);
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.searched >= self.longest || (self.is_over && self.searched > 0) {
                return Ok(Some(self.take(self.searched)));
            }
            if self.is_over {
                return Ok(None);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.buffer.extend(frame.into_data().ok()),
                Some(Err(source)) => return Err(ClientError::HungUp { address: self.address.clone(), source }),
                None => self.is_over = true,
            }
        }
    }

    fn take(&mut self, length: usize) -> String {
        let line = self.buffer.split_to(length);
        self.searched = 0;
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        String::from_utf8_lossy(line).into_owned()
    }
}
