// SPDX-License-Identifier: Apache-2.0
//! What a server and its successor say to each other: one packet a word, with descriptors beside it.
//!
//! The two may be of different versions, so words are only ever added, and a first one that is not understood ends the attempt.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    SocketFlags, SocketType,
};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// The version of what is said here.
pub(super) const PROTOCOL: u32 = 1;
const LONGEST: usize = 16 << 10;
const MOST_DESCRIPTORS: usize = 8;

/// One word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(super) enum Word {
    /// To the successor: what it would serve. With the listener, the control socket, our standard error, and the sockets of servers
    /// that still carry connections, the eldest first.
    Offer { protocol: u32, data: PathBuf, listen: SocketAddr },
    /// To the predecessor: everything that can be looked at beforehand is well.
    Ready { pid: u32, version: String },
    /// To the successor, with the lock: nothing is in our hands any more.
    Yours,
    /// To the predecessor: new connections are answered.
    Serving,
    /// To a predecessor: whatever you still carry, let it go.
    End,
}

/// One end of the conversation.
#[derive(Debug)]
pub(super) struct Talk(UnixStream);

impl Talk {
    /// One end for us, and one for another process.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self::over(ours)?, theirs))
    }

    /// The conversation over this socket.
    pub(super) fn over(socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Self(UnixStream::from_std(socket.into())?))
    }

    /// The socket, to be handed on.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    pub(super) async fn say(&self, word: &Word, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = serde_json::to_vec(word)?;
        self.0.async_io(Interest::WRITABLE, || send(&self.0, &bytes, descriptors)).await
    }

    /// The next word; none once the other side is gone. Dropping the future loses nothing.
    pub(super) async fn hear(&self) -> io::Result<Option<(Word, Vec<OwnedFd>)>> {
        self.0.async_io(Interest::READABLE, || receive(&self.0)).await
    }

    /// Whether the other side is gone, or says something that nobody waits for.
    pub(super) fn is_over(&self) -> bool {
        !matches!(receive(&self.0), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

fn send(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut beside, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive(socket: impl AsFd) -> io::Result<Option<(Word, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut beside, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let descriptors = beside
        .drain()
        .filter_map(|message| if let RecvAncillaryMessage::ScmRights(rights) = message { Some(rights) } else { None })
        .flatten()
        .collect();
    Ok(Some((serde_json::from_slice(&bytes[..received.bytes])?, descriptors)))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[tokio::test]
    async fn a_word_comes_whole_with_its_descriptors_and_the_end_is_heard() {
        let (ours, theirs) = Talk::pair().unwrap();
        let theirs = Talk::over(theirs).unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        ours.say(&Word::Yours, &[writer.as_fd()]).await.unwrap();
        ours.say(&Word::End, &[]).await.unwrap();
        drop(writer);
        let (word, mut descriptors) = theirs.hear().await.unwrap().unwrap();
        assert_eq!((word, descriptors.len()), (Word::Yours, 1));
        std::fs::File::from(descriptors.remove(0)).write_all(b"x").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
        assert_eq!(theirs.hear().await.unwrap().unwrap().0, Word::End);
        assert!(!theirs.is_over());
        drop(ours);
        assert!(theirs.hear().await.unwrap().is_none() && theirs.is_over());
    }
}
