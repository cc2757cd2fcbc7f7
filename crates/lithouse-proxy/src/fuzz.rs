// SPDX-License-Identifier: Apache-2.0
//! What holds of every request and every answer that passes. `cargo fuzz` looks for one of which it does not; the tests replay what
//! it found.
#![expect(clippy::expect_used, reason = "a target fails by panicking, and what it works with must be there")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, COOKIE, HOST, HeaderName, HeaderValue, LOCATION, ORIGIN, SET_COOKIE, TRANSFER_ENCODING,
};
use http::{HeaderMap, Method, Request, Uri};
use lithouse_core::route::{PathPrefix, Upstream};

use crate::client::{ClientContext, Scheme};
use crate::guard::{ServedHosts, host_is_served, host_of, origin_is_foreign};
use crate::headers::location::Place;
use crate::headers::{hop, request, response};
use crate::path::{AppPath, prefix_of, target};

const CANONICAL: &str = "sales";
/// What browsers pass over around an attribute of a cookie.
const BLANKS: [char; 2] = [' ', '\t'];

/// Passes a request on, and an answer back. The input is text: a line of method and target, lines of headers, an empty line, and the
/// headers of the answer.
pub fn routing(input: &[u8]) {
    let end = input.windows(2).position(|two| two == b"\n\n").unwrap_or(input.len());
    let (asked, answered) = (&input[..end], input.get(end + 2..).unwrap_or_default());
    let mut lines = asked.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let (method, place) = first.split_at(first.iter().position(|byte| *byte == b' ').unwrap_or(first.len()));
    let Ok(method) = Method::from_bytes(method) else { return };
    let Ok(uri) = Uri::try_from(place.trim_ascii()) else { return };
    let headers = headers(lines);
    hosts(&headers);
    origins(&method, &uri, &headers);
    for prefix in [PathPrefix::Keep, PathPrefix::Strip] {
        path(&uri, prefix);
        onward(&headers, prefix);
        back(answered, &headers, prefix);
    }
}

fn headers<'a>(lines: impl Iterator<Item = &'a [u8]>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

/// The path for the app stays a path, under the app's name or without any, and nothing of it is changed.
fn path(uri: &Uri, prefix: PathPrefix) {
    let sent = target(uri.clone(), CANONICAL, prefix);
    let Some(asked) = AppPath::of(uri.path()) else { return assert_eq!(sent.ok().as_ref(), Some(uri)) };
    assert!(!asked.name.contains('/') && (asked.rest.is_empty() || asked.rest.starts_with('/')), "{asked:?}");
    // What is no target for the app is refused.
    let Ok(sent) = sent else { return };
    assert_eq!((sent.authority(), sent.scheme()), (None, None), "{sent}");
    assert!(sent.path().starts_with('/'), "{sent}");
    assert_eq!(sent.query(), uri.query());
    let rest = if asked.rest.is_empty() { "/" } else { asked.rest };
    match prefix {
        // Under its own name it goes as it came.
        PathPrefix::Keep if asked.name == CANONICAL && asked.rest.is_empty() => {}
        PathPrefix::Keep => assert_eq!(sent.path(), format!("{}{rest}", prefix_of(CANONICAL))),
        PathPrefix::Strip => assert_eq!(sent.path(), rest),
    }
}

/// Who serves loopback alone serves no other name, however it is written.
fn hosts(headers: &HeaderMap) {
    for host in headers.get_all(HOST).iter().filter_map(|host| host.to_str().ok()) {
        let lower = host.to_ascii_lowercase();
        let without_port = match lower.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') && !name.is_empty() => name.to_owned(),
            _ => lower,
        };
        let name = without_port.trim_matches(['[', ']']).to_owned();
        let bare = name.strip_suffix('.').unwrap_or(&name).to_owned();
        let is_loopback = name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
        if host_is_served(host, &ServedHosts::loopback()) {
            assert!(is_loopback || bare == "localhost" || bare.ends_with(".localhost"), "{host}");
        }
        let served = ServedHosts::loopback().with_name("lit.example").with_domain("apps.example");
        if host_is_served(host, &served) {
            let is_ours = bare == "lit.example" || bare == "apps.example" || bare.ends_with(".apps.example");
            assert!(is_ours || is_loopback || bare == "localhost" || bare.ends_with(".localhost"), "{host}");
        }
        if host_is_served(host, &ServedHosts::loopback().with_anything()) {
            assert!(!host.contains(['/', '@', '?', '#', '\\', ' ', ',', '\t']), "{host}");
        }
    }
}

/// What a page of another host sends never counts as ours, where it could change something.
fn origins(method: &Method, uri: &Uri, headers: &HeaderMap) {
    let mut request = Request::new(());
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method.clone(), uri.clone(), headers.clone());
    let is_safe = ["GET", "HEAD", "OPTIONS", "TRACE"].contains(&method.as_str());
    for scheme in [None, Some(Scheme::Http), Some(Scheme::Https)] {
        if is_safe || origin_is_foreign(&request, scheme) {
            continue;
        }
        for origin in headers.get_all(ORIGIN) {
            let host = host_of(&request).expect("an origin that is ours is that of a host").to_ascii_lowercase();
            let origin = origin.to_str().expect("text").to_ascii_lowercase();
            let (said, authority) = origin.split_once("://").expect("an origin");
            assert!(scheme.is_none_or(|scheme| scheme.as_str() == said), "{origin}");
            let default = if said == "https" { 443 } else { 80 };
            assert_eq!(parts(authority, default), parts(&host, default));
            assert!(!authority.contains(['/', '@', '?', '#', '\\']), "{origin}");
        }
        for site in headers.get_all("sec-fetch-site") {
            assert!(site == "same-origin" || site == "none", "{site:?}");
        }
    }
}

