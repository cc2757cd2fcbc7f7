// SPDX-License-Identifier: Apache-2.0
//! Taking what changed in the configuration and in the folder of apps.

use axum::Json;
use axum::extract::State;
use lithouse_core::id::Key;
use lithouse_engine::engine::{PassedOver, Revive};
use serde::Serialize;
use utoipa::ToSchema;

use super::Site;
use super::document::problems::{ASKED, STORED, WRITTEN, problems};
use super::extract::Controller;
use super::problem::{Code, Problem};
use crate::refresh::{RefreshError, Refreshed};

/// What a refresh came to. Apps are told by their keys, each in one list at most.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Refreshed)]
pub(crate) struct RefreshedResource {
    /// New apps, which are being started.
    added: Vec<String>,
    /// Apps of which something is told differently now, or that changed while they are stopped.
    changed: Vec<String>,
    /// Apps that changed, and whose process is being replaced.
    restarted: Vec<String>,
    /// Apps that nobody names any more: stopped, and known no more.
    removed: Vec<String>,
    /// Apps that had stopped by themselves, and are being started.
    started: Vec<String>,
    /// How many of the apps that are named are as they were.
    unchanged: usize,
    /// What is named and cannot be served.
    passed_over: Vec<PassedOverResource>,
    /// Settings that changed and count from the next start of the server.
    #[schema(example = json!(["listen"]))]
    later: Vec<String>,
}

/// An app that is named and cannot be served.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PassedOver)]
struct PassedOverResource {
    /// Its key, or where it lies.
    name: String,
    /// Why.
    reason: String,
}

problems!(Refreshing: ASKED, WRITTEN, STORED, [Code::ControlSocketOnly, Code::InvalidConfiguration]);
/// Take what changed in the configuration and in the folder of apps
///
/// Both are read again as at the start of the server. What did not change is not touched, and nothing is if anything is wrong.
/// Answers when all of it is stored and begun, and what is removed has stopped. Only the control socket takes it.
#[utoipa::path(
    post, path = "/api/server/refresh", operation_id = "refresh_server", tag = "server",
    responses((status = OK, description = "What came of it", body = RefreshedResource), Refreshing),
)]
pub(crate) async fn refresh(State(site): State<Site>, _: Controller) -> Result<Json<RefreshedResource>, Problem> {
    Ok(Json(site.refresher.refresh(Revive::Yes).await?.into()))
}

impl From<Refreshed> for RefreshedResource {
    fn from(Refreshed { outcome, later }: Refreshed) -> Self {
        let keys = |keys: Vec<Key>| keys.into_iter().map(String::from).collect();
        let passed_over = outcome.passed_over.into_iter();
        Self {
            added: keys(outcome.added),
            changed: keys(outcome.changed),
            restarted: keys(outcome.restarted),
            removed: keys(outcome.removed),
            started: keys(outcome.started),
            unchanged: outcome.unchanged,
            passed_over: passed_over.map(|PassedOver { name, reason }| PassedOverResource { name, reason }).collect(),
            later,
        }
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        let hint = "mend it and refresh again; the server goes on as it is";
        match error {
            RefreshError::Configuration(problems) => Self::new(Code::InvalidConfiguration, problems.to_string()).hint(hint),
            RefreshError::Apps(error) => Self::new(Code::InvalidConfiguration, error.to_string()).hint(hint),
            RefreshError::Engine(error) => error.into(),
        }
    }
}
