// SPDX-License-Identifier: Apache-2.0
//! The page at `/`: every app with its name, description and state, made on the server and without a script.

use std::fmt::Write;

use axum::extract::State;
use axum::response::{Html, IntoResponse};
use http::header;

use crate::api::Site;

const HEAD: &str = include_str!("portal/head.html");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

pub(crate) async fn page(State(site): State<Site>) -> impl IntoResponse {
    let mut page = HEAD.to_owned();
    let apps = site.engine.apps();
    if apps.is_empty() {
        page.push_str("<p class=\"empty\">No app yet. <code>lithouse deploy DIR</code> brings the first one.</p>");
    }
    page.push_str("<ul>");
    for app in apps {
        let (name, description) = (escape(&app.name), escape(&app.description));
        let (path, status) = (escape(&app.path_name), app.status);
        let reason = escape(app.reason.as_deref().unwrap_or_default());
        // Writing into a string cannot fail.
        let _ = write!(
            page,
            "<li><a href=\"/apps/{path}/\"><h2>{name}</h2><p>{description}</p><p class=\"reason\">{reason}</p>\
             <span class=\"state {status}\">{status}</span></a></li>"
        );
    }
    page.push_str("</ul></main></body></html>\n");
    ([(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")], Html(page))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
