// SPDX-License-Identifier: Apache-2.0
//! One request to an app, from the route to the answer.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use http::header::{CACHE_CONTROL, CONNECTION, HOST, HeaderName, HeaderValue, LOCATION, UPGRADE};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use lithouse_core::app::AppStatus;
use lithouse_core::route::{AppRoute, PathPrefix, RouteTable, Target, Upstream};
use tracing::Instrument;

use crate::body::{Progress, ProxyBody, RequestBody};
use crate::client::ClientContext;
use crate::headers::location::Place;
use crate::headers::{hop, request, response};
use crate::page;
use crate::path::{self, AppPath};
use crate::refusal::Refusal;
use crate::upgrade;
use crate::upstream::carrier::Carrier;
use crate::upstream::link::{ExchangeError, Link};
use crate::upstream::pool::Pool;
use crate::upstream::socket::{ConnectError, Socket};

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// A request that must not be sent twice rides only a connection that was in use a moment ago. Servers close connections that
/// were idle for seconds, and one that is being closed just now would swallow the request.
const FRESH: Duration = Duration::from_secs(1);

/// Between two looks at an app that is about to open its port.
const OPENING_PAUSE: Duration = Duration::from_millis(20);

/// How the proxy deals with apps.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long an app may take to accept a connection.
    pub connect_timeout: Duration,
    /// How long an app may take to begin its answer; for ever by default, since scripts may be slow.
    pub response_header_timeout: Option<Duration>,
    /// How long a piece of a request's body is waited for.
    pub request_body_timeout: Duration,
    /// How long a request waits for an app that opens its port by itself and has not done so yet.
    pub opening_patience: Duration,
    /// How many connections to one app wait for further requests.
    pub idle_per_app: usize,
    /// How long a connection waits for a further request.
    pub idle_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            response_header_timeout: None,
            request_body_timeout: Duration::from_secs(60),
            opening_patience: Duration::from_secs(10),
            idle_per_app: 256,
            idle_timeout: Duration::from_secs(30),
        }
    }
}

