// SPDX-License-Identifier: Apache-2.0
//! Ports for tests that cannot take a listener.
//!
//! They lie below those that the system gives to connections and to listeners without a number, so that nobody happens to get one. A
//! test that has got some has them for itself until its process ends: a UDP socket, which is in nobody's way, tells all others so.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Where they begin: above those that apps get by default, and most that are known for something.
const FIRST: u32 = 10_000;
/// So many are given away together.
const BLOCK: u32 = 20;
/// Where those of connections begin, if the system does not say or leaves no room.
const OF_CONNECTIONS: u32 = 32_768;

/// Held as long as this process lives.
static CLAIMS: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// A port on the loopback that nobody listens on, and that no other test gets.
pub fn free_port() -> u16 {
    free_ports(1)
}

/// The first of so many neighbouring ports on the loopback that nobody listens on, and that no other test gets.
#[expect(clippy::expect_used, reason = "a test without ports cannot go on")]
pub fn free_ports(count: u16) -> u16 {
    static TURN: AtomicU32 = AtomicU32::new(0);
    let blocks = u32::from(count).div_ceil(BLOCK).max(1);
    let places = (first_of_connections() - FIRST) / BLOCK - blocks;
    // Others begin elsewhere, and whom one meets all the same has claimed its ports.
    let begin = std::process::id().wrapping_mul(61).wrapping_add(TURN.fetch_add(blocks, Ordering::Relaxed)) % places;
    (0..places).find_map(|step| claim(FIRST + (begin + step) % places * BLOCK, blocks)).expect("a free port")
}

/// The first port of these blocks, if all of them could be had.
fn claim(first: u32, blocks: u32) -> Option<u16> {
    let port = |number: u32| u16::try_from(number).ok();
    let claims = (0..blocks).map(|block| UdpSocket::bind((Ipv4Addr::LOCALHOST, port(first + block * BLOCK)?)).ok());
    let claims = claims.collect::<Option<Vec<_>>>()?;
    let is_free = |number| port(number).is_some_and(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
    if !(first..first + blocks * BLOCK).all(is_free) {
        return None;
    }
    CLAIMS.lock().unwrap_or_else(PoisonError::into_inner).extend(claims);
    port(first)
}

fn first_of_connections() -> u32 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let first = range.split_whitespace().next().and_then(|first| first.parse().ok());
    first.filter(|first| *first > 2 * FIRST).map_or(OF_CONNECTIONS, |first: u32| first.min(60_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_gets_other_ports_than_all_who_asked_before() {
        let mut given: Vec<u16> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| [free_ports(30), free_port()])).collect();
            asking.into_iter().flat_map(|asking| asking.join().unwrap()).collect()
        });
        for port in &given {
            assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok(), "{port}");
        }
        given.sort_unstable();
        assert!(given.windows(2).all(|pair| pair[1] - pair[0] >= 20), "{given:?}");
    }

    #[test]
    fn ports_that_somebody_listens_on_are_passed_over() {
        let taken = u32::from(free_ports(40));
        let is_of_it = |claim: &UdpSocket| (taken..taken + 40).contains(&u32::from(claim.local_addr().unwrap().port()));
        CLAIMS.lock().unwrap().retain(|claim| !is_of_it(claim));
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, u16::try_from(taken + 25).unwrap())).unwrap();
        assert_eq!(claim(taken, 2), None);
    }
}
