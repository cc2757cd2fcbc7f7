// SPDX-License-Identifier: Apache-2.0
//! Who may control the server itself: whoever may open its control socket.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::api::FromControlSocket;
use crate::api::problem::{Code, Problem};

/// A request that came over the control socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Controller;

impl<S: Send + Sync> FromRequestParts<S> for Controller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if parts.extensions.get::<FromControlSocket>().is_some() {
            return Ok(Self);
        }
        Err(Problem::new(Code::ControlSocketOnly, "the server itself is controlled through its control socket alone")
            .hint("run `lithouse` on the server's machine, as the user who runs the server, without `--url`"))
    }
}
