// SPDX-License-Identifier: Apache-2.0
//! Who drives a connection while the body of its answer is read.

use std::sync::Arc;
use std::task::Context;

use lithouse_core::route::{AppRoute, Target};
use tokio::task::AbortHandle;

use super::link::Link;
use super::pool::Pool;

/// The connection behind an answer's body.
pub(crate) enum Carrier {
    /// The reader of the body drives it, and gives it back when the body is over.
    Reader {
        /// The connection.
        link: Box<Link>,
        /// Where it goes afterwards.
        pool: Arc<Pool>,
        /// Whose it is.
        route: Arc<AppRoute>,
    },
    /// A task drives it, because the request's body is still on its way: were it to move only while the answer is read, an
    /// app and a client that each wait for the other to read would wait for ever.
    Task {
        /// Held until the body is dropped.
        _task: Aborted,
    },
    /// It is over, or was given back.
    None,
}

/// A task that ends with its owner.
pub(crate) struct Aborted(AbortHandle);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Carrier {
    /// Lets a task drive the connection.
    pub(crate) fn task(link: Box<Link>) -> Self {
        Self::Task { _task: Aborted(tokio::spawn(link.drive_to_end()).abort_handle()) }
    }

    /// Lets the connection work.
    pub(crate) fn drive(&mut self, context: &mut Context<'_>) {
        match self {
            Self::Reader { link, .. } => link.drive(context),
            Self::Task { .. } | Self::None => {}
        }
    }

    /// The body is over: the connection may serve another request, if it is fit for one.
    pub(crate) fn delivered(&mut self) {
        if let Self::Reader { link, pool, route } = std::mem::replace(self, Self::None)
            && link.is_idle()
            && let Target::Up(upstream, _) = &route.target
        {
            pool.put(upstream, link);
        }
    }
}
