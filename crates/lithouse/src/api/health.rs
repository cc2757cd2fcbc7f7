// SPDX-License-Identifier: Apache-2.0
//! Whether the server is well: in a word for anybody, in detail for whoever may use the API.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::{Extension, Json};
use lithouse_engine::snippets::{Finding, Health as ServiceHealth, State as ServiceState, Status, ZygoteHealth};
use serde::Serialize;
use utoipa::ToSchema;

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

/// `degraded`: apps are served, and snippets cannot be run although they should.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Overall {
    Up,
    Degraded,
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
/// Never asks who you are; details are told to whoever may use the API.
#[utoipa::path(
    get, path = "/health", operation_id = "get_health", tag = "server",
    responses((status = OK, description = "It is", body = Health), Asking),
)]
pub(super) async fn read(State(site): State<Site>, stranger: Option<Extension<Stranger>>) -> Json<Health> {
    if stranger.is_some() {
        return Json(Health { status: Overall::Up, version: None, snippets: None });
    }
    let service = site.snippets.as_ref().map(lithouse_engine::snippets::Snippets::health);
    let has_failed = service.as_ref().is_some_and(|service| service.state == ServiceState::Failed);
    Json(Health {
        status: if has_failed { Overall::Degraded } else { Overall::Up },
        version: Some(env!("CARGO_PKG_VERSION")),
        snippets: Some(service.map_or(Service::Off(()), |service| Service::On(Box::new(service.into())))),
    })
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
