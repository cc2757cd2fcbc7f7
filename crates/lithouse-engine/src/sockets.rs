// SPDX-License-Identifier: Apache-2.0
//! Whose is a listening port? The kernel's tables name the socket, and `/proc/<pid>/fd` names the processes that hold it.
//!
//! An app that opens its port by itself is sent nothing before this has told that the port is its own.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lithouse_core::id::InstanceId;

use crate::keeper;

/// The state of a socket that listens, as `/proc/net/tcp` writes it.
const LISTENING: &str = "0A";

/// Who listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listener {
    /// Nobody.
    Nobody,
    /// Processes of the instance that was asked for, and nobody else.
    Instance,
    /// Somebody else; their name, where they can be seen.
    Stranger(Option<String>),
}

/// Who gets a connection to `127.0.0.1` at this port, seen from an instance and its first process.
///
/// The processes of the instance are those of its session, their descendants, and those that its mark names. It reads much of
/// `/proc` if somebody listens, and blocks meanwhile.
pub(crate) fn listener(port: u16, instance: &InstanceId, pid: u32) -> io::Result<Listener> {
    let sockets = listening(port)?;
    if sockets.is_empty() {
        return Ok(Listener::Nobody);
    }
    let family = keeper::processes_of(instance, pid);
    let held: BTreeSet<u64> = family.iter().flat_map(|pid| sockets_of(*pid)).collect();
    match sockets.difference(&held).next() {
        None => Ok(Listener::Instance),
        Some(foreign) => Ok(Listener::Stranger(holder(*foreign))),
    }
}

/// Who listens on a port, whoever it is: `` `nginx` (pid 7) `` where that can be seen.
pub(crate) fn stranger(port: u16) -> Listener {
    // Without the tables nothing can be known, and then nobody is accused.
    match listening(port).unwrap_or_default().first() {
        None => Listener::Nobody,
        Some(socket) => Listener::Stranger(holder(*socket)),
    }
}

/// The inodes of all sockets that could be given a connection to `127.0.0.1` at this port.
fn listening(port: u16) -> io::Result<BTreeSet<u64>> {
    let mut sockets = listening_in(&std::fs::read_to_string("/proc/net/tcp")?, port);
    // A kernel without IPv6 has no such table.
    sockets.extend(listening_in(&std::fs::read_to_string("/proc/net/tcp6").unwrap_or_default(), port));
    Ok(sockets)
}

fn listening_in(table: &str, port: u16) -> BTreeSet<u64> {
    let lines = table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (address, local_port) = fields.nth(1)?.split_once(':')?;
        let state = fields.nth(1)?;
        let is_it = state == LISTENING && u16::from_str_radix(local_port, 16) == Ok(port) && takes_loopback(address)?;
        // After the state: queues, timer, retransmits, user, time-out.
        is_it.then(|| fields.nth(5)?.parse().ok()).flatten()
    });
    lines.collect()
}

/// Whether a socket bound to this address is given connections to `127.0.0.1`. Each group of eight digits is a number in the
/// machine's own byte order.
fn takes_loopback(digits: &str) -> Option<bool> {
    let group = |at: usize| Some(u32::from_str_radix(digits.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match digits.len() {
        8 => IpAddr::from(group(0)?),
        32 => {
            let groups: Vec<u8> = [group(0)?, group(8)?, group(16)?, group(24)?].concat();
            IpAddr::from(<[u8; 16]>::try_from(groups).ok()?)
        }
        _ => return None,
    };
    Some(ip.to_canonical() == Ipv4Addr::LOCALHOST || ip == Ipv4Addr::UNSPECIFIED || ip == Ipv6Addr::UNSPECIFIED)
}

/// The inodes of the sockets that a process holds, as far as we may look.
fn sockets_of(pid: i32) -> Vec<u64> {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let targets = descriptors.filter_map(|descriptor| std::fs::read_link(descriptor.path()).ok());
    targets.filter_map(|target| target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()).collect()
}

fn holder(socket: u64) -> Option<String> {
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let pid = processes
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .find(|pid| sockets_of(*pid).contains(&socket))?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("`{}` (pid {pid})", name.trim_end()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::process::Command;
    use std::time::Duration;

    use lithouse_testkit::wait_until_blocking;

    use super::*;

    fn instance() -> InstanceId {
        InstanceId::from_bytes([7; 8])
    }

    #[test]
    fn a_listener_of_the_process_itself_is_its_own_and_one_of_another_is_a_strangers() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
            let Ok(held) = TcpListener::bind(address) else { continue };
            let port = held.local_addr().unwrap().port();
            assert_eq!(listener(port, &instance(), std::process::id()).unwrap(), Listener::Instance, "{address}");
            let mut app = Command::new("sleep").arg("60").spawn().unwrap();
            let seen = listener(port, &instance(), app.id());
            app.kill().and_then(|()| app.wait()).unwrap();
            let Listener::Stranger(Some(who)) = seen.unwrap() else { panic!("{address}") };
            assert!(who.ends_with(&format!("(pid {})", std::process::id())), "{who}");
            drop(held);
            // A process that another test is just starting may hold it for a moment longer.
            wait_until_blocking("nobody listens", Duration::from_mins(1), || {
                match listener(port, &instance(), std::process::id()).unwrap() {
                    Listener::Nobody => Ok(()),
                    somebody => Err(somebody),
                }
            });
        }
    }

    #[test]
    fn only_listeners_that_the_loopback_address_reaches_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:2135 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 11 1\n\
            1: 00000000:2135 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 12 1\n\
            2: 0200000A:2135 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 13 1\n\
            3: 0100007F:2135 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  0 0 14 1\n\
            4: 0100007F:2136 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 15 1\n";
        if cfg!(target_endian = "little") {
            assert_eq!(listening_in(table, 0x2135), BTreeSet::from([11, 12]));
        }
    }
}
