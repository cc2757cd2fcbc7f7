// SPDX-License-Identifier: Apache-2.0
//! The data plane of Lithouse: it finds the app behind a path and streams HTTP and WebSocket to it and back.
//!
//! Owns routing by `/apps/<name>/`, the connections to the apps, what headers and cookies may pass in either direction, the
//! pages for apps that do not answer, and the checks of `Host` and `Origin` that protect every route of the server.
//! It does not own the listener, sign-in or the API, and knows no store: it reads route tables and notes uses, nothing else.
#![forbid(unsafe_code)]

pub mod body;
pub mod client;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod guard;
mod headers;
pub mod page;
mod path;
pub mod proxy;
mod refusal;
mod upgrade;
mod upstream;
