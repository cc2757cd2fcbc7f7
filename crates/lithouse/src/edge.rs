// SPDX-License-Identifier: Apache-2.0
//! The edge: every request passes here first, whatever its path. Is it meant for us, does a foreign page send it, may it be
//! asked? Then it goes to the proxy or to the API, and what came of it is written to the access log.

mod access;
mod hold;
mod lingering;
mod peer;
mod unread;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::response::IntoResponse;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::{Body as _, Incoming};
use lithouse_engine::shared::random_bytes;
use lithouse_proxy::client::{ClientContext, Scheme};
use lithouse_proxy::guard::{ServedHosts, host_is_served, host_of, origin_is_foreign};
use lithouse_proxy::page;
use lithouse_proxy::proxy::Proxy;
use tower::ServiceExt;
use tracing::Instrument;

use crate::api::problem::{Code, Problem};
use crate::api::{FromControlSocket, RequestId, Stranger};
use crate::logging;
use crate::metrics::{Handler, RequestCounts};
pub(crate) use access::AccessLog;
pub(crate) use hold::{Held, Hold};
use lingering::Lingering;
pub(crate) use peer::has_left;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PLATFORM_PATH: &str = "/apps/";
const RESTART_PATH: &str = "/api/server/restart";
/// What anybody may ask for; what strangers are told there is less.
const OPEN_PATHS: [&str; 2] = ["/health", "/api/health"];

/// What a request that somebody else passed on to us carries. Then we do not know who really asks.
const FORWARDING: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// The local user: a loopback connection of our own uid or of root, that nobody passed on.
    LocalUser,
    /// Anybody, by the operator's word.
    Anybody,
}

/// Where a connection came in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Door {
    /// The listener.
    Tcp {
        /// Who connected.
        peer: SocketAddr,
        /// To which of our addresses.
        local: SocketAddr,
    },
    /// The control socket, which only its owner can open.
    Control,
}

/// Whether there is room for a request where there are too many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// There is.
    Enough,
    /// For this one. The connection ends with its answer.
    ForOne,
    /// There is none.
    None,
}

/// Everything that is behind the doors.
pub(crate) struct Edge {
    pub(crate) hosts: ServedHosts,
    pub(crate) gate: Gate,
    pub(crate) scheme: Scheme,
    pub(crate) proxy: Proxy,
    pub(crate) api: Router,
    pub(crate) counts: Arc<RequestCounts>,
    pub(crate) access: AccessLog,
    pub(crate) hold: Hold,
}

/// Marks answers that a successor gave.
#[derive(Debug, Clone, Copy)]
struct OfSuccessor;

/// One connection and what is known of it.
pub(crate) struct Connection {
    edge: Arc<Edge>,
    door: Door,
    is_local_user: bool,
}

type Body = axum::body::Body;

impl Connection {
    pub(crate) async fn new(edge: Arc<Edge>, door: Door) -> Self {
        let is_local_user = match door {
            Door::Control => true,
            Door::Tcp { peer, local } => edge.gate == Gate::LocalUser && peer::is_ours(peer, local).await,
        };
        Self { edge, door, is_local_user }
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>, room: Room) -> Response<Body> {
        let id = request_id();
        let span = logging::span_of_request(&id);
        self.answer_as(request, room, id).instrument(span).await
    }