/// The name and the port.
fn parts(authority: &str, default: u16) -> (&str, u16) {
    match authority.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => {
            (name, if port.is_empty() { default } else { port.parse().expect("a port") })
        }
        _ => (authority, default),
    }
}

/// Nothing that is ours alone to say, or to know, reaches the app.
fn onward(headers: &HeaderMap, prefix: PathPrefix) {
    let mut sent = headers.clone();
    let mut context = ClientContext::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), Scheme::Http);
    context.drop_authorization = prefix == PathPrefix::Strip;
    context.headers.push((HeaderName::from_static("x-lithouse-user"), HeaderValue::from_static("ana")));
    let upgrade = hop::upgrade(headers);
    request::prepare(&mut sent, &context, "/apps/sales", upgrade.as_ref());
    assert!(!(context.drop_authorization && sent.contains_key(AUTHORIZATION)));
    for (name, value) in &sent {
        let plain = name.as_str().replace('_', "-");
        let is_set = [
            "x-forwarded-port",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-for",
            "x-forwarded-prefix",
            "x-real-ip",
            "x-lithouse-user",
        ];
        let is_ours = ["x-forwarded-", "x-lithouse-", "x-remote-", "x-auth-request-"].iter().any(|ours| plain.starts_with(ours))
            || ["forwarded", "x-real-ip", "proxy", "remote-user"].contains(&plain.as_str());
        assert!(!is_ours || is_set.contains(&name.as_str()), "{name}: {value:?}");
        let is_hop = ["keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate"].contains(&name.as_str());
        assert!(!is_hop, "{name}: {value:?}");
    }
    for name in ["x-forwarded-for", "x-real-ip", "x-lithouse-user", "x-forwarded-prefix", "x-forwarded-proto", "x-forwarded-host"]
    {
        assert_eq!(sent.get_all(name).iter().count(), 1, "{name}");
    }
    assert_eq!(sent["x-forwarded-for"], "127.0.0.1");
    assert!(!(sent.contains_key(TRANSFER_ENCODING) && sent.contains_key(CONTENT_LENGTH)), "{sent:?}");
    assert!(sent.get_all("upgrade").iter().count() <= 1 && sent.get_all("connection").iter().count() <= 1, "{sent:?}");
    for cookie in sent.get_all(COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';')) {
        assert!(!is_platform(cookie), "{:?}", String::from_utf8_lossy(cookie));
    }
}

/// Whether a server might read a cookie as one of ours.
fn is_platform(cookie: &[u8]) -> bool {
    let text = String::from_utf8_lossy(cookie).to_ascii_lowercase();
    let name = text.trim_start_matches(|character: char| character == '=' || character.is_ascii_whitespace());
    ["lithouse_", "__host-lithouse_", "__secure-lithouse_"].iter().any(|ours| name.starts_with(ours))
}

/// Cookies stay within the app's path, and a place to go to stays one.
fn back(answered: &[u8], asked: &HeaderMap, prefix: PathPrefix) {
    let mut headers = headers(answered.split(|byte| *byte == b'\n'));
    let host = asked.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost:8080").to_owned();
    let upstream = Upstream::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 8501)));
    let before = headers.get(LOCATION).cloned();
    response::prepare(&mut headers, &Place { prefix: "/apps/sales", knows: prefix, host: &host, upstream: &upstream });
    if let Some(location) = headers.get(LOCATION).filter(|location| Some(*location) != before.as_ref()) {
        let text = location.to_str().expect("what we rewrite is text");
        // Else it would lead to another host.
        assert!(text.starts_with("/apps/sales"), "{text} of {before:?}");
    }
    for cookie in headers.get_all(SET_COOKIE) {
        assert!(!is_platform(cookie.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default()), "{cookie:?}");
        let text = String::from_utf8_lossy(cookie.as_bytes()).into_owned();
        let attributes = text.split(';').skip(1).map(|part| part.split_once('=').unwrap_or((part, "")));
        let attributes: Vec<(String, &str)> = attributes
            .map(|(name, value)| (name.trim_matches(BLANKS).to_ascii_lowercase(), value.trim_matches(BLANKS)))
            .collect();
        assert!(attributes.iter().all(|(name, _)| name != "domain"), "{text}");
        let paths: Vec<&str> = attributes.iter().filter(|(name, _)| name == "path").map(|(_, path)| *path).collect();
        assert_eq!(paths.len(), 1, "{text}");
        let beneath = paths.first().and_then(|path| path.strip_prefix("/apps/sales"));
        assert!(beneath.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')), "{text}");
    }
    for name in ["connection", "keep-alive", "upgrade", "server", "strict-transport-security", "clear-site-data"] {
        assert!(!headers.contains_key(name), "{name}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_in_requests_and_answers_holds() {
        lithouse_testkit::replay("routing", routing);
    }
}
