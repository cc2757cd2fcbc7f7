// SPDX-License-Identifier: Apache-2.0
//! A file that the binary holds compressed, and how it is given out: compressed to whoever takes that, and not again to whoever
//! has it. What is made for one request goes out the same way.

use std::io::{Read, Write};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::api::problem::Problem;

/// A gzip file ends with the checksum and the size of what is in it.
const CHECKSUM_AND_SIZE: usize = 8;

/// Less than this, in bytes, goes out in one packet anyway.
const WORTH_COMPRESSING: usize = 1200;

/// One file.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    kind: &'static str,
    gzip: Bytes,
    policy: Option<&'static str>,
    is_for_ever: bool,
}

impl Asset {
    /// A file that was compressed before the binary was built.
    pub(crate) const fn packed(kind: &'static str, gzip: &'static [u8]) -> Self {
        Self { kind, gzip: Bytes::from_static(gzip), policy: None, is_for_ever: false }
    }

    /// A text that is compressed now.
    pub(crate) fn text(kind: &'static str, text: &str) -> Self {
        Self { kind, gzip: compressed(text, Compression::default()), policy: None, is_for_ever: false }
    }

    /// A text whose path changes with it, so that nobody needs to ask for it again.
    pub(crate) fn for_ever(kind: &'static str, text: &str) -> Self {
        Self { is_for_ever: true, ..Self::text(kind, text) }
    }

    /// A page that may do only what this policy says.
    pub(crate) fn page(policy: &'static str, html: &str) -> Self {
        Self { policy: Some(policy), ..Self::text("text/html; charset=utf-8", html) }
    }

    /// The answer to a request with these headers.
    pub(crate) fn answer(&self, request: &HeaderMap) -> Response {
        let tag = self.tag();
        let mut response = if is_known(request, &tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            self.content(is_taken_compressed(request))
        };
        let headers = response.headers_mut();
        // A newer binary has other files under the same names, so a browser asks whether it has the right one.
        let keeping = if self.is_for_ever { "private, max-age=31536000, immutable" } else { "private, no-cache" };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keeping));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers.extend(HeaderValue::try_from(tag).ok().map(|tag| (header::ETAG, tag)));
        headers.extend(self.policy.map(|policy| (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy))));
        response
    }

    fn content(&self, compressed: bool) -> Response {
        let kind = [(header::CONTENT_TYPE, self.kind)];
        if compressed {
            return (kind, [(header::CONTENT_ENCODING, "gzip")], self.gzip.clone()).into_response();
        }
        let mut plain = Vec::new();
        match GzDecoder::new(&self.gzip[..]).read_to_end(&mut plain) {
            Ok(_) => (kind, plain).into_response(),
            Err(error) => Problem::internal(&error).into_response(),
        }
    }

    /// It is a weak one since it stands for the file compressed or not.
    fn tag(&self) -> String {
        let end = self.gzip.len().saturating_sub(CHECKSUM_AND_SIZE);
        let number = self.gzip[end..].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("W/\"{number:016x}\"")
    }
}

/// A text that was made for this request, compressed if its client takes that.
pub(crate) fn made(request: &HeaderMap, kind: &'static str, text: String) -> Response {
    let kind = [(header::CONTENT_TYPE, kind), (header::VARY, "accept-encoding")];
    if text.len() < WORTH_COMPRESSING || !is_taken_compressed(request) {
        return (kind, text).into_response();
    }
    (kind, [(header::CONTENT_ENCODING, "gzip")], compressed(&text, Compression::fast())).into_response()
}

fn compressed(text: &str, how: Compression) -> Bytes {
    let mut gzip = GzEncoder::new(Vec::new(), how);
    // Writing into memory cannot fail.
    gzip.write_all(text.as_bytes()).and_then(|()| gzip.finish()).unwrap_or_default().into()
}

/// The parts of a header that is a list, however many lines it has.
fn parts(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim)
}

/// Whether the client says that it has what bears this tag.
pub(crate) fn is_known(request: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim_start_matches("W/").to_owned();
    parts(request, header::IF_NONE_MATCH).any(|known| known == "*" || opaque(known) == opaque(tag))
}

fn is_taken_compressed(request: &HeaderMap) -> bool {
    parts(request, header::ACCEPT_ENCODING).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok()).unwrap_or(1.0);
        name.trim().eq_ignore_ascii_case("gzip") && weight > 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn it_is_compressed_only_for_whoever_takes_that() {
        for taken in ["gzip", "br, GZIP;q=0.5", "deflate , gzip ; q=1"] {
            assert!(is_taken_compressed(&asked(header::ACCEPT_ENCODING, taken)), "{taken}");
        }
        for not_taken in ["", "br", "gzip;q=0", "gzip; q=0.0", "x-gzip", "*"] {
            assert!(!is_taken_compressed(&asked(header::ACCEPT_ENCODING, not_taken)), "{not_taken}");
        }
    }

    #[test]
    fn texts_that_differ_have_tags_that_differ_and_a_known_one_is_told_by_its_tag() {
        let (one, other) = (Asset::text("text/plain", "one"), Asset::text("text/plain", "two"));
        assert_ne!(one.tag(), other.tag());
        assert_eq!(one.tag(), Asset::text("text/plain", "one").tag());
        assert!(is_known(&asked(header::IF_NONE_MATCH, "\"a\", *"), &one.tag()));
        assert!(!is_known(&asked(header::IF_NONE_MATCH, "\"a\", W/\"b\""), &one.tag()));
        let known = HeaderMap::from_iter([(header::IF_NONE_MATCH, one.tag().replace("W/", "").parse().unwrap())]);
        assert!(is_known(&known, &one.tag()) && !is_known(&known, &other.tag()));
    }
}
