// SPDX-License-Identifier: Apache-2.0
//! The words for what an app is doing.

use lithouse_core::app::AppStatus;
use serde::Serialize;
use utoipa::ToSchema;

/// What an app is doing.
///
/// - `starting`: accepted, or being started, or waiting for a retry (then `reason` says so)
/// - `building`: its environment is being found or built
/// - `running`: healthy
/// - `sleeping`: no process; the next request wakes it. Not used yet
/// - `stopping`: being ended, restarted or deleted
/// - `stopped`: no process, by somebody's wish
/// - `failed`: never ready: the build or the start failed
/// - `crashed`: it ran and ended, and no retry is due
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AppStatus)]
pub(in crate::api) enum Status {
    Starting,
    Building,
    Running,
    Sleeping,
    Stopping,
    Stopped,
    Failed,
    Crashed,
}

impl From<AppStatus> for Status {
    fn from(status: AppStatus) -> Self {
        match status {
            AppStatus::Starting => Self::Starting,
            AppStatus::Building => Self::Building,
            AppStatus::Running => Self::Running,
            AppStatus::Sleeping => Self::Sleeping,
            AppStatus::Stopping => Self::Stopping,
            AppStatus::Stopped => Self::Stopped,
            AppStatus::Failed => Self::Failed,
            AppStatus::Crashed => Self::Crashed,
        }
    }
}
