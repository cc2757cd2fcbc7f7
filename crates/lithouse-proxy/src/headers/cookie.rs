// SPDX-License-Identifier: Apache-2.0
//! Cookies between browsers and apps. Ours never reach an app, and an app's never reach beyond its own path.

use http::HeaderMap;
use http::header::{COOKIE, HeaderValue, SET_COOKIE};

/// Beginnings of the names of the platform's own cookies.
const PLATFORM: &[&str] = &["lithouse_", "__Host-lithouse_", "__Secure-lithouse_"];

/// Whether a cookie of this name is the platform's. Case is ignored, as browsers do for `__Host-`.
fn is_platform(pair: &str) -> bool {
    // A cookie without a name is sent back as its bare value, so that `=lithouse_x=1` would come back as `lithouse_x=1`.
    let name = pair.trim_start_matches(|character: char| character == '=' || character.is_ascii_whitespace());
    PLATFORM.iter().any(|ours| name.get(..ours.len()).is_some_and(|start| start.eq_ignore_ascii_case(ours)))
}

fn pairs(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii)
}

fn is_platform_bytes(pair: &[u8]) -> bool {
    // The names of ours are ASCII; what follows them need not be.
    let ascii = pair.iter().position(|byte| !byte.is_ascii()).unwrap_or(pair.len());
    str::from_utf8(&pair[..ascii]).is_ok_and(is_platform)
}

/// Takes the platform's cookies out of a request.
pub(crate) fn strip(headers: &mut HeaderMap) {
    if !headers.get_all(COOKIE).iter().flat_map(pairs).any(is_platform_bytes) {
        return;
    }
    let mut kept = Vec::new();
    for pair in headers.get_all(COOKIE).iter().flat_map(pairs).filter(|pair| !pair.is_empty() && !is_platform_bytes(pair)) {
        if !kept.is_empty() {
            kept.extend_from_slice(b"; ");
        }
        kept.extend_from_slice(pair);
    }
    headers.remove(COOKIE);
    if let (false, Ok(value)) = (kept.is_empty(), HeaderValue::from_bytes(&kept)) {
        headers.insert(COOKIE, value);
    }
}

/// Keeps the cookies that an app sets within the app: on its path, on this host alone, under names that are not ours.
/// `strips` says that the app sees its paths without the prefix, so that the paths it names want it.
pub(crate) fn narrow(headers: &mut HeaderMap, prefix: &str, strips: bool) {
    if !headers.contains_key(SET_COOKIE) {
        return;
    }
    let narrowed: Vec<HeaderValue> = headers
        .get_all(SET_COOKIE)
        .iter()
        .filter(|value| !pairs(value).next().is_some_and(is_platform_bytes))
        .filter_map(|value| HeaderValue::from_bytes(&narrow_one(value, prefix, strips)).ok())
        .collect();
    headers.remove(SET_COOKIE);
    for value in narrowed {
        headers.append(SET_COOKIE, value);
    }
}

