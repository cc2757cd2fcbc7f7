// SPDX-License-Identifier: Apache-2.0
//! The API's resources, as far as the command line reads them. What it does not know it ignores, so that a newer server can be
//! asked by an older command.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::output::{Moment, Paint};

/// An app.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct App {
    #[serde(rename = "app_id")]
    pub(super) id: String,
    #[serde(default)]
    pub(super) key: Option<String>,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: Option<String>,
    pub(super) access_url: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) reason_log: Option<Vec<String>>,
    #[serde(default)]
    pub(super) port: Option<u16>,
    #[serde(default)]
    pub(super) pid: Option<u32>,
    #[serde(default)]
    pub(super) release: Option<u32>,
    #[serde(default)]
    pub(super) restarts: u32,
    #[serde(default)]
    pub(super) restart_on_crash: Option<bool>,
    #[serde(default)]
    pub(super) created_at: Option<Moment>,
    #[serde(default)]
    pub(super) started_at: Option<Moment>,
    #[serde(default)]
    pub(super) last_used_at: Option<Moment>,
    #[serde(default)]
    pub(super) memory: Option<u64>,
    #[serde(default)]
    pub(super) cpu: Option<f64>,
    #[serde(default)]
    pub(super) memory_peak: Option<u64>,
    #[serde(default)]
    pub(super) limits: Option<AppLimits>,
}

/// What an app may take.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct AppLimits {
    #[serde(default)]
    pub(super) memory: Option<u64>,
    #[serde(default)]
    pub(super) cpu: Option<f64>,
    #[serde(default)]
    pub(super) processes: Option<u32>,
    #[serde(default)]
    pub(super) open_files: Option<u32>,
}

impl App {
    /// How people name it: its key if it has one.
    pub(super) fn label(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.id)
    }

    /// Whether it will leave its status by itself.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self.status.as_str(), "starting" | "building" | "stopping")
    }

    /// Whether somebody who opens it gets it; a sleeping one wakes.
    pub(super) fn is_serving(&self) -> bool {
        matches!(self.status.as_str(), "running" | "sleeping")
    }

    /// Whether it holds no process by somebody's wish, or soon will.
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.status.as_str(), "stopped" | "stopping")
    }

    /// Its status as a claim: `is running`, `has failed`.
    pub(super) fn claim(&self) -> String {
        match self.status.as_str() {
            "failed" | "crashed" => format!("has {}", self.status),
            other => format!("is {other}"),
        }
    }

    /// The colour of its status.
    pub(super) fn paint(&self) -> Paint {
        match self.status.as_str() {
            "running" => Paint::Good,
            "failed" | "crashed" => Paint::Bad,
            "starting" | "building" | "stopping" => Paint::Passing,
            _ => Paint::Faint,
        }
    }
}

/// A release of an app.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Release {
    #[serde(rename = "release")]
    pub(super) number: u32,
    pub(super) state: String,
    #[serde(default)]
    pub(super) active: bool,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) entry: Option<String>,
    #[serde(default)]
    pub(super) created_at: Option<Moment>,
}

/// The answer to `/health`.
#[derive(Debug, Deserialize)]
pub(super) struct Health {
    pub(super) status: String,
    /// Why it is degraded.
    #[serde(default)]
    pub(super) reasons: Vec<String>,
}

/// The server itself.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Server {
    pub(super) pid: u32,
    pub(super) version: String,
    #[serde(default)]
    pub(super) started_at: Option<Moment>,
    pub(super) listen: String,
    pub(super) url: String,
    pub(super) data: String,
    #[serde(default)]
    pub(super) config: Option<String>,
    #[serde(default)]
    pub(super) folder: Option<String>,
    pub(super) log: String,
    #[serde(default)]
    pub(super) apps: BTreeMap<String, usize>,
}
