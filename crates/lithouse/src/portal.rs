// SPDX-License-Identifier: Apache-2.0
//! The page at `/`: every app that the visitor may open, as a list, or one of them in a frame beneath a bar to switch by. It is made
//! on the server and works without a script; the script in `portal/files` makes it live.

mod ago;
mod asked;
mod card;
mod document;
mod files;
mod shape;

use std::hash::{DefaultHasher, Hasher};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use lithouse_engine::shared::now_ms;

use crate::api::Site;
use crate::asset;
use asked::Asked;
use card::Card;
use document::Document;

const HTML: &str = "text/html; charset=utf-8";
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// The page, its list by itself, and its files.
pub(crate) fn router() -> Router<Site> {
    // People shorten the address of an app.
    let home = get(async || Redirect::temporary("/"));
    Router::new().route("/", get(page)).route("/apps", home).route("/portal/apps", get(list)).merge(files::router())
}

/// The apps that the visitor may open: whoever passes the edge may open all. The page knows of no other.
fn open_to_visitor(site: &Site) -> Vec<Card> {
    let engine = &site.engine;
    engine.apps().iter().map(|view| Card::of(view, engine.last_used_ms(view))).collect()
}

async fn page(State(site): State<Site>, uri: Uri, request: HeaderMap) -> Response {
    let asked = Asked::of(uri.query().unwrap_or_default());
    let cards = open_to_visitor(&site);
    let document = Document::of(cards, &asked, now_ms());
    let status = if document.is_about_nothing() { StatusCode::NOT_FOUND } else { StatusCode::OK };
    let mut response = asset::made(&request, HTML, document.html());
    *response.status_mut() = status;
    finish(response)
}

/// The list alone, for the script to look at again and again: told as unchanged as long as it is.
async fn list(State(site): State<Site>, request: HeaderMap) -> Response {
    let mut cards = open_to_visitor(&site);
    asked::Sort::Name.apply(&mut cards);
    let tag = tag_of(&cards);
    let mut response = if asset::is_known(&request, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        asset::made(&request, HTML, document::list(&cards, now_ms()).into_string())
    };
    response.headers_mut().extend(HeaderValue::try_from(tag).ok().map(|tag| (header::ETAG, tag)));
    finish(response)
}

/// The list is looked at anew each time; going back to it in a browser's history shows what was there.
fn finish(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

fn tag_of(cards: &[Card]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(files::version().as_bytes());
    for card in cards {
        hasher.write_u64(card.fingerprint());
    }
    format!("W/\"{:016x}\"", hasher.finish())
}
