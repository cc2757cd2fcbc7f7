// SPDX-License-Identifier: Apache-2.0
//! Whether the server is well: in a word for anybody, in detail for whoever may use the API.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::{Extension, Json};
use lithouse_engine::environment::{BuildCounts, Tools};
use lithouse_engine::health::{DiskHealth, Health as EngineHealth, KeeperHealth};
use lithouse_engine::snippets::{Finding, Health as ServiceHealth, State as ServiceState, Status, ZygoteHealth};
use serde::Serialize;
use utoipa::ToSchema;

use super::app::Status as AppStatus;
use super::document::problems::problems;
use super::problem::Code;
use super::time::rfc3339;
use super::{Site, Stranger};

/// How the server is. Whoever may not use the API is told `status` alone, and only `up`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    #[schema(inline)]
    status: Overall,
    /// The version of the server.
    #[schema(nullable = false, example = "0.1.0")]
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    /// When this process began to serve.
    #[schema(nullable = false, format = DateTime, example = "2026-01-02T03:04:05.678Z")]
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    /// Why it is degraded, a text for each part that is; empty while it is not.
    #[schema(nullable = false, example = json!([]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Vec<String>>,
    /// Where apps and what people want of them are stored.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<Part>,
    /// The disk of the data folder.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<Disk>,
    /// The process that holds the apps' processes.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    keeper: Option<Keeper>,
    /// What environments are built with.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    builds: Option<Builds>,
    /// The configuration and the folder of apps, as last looked at.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration: Option<Part>,
    /// How many apps have each status. No app makes the server degraded.
    #[schema(nullable = false, value_type = Option<BTreeMap<String, usize>>, example = json!({ "running": 12, "failed": 1 }))]
    #[serde(skip_serializing_if = "Option::is_none")]
    apps: Option<BTreeMap<AppStatus, usize>>,
    /// The service that runs snippets; null where the operator turned it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<SnippetsHealth>)]
    snippets: Option<Service>,
}

/// What is told of the service.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Service {
    Off(()),
    On(Box<SnippetsHealth>),
}

/// `degraded`: it answers, and something that it needs for all of its work is not well; `reasons` tells what.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Overall {
    Up,
    Degraded,
}

/// Whether a part is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PartState {
    Ok,
    Degraded,
}

/// A part of the server.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Part {
    #[schema(inline)]
    state: PartState,
    /// What is wrong, and what to do; null while nothing is.
    #[schema(required, example = json!(null))]
    reason: Option<String>,
}

/// The disk of the data folder.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Disk {
    #[schema(inline)]
    state: PartState,
    /// What is wrong, and what to do; null while nothing is.
    #[schema(required, example = json!(null))]
    reason: Option<String>,
    /// The bytes that the server can still use; null where the disk does not answer.
    #[schema(required, example = 50_000_000_000_u64)]
    free: Option<u64>,
    /// The size in bytes; null where the disk does not answer.
    #[schema(required, example = 100_000_000_000_u64)]
    size: Option<u64>,
}

/// The process that holds the apps' processes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Keeper {
    #[schema(inline)]
    state: PartState,
    /// What is wrong, or what happened to it; null where there is nothing to say.
    #[schema(required, example = json!(null))]
    reason: Option<String>,
    /// Its process; null while there is none.
    #[schema(required, example = 4243)]
    pid: Option<u32>,
    /// Since when the server has had it, or has been without.
    #[schema(required, format = DateTime, example = "2026-01-02T03:04:05.678Z")]
    since: Option<String>,
    /// How often it was lost since the server came up. Its apps are lost with it, and started again.
    #[schema(example = 0)]
    losses: u64,
}

/// `unused`: no build has asked for it yet. `degraded`: the last one had to do without, and apps that need a build cannot start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ToolsState {
    Unused,
    Ok,
    Degraded,
}

/// What environments are built with.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Builds {
    #[schema(inline)]
    state: ToolsState,
    /// What is missing, and what to do; null while nothing is.
    #[schema(required, example = json!(null))]
    reason: Option<String>,
    /// The version of Python; null until a build has found one.
    #[schema(required, example = "3.11.7")]
    python: Option<String>,
    /// The version of uv; null until a build has found one.
    #[schema(required, example = "0.9.8")]
    uv: Option<String>,
    /// How many builds run.
    #[schema(example = 0)]
    running: u64,
    /// How many wait.
    #[schema(example = 0)]
    waiting: u64,
}

