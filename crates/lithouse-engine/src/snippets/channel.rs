// SPDX-License-Identifier: Apache-2.0
//! The stream to a child: frames of a length in four bytes, little end first, and as many bytes of JSON.

use std::io;
use std::os::unix::net::UnixStream as StdStream;

use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

/// No frame to a child is longer.
const LONGEST_TO_CHILD: usize = 64 << 20;
/// No frame of a child is longer.
const LONGEST_FROM_CHILD: usize = 48 << 20;
const PREFIX: usize = 4;
/// Room for what is on its way.
const CHUNK: usize = 64 << 10;

/// Our end of the stream.
#[derive(Debug)]
pub(super) struct Channel {
    stream: UnixStream,
    received: Vec<u8>,
}

/// Why there is no further frame.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChannelError {
    /// The child closed its end, or ended.
    #[error("the stream ended")]
    Ended,
    /// The child ended without having read all that was sent to it.
    #[error("the stream ended before everything was read")]
    Unread,
    /// A frame longer than any that a child may send.
    #[error("a frame of {0} bytes is longer than any may be")]
    TooLong(usize),
    /// The system.
    #[error(transparent)]
    Io(io::Error),
}

impl ChannelError {
    fn of(error: io::Error) -> Self {
        match error.kind() {
            // The kernel's word for an end with something left to read.
            io::ErrorKind::ConnectionReset => Self::Unread,
            io::ErrorKind::BrokenPipe => Self::Ended,
            _ => Self::Io(error),
        }
    }
}

impl Channel {
    /// A new stream, and the child's end of it.
    pub(super) fn pair() -> io::Result<(Self, StdStream)> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        Ok((Self { stream: UnixStream::from_std(ours)?, received: Vec::new() }, theirs))
    }

    /// Sends one frame.
    pub(super) async fn send(&mut self, frame: &[u8]) -> Result<(), ChannelError> {
        self.stream.write_all(frame).await.map_err(ChannelError::of)
    }

    /// Receives one frame. Nothing is lost when this is dropped half way.
    pub(super) async fn receive(&mut self) -> Result<Vec<u8>, ChannelError> {
        loop {
            if let Some(frame) = self.whole_frame()? {
                return Ok(frame);
            }
            self.stream.readable().await.map_err(ChannelError::of)?;
            self.read_some()?;
        }
    }

    /// One frame of what has arrived by now, if it is whole. Asks the kernel itself: the runtime knows of what was sent only once it
    /// has heard of it.
    pub(super) fn receive_now(&mut self) -> Result<Option<Vec<u8>>, ChannelError> {
        loop {
            if let Some(frame) = self.whole_frame()? {
                return Ok(Some(frame));
            }
            self.received.reserve(CHUNK);
            match rustix::io::read(&self.stream, rustix::buffer::spare_capacity(&mut self.received)) {
                Ok(0) => return Err(ChannelError::Ended),
                Ok(_) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(ChannelError::of(error.into())),
            }
        }
    }

    /// Reads once, unless there is nothing to read now.
    fn read_some(&mut self) -> Result<(), ChannelError> {
        self.received.reserve(CHUNK);
        match self.stream.try_read_buf(&mut self.received) {
            Ok(0) => Err(ChannelError::Ended),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(ChannelError::of(error)),
        }
    }

    fn whole_frame(&mut self) -> Result<Option<Vec<u8>>, ChannelError> {
        let Some((prefix, rest)) = self.received.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let length = usize::try_from(u32::from_le_bytes(*prefix)).unwrap_or(usize::MAX);
        if length > LONGEST_FROM_CHILD {
            return Err(ChannelError::TooLong(length));
        }
        if rest.len() < length {
            return Ok(None);
        }
        let mut frame = std::mem::take(&mut self.received);
        self.received = frame.split_off(PREFIX + length);
        frame.drain(..PREFIX);
        Ok(Some(frame))
    }
}

/// A message as a frame, ready to be sent; none if it is too long.
pub(super) fn frame<M: Serialize>(message: &M) -> Option<Vec<u8>> {
    let mut bytes = vec![0; PREFIX];
    serde_json::to_writer(&mut bytes, message).ok()?;
    let length = bytes.len() - PREFIX;
    if length > LONGEST_TO_CHILD {
        return None;
    }
    let prefix = u32::try_from(length).ok()?.to_le_bytes();
    bytes[..PREFIX].copy_from_slice(&prefix);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[tokio::test]
    async fn frames_arrive_whole_however_they_are_cut() {
        let (mut ours, mut theirs) = Channel::pair().unwrap();
        let bytes = [frame(&"one").unwrap(), frame(&"").unwrap(), frame(&"three").unwrap()].concat();
        for byte in &bytes[..6] {
            assert!(ours.receive_now().unwrap().is_none());
            theirs.write_all(&[*byte]).unwrap();
        }
        theirs.write_all(&bytes[6..]).unwrap();
        drop(theirs);
        for expected in [&b"\"one\""[..], b"\"\"", b"\"three\""] {
            assert_eq!(ours.receive().await.unwrap(), expected);
        }
        assert!(matches!(ours.receive().await, Err(ChannelError::Ended)));
    }

    #[tokio::test]
    async fn a_length_beyond_all_bounds_is_told_before_anything_is_kept() {
        let (mut ours, mut theirs) = Channel::pair().unwrap();
        theirs.write_all(&[255; 4]).unwrap();
        assert!(matches!(ours.receive().await, Err(ChannelError::TooLong(_))));
    }

    #[tokio::test]
    async fn an_end_with_something_unread_is_told_from_one_without() {
        let (mut ours, mut theirs) = Channel::pair().unwrap();
        ours.send(b"12345").await.unwrap();
        theirs.read_exact(&mut [0; 5]).unwrap();
        drop(theirs);
        assert!(matches!(ours.receive().await, Err(ChannelError::Ended)));

        let (mut ours, mut theirs) = Channel::pair().unwrap();
        ours.send(b"12345").await.unwrap();
        theirs.read_exact(&mut [0; 4]).unwrap();
        drop(theirs);
        assert!(matches!(ours.receive().await, Err(ChannelError::Unread)));
    }

    #[test]
    fn what_is_too_long_is_not_framed() {
        assert!(frame(&"x".repeat(LONGEST_TO_CHILD)).is_none());
    }
}
