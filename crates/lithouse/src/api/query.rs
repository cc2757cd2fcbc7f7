// SPDX-License-Identifier: Apache-2.0
//! Refuses parameters in the URL of operations that take none. Those that take some look at them by themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Method;
use url::form_urlencoded;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{OpenApi, RefOr};

use super::problem::{Code, Problem};

/// Operations without parameters in the URL, by path and method. That of the server's health is none of them: whoever watches it
/// often adds a number, against caches on the way.
#[derive(Debug, Clone)]
pub(super) struct Bare(Arc<BTreeSet<(String, &'static str)>>);

impl Bare {
    /// Those of the document.
    pub(super) fn of(document: &OpenApi) -> Self {
        let mut bare = BTreeSet::new();
        for (path, item) in &document.paths.paths {
            let operations =
                [("GET", &item.get), ("PUT", &item.put), ("POST", &item.post), ("DELETE", &item.delete), ("PATCH", &item.patch)];
            for (method, operation) in operations {
                if operation.as_ref().is_some_and(takes_none) && !path.ends_with("/health") {
                    bare.insert((path.clone(), method));
                }
            }
        }
        Self(Arc::new(bare))
    }

    /// Lets a request through, or refuses it.
    pub(super) async fn check(self, request: Request, next: Next) -> Response {
        match self.unknown(&request) {
            Some(name) => {
                let detail = format!("there is no parameter `{name}`; `{}` takes none", request.uri().path());
                Problem::new(Code::InvalidParameter, detail).hint("leave it out").into_response()
            }
            None => next.run(request).await,
        }
    }

    fn unknown(&self, request: &Request) -> Option<String> {
        let query = request.uri().query().filter(|query| !query.is_empty())?;
        let path = request.extensions().get::<MatchedPath>()?;
        // What answers GET answers HEAD.
        let method = if request.method() == Method::HEAD { "GET" } else { request.method().as_str() };
        let is_bare = self.0.iter().any(|(bare, each)| bare == path.as_str() && *each == method);
        is_bare.then(|| form_urlencoded::parse(query.as_bytes()).next().map(|(name, _)| name.into_owned())).flatten()
    }
}

fn takes_none(operation: &Operation) -> bool {
    let in_query =
        |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query);
    !operation.parameters.iter().flatten().any(in_query)
}
