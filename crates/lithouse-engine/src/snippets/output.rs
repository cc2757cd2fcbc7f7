// SPDX-License-Identifier: Apache-2.0
//! Standard output and error of a run: read as it comes, kept up to a limit, counted beyond it.

use std::io;
use std::os::fd::OwnedFd;

use tokio::net::unix::pipe;

use super::limits::KEPT_OUTPUT_BYTES;

/// As much is read at a time.
const CHUNK: usize = 64 << 10;
/// A pipe holds no more than this, so what was written before an end is found by reading as much.
const MOST_IN_A_PIPE: usize = 1 << 20;

/// One of the two streams.
#[derive(Debug)]
pub(super) struct Stream {
    pipe: pipe::Receiver,
    is_open: bool,
    written: u64,
    text: Kept,
}

impl Stream {
    /// A new stream, and the end of it that is written to.
    pub(super) fn open() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = io::pipe()?;
        let pipe = pipe::Receiver::from_owned_fd(ours.into())?;
        Ok((Self { pipe, is_open: true, written: 0, text: Kept::default() }, theirs.into()))
    }

    /// Whether more can come.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// How many bytes were written, kept or not.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Waits for the next piece; answers with what of it is kept.
    pub(super) async fn read(&mut self, buffer: &mut Buffer) -> String {
        loop {
            let readable = self.pipe.readable().await;
            if readable.is_err() {
                self.is_open = false;
                return String::new();
            }
            match self.pipe.try_read(&mut buffer.0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return self.take(read, buffer).unwrap_or_default(),
            }
        }
    }

    /// Takes what was written until now, without waiting for more, and ends the text. Answers with what of it is kept.
    pub(super) fn finish(&mut self, buffer: &mut Buffer) -> String {
        let mut rest = String::new();
        let mut read = 0;
        while self.is_open && read < MOST_IN_A_PIPE {
            let before = self.written;
            let Some(piece) = self.read_now(buffer) else { break };
            rest.push_str(&piece);
            read += usize::try_from(self.written - before).unwrap_or(MOST_IN_A_PIPE);
        }
        rest.push_str(&self.text.end());
        rest
    }

    /// Asks the kernel itself: the runtime knows of what was written only once it has heard of it.
    fn read_now(&mut self, buffer: &mut Buffer) -> Option<String> {
        let read = rustix::io::read(&self.pipe, &mut buffer.0[..]).map_err(io::Error::from);
        self.take(read, buffer)
    }

    fn take(&mut self, read: io::Result<usize>, buffer: &Buffer) -> Option<String> {
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Ok(0) | Err(_) => {
                self.is_open = false;
                None
            }
            Ok(count) => {
                self.written += count as u64;
                Some(self.text.push(&buffer.0[..count]))
            }
        }
    }

    /// The text, and whether something of it was cut.
    pub(super) fn into_text(self) -> (String, bool) {
        (self.text.text, self.text.is_cut)
    }
}

/// Room to read into, shared by the streams of a run.
pub(super) struct Buffer(Box<[u8]>);

impl Buffer {
    pub(super) fn new() -> Self {
        Self(vec![0; CHUNK].into_boxed_slice())
    }
}

/// The beginning of a text that comes in pieces of bytes. What is no UTF-8 is replaced, and a cut never splits a character.
#[derive(Debug, Default)]
struct Kept {
    text: String,
    /// The beginning of a character whose end is still to come.
    half: Vec<u8>,
    is_cut: bool,
}

