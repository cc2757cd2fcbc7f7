// SPDX-License-Identifier: Apache-2.0
//! Decoding with errors in our own shape.

mod body;
mod controller;
mod count;
mod object;

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
        match Json::<Object<T>>::from_bytes(&bytes) {
            Ok(Json(Object(value))) => Ok(Self(value)),
            Err(JsonRejection::JsonDataError(error)) => Err(Problem::new(Code::InvalidField, told("field", &error))),
            Err(error) => Err(Problem::new(Code::InvalidJson, format!("the body is not JSON: {}", apart(&cause(&error)).1))),
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
                Err(Problem::new(Code::InvalidParameter, told("parameter", &error)))
            }
            Err(error) => Err(Problem::new(Code::InvalidParameter, cause(&error))),
        }
    }
}

/// What a rejection is about, without its words for those who program the server.
fn cause(rejection: &dyn Error) -> String {
    rejection.source().map_or_else(|| rejection.to_string(), ToString::to_string)
}

/// The cause in the words of the API, naming the field or parameter that is meant.
fn told(what: &str, rejection: &dyn Error) -> String {
    named(what, &cause(rejection))
}

/// Decoding tells `name: invalid type …`, or `name: unknown field `name`, expected …`, or leaves the name out.
fn named(what: &str, cause: &str) -> String {
    let (name, error) = apart(cause);
    for problem in ["unknown", "missing", "duplicate"] {
        if let Some(rest) = error.strip_prefix(problem).and_then(|rest| rest.strip_prefix(" field ")) {
            return format!("{problem} {what} {rest}");
        }
    }
    name.map_or_else(|| error.to_owned(), |name| format!("the {what} `{name}`: {error}"))
}

/// The name of the field, where decoding tells one, and what is wrong.
fn apart(cause: &str) -> (Option<&str>, &str) {
    let is_name =
        |text: &str| !text.is_empty() && text.chars().all(|letter| letter.is_alphanumeric() || "_-.[]".contains(letter));
    match cause.split_once(": ") {
        Some((name, error)) if is_name(name) => (Some(name), error),
        _ => (None, cause),
    }
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

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn what_decoding_says_is_told_with_the_name_of_the_field_once() {
        let told = |cause| named("parameter", cause);
        assert_eq!(told("limit: invalid digit found in string"), "the parameter `limit`: invalid digit found in string");
        assert_eq!(
            told("env.A[0]: invalid type: map, expected a string"),
            "the parameter `env.A[0]`: invalid type: map, expected a string"
        );
        assert_eq!(told("x: unknown field `x`, expected `a` or `b`"), "unknown parameter `x`, expected `a` or `b`");
        assert_eq!(told("unknown field `x`, expected `a`"), "unknown parameter `x`, expected `a`");
        assert_eq!(told("missing field `a` at line 1 column 2"), "missing parameter `a` at line 1 column 2");
        assert_eq!(told("invalid type: integer `3`, expected struct X"), "invalid type: integer `3`, expected struct X");
    }
}