    async fn answer_as(&self, mut request: Request<Incoming>, room: Room, id: String) -> Response<Body> {
        let began = Instant::now();
        let line = self.edge.access.line(&request, self.door);
        let handler = Handler::of(request.uri().path());
        if matches!(self.door, Door::Control) && request.headers_mut().remove(hold::PASSED_ON).is_none() {
            request.extensions_mut().insert(FromControlSocket);
        }
        request.extensions_mut().insert(RequestId(id.clone()));
        let refusal = self.refusal(&request).or_else(|| {
            let refusal = self.refusal_of_stranger(&request)?;
            if !OPEN_PATHS.contains(&request.uri().path()) {
                return Some(refusal);
            }
            request.extensions_mut().insert(Stranger);
            None
        });
        let refusal = refusal.or_else(|| (room == Room::None).then(no_room));
        let mut response = match refusal {
            Some(problem) => {
                let (head, body) = request.into_parts();
                let is_for_person = problem.is_for_people() && page::is_wanted(&head.headers);
                drop(Lingering::of(body, &head.headers));
                if is_for_person { problem.page() } else { problem.render(&id) }
            }
            None => self.pass(request, &id).await,
        };
        if response.extensions().get::<OfSuccessor>().is_none()
            && let Ok(value) = HeaderValue::try_from(&id)
        {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let is_last = self.edge.hold.has_moved() || room != Room::Enough;
        if is_last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            // The next request of this client is the successor's, or waits for a place with all others.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let took = began.elapsed();
        self.edge.counts.note(handler, line.method(), response.status(), took);
        self.edge.access.write(&line, &response, &id, took);
        response
    }

    fn refusal(&self, request: &Request<Incoming>) -> Option<Problem> {
        if matches!(self.door, Door::Control) {
            return None;
        }
        let host = host_of(request).unwrap_or_default();
        if !host_is_served(host, &self.edge.hosts) {
            let detail = format!("this server does not answer to the host `{host}`");
            let problem = Problem::new(Code::HostNotServed, detail);
            return Some(problem.hint("open it by the address it printed, or name the host with `--public-base`"));
        }
        if origin_is_foreign(request, None) {
            let detail = "a page of another origin may not do this";
            return Some(Problem::new(Code::ForeignOrigin, detail));
        }
        None
    }

    /// Who is not known to be let in.
    fn refusal_of_stranger(&self, request: &Request<Incoming>) -> Option<Problem> {
        if matches!(self.door, Door::Control) || self.edge.gate == Gate::Anybody {
            return None;
        }
        let passed_on = FORWARDING.iter().any(|name| request.headers().contains_key(*name));
        (!self.is_local_user || passed_on).then(|| {
            let detail = if passed_on {
                "this request was passed on by another server, so it is not known to be the local user's"
            } else {
                "only the user who runs this server, and root, may use it"
            };
            Problem::new(Code::NotSignedIn, detail)
                .hint("ask this machine directly and as that user, or say `--auth none` if everybody may use it")
        })
    }

    async fn pass(&self, request: Request<Incoming>, id: &str) -> Response<Body> {
        if request.uri().path().starts_with(PLATFORM_PATH) {
            let peer = match self.door {
                Door::Tcp { peer, .. } => peer,
                Door::Control => SocketAddr::from(([127, 0, 0, 1], 0)),
            };
            let mut client = ClientContext::new(peer, self.edge.scheme);
            client.headers.extend(HeaderValue::try_from(id).ok().map(|value| (REQUEST_ID, value)));
            client.request_id = Some(id.to_owned());
            return self.edge.proxy.serve(request, &client).await.map(Body::new);
        }
        let is_for_person = page::is_wanted(request.headers());
        let (head, body) = request.into_parts();
        let body = Body::new(Lingering::of(body, &head.headers));
        let mut response = match self.answer_of_api(Request::from_parts(head, body)).await {
            Ok(response) if response.extensions().get::<OfSuccessor>().is_some() => return response,
            Ok(response) => response,
            Err(problem) => problem.into_response(),
        };
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            // The router alone knows which methods a path has.
            let allow = response.headers_mut().remove(header::ALLOW);
            response = if is_for_person && problem.is_for_people() { problem.page() } else { problem.render(id) };
            response.headers_mut().extend(allow.map(|methods| (header::ALLOW, methods)));
        }
        harden(response.headers_mut());
        response
    }
}

impl Connection {
    async fn answer_of_api(&self, request: Request<Body>) -> Result<Response<Body>, Problem> {
        let restarting = || Problem::new(Code::ServerRestarting, "the server is being replaced").retry_after(1);
        let here = async |request| {
            let answer = self.edge.api.clone().oneshot(request).await;
            answer.unwrap_or_else(|never| match never {})
        };
        if request.uri().path() == RESTART_PATH && !self.edge.hold.has_moved() {
            // It waits for all others.
            return Ok(here(request).await);
        }
        let Some(_leave) = self.edge.hold.enter(hold::is_long(&request)).await else {
            let is_owners = request.extensions().get::<FromControlSocket>().is_some();
            let mut answer = self.edge.hold.pass_on(request, is_owners).await.map_err(|error| {
                tracing::warn!(error = %error, "a request could not be passed on to the successor");
                restarting()
            })?;
            answer.extensions_mut().insert(OfSuccessor);
            return Ok(answer);
        };
        tokio::select! {
            answer = here(request) => Ok(answer),
            () = self.edge.hold.hurry() => Err(restarting()),
        }
    }
}

/// Whether a request is quickly answered by its nature, so that it needs no place among others.
pub(crate) fn is_short(request: &Request<Incoming>) -> bool {
    let path = request.uri().path();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD) && request.body().is_end_stream();
    is_read && !path.starts_with(PLATFORM_PATH) && !path.contains("/files/") && !path.ends_with("/logs")
}

fn no_room() -> Problem {
    let detail = "as many requests are under way as the limit on open files allows";
    Problem::new(Code::TooManyRequests, detail)
        .hint("ask again after `Retry-After`; whoever runs the server can raise the limit (`LimitNOFILE` of a unit)")
        .retry_after(2)
}

/// What every answer of our own carries.
fn harden(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
}

fn request_id() -> String {
    format!("{:016x}", u64::from_be_bytes(random_bytes()))
}
