// SPDX-License-Identifier: Apache-2.0
//! Headers that speak of one connection and must not travel to the next.

use http::HeaderMap;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE};

/// The tokens of a comma-separated header, over all its lines.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(',')).map(str::trim)
}

/// Whether a comma-separated header has this token.
pub(crate) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

/// The protocol that the message asks or agrees to change to, if any.
///
/// `h2c` is not one: passed on, it would open a second, uninspected HTTP connection through us.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let value = headers.get(UPGRADE)?;
    let wanted = has_token(headers, &CONNECTION, "upgrade") && !has_token(headers, &UPGRADE, "h2c");
    wanted.then(|| value.clone())
}

/// Whether the body is coded in a way that would be lost with the headers of this connection: anything but plain chunks.
pub(crate) fn is_coded_beyond_chunks(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING)
        && !(tokens(headers, &TRANSFER_ENCODING).count() == 1 && has_token(headers, &TRANSFER_ENCODING, "chunked"))
}

/// Whether a header of this name always ends here. `Trailer` does not: it announces what travels behind the body.
pub(super) fn is_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Takes off what `Connection` names, and then every header that `unwanted` picks.
///
/// One look at each name is cheaper than asking the map for each of many names that are hardly ever there.
pub(super) fn strip(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) {
    if headers.contains_key(CONNECTION) {
        // A client may name any header to have it removed. `Host` and the length stay: they decide what the request is.
        let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
            .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
            .filter(|name| name != HOST && name != CONTENT_LENGTH)
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    let found: Vec<HeaderName> = headers.keys().filter(|name| unwanted(name.as_str())).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())).collect()
    }

    #[test]
    fn headers_named_in_connection_end_here() {
        let mut map = headers(&[("connection", "close, X-Private"), ("x-private", "1"), ("keep-alive", "5"), ("accept", "*/*")]);
        strip(&mut map, is_hop);
        assert_eq!(map, headers(&[("accept", "*/*")]));
    }

    #[test]
    fn connection_cannot_take_off_host_or_length() {
        let mut map = headers(&[("connection", "host, content-length"), ("host", "a"), ("content-length", "3")]);
        strip(&mut map, is_hop);
        assert_eq!(map, headers(&[("host", "a"), ("content-length", "3")]));
    }

    #[test]
    fn only_plain_chunks_are_understood() {
        assert!(!is_coded_beyond_chunks(&headers(&[("content-length", "3")])));
        assert!(!is_coded_beyond_chunks(&headers(&[("transfer-encoding", "Chunked")])));
        assert!(is_coded_beyond_chunks(&headers(&[("transfer-encoding", "gzip, chunked")])));
        assert!(is_coded_beyond_chunks(&headers(&[("transfer-encoding", "")])));
    }

    #[test]
    fn an_upgrade_needs_both_headers_and_is_never_h2c() {
        assert!(upgrade(&headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")])).is_some());
        assert!(upgrade(&headers(&[("upgrade", "websocket")])).is_none());
        assert!(upgrade(&headers(&[("connection", "upgrade")])).is_none());
        assert!(upgrade(&headers(&[("connection", "upgrade, http2-settings"), ("upgrade", "h2c")])).is_none());
    }
}
