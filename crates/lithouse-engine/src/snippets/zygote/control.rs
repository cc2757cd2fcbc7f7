// SPDX-License-Identifier: Apache-2.0
//! The socket between server and zygote: whole messages, and descriptors with them.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use tokio::io::unix::AsyncFd;

/// No message is longer.
const LONGEST: usize = 64 << 10;
/// No message has more descriptors with it.
const DESCRIPTORS: usize = 3;

/// Our end of the socket.
#[derive(Debug)]
pub(super) struct Control {
    socket: AsyncFd<OwnedFd>,
}

/// One message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    pub(super) descriptors: Vec<OwnedFd>,
}

impl Control {
    /// A new socket, and the other end of it.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        Ok((Self { socket: watched(ours)? }, theirs))
    }

    /// Sends one message.
    pub(super) async fn send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        loop {
            let mut ready = self.socket.writable().await?;
            let sent = ready.try_io(|socket| {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
                let mut ancillary = SendAncillaryBuffer::new(&mut space);
                if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
                    return Err(io::ErrorKind::InvalidInput.into());
                }
                Ok(sendmsg(socket.get_ref(), &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)?)
            });
            match sent {
                Ok(sent) => return sent.map(|_| ()),
                Err(_would_block) => {}
            }
        }
    }

    /// Receives one message; none when the other end is closed.
    pub(super) async fn receive(&self) -> io::Result<Option<Message>> {
        loop {
            let mut ready = self.socket.readable().await?;
            if let Ok(received) = ready.try_io(|socket| receive_now(socket.get_ref())) {
                return received;
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "the constructor offered instead is unsafe for the sake of types that lie about their descriptor; `OwnedFd` does not"
)]
fn watched(socket: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(socket)
}

fn receive_now(socket: &OwnedFd) -> io::Result<Option<Message>> {
    let mut bytes = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is longer than any may be"));
    }
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    bytes.truncate(received.bytes);
    Ok((received.bytes > 0).then_some(Message { bytes, descriptors }))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[tokio::test]
    async fn messages_arrive_whole_with_their_descriptors() {
        let (ours, theirs) = Control::pair().unwrap();
        let (one, other) = io::pipe().unwrap();
        ours.send(b"with two", &[one.as_fd(), other.as_fd()]).await.unwrap();
        ours.send(b"with none", &[]).await.unwrap();
        let first = receive_now(&theirs).unwrap().unwrap();
        assert_eq!((first.bytes.as_slice(), first.descriptors.len()), (&b"with two"[..], 2));
        let second = receive_now(&theirs).unwrap().unwrap();
        assert_eq!((second.bytes.as_slice(), second.descriptors.len()), (&b"with none"[..], 0));
    }

    #[tokio::test]
    async fn the_end_of_the_other_side_is_told() {
        let (ours, theirs) = Control::pair().unwrap();
        drop(theirs);
        assert!(ours.receive().await.unwrap().is_none());
        assert!(ours.send(b"x", &[]).await.is_err());
    }

    #[tokio::test]
    async fn a_message_without_bounds_is_an_error() {
        let (ours, theirs) = Control::pair().unwrap();
        rustix::io::write(&theirs, &vec![b'x'; LONGEST + 1]).unwrap();
        assert!(ours.receive().await.is_err());
    }
}
