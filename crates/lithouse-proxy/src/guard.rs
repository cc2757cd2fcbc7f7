// SPDX-License-Identifier: Apache-2.0
//! Two questions that the server asks of every request, whatever its path: is it meant for us, and does a foreign page send it?
//! Pure: the answers depend on the request and on what we serve, nothing else.

use std::net::IpAddr;

use http::header::{CONNECTION, HOST, HeaderName, ORIGIN, UPGRADE};
use http::{Method, Request};

use crate::client::Scheme;
use crate::headers::hop;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names that this server answers to. Loopback names always belong to it; ports are not looked at, because a tunnel
/// or a container may change them, and a page that rebinds a name to us has that name, not a port, in its requests.
#[derive(Debug, Clone, Default)]
pub struct ServedHosts {
    names: Vec<String>,
    domains: Vec<String>,
    any_address: bool,
    anything: bool,
}

impl ServedHosts {
    /// Loopback alone: `localhost`, `*.localhost`, `127.0.0.0/8` and `::1`.
    pub fn loopback() -> Self {
        Self::default()
    }

    /// Adds a name or an address, as it stands in URLs, without a port.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Self {
        self.names.push(name.trim_end_matches('.').to_ascii_lowercase());
        self
    }

    /// Adds a domain and everything beneath it.
    #[must_use]
    pub fn with_domain(mut self, domain: &str) -> Self {
        self.domains.push(domain.trim_end_matches('.').trim_start_matches('.').to_ascii_lowercase());
        self
    }

    /// Adds every IP address written as one. A page cannot rebind an address, so this is safe for listeners that the network reaches.
    #[must_use]
    pub fn with_any_address(mut self) -> Self {
        self.any_address = true;
        self
    }

    /// Accepts whatever a client says, for operators who check it in front of us.
    #[must_use]
    pub fn with_anything(mut self) -> Self {
        self.anything = true;
        self
    }
}

/// Whether a `Host` (with or without a port) is one that we serve.
pub fn host_is_served(host: &str, served: &ServedHosts) -> bool {
    let Some(name) = name_of(host) else { return false };
    if served.anything {
        return true;
    }
    if let Ok(address) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return served.any_address
            || address.to_canonical().is_loopback()
            || served.names.iter().any(|known| known.trim_matches(['[', ']']).parse() == Ok(address));
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let beneath = |domain: &str| {
        let start = name.len().checked_sub(domain.len());
        start.and_then(|start| name.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(domain))
            && (name.len() == domain.len() || name[..name.len() - domain.len()].ends_with('.'))
    };
    beneath("localhost")
        || served.names.iter().any(|known| known.eq_ignore_ascii_case(name))
        || served.domains.iter().any(|domain| beneath(domain))
}

/// The name in a `Host`, if it is well-formed: no user, no path, a port of digits.
fn name_of(host: &str) -> Option<&str> {
    let (name, port) = if let Some(bracketed) = host.strip_prefix('[') {
        let end = bracketed.find(']')? + 2;
        bracketed[..end - 2].parse::<std::net::Ipv6Addr>().ok()?;
        (&host[..end], &host[end..])
    } else {
        host.split_at(host.find(':').unwrap_or(host.len()))
    };
    let port_is_sound = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.len() <= 5,
        None => port.is_empty(),
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']');
    (!name.is_empty() && port_is_sound && name.bytes().all(allowed)).then_some(name)
}

/// The host that a request names: one `Host` header, and the same in the target where that is absolute.
/// Nothing where these are missing or disagree, since then two programs could read the request differently.
pub fn host_of<B>(request: &Request<B>) -> Option<&str> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().map(|host| host.to_str().ok());
    if hosts.next().is_some() {
        return None;
    }
    match (host, request.uri().authority()) {
        (Some(host), None) => host,
        (Some(host), Some(authority)) => host.filter(|host| host.eq_ignore_ascii_case(authority.as_str())),
        (None, Some(authority)) => Some(authority.as_str()),
        (None, None) => None,
    }
}

/// Whether a page of another origin sends this request, in a way that could change something: a method that is not safe, or the
/// opening of a WebSocket. Programs send neither `Origin` nor `Sec-Fetch-Site`, and pass. `scheme` is what our own pages
/// are loaded with, where that is known for sure.
pub fn origin_is_foreign<B>(request: &Request<B>, scheme: Option<Scheme>) -> bool {
    let headers = request.headers();
    let upgrades = headers.contains_key(UPGRADE) && hop::has_token(headers, &CONNECTION, "upgrade");
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
    if is_safe && !upgrades {
        return false;
    }
    let site_is_foreign = headers.get_all(SEC_FETCH_SITE).iter().any(|site| site != "same-origin" && site != "none");
    let own_host = host_of(request);
    let origin_is_own = |origin: &str| {
        let Some((origin_scheme, origin_host)) = origin.split_once("://") else { return false };
        let known = [Scheme::Http, Scheme::Https].into_iter().find(|known| origin_scheme.eq_ignore_ascii_case(known.as_str()));
        let Some(origin_scheme) = known else { return false };
        scheme.is_none_or(|scheme| scheme == origin_scheme)
            && own_host.is_some_and(|host| same_authority(origin_host, host, origin_scheme.default_port()))
    };
    site_is_foreign || headers.get_all(ORIGIN).iter().any(|origin| !origin.to_str().is_ok_and(origin_is_own))
}

