// SPDX-License-Identifier: Apache-2.0
//! What people want of the server itself. The API takes it down, and the server's own loop does it.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::signals::EndSignals;
use super::successor::NotReplaced;

/// One server in the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replacement {
    /// The process that serves now.
    pub(crate) pid: u32,
    /// Its version.
    pub(crate) version: String,
    /// How long new connections waited.
    pub(crate) gap: Duration,
}

/// What became of the wish for a successor.
pub(super) type Replaced = Result<Replacement, NotReplaced>;

/// One wish.
#[derive(Debug)]
pub(super) enum Wish {
    /// End, with all apps.
    Stop,
    /// Have a successor.
    Replace(oneshot::Sender<Replaced>),
}

/// Where wishes go. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Wishes(mpsc::UnboundedSender<Wish>);

impl Wishes {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Wish>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Lets the server end. One that ends already needs no telling.
    pub(crate) fn stop(&self) {
        let _ = self.0.send(Wish::Stop);
    }

    /// Lets a successor take the server's place, and answers when it serves.
    pub(crate) async fn replace(&self) -> Replaced {
        let (answer, answered) = oneshot::channel();
        let _ = self.0.send(Wish::Replace(answer));
        answered.await.unwrap_or(Err(NotReplaced::Busy))
    }
}

/// Waits until the server is told to end, by a signal or a wish, while a replacement is under way. A further one is refused at once.
pub(super) async fn told(end: &mut EndSignals, wanted: &mut mpsc::UnboundedReceiver<Wish>) {
    loop {
        tokio::select! {
            () = end.told() => return,
            wish = wanted.recv() => match wish {
                Some(Wish::Replace(answer)) => refuse(answer),
                Some(Wish::Stop) | None => return,
            },
        }
    }
}

/// Takes no further wish, and refuses those that wait. Whether one of them was to end.
pub(super) fn close(wanted: &mut mpsc::UnboundedReceiver<Wish>) -> bool {
    wanted.close();
    let mut is_told = false;
    while let Ok(wish) = wanted.try_recv() {
        match wish {
            Wish::Replace(answer) => refuse(answer),
            Wish::Stop => is_told = true,
        }
    }
    is_told
}

fn refuse(answer: oneshot::Sender<Replaced>) {
    // Whoever asked may have gone.
    let _ = answer.send(Err(NotReplaced::Busy));
}
