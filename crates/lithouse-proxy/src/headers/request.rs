// SPDX-License-Identifier: Apache-2.0
//! What an app is told about a request.

use http::HeaderMap;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};

use super::{cookie, hop, identity};
use crate::client::ClientContext;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Turns a client's headers into those for the app. `prefix` is the app's path without the last slash.
pub(crate) fn prepare(headers: &mut HeaderMap, context: &ClientContext, prefix: &str, upgrade: Option<&HeaderValue>) {
    let chunked = headers.contains_key(TRANSFER_ENCODING);
    let trailers = hop::has_token(headers, &TE, "trailers");
    hop::strip(headers, |name| {
        hop::is_hop(name)
            || identity::is_ours_to_say(name)
            // The server answers the expectation itself as soon as the body is read.
            || name == "expect"
            || (context.drop_authorization && name == "authorization")
    });
    cookie::strip(headers);
    if chunked {
        // Said explicitly, because the body of a `GET` would be left out otherwise.
        headers.remove(CONTENT_LENGTH);
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol.clone());
    }
    forward(headers, context, prefix);
    for (name, value) in &context.headers {
        headers.insert(name, value.clone());
    }
}

fn forward(headers: &mut HeaderMap, context: &ClientContext, prefix: &str) {
    let host = context.public_host.as_ref().or_else(|| headers.get(HOST)).cloned();
    let host = host.unwrap_or(HeaderValue::from_static("localhost"));
    headers.insert(X_FORWARDED_PORT, port(&host, context));
    headers.insert(X_FORWARDED_HOST, host);
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(context.scheme.as_str()));
    headers.insert(X_FORWARDED_FOR, context.peer_text.clone());
    headers.insert(X_REAL_IP, context.peer_text.clone());
    // Prefixes are made of the names of apps, which are valid; one that is not is simply not told.
    if let Ok(prefix) = HeaderValue::from_str(prefix) {
        headers.insert(X_FORWARDED_PREFIX, prefix);
    }
}

fn port(host: &HeaderValue, context: &ClientContext) -> HeaderValue {
    let written = host.to_str().ok().and_then(|host| host.rsplit_once(':')).and_then(|(_, port)| port.parse::<u16>().ok());
    HeaderValue::from(written.unwrap_or(context.scheme.default_port()))
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;

    use super::*;
    use crate::client::Scheme;

    fn prepared(lines: &[(&str, &str)], change: impl FnOnce(&mut ClientContext)) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let mut context = ClientContext::new("203.0.113.9:4711".parse().unwrap(), Scheme::Https);
        change(&mut context);
        prepare(&mut headers, &context, "/apps/sales", None);
        headers
    }

    #[test]
    fn the_app_learns_who_asked_and_how_from_us_alone() {
        let headers = prepared(
            &[
                ("host", "lit.example:8443"),
                ("x-forwarded-for", "10.0.0.1"),
                ("x-forwarded-for", "10.0.0.2"),
                ("x-forwarded-proto", "http"),
                ("forwarded", "for=10.0.0.1"),
                ("x-forwarded-user", "root"),
                ("x_forwarded_prefix", "/evil"),
            ],
            |_| {},
        );
        let mut told: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        told.sort();
        assert_eq!(
            told,
            [
                "host: lit.example:8443",
                "x-forwarded-for: 203.0.113.9",
                "x-forwarded-host: lit.example:8443",
                "x-forwarded-port: 8443",
                "x-forwarded-prefix: /apps/sales",
                "x-forwarded-proto: https",
                "x-real-ip: 203.0.113.9",
            ]
        );
    }

    #[test]
    fn identity_of_the_servers_own_making_passes() {
        let headers = prepared(&[("host", "a"), ("x-forwarded-user", "root")], |context| {
            context.headers.push((HeaderName::from_static("x-forwarded-user"), HeaderValue::from_static("ada")));
        });
        assert_eq!(headers.get_all("x-forwarded-user").iter().collect::<Vec<_>>(), ["ada"]);
        assert_eq!(headers["x-forwarded-port"], "443");
    }

    #[test]
    fn authorization_passes_unless_it_was_for_the_server() {
        let lines = [("host", "a"), ("authorization", "Basic eDp5")];
        assert!(prepared(&lines, |_| {}).contains_key(AUTHORIZATION));
        assert!(!prepared(&lines, |context| context.drop_authorization = true).contains_key(AUTHORIZATION));
    }

    #[test]
    fn a_length_beside_chunks_is_a_lie() {
        let headers = prepared(&[("host", "a"), ("content-length", "3"), ("transfer-encoding", "chunked")], |_| {});
        assert!(!headers.contains_key(CONTENT_LENGTH));
        assert_eq!(headers[TRANSFER_ENCODING], "chunked");
    }

    #[test]
    fn an_ipv6_client_is_told_as_an_address_and_a_mapped_one_as_ipv4() {
        let told = |peer: &str| ClientContext::new(peer.parse().unwrap(), Scheme::Http).peer_text;
        assert_eq!(told("[2001:db8::1]:1"), "2001:db8::1");
        assert_eq!(told("[::ffff:203.0.113.9]:1"), "203.0.113.9");
    }
}
