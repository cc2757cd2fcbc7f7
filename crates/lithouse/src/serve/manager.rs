// SPDX-License-Identifier: Apache-2.0
//! The service manager: the listener that it may have opened for us, and what it wants to be told.

use std::net::TcpListener;

use anyhow::Context;
use listenfd::ListenFd;
use sd_notify::NotifyState;

/// The listener that a service manager (or whatever speaks as systemd does) has opened for this process, if one has.
pub(super) fn listener() -> anyhow::Result<Option<TcpListener>> {
    let listener = ListenFd::from_env().take_tcp_listener(0).context("the first socket of `LISTEN_FDS` is no TCP listener")?;
    if let Some(listener) = &listener {
        // It is ours alone: a build or the keeper would keep the port.
        rustix::io::fcntl_setfd(listener, rustix::io::FdFlags::CLOEXEC).context("could not keep the listener to ourselves")?;
        listener.set_nonblocking(true).context("could not use the listener")?;
    }
    Ok(listener)
}

/// Tells that this process serves now, also in the place of another one.
pub(super) fn told_ready() {
    tell(&[NotifyState::Ready, NotifyState::MainPid(std::process::id())]);
}

/// Tells that the server ends.
pub(super) fn told_stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(what: &[NotifyState<'_>]) {
    // Without a manager nothing is told, and one that does not listen does not need it.
    if let Err(error) = sd_notify::notify(what) {
        tracing::warn!(error = %error, "the service manager could not be told");
    }
}