impl Kept {
    fn push(&mut self, bytes: &[u8]) -> String {
        if self.is_cut {
            return String::new();
        }
        let joined;
        let mut rest = if self.half.is_empty() {
            bytes
        } else {
            joined = [std::mem::take(&mut self.half).as_slice(), bytes].concat();
            &joined
        };
        let before = self.text.len();
        while !rest.is_empty() && !self.is_cut {
            match str::from_utf8(rest) {
                Ok(text) => {
                    self.keep(text);
                    break;
                }
                Err(error) => {
                    let (sound, after) = rest.split_at(error.valid_up_to());
                    self.keep(str::from_utf8(sound).unwrap_or_default());
                    let Some(length) = error.error_len() else {
                        self.half = after.to_vec();
                        break;
                    };
                    self.keep("\u{fffd}");
                    rest = &after[length..];
                }
            }
        }
        self.text[before..].to_owned()
    }

    fn keep(&mut self, text: &str) {
        let room = KEPT_OUTPUT_BYTES - self.text.len();
        let fits = text.floor_char_boundary(room.min(text.len()));
        self.text.push_str(&text[..fits]);
        self.is_cut |= fits < text.len();
    }

    /// Nothing more comes: half a character stays half.
    fn end(&mut self) -> String {
        let before = self.text.len();
        if !std::mem::take(&mut self.half).is_empty() && !self.is_cut {
            self.keep("\u{fffd}");
        }
        self.text[before..].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn kept(pieces: &[&[u8]]) -> (String, bool) {
        let mut kept = Kept::default();
        let mut told = String::new();
        for piece in pieces {
            told.push_str(&kept.push(piece));
        }
        told.push_str(&kept.end());
        assert_eq!(told, kept.text, "the pieces are the whole");
        (kept.text, kept.is_cut)
    }

    #[test]
    fn characters_survive_every_cut_between_their_bytes() {
        let text = "aä€😀z";
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let bytes = text.as_bytes();
                assert_eq!(kept(&[&bytes[..first], &bytes[first..second], &bytes[second..]]).0, text, "{first} {second}");
            }
        }
    }

    #[test]
    fn what_is_no_text_is_replaced_as_everywhere() {
        for bytes in [&b"a\xffb"[..], b"\xe2\x82", b"\xe2\x82x", b"\xf0\x9f\x98\xf0", b"\xed\xa0\x80", b"\xc0\x80", b""] {
            assert_eq!(kept(&[bytes]).0, String::from_utf8_lossy(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn the_limit_cuts_between_characters_and_is_told() {
        let almost = "x".repeat(KEPT_OUTPUT_BYTES - 1);
        assert_eq!(kept(&[almost.as_bytes(), b"y"]), (format!("{almost}y"), false));
        assert_eq!(kept(&[almost.as_bytes(), "äb".as_bytes()]), (almost.clone(), true));
        assert_eq!(kept(&[almost.as_bytes(), "\u{e4}".as_bytes(), b"later"]), (almost, true));
    }

    #[tokio::test]
    async fn what_was_written_before_the_end_is_found_without_waiting() {
        let (mut stream, theirs) = Stream::open().unwrap();
        let mut writer = std::fs::File::from(theirs);
        let mut buffer = Buffer::new();
        writer.write_all(b"one ").unwrap();
        assert_eq!(stream.read(&mut buffer).await, "one ");
        writer.write_all(b"two \xc3").unwrap();
        // The other end stays open all the while.
        assert_eq!(stream.finish(&mut buffer), "two \u{fffd}");
        assert_eq!((stream.written(), stream.is_open()), (9, true));
        drop(writer);
        assert_eq!(stream.into_text(), ("one two \u{fffd}".to_owned(), false));
    }

    #[tokio::test]
    async fn what_the_runtime_has_not_heard_of_yet_is_found_too() {
        let (mut stream, theirs) = Stream::open().unwrap();
        std::fs::File::from(theirs).write_all(b"all at once").unwrap();
        assert_eq!(stream.finish(&mut Buffer::new()), "all at once");
    }

    #[tokio::test]
    async fn the_end_of_a_stream_is_noticed() {
        let (mut stream, theirs) = Stream::open().unwrap();
        drop(theirs);
        assert_eq!(stream.read(&mut Buffer::new()).await, "");
        assert!(!stream.is_open());
    }
}
