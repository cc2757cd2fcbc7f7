// SPDX-License-Identifier: Apache-2.0
//! The address of the server, and the ports of the apps.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use url::Url;

use super::super::address::Address;
use super::super::client::Client;
use super::super::resource::Health;
use super::Check;
use crate::config::Config;

/// How long whoever has the address may take to tell who it is.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn listen(config: &Config) -> Check {
    const NAME: &str = "address";
    let address = config.server.listen;
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
        return Check::ok(NAME, format!("a Lithouse server answers at `{address}`"));
    }
    let fix =
        format!("choose another with `--listen ADDR:PORT`; `ss -ltnp 'sport = :{}'` tells who has this one", address.port());
    Check::fail(NAME, format!("another program has `{address}`"), fix)
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
