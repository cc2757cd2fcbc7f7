// SPDX-License-Identifier: Apache-2.0
//! What a server answers: JSON, or a problem.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::ClientError;
use crate::cli::address::Address;
use crate::cli::output;

/// More than any honest answer.
const LARGEST: usize = 64 << 20;
/// More than any honest problem.
const LARGEST_PROBLEM: usize = 1 << 20;

/// An answer that is JSON, exactly as it came.
#[derive(Debug)]
pub(in crate::cli) struct Json {
    bytes: Bytes,
    address: String,
}

impl Json {
    pub(super) async fn read(answer: Response<Incoming>, address: &Address) -> Result<Self, ClientError> {
        let is_json = is_json(&answer);
        let bytes = collect(answer, LARGEST, address).await?;
        if !is_json || serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_err() {
            return Err(ClientError::NotOurs { address: address.to_string() });
        }
        Ok(Self { bytes, address: address.to_string() })
    }

    /// Reads it as a resource.
    pub(in crate::cli) fn as_resource<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.bytes).map_err(|source| ClientError::Unexpected { address: self.address.clone(), source })
    }

    /// The same, laid out for people.
    pub(in crate::cli) fn pretty(&self) -> String {
        output::indent(&String::from_utf8_lossy(&self.bytes))
    }
}

/// `application/problem+json`, as far as people are told of it.
#[derive(Debug, Default, Deserialize)]
pub(in crate::cli) struct Problem {
    #[serde(default)]
    pub(super) code: Option<String>,
    #[serde(default)]
    pub(super) title: Option<String>,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    pub(super) hint: Option<String>,
    #[serde(default)]
    pub(super) request_id: Option<String>,
    /// All that it said, as it came.
    #[serde(flatten)]
    pub(super) others: serde_json::Map<String, serde_json::Value>,
    /// The name of an app that may be meant instead.
    #[serde(skip)]
    pub(super) near: Option<String>,
    /// When to come again, in seconds; it stands beside the problem.
    #[serde(skip)]
    pub(super) retry_after: Option<u64>,
}

impl Problem {
    /// What the server said, or at least its number.
    pub(super) fn words(&self, status: StatusCode) -> String {
        let said = self.detail.as_ref().or(self.title.as_ref());
        let words = said.map_or_else(|| format!("the server answered {status}"), |said| said.trim_end_matches('.').to_owned());
        match &self.request_id {
            // Whoever keeps the server finds the rest in its log by this.
            Some(id) if status.is_server_error() => format!("{words} (request `{id}`)"),
            _ => words,
        }
    }
}

/// Reads why a request was refused.
pub(super) async fn refusal(answer: Response<Incoming>, address: &Address) -> ClientError {
    let status = answer.status();
    if !status.is_client_error() && !status.is_server_error() {
        return ClientError::NotOurs { address: address.to_string() };
    }
    let is_json = is_json(&answer);
    let retry_after = answer.headers().get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.parse().ok());
    // A problem that cannot be read takes nothing from the fact that the answer was no.
    let mut problem: Problem = match collect(answer, LARGEST_PROBLEM, address).await {
        Ok(bytes) if is_json => serde_json::from_slice(&bytes).unwrap_or_default(),
        _ => Problem::default(),
    };
    problem.retry_after = retry_after;
    ClientError::Refused { status, problem: Box::new(problem) }
}

fn is_json(answer: &Response<Incoming>) -> bool {
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind == "application/json" || kind.ends_with("+json")
}

async fn collect(answer: Response<Incoming>, limit: usize, address: &Address) -> Result<Bytes, ClientError> {
    let body = Limited::new(answer.into_body(), limit).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            return ClientError::NotOurs { address: address.to_string() };
        }
        match error.downcast::<hyper::Error>() {
            Ok(source) => ClientError::of_hyper(address, *source),
            Err(_) => ClientError::NotOurs { address: address.to_string() },
        }
    })
}