/// The service that runs snippets, at one moment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SnippetsHealth {
    /// How strongly runs are confined: `full`, `standard`, `basic` or `none`; null until the machine was looked at, or where it
    /// cannot confine at all.
    #[schema(required, example = "full")]
    level: Option<String>,
    #[schema(inline)]
    state: Step,
    /// Why it is not ready, or what happened to it last; null where there is nothing to say.
    #[schema(required, example = json!(null))]
    reason: Option<String>,
    /// How many runs there may be at a time.
    #[schema(example = 4)]
    workers: usize,
    /// How many there are.
    running: usize,
    /// How many wait.
    queued: usize,
    /// How many processes are ready to take one.
    #[schema(example = 4)]
    parked: usize,
    /// The warm Python that all of them are forked from; null while there is none.
    #[schema(required)]
    zygote: Option<Zygote>,
    /// How many runs ended in each way since the server came up.
    #[schema(value_type = BTreeMap<String, u64>, example = json!({ "success": 12, "error": 1 }))]
    runs: BTreeMap<Status, u64>,
    /// What this machine offers to confine runs, layer by layer; empty until it was looked at.
    findings: Vec<FindingResource>,
}

/// `unused`: nobody has asked for it yet. `building`: its environment is being built. `warming`: Python is starting.
/// `failed`: it cannot run snippets.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Step {
    Unused,
    Building,
    Warming,
    Ready,
    Failed,
}

/// The warm Python.
#[derive(Debug, Serialize, ToSchema)]
struct Zygote {
    /// The version of Python.
    #[schema(example = "3.11.7")]
    python: String,
    /// The libraries that it has imported, with their versions.
    #[schema(example = json!({ "numpy": "2.4.6" }))]
    libraries: BTreeMap<String, String>,
    /// When it was ready.
    #[schema(required, format = DateTime, example = "2026-01-02T03:04:05.678Z")]
    started_at: Option<String>,
    /// How many seconds it took to be ready.
    #[schema(example = 1.9)]
    warm_up: f64,
    /// How many processes were forked from it.
    forks: u64,
}

/// One means of confinement.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Finding)]
struct FindingResource {
    /// Which.
    #[schema(example = "user namespaces")]
    layer: String,
    /// Whether this machine has it.
    available: bool,
    /// More about it; where it is missing, why, and what brings it.
    detail: String,
}

problems!(Asking: [Code::HostNotServed]);
/// Ask whether the server is up
///
/// Never asks who you are; details are told to whoever may use the API. The status is 200 also of a server that is degraded: it
/// answers, and ending it would mend nothing. It may be asked each second; a disk that hangs is waited for five seconds.
#[utoipa::path(
    get, path = "/health", operation_id = "get_health", tag = "server",
    responses((status = OK, description = "It is", body = Health), Asking),
)]
pub(super) async fn read(State(site): State<Site>, stranger: Option<Extension<Stranger>>) -> Json<Health> {
    if stranger.is_some() {
        return Json(Health::of_stranger());
    }
    let seen = Seen::now(&site).await;
    let mut apps = BTreeMap::new();
    for app in site.engine.apps() {
        *apps.entry(app.status.into()).or_default() += 1;
    }
    let reasons: Vec<_> = seen.faults().filter_map(|(_, fault)| fault).collect();
    let Seen { engine, snippets, refused } = seen;
    Json(Health {
        status: if reasons.is_empty() { Overall::Up } else { Overall::Degraded },
        version: Some(env!("CARGO_PKG_VERSION")),
        started_at: rfc3339(site.facts.started_at_ms),
        reasons: Some(reasons),
        database: Some(Part::of(engine.database.err())),
        disk: Some(engine.disk.into()),
        keeper: Some(engine.keeper.into()),
        builds: Some(Builds::of(engine.tools, &site.engine.environments().build_counts())),
        configuration: Some(Part::of(refused)),
        apps: Some(apps),
        snippets: Some(snippets.map_or(Service::Off(()), |service| Service::On(Box::new(service.into())))),
    })
}

/// All parts at one moment, for whoever tells of them.
pub(crate) struct Seen {
    engine: EngineHealth,
    snippets: Option<ServiceHealth>,
    /// Why the last refresh was refused, if it was.
    refused: Option<String>,
}

impl Seen {
    pub(crate) async fn now(site: &Site) -> Self {
        Self {
            engine: site.engine.health().await,
            snippets: site.snippets.as_ref().map(lithouse_engine::snippets::Snippets::health),
            refused: site.refresher.refused(),
        }
    }

