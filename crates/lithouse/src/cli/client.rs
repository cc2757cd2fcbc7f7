// SPDX-License-Identifier: Apache-2.0
//! One server's API over HTTP/1.1: one connection a request, over the control socket or TCP.
//!
//! It knows how to ask and what an answer is, not what the verbs want.

mod answer;
mod connect;
mod error;
mod events;
mod form;
mod lines;
mod stream;

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;

pub(super) use answer::Json;
pub(super) use error::ClientError;
pub(super) use events::{Events, Message, Messages};
pub(super) use form::{Form, Sent};
pub(super) use lines::Lines;

use super::address::Address;
use connect::Connection;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// How long a read may take.
const READ: Duration = Duration::from_secs(30);
/// How long a change may take: a stop waits for the app's grace, a removal for files to go.
const CHANGE: Duration = Duration::from_secs(180);

/// A line of a stream that holds the whole result of a snippet. More than any honest answer.
const LONGEST_RESULT: usize = 96 << 20;
/// A server that streams says something every 15 seconds.
const SILENCE: Duration = Duration::from_secs(60);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain, application/json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream, application/json");

/// A server that can be asked.
#[derive(Debug)]
pub(super) struct Client {
    address: Address,
    credentials: Option<HeaderValue>,
}

impl Client {
    /// Names the server and, if there is one, the token for it. Nothing is sent yet.
    pub(super) fn new(address: Address, token: Option<&str>) -> Result<Self, ClientError> {
        let credentials = token.map(|token| HeaderValue::from_str(&format!("Bearer {}", token.trim())));
        let mut credentials = credentials.transpose().map_err(|_| ClientError::UnusableToken)?;
        if let Some(value) = &mut credentials {
            value.set_sensitive(true);
        }
        Ok(Self { address, credentials })
    }

    /// Where the server is.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Reads a resource.
    pub(super) async fn get(&self, path: &str) -> Result<Json, ClientError> {
        self.json(Method::GET, path, READ).await
    }

    /// Reads a resource, with less patience than usual.
    pub(super) async fn get_within(&self, path: &str, patience: Duration) -> Result<Json, ClientError> {
        self.json(Method::GET, path, patience).await
    }

    /// Makes something happen.
    pub(super) async fn post(&self, path: &str) -> Result<Json, ClientError> {
        self.json(Method::POST, path, CHANGE).await
    }

    /// Makes something happen that takes its time.
    pub(super) async fn post_within(&self, path: &str, patience: Duration) -> Result<Json, ClientError> {
        self.json(Method::POST, path, patience).await
    }

    /// Makes something happen that is answered with nothing.
    pub(super) async fn post_for_nothing(&self, path: &str) -> Result<(), ClientError> {
        let request = self.request(Method::POST, path, JSON, nothing())?;
        self.within(CHANGE, self.send(request)).await.map(drop)
    }

    /// Changes a resource.
    pub(super) async fn patch(&self, path: &str, change: &serde_json::Value) -> Result<Json, ClientError> {
        let request = self.json_request(Method::PATCH, path, JSON, change.to_string().into())?;
        self.read(self.send(request), CHANGE).await
    }

    /// Asks with JSON.
    pub(super) async fn post_json(&self, path: &str, question: &serde_json::Value) -> Result<Json, ClientError> {
        let request = self.json_request(Method::POST, path, JSON, question.to_string().into())?;
        self.read(self.send(request), CHANGE).await
    }

    /// Asks with JSON, and is answered in events.
    pub(super) async fn post_for_messages(&self, path: &str, question: Bytes) -> Result<Messages, ClientError> {
        let request = self.json_request(Method::POST, path, EVENT_STREAM, question)?;
        let lines = self.stream(request, CHANGE).await?;
        Ok(Messages::new(lines.up_to(LONGEST_RESULT), Some(SILENCE)))
    }

