// SPDX-License-Identifier: Apache-2.0
//! A server around the proxy, and clients for it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lithouse_core::id::AppId;
use lithouse_core::route::{AppRoute, PathPrefix, RouteTable, Target, Upstream, Usage};
use lithouse_proxy::client::{ClientContext, Scheme};
use lithouse_proxy::proxy::{Options, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// The id under which the app of [`Lithouse::with`] is known besides its name `sales`.
pub(crate) const ID: &str = "0707070707070707";

/// No test waits longer than this for anything.
pub(crate) const DEADLINE: Duration = Duration::from_mins(4);

/// A server with one app.
pub(crate) struct Lithouse {
    pub(crate) address: SocketAddr,
    pub(crate) proxy: Proxy,
    pub(crate) usage: Arc<Usage>,
    routes: Arc<ArcSwap<RouteTable>>,
    server: JoinHandle<()>,
}

impl Lithouse {
    /// With the app `sales`, which knows its path.
    pub(crate) async fn keeping(address: SocketAddr) -> Self {
        Self::with(Target::Up(Upstream::Tcp(address), PathPrefix::Keep)).await
    }

    /// With the app `sales`, which does not know its path.
    pub(crate) async fn stripping(address: SocketAddr) -> Self {
        Self::with(Target::Up(Upstream::Tcp(address), PathPrefix::Strip)).await
    }

    pub(crate) async fn with(target: Target) -> Self {
        Self::start(target, Options::default(), unix_ms, |_| {}).await
    }

    pub(crate) async fn start(
        target: Target,
        options: Options,
        clock: fn() -> i64,
        change: impl Fn(&mut ClientContext) + Send + 'static,
    ) -> Self {
        let usage = Arc::<Usage>::default();
        let routes = Arc::new(ArcSwap::from_pointee(table(target, &usage)));
        let proxy = Proxy::new(Arc::clone(&routes), options, clock);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = proxy.clone();
        let server = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, peer)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let mut context = ClientContext::new(peer, Scheme::Http);
                change(&mut context);
                let (proxy, context) = (serving.clone(), Arc::new(context));
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let (proxy, context) = (proxy.clone(), Arc::clone(&context));
                        async move { Ok::<_, Infallible>(proxy.serve(request, &context).await) }
                    });
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
                });
            }
        });
        Self { address, proxy, usage, routes, server }
    }

    /// Publishes another target for the app.
    pub(crate) fn publish(&self, target: Target) {
        self.routes.store(Arc::new(table(target, &self.usage)));
    }

    /// Asks once, over a connection of its own.
    pub(crate) async fn ask(&self, request: Request<Full<Bytes>>) -> Answer {
        let response = self.open(request).await;
        Answer::of(response).await
    }

    /// Asks, and leaves the body to the caller.
    pub(crate) async fn open<B>(&self, request: Request<B>) -> Response<Incoming>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        within(sender.send_request(request)).await.unwrap()
    }

    /// Asks for a path with these headers.
    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask(request("GET", path, headers, "")).await
    }

    /// A bare connection, with these bytes written to it.
    pub(crate) async fn raw(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(bytes.as_ref()).await.unwrap();
        stream
    }
}

impl Drop for Lithouse {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn table(target: Target, usage: &Arc<Usage>) -> RouteTable {
    let mut table = RouteTable::default();
    let app = AppId::from_bytes([7; 8]);
    let other_names = [app.to_string()];
    let route =
        AppRoute { app, path_name: "sales".to_owned(), title: "Sales <Report>".to_owned(), target, usage: Arc::clone(usage) };
    table.insert(&Arc::new(route), other_names);
    table
}

pub(crate) fn unix_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A request to `lit.example:8080` with these headers and this body.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        builder = builder.header("host", "lit.example:8080");
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(body.into())).unwrap()
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn of(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let body = within(body.collect()).await.unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// What a future gives, which must not take longer than the deadline.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("nothing happened before the deadline")
}

/// Waits until a claim holds.
pub(crate) async fn eventually(claim: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "never came true: {claim}");
        // The pause between two looks.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Everything that a bare connection still says, until its end.
pub(crate) async fn rest_of(mut stream: TcpStream) -> (String, std::io::Result<()>) {
    let mut bytes = Vec::new();
    let ended = within(stream.read_to_end(&mut bytes)).await.map(drop);
    (String::from_utf8_lossy(&bytes).into_owned(), ended)
}
