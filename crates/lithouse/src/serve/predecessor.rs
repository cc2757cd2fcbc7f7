// SPDX-License-Identifier: Apache-2.0
//! The successor's side of a replacement: looks at everything, takes it over, and says when it serves.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use anyhow::{Context, bail};
use lithouse_engine::home::Home;
use lithouse_engine::store::Store;
use tokio::net::{TcpListener, UnixListener};

use super::lock::Lock;
use super::talk::{PROTOCOL, Talk, Word};
use crate::config::Config;
use crate::server::Doors;

/// Tells a server that it takes the place of the one on the other side of its standard input.
pub(super) const VARIABLE: &str = "LITHOUSE_SUCCESSOR";
/// How many servers may still carry connections of theirs.
const MOST_ELDERS: usize = 4;

/// The server whose place is taken.
#[derive(Debug)]
pub(super) struct Predecessor {
    talk: Talk,
    data: PathBuf,
    listen: SocketAddr,
    doors: Doors,
    stderr: OwnedFd,
    elders: Vec<Talk>,
}

impl Predecessor {
    /// The one that has started this process, if one has.
    pub(super) async fn of_this_process() -> anyhow::Result<Option<Self>> {
        if std::env::var_os(VARIABLE).is_none() {
            return Ok(None);
        }
        let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).context("could not take standard input")?;
        let nothing = std::fs::File::open("/dev/null").context("could not open `/dev/null`")?;
        rustix::stdio::dup2_stdin(&nothing).context("could not let go of standard input")?;
        let talk = Talk::over(socket).context("could not speak to the server whose place is to be taken")?;
        let Some((Word::Offer { protocol: PROTOCOL, data, listen }, descriptors)) = talk.hear().await? else {
            bail!(
                "the server that runs does not hand over in a way that this version knows\nhint: `lithouse stop`, then `lithouse start`"
            )
        };
        let mut descriptors = descriptors.into_iter();
        let (Some(listener), Some(control), Some(stderr)) = (descriptors.next(), descriptors.next(), descriptors.next()) else {
            bail!("the server that runs handed over too little")
        };
        let doors = Doors {
            listener: TcpListener::from_std(listener.into()).context("could not use the listener")?,
            control: UnixListener::from_std(control.into()).context("could not use the control socket")?,
        };
        let elders = descriptors.map(Talk::over).collect::<io::Result<_>>()?;
        Ok(Some(Self { talk, data, listen, doors, stderr, elders }))
    }

    /// Looks at everything, and takes it over when it was given up.
    pub(super) async fn take_over(mut self, config: &Config, home: &Home) -> anyhow::Result<(Lock, Doors, Taken)> {
        if home.root() != self.data {
            bail!(
                "the data folder is `{}` now, and was `{}`: that needs another start\nhint: `lithouse stop`, then `lithouse start`",
                home.root().display(),
                self.data.display()
            );
        }
        Store::examine(&home.database()).await.map_err(anyhow::Error::new)?;
        if !is_same_place(config.server.listen, self.listen, self.doors.listener.local_addr()?) {
            self.doors.listener = super::bind(config.server.listen).await?;
        }
        // A listener that a service manager has opened may be reached by others than the configured one.
        let mut config = config.clone();
        config.server.listen = self.doors.listener.local_addr()?;
        super::gate(&config)?;
        self.talk.say(&Word::Ready { pid: std::process::id(), version: env!("CARGO_PKG_VERSION").to_owned() }, &[]).await?;
        let Some((Word::Yours, mut descriptors)) = self.talk.hear().await? else { bail!("the server that runs goes on") };
        let lock = descriptors.pop().context("the server that runs handed over no lock")?;
        // What is said from now on is the server's.
        rustix::stdio::dup2_stderr(&self.stderr).context("could not take standard error")?;
        Ok((Lock::handed(lock), self.doors, Taken { talk: self.talk, elders: self.elders }))
    }
}

/// Whether the same listener is meant. One that the system chose stays for as long as it is left to the system.
fn is_same_place(wanted: SocketAddr, asked_before: SocketAddr, listens: SocketAddr) -> bool {
    wanted == asked_before || wanted == listens || (wanted.port() == 0 && wanted.ip() == listens.ip())
}

/// What was taken over, up to the word that says so.
#[derive(Debug)]
pub(super) struct Taken {
    talk: Talk,
    elders: Vec<Talk>,
}

impl Taken {
    /// Says that we serve. Answers with the servers that still carry connections of theirs.
    pub(super) async fn serving(mut self) -> Vec<Talk> {
        // One that is gone needs no telling.
        let _ = self.talk.say(&Word::Serving, &[]).await;
        self.elders.push(self.talk);
        prune(&mut self.elders).await;
        self.elders
    }
}

/// Forgets those that are gone, and ends the eldest where there are too many.
pub(super) async fn prune(elders: &mut Vec<Talk>) {
    elders.retain(|elder| !elder.is_over());
    while elders.len() > MOST_ELDERS {
        end(&elders.remove(0)).await;
    }
}

/// Lets a server that still carries connections end.
pub(super) async fn end(elder: &Talk) {
    // One that is gone needs no telling.
    let _ = elder.say(&Word::End, &[]).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listener_stays_unless_another_place_is_asked_for() {
        let at = |text: &str| text.parse().unwrap();
        let chosen = at("127.0.0.1:43210");
        assert!(is_same_place(at("127.0.0.1:0"), at("127.0.0.1:0"), chosen));
        assert!(is_same_place(at("127.0.0.1:43210"), at("127.0.0.1:0"), chosen));
        assert!(is_same_place(at("127.0.0.1:0"), at("127.0.0.1:43210"), chosen));
        assert!(!is_same_place(at("127.0.0.1:8080"), at("127.0.0.1:0"), chosen));
        assert!(!is_same_place(at("127.0.0.2:0"), at("127.0.0.1:0"), chosen));
    }
}
