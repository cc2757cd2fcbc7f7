// SPDX-License-Identifier: Apache-2.0
//! The keeper's socket: who may come in, and the frames that go in and out.
//!
//! Nothing that arrives here can end the keeper: what is not understood is answered or cut off, and noted.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Mode;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::diary::Diary;
use super::floor::Message;
use super::wire::{self, Answer, Call, FrameError, Hello, Refusal, Request, Said, frame};
use crate::socket;

/// More at once are nobody's need: there is one server, perhaps one that comes while one goes, and a curious person.
const MOST_CONNECTIONS: usize = 16;

/// Frames that wait for one side to read; one that lets more pile up is cut off.
const MOST_WAITING: usize = 1024;

const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// How often the door looks whether its socket is still in its place: cleaners of `/tmp` take them away.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The socket, and what its connections need.
#[derive(Debug)]
pub(super) struct Door {
    path: PathBuf,
    listener: UnixListener,
    inode: u64,
    was_missed: bool,
    visitors: Visitors,
    /// Who wants the socket, for the next program of this process.
    heirs: mpsc::UnboundedReceiver<oneshot::Sender<io::Result<Socket>>>,
}

/// The listening socket, as it goes from one program of the process to the next.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) listener: OwnedFd,
    /// The file in its place.
    pub(super) inode: u64,
}

/// What a door needs of the keeper around it.
#[derive(Debug)]
pub(super) struct Around {
    pub(super) path: PathBuf,
    pub(super) floor: mpsc::UnboundedSender<Message>,
    pub(super) diary: Diary,
    pub(super) closing: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) heirs: mpsc::UnboundedReceiver<oneshot::Sender<io::Result<Socket>>>,
    /// What the keeper says of itself.
    pub(super) hello: Hello,
}

#[derive(Debug, Clone)]
struct Visitors {
    floor: mpsc::UnboundedSender<Message>,
    diary: Diary,
    closing: CancellationToken,
    tasks: TaskTracker,
    places: Arc<Semaphore>,
    hello: Arc<Hello>,
}

/// Where frames to one connection go.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    frames: mpsc::Sender<Vec<u8>>,
    /// Ends the connection without waiting for what was to be said.
    cut: CancellationToken,
}

impl Outbox {
    /// Whether the frame is on its way. A connection that does not read is cut off rather than waited for.
    pub(super) fn send(&self, frame: Vec<u8>) -> bool {
        let sent = self.frames.try_send(frame);
        if let Err(mpsc::error::TrySendError::Full(_)) = sent {
            self.cut.cancel();
        }
        sent.is_ok()
    }

    /// Whether nothing sent here arrives any more.
    pub(super) fn is_closed(&self) -> bool {
        self.frames.is_closed()
    }
}

/// The right to answer one request, once.
#[derive(Debug)]
pub(super) struct Reply {
    id: u64,
    outbox: Outbox,
}

impl Reply {
    /// Whether the answer is on its way; not if whoever asked is gone.
    pub(super) fn send(self, answer: Answer) -> bool {
        let said = frame(&Said::Answer { id: self.id, answer }).or_else(|error| {
            let answer = Answer::Refused(Refusal::NotUnderstood { reason: error.to_string() });
            frame(&Said::Answer { id: self.id, answer })
        });
        said.is_ok_and(|frame| self.outbox.send(frame))
    }
}

impl Door {
    /// Puts the socket in its place. The caller holds the home's lock, so whatever lies there belongs to nobody.
    pub(super) fn open(around: Around) -> io::Result<Self> {
        let (listener, inode) = bind(&around.path)?;
        Ok(Self::with(around, listener, inode))
    }

    /// Goes on with the socket of the program before; connections wait in it meanwhile.
    pub(super) fn take_up(around: Around, socket: Socket) -> io::Result<Self> {
        let listener = UnixListener::from_std(socket.listener.into())?;
        Ok(Self::with(around, listener, socket.inode))
    }

    fn with(around: Around, listener: UnixListener, inode: u64) -> Self {
        let Around { path, floor, diary, closing, tasks, heirs, hello } = around;
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let visitors = Visitors { floor, diary, closing, tasks, places, hello: Arc::new(hello) };
        Self { path, listener, inode, was_missed: false, visitors, heirs }
    }