fn narrow_one(value: &HeaderValue, prefix: &str, strips: bool) -> Vec<u8> {
    let mut parts = pairs(value);
    let mut cookie = parts.next().unwrap_or_default().to_vec();
    let mut path: &[u8] = b"";
    for attribute in parts.filter(|part| !part.is_empty()) {
        let (name, value) = match attribute.iter().position(|byte| *byte == b'=') {
            Some(at) => (attribute[..at].trim_ascii_end(), attribute[at + 1..].trim_ascii_start()),
            None => (attribute, &b""[..]),
        };
        if name.eq_ignore_ascii_case(b"path") {
            // Of several paths browsers take the last one.
            path = value;
        } else if !name.eq_ignore_ascii_case(b"domain") {
            cookie.extend_from_slice(b"; ");
            cookie.extend_from_slice(attribute);
        }
    }
    cookie.extend_from_slice(b"; Path=");
    cookie.extend_from_slice(prefix.as_bytes());
    let beneath = path.strip_prefix(prefix.as_bytes());
    match beneath {
        // As the app meant it.
        Some(rest) if rest.is_empty() || rest.starts_with(b"/") => cookie.extend_from_slice(rest),
        _ if strips && path.starts_with(b"/") => cookie.extend_from_slice(path),
        _ => cookie.push(b'/'),
    }
    cookie
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(cookies: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(COOKIE, HeaderValue::from_bytes(cookie.as_bytes()).unwrap());
        }
        strip(&mut headers);
        let all: Vec<_> =
            headers.get_all(COOKIE).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        (!all.is_empty()).then(|| all.join(" | "))
    }

    fn set(cookie: &str, strips: bool) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, HeaderValue::from_bytes(cookie.as_bytes()).unwrap());
        narrow(&mut headers, "/apps/sales", strips);
        headers.get(SET_COOKIE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    #[test]
    fn platform_cookies_never_reach_an_app() {
        assert_eq!(sent(&["a=1; lithouse_session=s; b=2"]).as_deref(), Some("a=1; b=2"));
        assert_eq!(sent(&["__Host-lithouse_session=s"]), None);
        assert_eq!(sent(&["a=1", "__Secure-lithouse_x=s;b=é"]).as_deref(), Some("a=1; b=é"));
        assert_eq!(sent(&["LITHOUSE_session=s;c=3"]).as_deref(), Some("c=3"));
        assert_eq!(sent(&["lithouse_x=\u{e9}; c=3"]).as_deref(), Some("c=3"));
    }

    #[test]
    fn other_cookies_pass_as_they_came() {
        assert_eq!(sent(&["a=1;b=2;  c", "d"]).as_deref(), Some("a=1;b=2;  c | d"));
        assert_eq!(sent(&["my_lithouse_x=1"]).as_deref(), Some("my_lithouse_x=1"));
    }

    #[test]
    fn a_cookie_for_the_whole_host_is_narrowed_to_the_app() {
        assert_eq!(set("a=1; Path=/; SameSite=Lax", false).as_deref(), Some("a=1; SameSite=Lax; Path=/apps/sales/"));
        assert_eq!(set("a=1", false).as_deref(), Some("a=1; Path=/apps/sales/"));
        assert_eq!(set("a=1; path=/apps/other/", false).as_deref(), Some("a=1; Path=/apps/sales/"));
        assert_eq!(set("a=1; path=/apps/salesforce", false).as_deref(), Some("a=1; Path=/apps/sales/"));
        assert_eq!(set("a=1; Path=/apps/sales/x; PATH = /", false).as_deref(), Some("a=1; Path=/apps/sales/"));
        assert_eq!(set("a=1; Path", true).as_deref(), Some("a=1; Path=/apps/sales/"));
    }

    #[test]
    fn a_path_within_the_app_is_kept() {
        assert_eq!(set("a=1; Path=/apps/sales/admin; HttpOnly", false).as_deref(), Some("a=1; HttpOnly; Path=/apps/sales/admin"));
        assert_eq!(set("a=1; Path=/apps/sales", true).as_deref(), Some("a=1; Path=/apps/sales"));
        assert_eq!(set("a=1; Path=/admin", true).as_deref(), Some("a=1; Path=/apps/sales/admin"));
    }

    #[test]
    fn a_cookie_reaches_no_other_host() {
        assert_eq!(set("a=1; Domain=example.com; Path=/", false).as_deref(), Some("a=1; Path=/apps/sales/"));
    }

    #[test]
    fn an_app_cannot_set_a_platform_cookie() {
        for forged in [
            "lithouse_session=x",
            "__Host-lithouse_session=x; Path=/; Secure",
            "=lithouse_session=x",
            " = lithouse_s",
            "__HOST-Lithouse_s=1",
        ] {
            assert_eq!(set(forged, false), None, "{forged}");
        }
    }
}
