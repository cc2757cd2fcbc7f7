// SPDX-License-Identifier: Apache-2.0
//! Paths beneath `/apps/`: which name they ask for, and what the app is asked in turn.
//!
//! Nothing here is decoded or normalised. The name is the one segment after `/apps/`, byte for byte, and whatever follows it
//! is the app's own business: `..` and `%2f` can lead out of nothing, because they never take part in choosing the app.

use http::Uri;
use http::uri::PathAndQuery;
use lithouse_core::route::PathPrefix;

/// Where all apps live.
pub(crate) const ROOT: &str = "/apps/";

/// A path beneath [`ROOT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AppPath<'a> {
    /// The name that was asked for.
    pub(crate) name: &'a str,
    /// What follows the name: empty, or a path that begins with a slash.
    pub(crate) rest: &'a str,
}

impl<'a> AppPath<'a> {
    /// Takes a request's path apart, if it is beneath [`ROOT`] and names anything.
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        let beneath = path.strip_prefix(ROOT)?;
        let end = beneath.find('/').unwrap_or(beneath.len());
        let (name, rest) = beneath.split_at(end);
        (!name.is_empty()).then_some(Self { name, rest })
    }

    /// The same place under the app's canonical name; the query, if any, is kept.
    pub(crate) fn under(&self, canonical: &str, query: Option<&str>) -> String {
        let rest = if self.rest.is_empty() { "/" } else { self.rest };
        let (mark, query) = query.map_or(("", ""), |query| ("?", query));
        [ROOT, canonical, rest, mark, query].concat()
    }
}

/// The path that an app's pages live under, without the last slash.
pub(crate) fn prefix_of(canonical: &str) -> String {
    [ROOT, canonical].concat()
}

/// The request target for the app: the same bytes, with the prefix that this app expects.
pub(crate) fn target(uri: Uri, canonical: &str, prefix: PathPrefix) -> Result<Uri, http::Error> {
    let Some(asked) = AppPath::of(uri.path()) else { return Ok(uri) };
    let text = match prefix {
        PathPrefix::Keep if asked.name == canonical && uri.authority().is_none() => return Ok(uri),
        PathPrefix::Keep => asked.under(canonical, uri.query()),
        PathPrefix::Strip => match uri.query() {
            Some(query) => [asked.rest, "?", query].concat(),
            None => asked.rest.to_owned(),
        },
    };
    // Built from a path alone: `//host/…` must stay a path and never be read as an authority.
    Ok(Uri::from(PathAndQuery::try_from(text)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(asked: &str, prefix: PathPrefix) -> String {
        target(asked.parse().unwrap(), "sales", prefix).unwrap().to_string()
    }

    #[test]
    fn the_name_is_the_one_segment_after_apps_byte_for_byte() {
        let of = |path| AppPath::of(path).map(|path| (path.name, path.rest));
        assert_eq!(of("/apps/sales"), Some(("sales", "")));
        assert_eq!(of("/apps/sales/"), Some(("sales", "/")));
        assert_eq!(of("/apps/sales/../x"), Some(("sales", "/../x")));
        assert_eq!(of("/apps/sales%2f..%2fx/y"), Some(("sales%2f..%2fx", "/y")));
        assert_eq!(of("/apps/../x"), Some(("..", "/x")));
        for nothing in ["/apps", "/apps/", "/apps//x", "/app/x", "/", "*"] {
            assert_eq!(of(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_kept_path_stays_as_it_came() {
        for path in ["/apps/sales/a%2Fb/../c;d=1//e?x=%20&y=a/b?c", "/apps/sales/", "/apps/sales//evil.example/%E2%82%AC"] {
            assert_eq!(sent(path, PathPrefix::Keep), path);
        }
    }

    #[test]
    fn another_name_is_rewritten_to_the_canonical_one() {
        assert_eq!(sent("/apps/a7c1e0f2b9f84a62/x%2fy?q=1", PathPrefix::Keep), "/apps/sales/x%2fy?q=1");
        assert_eq!(sent("/apps/a7c1e0f2b9f84a62/x%2fy?q=1", PathPrefix::Strip), "/x%2fy?q=1");
    }

    #[test]
    fn a_stripped_path_begins_with_a_slash_and_never_becomes_an_authority() {
        assert_eq!(sent("/apps/sales/", PathPrefix::Strip), "/");
        assert_eq!(sent("/apps/sales/?", PathPrefix::Strip), "/?");
        let double = target("/apps/sales//evil.example/x".parse().unwrap(), "sales", PathPrefix::Strip).unwrap();
        assert_eq!(double.path(), "//evil.example/x");
        assert_eq!(double.authority(), None);
    }

    #[test]
    fn an_absolute_target_loses_its_authority() {
        assert_eq!(sent("http://lithouse.example/apps/sales/x?y", PathPrefix::Keep), "/apps/sales/x?y");
    }
}