/// The data plane. Cheap to clone; all clones share their connections.
#[derive(Debug, Clone)]
pub struct Proxy(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    routes: Arc<ArcSwap<RouteTable>>,
    pool: Arc<Pool>,
    options: Options,
    clock: fn() -> i64,
    upgraded: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy over these routes. `clock` tells the time in milliseconds since 1970-01-01 UTC.
    pub fn new(routes: Arc<ArcSwap<RouteTable>>, options: Options, clock: fn() -> i64) -> Self {
        let pool = Arc::new(Pool::new(options.idle_per_app, options.idle_timeout, clock));
        Self(Arc::new(Shared { routes, pool, options, clock, upgraded: Arc::default() }))
    }

    /// How many streams beyond HTTP are open: each WebSocket is one.
    pub fn upgraded_streams(&self) -> usize {
        self.0.upgraded.load(Ordering::Relaxed)
    }

    /// How many connections to apps wait for a request.
    pub fn idle_connections(&self) -> usize {
        self.0.pool.idle()
    }

    /// Answers one request whose path is beneath `/apps/`. A WebSocket needs a server that runs the
    /// client's connection with upgrades enabled. Dropping the future, or the answer's body, drops the app's side at once.
    pub async fn serve(&self, request: Request<Incoming>, context: &ClientContext) -> Response<ProxyBody> {
        let wants_page = page::is_wanted(request.headers());
        let request_id = context.request_id.as_deref();
        let Some(asked) = AppPath::of(request.uri().path()) else {
            return Refusal::NoSuchApp { name: "" }.response(wants_page, request_id);
        };
        let Some(route) = self.0.routes.load().get(asked.name).cloned() else {
            return Refusal::NoSuchApp { name: asked.name }.response(wants_page, request_id);
        };
        if asked.rest.is_empty() || (asked.name != route.path_name && is_page_load(&request, wants_page)) {
            return redirect(&asked.under(&route.path_name, request.uri().query()));
        }
        let response = self.serve_app(request, context, &route, wants_page).await;
        route.usage.note_answer(response.status().as_u16());
        response
    }

    /// The same, with the app known.
    async fn serve_app(
        &self,
        mut request: Request<Incoming>,
        context: &ClientContext,
        route: &Arc<AppRoute>,
        wants_page: bool,
    ) -> Response<ProxyBody> {
        let request_id = context.request_id.as_deref();
        route.usage.touch((self.0.clock)());
        let route = self.once_open(Arc::clone(route)).await;
        let (upstream, knows) = match &route.target {
            Target::Up(upstream, knows) => (upstream, *knows),
            Target::Opening => {
                let refusal = Refusal::NotRunning {
                    title: &route.title,
                    name: &route.path_name,
                    status: AppStatus::Starting,
                    reason: None,
                };
                return refusal.response(wants_page, request_id);
            }
            Target::Down { status, reason } => {
                let refusal = Refusal::NotRunning {
                    title: &route.title,
                    name: &route.path_name,
                    status: *status,
                    reason: reason.as_deref(),
                };
                return refusal.response(wants_page, request_id);
            }
        };
        if hop::is_coded_beyond_chunks(request.headers()) {
            return Refusal::CodedBody.response(wants_page, request_id);
        }
        let protocol = hop::upgrade(request.headers());
        let client = protocol.is_some().then(|| hyper::upgrade::on(&mut request));
        let (mut parts, body) = request.into_parts();
        let host = host(&mut parts, context);
        let prefix = path::prefix_of(&route.path_name);
        request::prepare(&mut parts.headers, context, &prefix, protocol.as_ref());
        let body = RequestBody::of_client(body, &route.usage, self.0.options.request_body_timeout);
        let progress = body.progress();
        let Ok(sent) = outgoing(parts, body, &route.path_name, knows) else {
            return Refusal::NoSuchApp { name: &route.path_name }.response(wants_page, request_id);
        };
        let answered = match self.send(sent, &route, upstream).await {
            Ok((_, answer)) if hop::is_coded_beyond_chunks(answer.headers()) => {
                Err(Refusal::BadAnswer { title: &route.title, name: &route.path_name })
            }
            Ok((link, answer)) => {
                let place = Place { prefix: &prefix, knows, host: host.to_str().unwrap_or_default(), upstream };
                match (answer.status(), client) {
                    (StatusCode::SWITCHING_PROTOCOLS, Some(client)) => Ok(self.switch(link, answer, client, &route, &place)),
                    // Nobody asked for another protocol.
                    (StatusCode::SWITCHING_PROTOCOLS, None) => {
                        Err(Refusal::BadAnswer { title: &route.title, name: &route.path_name })
                    }
                    _ => Ok(self.pass(link, answer, &progress, &route, &place)),
                }
            }
            Err(refusal) => Err(refusal),
        };
        answered.unwrap_or_else(|refusal| refusal.response(wants_page, request_id))
    }

    /// The app's route once it is known what answers there, or as it is when the patience is over.
    ///
    /// An app that opens its port by itself has no backlog that requests could wait in, so they wait here. Nothing is asked
    /// meanwhile: until the engine has seen that the port is the app's, it may be anybody's.
    async fn once_open(&self, mut route: Arc<AppRoute>) -> Arc<AppRoute> {
        let began = Instant::now();
        while route.target == Target::Opening && began.elapsed() < self.0.options.opening_patience {
            tokio::time::sleep(OPENING_PAUSE).await;
            match self.0.routes.load().get(&route.path_name) {
                Some(now) => route = Arc::clone(now),
                None => break,
            }
        }
        route
    }

    /// Brings a request to the app and the head of the answer back, over a waiting connection if there is one.
    async fn send<'a>(
        &self,
        mut request: Request<RequestBody>,
        route: &'a AppRoute,
        upstream: &Upstream,
    ) -> Result<(Box<Link>, Response<Incoming>), Refusal<'a>> {
        let limit = self.0.options.response_header_timeout;
        let is_repeatable = request.body().is_empty() && is_safe(request.method());
        let longest = (!is_repeatable).then_some(FRESH);
        while let Some(mut link) = self.0.pool.take(upstream, longest) {
            let copy = is_repeatable.then(|| copy_of(&request));
            match (link.exchange(request, limit).await, copy) {
                (Ok(answer), _) => return Ok((link, answer)),
                (Err(ExchangeError::NotSent(whole)), _) => request = *whole,
                (Err(ExchangeError::Cut(_)), Some(copy)) => {
                    // Most likely the app closed a connection that had been idle for its taste. Asked anew, it has no such excuse.
                    request = copy;
                    break;
                }
                (Err(error), _) => return Err(refusal_of(&error, route)),
            }
        }
        // Boxed, because it is rare, and makes the future of every request large.
        Box::pin(self.send_afresh(request, route, upstream)).await
    }

    /// The same over a connection made for it.
    async fn send_afresh<'a>(
        &self,
        request: Request<RequestBody>,
        route: &'a AppRoute,
        upstream: &Upstream,
    ) -> Result<(Box<Link>, Response<Incoming>), Refusal<'a>> {
        let Options { connect_timeout, response_header_timeout, .. } = self.0.options;
        let socket = Socket::connect(upstream, connect_timeout).await.map_err(|error| {
            let refusal = match &error {
                ConnectError::TimedOut(_) => Refusal::Busy { title: &route.title },
                ConnectError::Io(_) if error.is_nobody_there() => Refusal::NotListening { title: &route.title },
                ConnectError::Io(_) => Refusal::Unreachable { title: &route.title },
            };
            tracing::warn!(app.id = %route.app, code = refusal.code(), error = &error as &dyn Error, "an app could not be reached");
            refusal
        })?;
        let answered = async {
            let mut link = Box::new(Link::over(socket).await.map_err(ExchangeError::Cut)?);
            let answer = link.exchange(request, response_header_timeout).await?;
            Ok((link, answer))
        };
        answered.await.map_err(|error| refusal_of(&error, route))
    }

    /// Passes an ordinary answer on.
    fn pass(
        &self,
        link: Box<Link>,
        answer: Response<Incoming>,
        progress: &Progress,
        route: &Arc<AppRoute>,
        place: &Place<'_>,
    ) -> Response<ProxyBody> {
        let mut carrier = if progress.is_done() {
            Carrier::Reader { link, pool: Arc::clone(&self.0.pool), route: Arc::clone(route) }
        } else {
            Carrier::task(link)
        };
        let (mut parts, incoming) = answer.into_parts();
        if incoming.is_end_stream() {
            carrier.delivered();
        }
        parts.version = Version::HTTP_11;
        response::prepare(&mut parts.headers, place);
        Response::from_parts(parts, ProxyBody::of_app(incoming, carrier, Arc::clone(&route.usage)))
    }

    /// Passes the agreement to another protocol on, and carries that protocol for as long as it is spoken.
    fn switch(
        &self,
        link: Box<Link>,
        answer: Response<Incoming>,
        client: OnUpgrade,
        route: &Arc<AppRoute>,
        place: &Place<'_>,
    ) -> Response<ProxyBody> {
        let (mut parts, _) = answer.into_parts();
        let protocol = hop::upgrade(&parts.headers);
        response::prepare(&mut parts.headers, place);
        parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some(protocol) = protocol {
            parts.headers.insert(UPGRADE, protocol);
        }
        let open = (Open::count(&self.0.upgraded), route.usage.open_stream());
        let (clock, usage) = (self.0.clock, Arc::clone(&route.usage));
        let carrying = async move {
            // Held to the end of the stream.
            let _open = open;
            // A client that left before the answer reached it has nothing to say any more.
            let Ok(client) = client.await else { return };
            let Some((app, early)) = link.into_stream().await else { return };
            let mut noted = 0;
            usage.note_sent(early.len());
            let received = |bytes| {
                usage.note_received(bytes);
                let now = clock();
                if now.abs_diff(noted) >= 1000 {
                    noted = now;
                    usage.touch(now);
                }
            };
            if let Err(error) = upgrade::splice(TokioIo::new(client), app, early, received, |bytes| usage.note_sent(bytes)).await
            {
                tracing::debug!(error = &error as &dyn Error, "an upgraded stream broke");
            }
        };
        tokio::spawn(carrying.in_current_span());
        Response::from_parts(parts, ProxyBody::empty())
    }
}

