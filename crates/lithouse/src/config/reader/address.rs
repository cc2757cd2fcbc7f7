// SPDX-License-Identifier: Apache-2.0
//! Addresses: where to listen, what links begin with, and ports by themselves.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value as Json;
use url::Url;

use super::{Reader, Wrong};
use crate::config::file::{Node, NodeKind};
use crate::config::layers::Scope;

/// An address to listen on.
pub(in crate::config) struct Address;

impl Reader for Address {
    type Value = SocketAddr;

    fn expected() -> String {
        "an address to listen on is `ADDR:PORT`, an IP address or `localhost` with a port from 0 to 65535".to_owned()
    }

    fn example() -> &'static str {
        "127.0.0.1:8080"
    }

    fn of_text(text: &str) -> Result<SocketAddr, Wrong> {
        let local = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        local.as_deref().unwrap_or(text).parse().map_err(|_| Wrong::Form)
    }

    fn show(value: &SocketAddr) -> Json {
        value.to_string().into()
    }

    /// `PORT` is what platforms hand to what they run. Their own proxy comes from outside, so it means every address.
    fn of_variable(name: &str, words: &OsStr) -> Result<SocketAddr, Wrong> {
        if name != "PORT" {
            return Self::of_words(words);
        }
        let port = words.to_str().and_then(|text| text.trim().parse().ok());
        let port = port.ok_or_else(|| not_a_port("such as `8080`; `LITHOUSE_LISTEN` goes before it"))?;
        Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
    }

    fn of_node(node: &Node, scope: &mut Scope<'_>) -> Result<SocketAddr, Wrong> {
        match &node.kind {
            // The older shape knows a port alone, which was always one of this machine.
            NodeKind::Integer(port @ 0..=65535) if scope.is_older_shape() => Self::of_text(&format!("127.0.0.1:{port}")),
            _ if scope.is_older_shape() => Err(not_a_port("such as `5000`")),
            NodeKind::Text(text) => Self::of_text(text),
            NodeKind::Integer(port) => Err(Wrong::Because {
                problem: Self::expected(),
                hint: format!("such as `\"127.0.0.1:{port}\"`, for this machine alone"),
            }),
            _ => Err(Wrong::Form),
        }
    }
}

fn not_a_port(hint: &str) -> Wrong {
    Wrong::Because { problem: "a port is a number from 0 to 65535".to_owned(), hint: hint.to_owned() }
}

/// What every link begins with.
pub(in crate::config) struct Base;

impl Reader for Base {
    type Value = Url;

    fn expected() -> String {
        "a base for links is an `http` or `https` address without name, password, query or fragment".to_owned()
    }

    fn example() -> &'static str {
        "https://apps.example.com"
    }

    fn of_text(text: &str) -> Result<Url, Wrong> {
        let url = Url::parse(text).map_err(|_| Wrong::Form)?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        if is_web && is_plain { Ok(url) } else { Err(Wrong::Form) }
    }

    fn show(value: &Url) -> Json {
        value.as_str().into()
    }
}

/// One port that is somebody's own.
pub(in crate::config) struct Port;

impl Reader for Port {
    type Value = u16;

    fn expected() -> String {
        "a port is a number from 1 to 65535".to_owned()
    }

    fn example() -> &'static str {
        "8501"
    }

    fn of_text(text: &str) -> Result<u16, Wrong> {
        text.trim().parse().ok().filter(|port| *port > 0).ok_or(Wrong::Form)
    }

    fn show(value: &u16) -> Json {
        (*value).into()
    }

    fn of_node(node: &Node, _scope: &mut Scope<'_>) -> Result<u16, Wrong> {
        match node.kind {
            NodeKind::Integer(number) => u16::try_from(number).ok().filter(|port| *port > 0).ok_or(Wrong::Form),
            _ => Err(Wrong::Form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_ip_address_or_localhost_with_a_port() {
        for (text, read) in [("[::]:9000", "[::]:9000"), ("localhost:1", "127.0.0.1:1"), ("0.0.0.0:0", "0.0.0.0:0")] {
            assert_eq!(Address::of_text(text).unwrap().to_string(), read);
        }
        for wrong in ["", "8080", ":8080", "apps.example.com:80", "127.0.0.1", "127.0.0.1:65536", "localhost:http"] {
            assert_eq!(Address::of_text(wrong), Err(Wrong::Form), "{wrong}");
        }
    }

    #[test]
    fn the_variable_port_means_every_address() {
        let read = |name, text: &str| Address::of_variable(name, text.as_ref());
        assert_eq!(read("PORT", " 5000 ").unwrap().to_string(), "0.0.0.0:5000");
        assert_eq!(read("LITHOUSE_LISTEN", "[::1]:5000").unwrap().to_string(), "[::1]:5000");
        for wrong in ["http", "70000", "-1", "127.0.0.1:5000"] {
            assert!(matches!(read("PORT", wrong), Err(Wrong::Because { .. })), "{wrong}");
        }
    }

    #[test]
    fn a_base_is_a_web_address_without_anything_behind_its_path() {
        assert_eq!(Base::of_text("https://apps.example.com/team/").unwrap().as_str(), "https://apps.example.com/team/");
        for wrong in ["apps.example.com", "https://a/?b", "https://a/#b", "https://me@a", "ftp://a", "http://"] {
            assert_eq!(Base::of_text(wrong), Err(Wrong::Form), "{wrong}");
        }
    }

    #[test]
    fn a_port_of_an_app_is_never_0() {
        assert_eq!(Port::of_text("65535"), Ok(65535));
        for wrong in ["0", "65536", "", "x"] {
            assert_eq!(Port::of_text(wrong), Err(Wrong::Form), "{wrong}");
        }
    }
}
