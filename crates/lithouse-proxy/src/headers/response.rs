// SPDX-License-Identifier: Apache-2.0
//! What a browser is told by an app.

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, HeaderValue, LOCATION, TRANSFER_ENCODING};
use lithouse_core::route::PathPrefix;

use super::location::{self, Place};
use super::{cookie, hop};

/// Whether by a header of this name one app would speak for the whole host: for every other app, the portal and the console.
/// A service worker beyond its own path, another server for the origin, a wiped cookie jar are not one app's to decide.
fn is_of_the_whole_host(name: &str) -> bool {
    matches!(name, "alt-svc" | "clear-site-data" | "nel" | "service-worker-allowed" | "strict-transport-security")
}

/// Turns an app's headers into those for the client.
pub(crate) fn prepare(headers: &mut HeaderMap, place: &Place<'_>) {
    if headers.contains_key(TRANSFER_ENCODING) {
        // Chunks decide where the body ends; a length beside them would be believed by the client.
        headers.remove(CONTENT_LENGTH);
    }
    hop::strip(headers, |name| hop::is_hop(name) || is_of_the_whole_host(name) || name == "server");
    cookie::narrow(headers, place.prefix, place.knows == PathPrefix::Strip);
    let moved = headers.get(LOCATION).and_then(|value| value.to_str().ok()).and_then(|text| location::rewritten(text, place));
    if let Some(Ok(value)) = moved.map(HeaderValue::try_from) {
        headers.insert(LOCATION, value);
    }
}
