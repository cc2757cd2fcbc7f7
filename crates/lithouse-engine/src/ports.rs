// SPDX-License-Identifier: Apache-2.0
//! Which ports of the range are given out. The keeper binds them; this only keeps two apps from being given the same one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lithouse_core::id::AppId;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use tokio::sync::Notify;

use crate::sockets::{self, Listener};

/// No port of the range can be had.
#[derive(Debug, thiserror::Error)]
#[error("no port of the range {first}-{last} is free for one more app")]
pub struct NoFreePort {
    /// The first port of the range.
    pub first: u16,
    /// The last port of the range.
    pub last: u16,
}

/// A port that an app must have and cannot get.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PortInUse {
    /// Another process of ours has it.
    #[error(
        "port {0} is in use by another app of this server; restart that app, which gives it back, or give this one another port"
    )]
    Ours(u16),
    /// Somebody else has it.
    #[error("port {port} is in use by {by}; end that program and `lithouse refresh`, or give the app another port")]
    Foreign {
        /// The port.
        port: u16,
        /// Who has it, as far as can be seen.
        by: String,
    },
}

/// The range and what is taken of it.
#[derive(Debug, Clone)]
pub(crate) struct Ports {
    range: RangeInclusive<u16>,
    book: Arc<Mutex<Book>>,
    /// Told when a port comes back.
    given_back: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Book {
    /// The ports of processes.
    taken: BTreeSet<u16>,
    /// The ports that were fixed for apps, whether they run or not.
    fixed: BTreeMap<AppId, u16>,
}

/// One port, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    book: Arc<Mutex<Book>>,
    given_back: Arc<Notify>,
}

impl Ports {
    /// A range of which nothing is taken.
    pub(crate) fn new(range: RangeInclusive<u16>) -> Self {
        Self { range, book: Arc::default(), given_back: Arc::default() }
    }

    /// Takes the first port that nobody of ours has, that is fixed for nobody, and that can be bound at this moment.
    pub(crate) fn take(&self) -> Result<Port, NoFreePort> {
        let mut book = lock(&self.book);
        let is_free =
            |port: &u16| !book.taken.contains(port) && !book.fixed.values().any(|fixed| fixed == port) && can_be_bound(*port);
        let number = self.range.clone().find(is_free);
        let number = number.ok_or(NoFreePort { first: *self.range.start(), last: *self.range.end() })?;
        book.taken.insert(number);
        Ok(self.given(number))
    }

    /// Takes the port that is fixed for an app.
    pub(crate) fn take_fixed(&self, number: u16) -> Result<Port, PortInUse> {
        let mut book = lock(&self.book);
        if book.taken.contains(&number) {
            return Err(PortInUse::Ours(number));
        }
        if !can_be_bound(number) {
            return Err(PortInUse::foreign(number));
        }
        book.taken.insert(number);
        Ok(self.given(number))
    }

    /// Takes a port that a process of ours holds already.
    pub(crate) fn adopt(&self, number: u16) -> Port {
        lock(&self.book).taken.insert(number);
        self.given(number)
    }

    /// Keeps a port for an app from now on, whether it runs or not; none for an app that takes what it gets.
    pub(crate) fn fix(&self, app: &AppId, port: Option<u16>) {
        let fixed = &mut lock(&self.book).fixed;
        match port {
            Some(port) => fixed.insert(app.clone(), port),
            None => fixed.remove(app),
        };
    }

    /// Comes when no process of ours has the port any more.
    pub(crate) async fn given_back(&self, number: u16) {
        loop {
            // Asked for first: what comes back between the look and the waiting is told too.
            let given_back = self.given_back.notified();
            if !lock(&self.book).taken.contains(&number) {
                return;
            }
            given_back.await;
        }
    }

    fn given(&self, number: u16) -> Port {
        Port { number, book: Arc::clone(&self.book), given_back: Arc::clone(&self.given_back) }
    }
}

impl PortInUse {
    /// A port that nobody of ours has and that cannot be bound.
    pub(crate) fn foreign(port: u16) -> Self {
        let by = match sockets::stranger(port) {
            Listener::Stranger(Some(by)) => by,
            // A port below 1024 may be nobody's, and yet not ours to bind.
            Listener::Nobody if port < 1024 => "the system, which keeps it for privileged users".to_owned(),
            Listener::Stranger(None) | Listener::Nobody | Listener::Instance => "another program".to_owned(),
        };
        Self::Foreign { port, by }
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

fn can_be_bound(port: u16) -> bool {
    bound(port).is_ok()
}

/// Bound as the keeper will bind it, and listening at no time: a process that is just being started holds whatever is open here for a
/// moment longer, and would keep the keeper from the port.
fn bound(port: u16) -> rustix::io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket)
}

impl Port {
    /// Its number.
    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// Where an app with this port listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        lock(&self.book).taken.remove(&self.number);
        self.given_back.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_was_bound_to_look_keeps_nobody_from_the_port() {
        let port = lithouse_testkit::free_port();
        let Ok(_held_by_a_child) = bound(port) else { return };
        assert!(can_be_bound(port));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(!can_be_bound(port), "somebody listens");
        drop(listener);
    }

    #[test]
    fn a_port_is_given_once_until_it_comes_back_and_foreign_ports_are_passed_over() {
        let foreign = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let held = foreign.local_addr().unwrap().port();
        let Some(next) = held.checked_add(1) else { return };
        let ports = Ports::new(held..=next);
        // The port after it may be in use by somebody else at this moment, which is the same to us.
        let Ok(first) = ports.take() else { return };
        assert_eq!(first.number(), next);
        let full = ports.take().unwrap_err();
        assert_eq!(full.to_string(), format!("no port of the range {held}-{next} is free for one more app"));
        drop(first);
        let app = AppId::from_bytes([1; 8]);
        ports.fix(&app, Some(next));
        assert!(ports.take().is_err(), "it is kept for the app");
        let fixed = ports.take_fixed(next).unwrap();
        assert_eq!(ports.take_fixed(next).unwrap_err(), PortInUse::Ours(next));
        drop(fixed);
        ports.fix(&app, None);
        assert!(ports.take().is_ok());
        let who = ports.take_fixed(held).unwrap_err().to_string();
        assert!(who.contains(&format!("(pid {})", std::process::id())), "{who}");
    }

    #[tokio::test]
    async fn who_waits_for_a_port_gets_it_once_it_comes_back() {
        let ports = Ports::new(1..=1);
        ports.given_back(7).await;
        let (held, other) = (ports.adopt(7), ports.adopt(8));
        let waiting = tokio::spawn({
            let ports = ports.clone();
            async move { ports.given_back(7).await }
        });
        tokio::task::yield_now().await;
        drop(other);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        waiting.await.unwrap();
    }
}
