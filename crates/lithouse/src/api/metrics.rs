// SPDX-License-Identifier: Apache-2.0
//! What a monitoring system reads now and then.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};

use super::Site;
use super::document::problems::{ASKED, problems};
use super::problem::Problem;
use crate::{asset, metrics};

problems!(Getting: ASKED);
/// Read the metrics
///
/// As Prometheus text, version 0.0.4. Counters begin anew with each server, also with one that takes the place of another.
#[utoipa::path(
    get, path = "/metrics", operation_id = "get_metrics", tag = "server",
    responses((status = OK, description = "The metrics", body = String, content_type = "text/plain"), Getting),
)]
pub(super) async fn read(State(site): State<Site>, request: HeaderMap) -> Result<Response, Problem> {
    let text = metrics::collect(&site).await.map_err(|error| Problem::internal(&error))?;
    let mut response = asset::made(&request, metrics::FORMAT, text);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
