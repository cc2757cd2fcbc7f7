// SPDX-License-Identifier: Apache-2.0
//! One server while it serves: engine, snippets and edge, and the connections that they have.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use lithouse_engine::engine::{Engine, PassedOver};
use lithouse_engine::home::Home;
use lithouse_engine::shared::now_ms;
use lithouse_engine::snippets::Snippets;
use lithouse_proxy::proxy::{Options, Proxy};
use tokio::task::JoinHandle;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::{Gate, Wishes, progress, say, watch};
use crate::api::{self, Links, Site};
use crate::config::{Config, Source};
use crate::edge::{AccessLog, Edge, Held, Hold};
use crate::metrics::RequestCounts;
use crate::plain::plain;
use crate::refresh::{Refresher, Sight};
use crate::server::{self, Doors, Stop};

/// How long answers in the making may take once the server is told to end.
const DRAIN: Duration = Duration::from_secs(2);

/// What a server is made of.
pub(super) struct Ground {
    pub(super) config: Config,
    pub(super) source: Source,
    /// Where the configuration wants it to listen; a service manager may have opened another listener.
    pub(super) asked: SocketAddr,
    pub(super) home: Home,
    pub(super) gate: Gate,
    pub(super) doors: Arc<Doors>,
    pub(super) links: Arc<Links>,
    pub(super) wishes: Wishes,
}

/// A server that serves.
pub(super) struct House {
    pub(super) engine: Engine,
    pub(super) refresher: Refresher,
    snippets: Option<Snippets>,
    proxy: Proxy,
    edge: Arc<Edge>,
    stop: Stop,
    tasks: TaskTracker,
    serving: JoinHandle<()>,
    /// What goes on beside: it ends with the engine's work.
    beside: [AbortOnDropHandle<()>; 2],
}

impl House {
    /// Takes up everything in the data folder, whose lock is held, with the apps of this configuration, and begins to accept.
    pub(super) async fn open(ground: &Ground, good: Config) -> anyhow::Result<Self> {
        let Ground { config, home, doors, links, .. } = ground;
        let seen = config.hosting.watch.then(|| Sight::of(&good));
        let found = super::found_apps(&good)?;
        let engine = Engine::open(home.clone(), super::settings(config, links.listen)?, found.apps).await;
        let (engine, outcome) = engine.map_err(|error| super::not_opened(error, home))?;
        let mut started = config.clone();
        started.server.listen = ground.asked;
        let refresher = Refresher::new(engine.clone(), ground.source.clone(), started, good);
        let opened = Self::over(ground, engine.clone(), refresher.clone());
        if opened.is_err() {
            engine.leave().await;
        }
        let (snippets, edge) = opened?;
        let (stop, tasks) = (Stop::default(), TaskTracker::new());
        let serving = tokio::spawn(server::run(Arc::clone(&edge), Arc::clone(doors), stop.clone(), tasks.clone()));
        for PassedOver { name, reason } in found.passed_over.iter().chain(&outcome.passed_over) {
            say::warn(&plain(&format!("not served: `{name}`: {reason}")));
        }
        let watched = refresher.clone();
        let watch = async move {
            if let Some(seen) = seen {
                watch::run(watched, seen).await;
            }
        };
        let beside = [tokio::spawn(progress::run(engine.clone(), say::note)), tokio::spawn(watch)].map(AbortOnDropHandle::new);
        Ok(Self { engine, refresher, snippets, proxy: edge.proxy.clone(), edge, stop, tasks, serving, beside })
    }

    fn over(ground: &Ground, engine: Engine, refresher: Refresher) -> anyhow::Result<(Option<Snippets>, Arc<Edge>)> {
        let Ground { config, home, gate, links, wishes, .. } = ground;
        let snippets = super::snippets::open(config, home, &engine)?;
        let facts = Arc::new(super::facts(config, home));
        let counts = Arc::<RequestCounts>::default();
        let access = AccessLog::open(&home.logs().join("website.log"), config.log.format, config.log.size, config.log.keep)
            .context("could not open the access log")?;
        let edge = Edge {
            hosts: super::served_hosts(config, links.listen),
            gate: *gate,
            scheme: super::scheme(config),
            proxy: Proxy::new(engine.routes(), Options::default(), now_ms),
            api: api::router(Site {
                engine,
                snippets: snippets.clone(),
                links: Arc::clone(links),
                refresher,
                facts,
                wishes: wishes.clone(),
                counts: Arc::clone(&counts),
                access: access.clone(),
            }),
            counts,
            access,
            hold: Hold::new(home.control_socket()),
        };
        Ok((snippets, Arc::new(edge)))
    }

    /// Ends, with every app.
    pub(super) async fn shut_down(self) -> anyhow::Result<()> {
        self.beside.iter().for_each(AbortOnDropHandle::abort);
        self.stop.accepting.cancel();
        self.stop.serving.cancel();
        self.tasks.close();
        // Open WebSockets would wait for ever; their apps end now.
        let _ = tokio::time::timeout(DRAIN, async {
            let _ = self.serving.await;
            self.tasks.wait().await;
        })
        .await;
        if let Some(snippets) = self.snippets {
            snippets.leave().await;
        }
        self.engine.shut_down().await.map_err(anyhow::Error::new)
    }

    /// Finishes what the API has begun. Everything else goes on.
    pub(super) async fn hold(&self) -> Held {
        self.edge.hold.close().await
    }

    /// Lets go of all that only one server may have. Apps are served on, by the routes of this moment.
    pub(super) async fn let_go(&mut self) {
        self.beside.iter().for_each(AbortOnDropHandle::abort);
        if let Some(snippets) = self.snippets.take() {
            snippets.leave().await;
        }
        self.engine.let_go().await;
    }

    /// Accepts no more, and has whoever accepts now answer the API.
    pub(super) async fn give_way(&mut self, held: Held) {
        self.stop.accepting.cancel();
        // Its end is the point from which on nothing is accepted here.
        let _ = (&mut self.serving).await;
        self.edge.hold.give_away(held);
    }

    /// Whether no connection is left.
    pub(super) fn is_idle(&self) -> bool {
        self.tasks.is_empty() && self.proxy.upgraded_streams() == 0
    }

    /// Ends the connections that wait for a further request.
    pub(super) fn end_idle_connections(&self) {
        self.stop.serving.cancel();
    }

    /// Ends every connection that can be ended well.
    pub(super) async fn leave(self) {
        self.stop.serving.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(DRAIN, self.tasks.wait()).await;
    }
}