    /// Removes a resource.
    pub(super) async fn delete(&self, path: &str) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, path, JSON, nothing())?;
        self.within(CHANGE, self.send(request)).await.map(drop)
    }

    /// Sends a form with a file. `sent` tells how much of it is on its way.
    pub(super) async fn upload(&self, path: &str, form: Form, sent: &Sent) -> Result<Json, ClientError> {
        let (length, boundary) = (form.length(), form.content_type());
        let mut request = self.request(Method::POST, path, JSON, form.into_body(sent.clone()))?;
        request.headers_mut().insert(CONTENT_TYPE, boundary);
        request.headers_mut().insert(http::header::CONTENT_LENGTH, length.into());
        let answer = tokio::select! {
            answer = self.send(request) => answer,
            () = sent.stalled(CHANGE) => Err(self.silent(CHANGE)),
        };
        self.read(async { answer }, CHANGE).await
    }

    /// Reads a text, line by line.
    pub(super) async fn lines(&self, path: &str) -> Result<Lines, ClientError> {
        let request = self.request(Method::GET, path, TEXT, nothing())?;
        let answer = self.within(READ, self.send(request)).await?;
        Ok(Lines::new(answer.into_body(), self.address.to_string()))
    }

    /// Follows a stream of events, for as long as it lasts.
    pub(super) async fn events(&self, path: &str) -> Result<Events, ClientError> {
        self.events_after(path, None).await
    }

    /// The same, after the event of that id.
    pub(super) async fn events_after(&self, path: &str, id: Option<&str>) -> Result<Events, ClientError> {
        let mut request = self.request(Method::GET, path, EVENT_STREAM, nothing())?;
        // An id that no header can hold is none of ours.
        let id = id.and_then(|id| HeaderValue::from_str(id).ok());
        request.headers_mut().extend(id.map(|id| (LAST_EVENT_ID, id)));
        Ok(Events::new(self.stream(request, READ).await?))
    }

    /// The lines of an answer in events.
    async fn stream(&self, request: Request<Body>, patience: Duration) -> Result<Lines, ClientError> {
        let answer = self.within(patience, self.send(request)).await?;
        let is_stream = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        if !is_stream {
            return Err(ClientError::NotOurs { address: self.address.to_string() });
        }
        Ok(Lines::new(answer.into_body(), self.address.to_string()))
    }

    async fn json(&self, method: Method, path: &str, patience: Duration) -> Result<Json, ClientError> {
        let request = self.request(method, path, JSON, nothing())?;
        self.read(self.send(request), patience).await
    }

    fn json_request(&self, method: Method, path: &str, accept: HeaderValue, json: Bytes) -> Result<Request<Body>, ClientError> {
        let body = Full::new(json).map_err(|never| match never {}).boxed_unsync();
        let mut request = self.request(method, path, accept, body)?;
        request.headers_mut().insert(CONTENT_TYPE, JSON);
        Ok(request)
    }

    fn request(&self, method: Method, path: &str, accept: HeaderValue, body: Body) -> Result<Request<Body>, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address.prefix()))
            .header(HOST, self.address.authority())
            .header(USER_AGENT, concat!("lithouse/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, accept);
        let request = match &self.credentials {
            Some(credentials) => request.header(AUTHORIZATION, credentials),
            None => request,
        };
        request.body(body).map_err(|source| ClientError::BadRequest { path: path.to_owned(), source })
    }

    /// Sends a request; an answer that is no success is an error.
    async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, ClientError> {
        let mut connection = Connection::open(&self.address).await?;
        let answer = connection.send(request).await.map_err(|source| ClientError::of_hyper(&self.address, source))?;
        if answer.status().is_success() { Ok(answer) } else { Err(answer::refusal(answer, &self.address).await) }
    }

    async fn read(
        &self,
        answer: impl Future<Output = Result<Response<Incoming>, ClientError>>,
        patience: Duration,
    ) -> Result<Json, ClientError> {
        self.within(patience, async { Json::read(answer.await?, &self.address).await }).await
    }

    async fn within<T>(
        &self,
        patience: Duration,
        asking: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        tokio::time::timeout(patience, asking).await.unwrap_or_else(|_| Err(self.silent(patience)))
    }

    /// The error for an answer that ended too early.
    pub(super) fn cut_short(&self) -> ClientError {
        ClientError::CutShort { address: self.address.to_string() }
    }

    /// The error for an answer in another shape.
    pub(super) fn unexpected(&self, source: serde_json::Error) -> ClientError {
        ClientError::Unexpected { address: self.address.to_string(), source }
    }

    fn silent(&self, patience: Duration) -> ClientError {
        ClientError::Silent { address: self.address.to_string(), seconds: patience.as_secs() }
    }
}

fn nothing() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}
