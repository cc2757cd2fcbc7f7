// SPDX-License-Identifier: Apache-2.0
//! Which ports of the range are given out. The keeper binds them; this only keeps two apps from being given the same one.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

/// No port of the range can be had.
#[derive(Debug, thiserror::Error)]
#[error("no port of the range {first}-{last} is free for one more app")]
pub struct NoFreePort {
    /// The first port of the range.
    pub first: u16,
    /// The last port of the range.
    pub last: u16,
}

/// The range and what is taken of it.
#[derive(Debug, Clone)]
pub(crate) struct Ports {
    range: RangeInclusive<u16>,
    taken: Arc<Mutex<BTreeSet<u16>>>,
}

/// One port, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    taken: Arc<Mutex<BTreeSet<u16>>>,
}

impl Ports {
    /// A range of which nothing is taken.
    pub(crate) fn new(range: RangeInclusive<u16>) -> Self {
        Self { range, taken: Arc::default() }
    }

    /// Takes the first port that nobody of ours has and that can be bound at this moment.
    pub(crate) fn take(&self) -> Result<Port, NoFreePort> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.range.clone().find(|port| !taken.contains(port) && can_be_bound(*port));
        let number = number.ok_or(NoFreePort { first: *self.range.start(), last: *self.range.end() })?;
        taken.insert(number);
        Ok(Port { number, taken: Arc::clone(&self.taken) })
    }

    /// Takes a port that a process of ours holds already.
    pub(crate) fn adopt(&self, number: u16) -> Port {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
        Port { number, taken: Arc::clone(&self.taken) }
    }
}

fn can_be_bound(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
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
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(ports.take().is_ok());
    }
}
