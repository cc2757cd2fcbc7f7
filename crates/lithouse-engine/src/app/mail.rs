// SPDX-License-Identifier: Apache-2.0
//! How messages reach an app's task: each with the span of what caused it, so that what is logged because of a request names it,
//! however many steps later.

use tokio::sync::mpsc;
use tracing::Span;

use super::Message;

/// What tasks and others put messages into. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outbox(mpsc::UnboundedSender<(Span, Message)>);

/// Where the app's task takes them out.
pub(super) struct Inbox(mpsc::UnboundedReceiver<(Span, Message)>);

/// The app's task is over.
#[derive(Debug)]
pub(crate) struct Over;

pub(super) fn mail() -> (Outbox, Inbox) {
    let (outbox, inbox) = mpsc::unbounded_channel();
    (Outbox(outbox), Inbox(inbox))
}

impl Outbox {
    /// Sends a message; what it leads to belongs to what goes on here.
    pub(crate) fn send(&self, message: Message) -> Result<(), Over> {
        self.0.send((Span::current(), message)).map_err(|_| Over)
    }
}

impl Inbox {
    pub(super) async fn recv(&mut self) -> Option<(Span, Message)> {
        self.0.recv().await
    }
}
