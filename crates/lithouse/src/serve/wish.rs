// SPDX-License-Identifier: Apache-2.0
//! What people want of the server itself. The API takes it down, and the server's own loop does it.

use tokio::sync::mpsc;

/// One wish.
#[derive(Debug)]
pub(super) enum Wish {
    /// End, with all apps.
    Stop,
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
}
