// SPDX-License-Identifier: Apache-2.0
//! A connection at the listener: its bytes, the place that it takes, and whether anybody is at its other end still.
//!
//! A client that shuts down its sending side may wait for the answer (`nc -N` does), or be gone. TCP tells the two apart only when
//! something is sent. So a request goes on for as long as the client's socket is seen to be open, which the kernel tells of clients on
//! this machine; of others it goes on for a while, and for as long as something is sent.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::crowd::{Guest, Place};
use crate::edge::has_left;

/// Between two looks whether a client is there.
const LOOK: Duration = Duration::from_secs(1);
/// How long a client that has ended its side, and of which no more is known, is believed to wait.
const BELIEVED: Duration = Duration::from_secs(5);
/// How long, and how much, is read of a client that was told that it speaks no HTTP.
const READ_ON: Duration = Duration::from_secs(2);
const READ_ON_BYTES: usize = 8 << 20;

/// Makes the answer to what is no request of its status.
pub(super) type Refuse = Arc<dyn Fn(u16) -> Option<Bytes> + Send + Sync>;

/// One of the handles of a connection, whose place is given back with the last of them.
#[derive(Clone)]
pub(super) struct Stream {
    shared: Arc<Shared>,
    refuse: Refuse,
    /// An answer of ours that is being written in the place of one of the HTTP library.
    instead: Option<Instead>,
}

struct Shared {
    socket: Mutex<TcpStream>,
    guest: Arc<Guest>,
    /// None where places do not count any more.
    _place: Option<Place>,
    refused: Mutex<bool>,
}

#[derive(Clone)]
struct Instead {
    rest: Bytes,
    /// How many bytes it stands for.
    stands_for: usize,
}

/// What is seen of a client without taking anything from it.
enum Seen {
    Here,
    /// It sends no more.
    Ended,
    Gone,
}

impl Stream {
    pub(super) fn new(socket: TcpStream, place: Option<Place>, refuse: Refuse) -> Self {
        let guest = place.as_ref().map(|place| Arc::clone(&place.guest)).unwrap_or_default();
        let shared = Shared { socket: Mutex::new(socket), guest, _place: place, refused: Mutex::new(false) };
        Self { shared: Arc::new(shared), refuse, instead: None }
    }

    pub(super) fn guest(&self) -> &Arc<Guest> {
        &self.shared.guest
    }

    /// Comes when the client has gone while it was being answered.
    pub(super) async fn is_left(&self, peer: SocketAddr, local: SocketAddr) {
        let guest = self.guest();
        let mut ended: Option<(Instant, u64)> = None;
        loop {
            tokio::time::sleep(LOOK).await;
            if !guest.is_asking() {
                ended = None;
                continue;
            }
            match self.look() {
                Seen::Here => ended = None,
                Seen::Gone => return,
                Seen::Ended => match has_left(peer, local) {
                    Some(true) => return,
                    Some(false) => ended = None,
                    None => match ended {
                        Some((since, sent)) if sent == guest.sent() => {
                            if since.elapsed() >= BELIEVED {
                                return;
                            }
                        }
                        Some(_) | None => ended = Some((Instant::now(), guest.sent())),
                    },
                },
            }
        }
    }

    fn look(&self) -> Seen {
        match rustix::net::recv(&*self.shared.lock(), &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((0, _)) => Seen::Ended,
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Seen::Here,
            Err(_) => Seen::Gone,
        }
    }

    /// Reads on for a while where something was refused that is no request: a connection that is closed with unread bytes takes the
    /// answer with it.
    pub(super) async fn linger(&mut self) {
        if !*self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner) {
            return;
        }
        let reading = async {
            let _ = self.shutdown().await;
            let (mut bytes, mut read) = (vec![0; 64 << 10], 0);
            while let Ok(count @ 1..) = self.read(&mut bytes).await {
                read += count;
                if read > READ_ON_BYTES {
                    return;
                }
            }
        };
        // Whoever sends on and on has had its time.
        let _ = tokio::time::timeout(READ_ON, reading).await;
    }

    /// Puts an answer of ours in the place of one that the HTTP library gives by itself, which has no body. It does so only for what is
    /// no request; all else is answered by us, while somebody asks.
    fn replace(&mut self, bytes: &[u8], all: usize) {
        if !self.shared.guest.is_settled() || self.instead.is_some() {
            return;
        }
        let status = bytes.strip_prefix(b"HTTP/1.1 ").and_then(|rest| std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok());
        if let Some(answer) = status.and_then(|status| (self.refuse)(status)) {
            *self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner) = true;
            self.instead = Some(Instead { rest: answer, stands_for: all });
        }
    }

    fn poll_instead(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<usize>>> {
        let Some(instead) = &mut self.instead else { return Poll::Ready(None) };
        while !instead.rest.is_empty() {
            match std::task::ready!(Pin::new(&mut *self.shared.lock()).poll_write(context, &instead.rest)) {
                Ok(count) => instead.rest.advance(count),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        let stands_for = instead.stands_for;
        self.instead = None;
        Poll::Ready(Some(Ok(stands_for)))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, TcpStream> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.shared.lock()).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.replace(bytes, bytes.len());
        if let Some(written) = std::task::ready!(self.poll_instead(context)) {
            return Poll::Ready(written);
        }
        let written = Pin::new(&mut *self.shared.lock()).poll_write(context, bytes);
        if written.is_ready() {
            self.guest().note_sent();
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(first) = slices.first() {
            self.replace(first, slices.iter().map(|slice| slice.len()).sum());
        }
        if let Some(written) = std::task::ready!(self.poll_instead(context)) {
            return Poll::Ready(written);
        }
        let written = Pin::new(&mut *self.shared.lock()).poll_write_vectored(context, slices);
        if written.is_ready() {
            self.guest().note_sent();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.shared.lock().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut *self.shared.lock()).poll_flush(context);
        if flushed.is_ready() {
            self.guest().note_flushed();
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.shared.lock()).poll_shutdown(context)
    }
}
