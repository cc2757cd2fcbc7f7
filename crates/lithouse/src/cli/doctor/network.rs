// SPDX-License-Identifier: Apache-2.0
//! The address of the server, and the ports of the apps.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use url::Url;

use super::super::address::Address;
use super::super::client::Client;
use super::super::resource::{Health, Server};
use super::Check;
use crate::config::Config;
use crate::serve::gate;

/// How long whoever has the address may take to tell who it is.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn listen(config: &Config) -> Check {
    const NAME: &str = "address";
    let address = config.server.listen;
    if let Err(error) = gate(config) {
        return Check::fail(NAME, error.to_string(), error.hint);
    }
    let error = match TcpListener::bind(address) {
        Ok(_) if address.port() == 0 => return Check::ok(NAME, format!("`{address}`, a port that the system chooses")),
        Ok(_) => return Check::ok(NAME, format!("`{address}` is free")),
        Err(error) => error,
    };
    if error.kind() != ErrorKind::AddrInUse {
        return Check::fail(
            NAME,
            format!("`{address}` cannot be listened on: {error}"),
            "choose another with `--listen ADDR:PORT`",
        );
    }
    if is_lithouse(address).await {
        let data = config.server.data.display();
        if listens_at(config, address).await {
            return Check::ok(NAME, format!("the Lithouse server of `{data}` answers at `{address}`"));
        }
        let fix = "choose another with `--listen ADDR:PORT`, or name that server's folder with `--data DIR`";
        return Check::fail(NAME, format!("a Lithouse server has `{address}`, and not that of `{data}`"), fix);
    }
    let fix =
        format!("choose another with `--listen ADDR:PORT`; `ss -ltnp 'sport = :{}'` tells who has this one", address.port());
    Check::fail(NAME, format!("another program has `{address}`"), fix)
}

/// Whether it is the server of this data folder that has the address.
async fn listens_at(config: &Config, address: SocketAddr) -> bool {
    let socket = Address::Socket(config.server.data.join("control.sock"));
    let Ok(client) = Client::new(socket, None) else { return false };
    let Ok(answer) = client.get_within("/api/server", PATIENCE).await else { return false };
    let listens = answer.as_resource::<Server>().ok().and_then(|server| server.listen.parse::<SocketAddr>().ok());
    listens.is_some_and(|at| {
        let overlap = at.ip() == address.ip() || at.ip().is_unspecified() || address.ip().is_unspecified();
        at.port() == address.port() && overlap
    })
}

/// Whether a server of ours answers there.
async fn is_lithouse(address: SocketAddr) -> bool {
    // Who listens on every address is asked on that of this machine.
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    let url = Url::parse(&format!("http://{}", SocketAddr::new(host, address.port()))).ok();
    let Some(Ok(address)) = url.map(|url| Address::of_url(&url)) else { return false };
    let Ok(client) = Client::new(address, None) else { return false };
    let answer = client.get_within("/health", PATIENCE).await;
    answer.is_ok_and(|answer| answer.as_resource::<Health>().is_ok())
}

pub(super) fn ports(config: &Config) -> Check {
    const NAME: &str = "app ports";
    let range = config.hosting.port_range;
    let all = u32::from(range.last() - range.first()) + 1;
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let free = u32::try_from((range.first()..=range.last()).filter(is_free).count()).unwrap_or(u32::MAX);
    let fix = "choose others with `--port-range FIRST-LAST`";
    match free {
        0 => Check::fail(NAME, format!("none of {range} is free; apps need one each while they run"), fix),
        few if few < all.div_ceil(2) => Check::warn(NAME, format!("{few} of the {all} ports {range} are free"), fix),
        free => Check::ok(NAME, format!("{free} of the {all} ports {range} are free")),
    }
}
