// SPDX-License-Identifier: Apache-2.0
//! Answers to what is no request, as it stands on the wire: nothing behind the HTTP library is asked.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, header};

use super::access::Line;
use super::{Door, Edge, REQUEST_ID, harden, request_id};
use crate::api::problem::{Code, Problem};
use crate::metrics::Handler;

impl Edge {
    /// The whole answer, in bytes, where the HTTP library would give this status by itself; none if that is not for us.
    pub(crate) fn answer_to_no_request(&self, status: u16, door: Door) -> Option<Bytes> {
        let problem = match status {
            400 => Problem::new(Code::NotHttp, "what came is not an HTTP/1.1 request"),
            414 => Problem::new(Code::AddressTooLong, "the address in the first line of the request is too long"),
            431 => Problem::new(Code::HeadTooLarge, "the head of the request is too large, or has too many headers"),
            _ => return None,
        };
        let id = request_id();
        let body = problem.text(&id);
        let mut response = Response::new(axum::body::Body::from(body.clone()));
        *response.status_mut() = problem.status();
        problem.set_headers(response.headers_mut());
        harden(response.headers_mut());
        let mut text = format!("HTTP/1.1 {}\r\n", response.status());
        for (name, value) in response.headers() {
            // All of them are texts of ours.
            let _ = write!(text, "{name}: {}\r\n", value.to_str().unwrap_or_default());
        }
        let (length, close, name) = (header::CONTENT_LENGTH, header::CONNECTION, REQUEST_ID);
        let _ = write!(text, "{name}: {id}\r\n{length}: {}\r\n{close}: close\r\n\r\n{body}", body.len());
        let line = Line::of_no_request(door);
        self.counts.note(Handler::Other, line.method(), response.status(), Duration::ZERO);
        self.access.write(&line, &response, &id, Duration::ZERO);
        Some(text.into())
    }
}
