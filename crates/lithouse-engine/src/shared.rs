// SPDX-License-Identifier: Apache-2.0
//! What every app's task works with: the store, the keeper, environments, ports, and the settings.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use lithouse_core::limits::Limits;
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use crate::environment::{EnvironmentKey, Environments};
use crate::health::{KeeperWatch, Looks};
use crate::home::Home;
use crate::keeper::{Keeper, LogLimits};
use crate::ports::Ports;
use crate::registry::Registry;
use crate::reserve::Reserve;
use crate::store::Store;

/// What an operator can set of the engine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The ports that apps listen on.
    pub port_range: RangeInclusive<u16>,
    /// How long an app may take to become healthy.
    pub start_timeout: Duration,
    /// How long an app may take to end after SIGTERM.
    pub stop_grace: Duration,
    /// How long a proving session may take.
    pub proof_timeout: Duration,
    /// The bounds of each log.
    pub log_limits: LogLimits,
    /// What each app may take that has no limit of its own.
    pub limits: Limits,
    /// How many of its newest releases an app keeps besides those that it needs.
    pub keep_releases: usize,
    /// How many apps may be starting at a time.
    pub parallel_starts: usize,
    /// How many environments may be built at a time.
    pub parallel_builds: usize,
    /// How long one build may take.
    pub build_timeout: Duration,
    /// The Python that environments are made with; found on the machine if not given.
    pub python: Option<PathBuf>,
    /// The uv that builds them; found on the machine or installed if not given.
    pub uv: Option<PathBuf>,
    /// The host and port that people open, for what frameworks print of themselves.
    pub public_address: (String, u16),
    /// The beginning of the URLs that people open, such as `https://apps.example.com`, without a final slash.
    pub public_url: String,
    /// Our own program, whose hidden verb is the keeper.
    pub program: PathBuf,
}

pub(crate) struct Shared {
    pub(crate) home: Home,
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) environments: Environments,
    pub(crate) ports: Ports,
    pub(crate) reserve: Reserve,
    pub(crate) registry: Registry,
    pub(crate) starts: Arc<Semaphore>,
    /// Taken while an app's folder is brought up to date.
    pub(crate) folders: Semaphore,
    /// The Python file that starts an app.
    pub(crate) launcher: PathBuf,
    pub(crate) keeper: ArcSwap<Keeper>,
    pub(crate) keeper_watch: KeeperWatch,
    pub(crate) looks: Looks,
}

impl Shared {
    /// The keeper of this moment; another one may take its place.
    pub(crate) fn keeper(&self) -> Arc<Keeper> {
        self.keeper.load_full()
    }

    /// Removes the environments that neither an app nor the snippets want any more.
    pub(crate) async fn collect_environments(&self) {
        let mut wanted: HashSet<EnvironmentKey> = match self.store.wanted_environments().await {
            Ok(keys) => keys.iter().filter_map(|key| key.parse().ok()).collect(),
            Err(error) => {
                tracing::warn!(error = %error, "unused environments could not be collected");
                return;
            }
        };
        wanted.extend(crate::snippets::wanted_environment(&self.home));
        if let Err(error) = self.environments.collect(&wanted).await {
            tracing::warn!(error = %error, "unused environments could not be collected");
        }
    }
}

/// The time, in milliseconds since 1970-01-01 UTC.
pub fn now_ms() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// Random bytes, for ids and secrets. The kernel's generator does not fail once the machine is up.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        if let Ok(count) = rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            filled += count;
        }
    }
    bytes
}
