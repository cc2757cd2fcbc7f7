// SPDX-License-Identifier: Apache-2.0
//! Styles and scripts of the page. They lie in a folder that is named after their content, so a browser asks for each once and may
//! keep it for ever, and the modules find each other by their plain names.

use std::sync::LazyLock;

use axum::Router;
use axum::routing::get;
use http::HeaderMap;
use sha2::{Digest, Sha256};

use crate::asset::Asset;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

const FILES: [(&str, &str, &str); 11] = [
    ("look.css", STYLE, include_str!("files/look.css")),
    ("list.css", STYLE, include_str!("files/list.css")),
    ("frame.css", STYLE, include_str!("files/frame.css")),
    ("icon.svg", "image/svg+xml", include_str!("files/icon.svg")),
    ("theme.js", SCRIPT, include_str!("files/theme.js")),
    ("portal.js", SCRIPT, include_str!("files/portal.js")),
    ("list.js", SCRIPT, include_str!("files/list.js")),
    ("frame.js", SCRIPT, include_str!("files/frame.js")),
    ("switcher.js", SCRIPT, include_str!("files/switcher.js")),
    ("live.js", SCRIPT, include_str!("files/live.js")),
    ("text.js", SCRIPT, include_str!("files/text.js")),
];

/// The folder's name: other files, another name.
pub(super) fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let mut hasher = Sha256::new();
        for (name, _, text) in FILES {
            hasher.update(name);
            hasher.update(text);
        }
        hasher.finalize().iter().take(6).fold(String::new(), |name, byte| format!("{name}{byte:02x}"))
    });
    &VERSION
}

/// Where a file is.
pub(super) fn path(name: &str) -> String {
    format!("/portal/{}/{name}", version())
}

pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.into_iter().fold(Router::new(), |router, (name, kind, text)| {
        let asset = Asset::for_ever(kind, text);
        router.route(&path(name), get(async move |headers: HeaderMap| asset.answer(&headers)))
    })
}