    /// Lets visitors in until the keeper closes; takes the socket away then.
    pub(super) async fn run(mut self) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        let closing = self.visitors.closing.clone();
        loop {
            tokio::select! {
                // Nobody is let in who would be cut off in the middle.
                biased;
                () = closing.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.visitors.welcome(stream),
                    Err(error) => {
                        self.visitors.diary.note(&format!("no connection could be accepted: {error}"));
                        // Out of descriptors, say. It will not be better in the same millisecond.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                _ = look.tick() => self.look_after_socket(),
                Some(heir) = self.heirs.recv() => {
                    let listener = self.listener.as_fd().try_clone_to_owned();
                    // Whoever asked for it waits.
                    let _ = heir.send(listener.map(|listener| Socket { listener, inode: self.inode }));
                }
            }
        }
        if fs::metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode) {
            // Somebody who comes now is better off finding no socket; whether one is left over does not matter.
            let _ = fs::remove_file(&self.path);
        }
    }

    fn look_after_socket(&mut self) {
        if fs::metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode) {
            self.was_missed = false;
            return;
        }
        // Missed once, it may be that the whole home is being removed at this moment: not to be hindered by a new socket.
        if !std::mem::replace(&mut self.was_missed, true) {
            return;
        }
        match bind(&self.path) {
            Ok((listener, inode)) => {
                self.visitors.diary.note("the socket was gone and is there again");
                (self.listener, self.inode) = (listener, inode);
            }
            Err(error) => self.visitors.diary.note(&format!("the socket is gone and cannot be made again: {error}")),
        }
    }
}

fn bind(path: &PathBuf) -> io::Result<(UnixListener, u64)> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // It is its owner's alone from its first moment on. The keeper has one thread: nothing else is made meanwhile.
    let umask = rustix::process::umask(Mode::from_raw_mode(0o177));
    let listener = socket::bind(path);
    rustix::process::umask(umask);
    let listener = listener?;
    listener.set_nonblocking(true)?;
    Ok((UnixListener::from_std(listener)?, fs::metadata(path)?.ino()))
}

impl Visitors {
    fn welcome(&self, stream: UnixStream) {
        let us = rustix::process::geteuid().as_raw();
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == us || peer.uid() == 0 => {}
            Ok(peer) => return self.diary.note(&format!("user {} was turned away", peer.uid())),
            Err(error) => return self.diary.note(&format!("somebody unknown was turned away: {error}")),
        }
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return self.diary.note("too many connections: one was turned away");
        };
        // Before it hears from us: then we are here for it.
        let _ = self.floor.send(Message::Arrived);
        let visitors = self.clone();
        self.tasks.spawn(async move {
            if let Err(error) = visitors.serve(stream).await {
                visitors.diary.note(&format!("a connection was cut off: {error}"));
            }
            drop(place);
        });
    }

    async fn serve(&self, stream: UnixStream) -> Result<(), FrameError> {
        let (mut read, mut write) = stream.into_split();
        let ours = &self.hello;
        wire::write(&mut write, &**ours).await.map_err(FrameError::Io)?;
        let hello = tokio::time::timeout(HELLO_WITHIN, wire::read::<Hello>(&mut read)).await;
        let speaks_as_we = match hello {
            Ok(Ok(hello)) if hello.protocol == ours.protocol => true,
            // It has our hello, and can have us become what fits it.
            Ok(Ok(hello)) => {
                let (pid, theirs) = (hello.pid, hello.protocol);
                self.diary.note(&format!("process {pid} speaks version {theirs} of the protocol, not {}", ours.protocol));
                false
            }
            Ok(Err(FrameError::Closed)) | Err(_) => return Ok(()),
            Ok(Err(error)) => return Err(error),
        };
        let (sender, frames) = mpsc::channel(MOST_WAITING);
        let outbox = Outbox { frames: sender, cut: CancellationToken::new() };
        self.tasks.spawn(send_all(write, frames, outbox.cut.clone()));
        if speaks_as_we {
            // The floor is gone only when the keeper ends.
            let _ = self.floor.send(Message::Subscribe(outbox.clone()));
        }
        let end = tokio::select! {
            result = self.listen(&mut read, &outbox, speaks_as_we) => match result {
                Err(FrameError::Closed) => Ok(()),
                other => other,
            },
            () = outbox.cut.cancelled() => Err(FrameError::Io(io::Error::other("it does not read what it asked for"))),
            // What is still to be said to it is said.
            () = self.closing.cancelled() => return Ok(()),
        };
        outbox.cut.cancel();
        end
    }

    /// Whoever speaks another version has one thing to say that both understand.
    async fn listen(&self, read: &mut OwnedReadHalf, outbox: &Outbox, speaks_as_we: bool) -> Result<(), FrameError> {
        loop {
            let call: Call<Value> = wire::read(read).await?;
            let reply = Reply { id: call.id, outbox: outbox.clone() };
            match serde_json::from_value::<Request>(call.request) {
                Ok(request) if !speaks_as_we && !matches!(request, Request::Replace(_)) => return Ok(()),
                Ok(request) => drop(self.floor.send(Message::Request(request, reply))),
                Err(error) => drop(reply.send(Answer::Refused(Refusal::NotUnderstood { reason: error.to_string() }))),
            }
        }
    }
}

/// Writes what is to be said; ends when nobody has anything more to say, or nobody listens.
async fn send_all(mut write: OwnedWriteHalf, mut frames: mpsc::Receiver<Vec<u8>>, cut: CancellationToken) {
    let sending = async {
        while let Some(frame) = frames.recv().await {
            if write.write_all(&frame).await.is_err() {
                return;
            }
        }
    };
    cut.run_until_cancelled(sending).await;
}
