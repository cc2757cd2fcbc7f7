// SPDX-License-Identifier: Apache-2.0
//! A bare server around the proxy, to be measured beside others:
//! `bench_proxy LISTEN UPSTREAM [WORKERS [per-core]]` serves `/apps/bench/` from the app at UPSTREAM (an address, or the path
//! of a socket), on one runtime with so many threads, or on so many runtimes with one thread each.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use lithouse_core::id::AppId;
use lithouse_core::route::{AppRoute, PathPrefix, RouteTable, Target, Upstream};
use lithouse_proxy::client::{ClientContext, Scheme};
use lithouse_proxy::proxy::{Options, Proxy};
use tokio::net::TcpSocket;

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: bench_proxy LISTEN UPSTREAM [WORKERS [per-core]]";
    let (listen, upstream) = (arguments.next().ok_or(usage)?, arguments.next().ok_or(usage)?);
    let workers: usize = arguments.next().map_or(Ok(2), |workers| workers.parse())?;
    let per_core = arguments.next().is_some_and(|word| word == "per-core");
    let upstream = upstream.parse::<SocketAddr>().map_or_else(|_| Upstream::Unix(upstream.into()), Upstream::Tcp);
    let mut table = RouteTable::default();
    let route = AppRoute {
        app: AppId::from_bytes([1; 8]),
        path_name: "bench".to_owned(),
        title: "Bench".to_owned(),
        target: Target::Up(upstream, PathPrefix::Keep),
        usage: Arc::default(),
    };
    table.insert(&Arc::new(route), []);
    let routes = Arc::new(ArcSwap::from_pointee(table));
    let listen: SocketAddr = listen.parse()?;
    if per_core {
        let threads: Vec<_> = (0..workers)
            .map(|_| {
                let routes = Arc::clone(&routes);
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                    runtime.block_on(serve(listen, Proxy::new(routes, Options::default(), unix_ms)))
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(std::io::Error::other("a thread panicked"))))?;
    } else {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
        runtime.block_on(serve(listen, Proxy::new(routes, Options::default(), unix_ms)))?;
    }
    Ok(())
}

async fn serve(listen: SocketAddr, proxy: Proxy) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    let listener = socket.listen(1024)?;
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let context = Arc::new(ClientContext::new(peer, Scheme::Http));
        let proxy = proxy.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let (proxy, context) = (proxy.clone(), Arc::clone(&context));
                async move { Ok::<_, std::convert::Infallible>(proxy.serve(request, &context).await) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
    }
}
