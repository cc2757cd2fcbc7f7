// SPDX-License-Identifier: Apache-2.0
//! Decoding with errors in our own shape.

mod body;
mod controller;
mod count;
mod object;
mod words;

use std::error::Error;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Json, Path, Query, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::{Code, Problem};
pub(super) use controller::Controller;
pub(super) use count::{count, count_if_any};
pub(super) use object::Object;
use words::Of;

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, received) = request.into_parts();
        if !is_json(&parts) {
            return Err(Problem::new(Code::NotJson, "the body must be JSON, with `Content-Type: application/json`"));
        }
        let bytes = body::receive(&parts, received).await?;
        // Some editors and shells put a mark of the byte order before every text.
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        if text.trim_ascii().is_empty() {
            return Err(Problem::new(Code::InvalidJson, "the body is empty").hint("send a JSON object, such as `{}`"));
        }
        match Json::<Object<T>>::from_bytes(text) {
            Ok(Json(Object(value))) => Ok(Self(value)),
            Err(JsonRejection::JsonDataError(error)) => {
                Err(Problem::new(Code::InvalidField, words::of_value(Of::Field, &cause(&error))))
            }
            Err(error) => Err(Problem::new(Code::InvalidJson, words::of_json(&cause(&error)))),
        }
    }
}

/// Whether the head says so: `application/json`, or another type that ends in `+json`.
fn is_json(parts: &Parts) -> bool {
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.strip_prefix("application/").is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

/// The query of the URL.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => {
                Err(Problem::new(Code::InvalidParameter, words::of_value(Of::Parameter, &cause(&error))))
            }
            Err(error) => Err(Problem::new(Code::InvalidParameter, cause(&error))),
        }
    }
}

/// What a rejection is about, without its words for those who program the server.
fn cause(rejection: &dyn Error) -> String {
    rejection.source().map_or_else(|| rejection.to_string(), ToString::to_string)
}

/// What stands in the URL's path.
pub(crate) struct Segments<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::new(Code::InvalidPath, format!("the path `{}` is not UTF-8 text", parts.uri.path()))),
        }
    }
}