    /// Each part, with what is wrong where something is.
    pub(crate) fn faults(&self) -> impl Iterator<Item = (&'static str, Option<String>)> {
        let keeper = &self.engine.keeper;
        let tools = match &self.engine.tools {
            Tools::Missing { reason } => Some(reason.clone()),
            Tools::Unused | Tools::Found { .. } => None,
        };
        let snippets = self.snippets.as_ref().filter(|service| service.state == ServiceState::Failed);
        [
            ("database", self.engine.database.clone().err()),
            ("disk", self.engine.disk.fault.clone()),
            ("keeper", keeper.pid.is_none().then(|| without_keeper(keeper.fault.as_deref()))),
            ("builds", tools.map(|reason| format!("environments cannot be built: {reason}"))),
            ("configuration", self.refused.clone()),
            (
                "snippets",
                snippets.map(|service| {
                    format!("snippets cannot be run: {}", service.reason.as_deref().unwrap_or("`/health` has no reason for it"))
                }),
            ),
        ]
        .into_iter()
    }

    /// The disk of the data folder.
    pub(crate) fn disk(&self) -> &DiskHealth {
        &self.engine.disk
    }

    /// The keeper.
    pub(crate) fn keeper(&self) -> &KeeperHealth {
        &self.engine.keeper
    }
}

fn without_keeper(why: Option<&str>) -> String {
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    format!("there is no keeper, and its apps have ended; another one is tried for each second{why}")
}

impl Health {
    fn of_stranger() -> Self {
        Self {
            status: Overall::Up,
            version: None,
            started_at: None,
            reasons: None,
            database: None,
            disk: None,
            keeper: None,
            builds: None,
            configuration: None,
            apps: None,
            snippets: None,
        }
    }
}

impl PartState {
    fn of(fault: Option<&String>) -> Self {
        if fault.is_some() { Self::Degraded } else { Self::Ok }
    }
}

impl Part {
    fn of(fault: Option<String>) -> Self {
        Self { state: PartState::of(fault.as_ref()), reason: fault }
    }
}

impl From<DiskHealth> for Disk {
    fn from(disk: DiskHealth) -> Self {
        Self {
            state: PartState::of(disk.fault.as_ref()),
            reason: disk.fault,
            free: disk.room.map(|room| room.free),
            size: disk.room.map(|room| room.size),
        }
    }
}

impl From<KeeperHealth> for Keeper {
    fn from(keeper: KeeperHealth) -> Self {
        let KeeperHealth { pid, since_ms, losses, fault } = keeper;
        let replaced = (losses > 0).then(|| "the one before was lost, and its apps were started again".to_owned());
        let reason = if pid.is_none() { Some(without_keeper(fault.as_deref())) } else { replaced };
        let state = if pid.is_some() { PartState::Ok } else { PartState::Degraded };
        Self { state, reason, pid, since: rfc3339(since_ms), losses }
    }
}

impl Builds {
    fn of(tools: Tools, counts: &BuildCounts) -> Self {
        let (state, reason, python, uv) = match tools {
            Tools::Unused => (ToolsState::Unused, None, None, None),
            Tools::Found { python, uv } => (ToolsState::Ok, None, Some(python), Some(uv)),
            Tools::Missing { reason } => (ToolsState::Degraded, Some(reason), None, None),
        };
        Self { state, reason, python, uv, running: counts.running, waiting: counts.waiting }
    }
}

impl From<ServiceHealth> for SnippetsHealth {
    fn from(service: ServiceHealth) -> Self {
        Self {
            level: service.level.map(|level| level.to_string()),
            state: service.state.into(),
            reason: service.reason,
            workers: service.workers,
            running: service.running,
            queued: service.queued,
            parked: service.parked,
            zygote: service.zygote.map(Zygote::from),
            runs: service.runs,
            findings: service.findings.into_iter().map(FindingResource::from).collect(),
        }
    }
}

impl From<ServiceState> for Step {
    fn from(state: ServiceState) -> Self {
        match state {
            ServiceState::Unused => Self::Unused,
            ServiceState::Building => Self::Building,
            ServiceState::Warming => Self::Warming,
            ServiceState::Ready => Self::Ready,
            ServiceState::Failed => Self::Failed,
        }
    }
}

impl From<ZygoteHealth> for Zygote {
    fn from(zygote: ZygoteHealth) -> Self {
        Self {
            python: zygote.python,
            libraries: zygote.libraries,
            started_at: rfc3339(zygote.started_at_ms),
            warm_up: zygote.warm_up,
            forks: zygote.forks,
        }
    }
}

impl From<Finding> for FindingResource {
    fn from(finding: Finding) -> Self {
        Self { layer: finding.layer, available: finding.available, detail: finding.detail }
    }
}