/// One more open stream, until it is dropped.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn count(all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(all))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn refusal_of<'a>(error: &ExchangeError, route: &'a AppRoute) -> Refusal<'a> {
    let (title, name) = (&route.title, &route.path_name);
    let refusal = match error {
        ExchangeError::NotSent(_) | ExchangeError::Cut(_) | ExchangeError::ClientGone(_) => Refusal::NoAnswer { title, name },
        ExchangeError::Garbage(_) => Refusal::BadAnswer { title, name },
        ExchangeError::TimedOut(_) => Refusal::TimedOut { title, name },
        ExchangeError::Stalled(_) => Refusal::Stalled,
    };
    if let ExchangeError::Stalled(_) = error {
        // It is the client's doing, and anybody's who likes to fill a log.
        tracing::debug!(app.id = %route.app, error = error as &dyn Error, "a request did not come to its end");
    } else {
        tracing::warn!(app.id = %route.app, code = refusal.code(), error = error as &dyn Error, "an app gave no answer");
    }
    refusal
}

/// Whether the client reads pages.
/// Whether a person opens a page, as opposed to a page or a program that fetches something.
fn is_page_load(request: &Request<Incoming>, wants_page: bool) -> bool {
    wants_page
        && matches!(*request.method(), Method::GET | Method::HEAD)
        && request.headers().get(SEC_FETCH_MODE).is_none_or(|mode| mode == "navigate")
}

/// Whether a request of this method changes nothing.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

fn redirect(location: &str) -> Response<ProxyBody> {
    let mut response = Response::new(ProxyBody::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Made of a request's path, which holds nothing that a header could not.
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Host and port as the client has them. An app always gets a `Host`, even where an HTTP/1.0 client sent none.
fn host(parts: &mut Parts, context: &ClientContext) -> HeaderValue {
    let public = context.public_host.clone();
    if let Some(host) = parts.headers.get(HOST) {
        return public.unwrap_or_else(|| host.clone());
    }
    let authority = parts.uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    let host = public.or(authority).unwrap_or(HeaderValue::from_static("localhost"));
    parts.headers.insert(HOST, host.clone());
    host
}

fn outgoing(parts: Parts, body: RequestBody, canonical: &str, knows: PathPrefix) -> Result<Request<RequestBody>, http::Error> {
    let mut request = Request::new(body);
    *request.method_mut() = parts.method;
    *request.uri_mut() = path::target(parts.uri, canonical, knows)?;
    *request.headers_mut() = parts.headers;
    Ok(request)
}

/// The same request again; it has no body.
fn copy_of(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}
