// SPDX-License-Identifier: Apache-2.0
//! Redirects of apps, brought back beneath the app's path where the app could not know it.

use lithouse_core::route::{PathPrefix, Upstream};

use crate::client::Scheme;

/// Where the app is, seen from the browser and from us.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The path of the app without the last slash.
    pub(crate) prefix: &'a str,
    /// Whether the app knows that path.
    pub(crate) knows: PathPrefix,
    /// Host and port as the browser has them.
    pub(crate) host: &'a str,
    /// Where the app listens.
    pub(crate) upstream: &'a Upstream,
}

/// What a `Location` should say instead, if anything.
pub(crate) fn rewritten(location: &str, place: &Place<'_>) -> Option<String> {
    let (authority, path) = split(location)?;
    let beneath = path.strip_prefix(place.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
    let into = |path: &str| match (beneath, path.starts_with('/')) {
        (true, _) => path.to_owned(),
        (false, true) => [place.prefix, path].concat(),
        (false, false) => [place.prefix, "/", path].concat(),
    };
    match (authority, place.knows) {
        // Nobody but us can reach the app there, so whatever it means lies within it.
        (Some((_, host)), _) if is_upstream(host, place.upstream) => Some(into(path)),
        (Some((scheme, host)), PathPrefix::Strip) if is_host(scheme, host, place.host) => (!beneath).then(|| into(path)),
        (None, PathPrefix::Strip) => (!beneath).then(|| into(path)),
        // An app that knows its path may send its visitors to the portal or to another app, and means it.
        (_, PathPrefix::Keep) | (Some(_), PathPrefix::Strip) => None,
    }
}

/// A scheme, unless it is the page's own, and host and port.
type Authority<'a> = (Option<Scheme>, &'a str);

/// Scheme and host, if there are any, and the path; nothing for a location that is relative to the page.
fn split(location: &str) -> Option<(Option<Authority<'_>>, &str)> {
    let (scheme, rest) = match location.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Some(Scheme::Http), rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Some(Scheme::Https), rest),
        _ => match location.strip_prefix("//") {
            Some(rest) => (None, rest),
            None => return location.starts_with('/').then_some((None, location)),
        },
    };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    Some((Some((scheme, host)), path))
}

fn is_host(scheme: Option<Scheme>, host: &str, ours: &str) -> bool {
    let bare = |host: &'_ str| -> String {
        let port = scheme.map_or_else(String::new, |scheme| format!(":{}", scheme.default_port()));
        let bare = if port.is_empty() { host } else { host.strip_suffix(port.as_str()).unwrap_or(host) };
        bare.to_ascii_lowercase()
    };
    bare(host) == bare(ours)
}

fn is_upstream(host: &str, upstream: &Upstream) -> bool {
    match upstream {
        Upstream::Tcp(address) => {
            let local = address.ip().is_loopback()
                && host.strip_prefix("localhost:").is_some_and(|port| port.parse() == Ok(address.port()));
            local || host.parse() == Ok(*address)
        }
        // A unix socket has no name that could stand in a URL.
        Upstream::Unix(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(location: &str, knows: PathPrefix) -> Option<String> {
        let upstream = Upstream::Tcp("127.0.0.1:8501".parse().unwrap());
        rewritten(location, &Place { prefix: "/apps/sales", knows, host: "lit.example:8080", upstream: &upstream })
    }

    #[test]
    fn an_app_without_its_prefix_is_brought_back_beneath_it() {
        let strip = |location| redirect(location, PathPrefix::Strip);
        assert_eq!(strip("/login?next=/").as_deref(), Some("/apps/sales/login?next=/"));
        assert_eq!(strip("http://lit.example:8080/x").as_deref(), Some("/apps/sales/x"));
        assert_eq!(strip("//LIT.example:8080/x#y").as_deref(), Some("/apps/sales/x#y"));
        assert_eq!(strip("http://lit.example:8080").as_deref(), Some("/apps/sales/"));
        assert_eq!(strip("http://127.0.0.1:8501/x").as_deref(), Some("/apps/sales/x"));
        assert_eq!(strip("http://localhost:8501?x").as_deref(), Some("/apps/sales/?x"));
        assert_eq!(strip("/apps/salesforce").as_deref(), Some("/apps/sales/apps/salesforce"));
    }

    #[test]
    fn what_is_right_already_is_left_alone() {
        for location in
            ["/apps/sales/x", "/apps/sales", "/apps/sales?x", "x/y", "?x", "../x", "https://other.example/x", "mailto:x@y"]
        {
            assert_eq!(redirect(location, PathPrefix::Strip), None, "{location}");
        }
        assert_eq!(redirect("http://lit.example:8080/apps/sales/x", PathPrefix::Strip), None);
        for location in ["http://lit.example:8080/apps/sales/", "/apps/sales/page2", "/", "http://lit.example:8080/"] {
            assert_eq!(redirect(location, PathPrefix::Keep), None, "{location}");
        }
    }

    #[test]
    fn the_apps_own_address_never_reaches_a_browser() {
        let keep = |location| redirect(location, PathPrefix::Keep);
        assert_eq!(keep("http://127.0.0.1:8501/apps/sales/x?y").as_deref(), Some("/apps/sales/x?y"));
        assert_eq!(keep("http://127.0.0.1:8501/x").as_deref(), Some("/apps/sales/x"));
        assert_eq!(keep("http://127.0.0.1:8502/x"), None);
    }

    #[test]
    fn a_default_port_may_be_written_or_not() {
        assert!(is_host(Some(Scheme::Http), "a.example:80", "a.example"));
        assert!(is_host(Some(Scheme::Https), "a.example", "a.example:443"));
        assert!(!is_host(Some(Scheme::Http), "a.example:8080", "a.example"));
    }
}