/// Host and port, exactly, where a port that is left out is the scheme's.
fn same_authority(one: &str, other: &str, default_port: u16) -> bool {
    let split = |text: &str| -> Option<(usize, u16)> {
        let name = name_of(text)?.len();
        let port = match text[name..].trim_start_matches(':') {
            "" => default_port,
            digits => digits.parse().ok()?,
        };
        Some((name, port))
    };
    match (split(one), split(other)) {
        (Some((name, port)), Some((other_name, other_port))) => {
            port == other_port && one[..name].eq_ignore_ascii_case(&other[..other_name])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, lines: &[(&str, &str)]) -> Request<()> {
        let mut builder = Request::builder().method(method).uri("/apps/sales/");
        for (name, value) in lines {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap()
    }

    #[test]
    fn loopback_names_are_served_on_any_port() {
        let served = ServedHosts::loopback();
        for host in [
            "localhost",
            "localhost:8080",
            "LOCALHOST:1",
            "sales.localhost:8080",
            "127.0.0.1:8080",
            "127.1.2.3",
            "[::1]:8080",
            "localhost.",
        ] {
            assert!(host_is_served(host, &served), "{host}");
        }
    }

    #[test]
    fn names_that_could_be_rebound_are_not_served() {
        let served = ServedHosts::loopback();
        for host in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "evillocalhost",
            "127.0.0.1.evil.example",
            "192.168.1.5",
            "[2001:db8::1]",
            "[::1",
            "[::1]x",
            "user@localhost",
            "localhost:80:80",
            "localhost:http",
            "localhost/evil",
            "0x7f000001",
            "localhost evil",
        ] {
            assert!(!host_is_served(host, &served), "{host}");
        }
    }

    #[test]
    fn configured_names_domains_and_addresses_are_served() {
        let served = ServedHosts::loopback().with_name("Lit.example").with_domain("apps.example.com").with_name("192.168.1.5");
        for host in ["lit.example:8443", "LIT.EXAMPLE.", "apps.example.com", "sales.apps.example.com:80", "192.168.1.5:8080"] {
            assert!(host_is_served(host, &served), "{host}");
        }
        for host in ["x.lit.example", "xapps.example.com", "192.168.1.6"] {
            assert!(!host_is_served(host, &served), "{host}");
        }
        let open = ServedHosts::loopback().with_any_address();
        assert!(host_is_served("192.168.1.6:8080", &open) && host_is_served("[2001:db8::1]", &open));
        assert!(!host_is_served("lit.example", &open));
        assert!(host_is_served("lit.example", &ServedHosts::loopback().with_anything()));
        assert!(!host_is_served("a b", &ServedHosts::loopback().with_anything()));
    }

    #[test]
    fn a_request_names_one_host() {
        assert_eq!(host_of(&request("GET", &[("host", "a:1")])), Some("a:1"));
        assert_eq!(host_of(&request("GET", &[("host", "a"), ("host", "b")])), None);
        assert_eq!(host_of(&request("GET", &[])), None);
        let absolute = |host: &str| Request::get("http://a:1/x").header("host", host).body(()).unwrap();
        assert_eq!(host_of(&absolute("A:1")), Some("A:1"));
        assert_eq!(host_of(&absolute("b")), None);
    }

    #[test]
    fn programs_that_send_no_origin_pass() {
        assert!(!origin_is_foreign(&request("POST", &[("host", "a:1")]), None));
        assert!(!origin_is_foreign(
            &request("GET", &[("host", "a:1"), ("connection", "upgrade"), ("upgrade", "websocket")]),
            None
        ));
    }

    #[test]
    fn own_pages_may_change_things() {
        for (host, origin) in [
            ("a:1", "http://a:1"),
            ("A:1", "https://a:1"),
            ("a", "http://a"),
            ("a:80", "http://a"),
            ("[::1]:1", "http://[::1]:1"),
        ] {
            let request = request("POST", &[("host", host), ("origin", origin), ("sec-fetch-site", "same-origin")]);
            assert!(!origin_is_foreign(&request, None), "{host} {origin}");
        }
    }

    #[test]
    fn pages_of_others_may_not() {
        for origin in [
            "http://evil.example",
            "http://a:2",
            "http://a",
            "null",
            "",
            "http://a:1.evil.example",
            "http://x@a:1",
            "file://a:1",
            "http://a:1/x",
        ] {
            for method in ["POST", "PUT", "DELETE", "PATCH", "CONNECT", "WHATEVER"] {
                assert!(origin_is_foreign(&request(method, &[("host", "a:1"), ("origin", origin)]), None), "{method} {origin}");
            }
            let socket = [("host", "a:1"), ("origin", origin), ("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
            assert!(origin_is_foreign(&request("GET", &socket), None), "{origin}");
            assert!(!origin_is_foreign(&request("GET", &[("host", "a:1"), ("origin", origin)]), None), "{origin}");
        }
        for site in ["cross-site", "same-site", "surprise"] {
            assert!(origin_is_foreign(&request("POST", &[("host", "a:1"), ("sec-fetch-site", site)]), None), "{site}");
        }
        assert!(!origin_is_foreign(&request("POST", &[("host", "a:1"), ("sec-fetch-site", "none")]), None));
        assert!(origin_is_foreign(&request("POST", &[("host", "a:1"), ("origin", "http://a:1"), ("origin", "http://b")]), None));
    }

    #[test]
    fn the_scheme_counts_where_it_is_known() {
        let request = request("POST", &[("host", "a"), ("origin", "http://a")]);
        assert!(!origin_is_foreign(&request, Some(Scheme::Http)));
        assert!(origin_is_foreign(&request, Some(Scheme::Https)));
    }
}
