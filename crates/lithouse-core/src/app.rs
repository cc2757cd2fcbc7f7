// SPDX-License-Identifier: Apache-2.0
//! What an app is to the outside: its status and the desired state that people set.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an app is doing, as the API tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppStatus {
    /// Accepted, or being started, or waiting for a retry (the reason tells which).
    Starting,
    /// Its environment is being built.
    Building,
    /// Healthy.
    Running,
    /// No process; the next request wakes it.
    Sleeping,
    /// Being ended.
    Stopping,
    /// No process, by somebody's wish.
    Stopped,
    /// This release was never ready: its build or its start failed.
    Failed,
    /// It ran, ended, and no retry is due.
    Crashed,
}

impl AppStatus {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Starting,
        Self::Building,
        Self::Running,
        Self::Sleeping,
        Self::Stopping,
        Self::Stopped,
        Self::Failed,
        Self::Crashed,
    ];

    /// The word that stands in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Building => "building",
            Self::Running => "running",
            Self::Sleeping => "sleeping",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Crashed => "crashed",
        }
    }

    /// Whether the app will leave this status by itself.
    pub fn is_passing(self) -> bool {
        match self {
            Self::Starting | Self::Building | Self::Stopping => true,
            Self::Running | Self::Sleeping | Self::Stopped | Self::Failed | Self::Crashed => false,
        }
    }
}

impl fmt::Display for AppStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Who says that an app is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Somebody uploaded it.
    Deployed,
    /// The folder of apps holds it.
    Folder,
    /// The configuration names it.
    Configured,
}

impl Origin {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Folder => "folder",
            Self::Configured => "configured",
        }
    }

    /// Whether it comes and goes with a folder or a configuration, and its files are a person's.
    pub fn is_declared(self) -> bool {
        match self {
            Self::Deployed => false,
            Self::Folder | Self::Configured => true,
        }
    }
}

impl FromStr for Origin {
    type Err = UnknownOrigin;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "deployed" => Ok(Self::Deployed),
            "folder" => Ok(Self::Folder),
            "configured" => Ok(Self::Configured),
            other => Err(UnknownOrigin(other.to_owned())),
        }
    }
}

/// A word that is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not where an app can come from")]
pub struct UnknownOrigin(String);

/// What people want of an app. It is what is stored; the world is brought to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Desired {
    /// It should serve.
    Running,
    /// It should hold no process.
    Stopped,
    /// It and everything that it owned should be gone.
    Deleted,
}

impl Desired {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Deleted => "deleted",
        }
    }
}

/// A stored word that no version of ours wrote.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a desired state")]
pub struct UnknownDesired(String);

impl FromStr for Desired {
    type Err = UnknownDesired;

    fn from_str(text: &str) -> Result<Self, UnknownDesired> {
        Ok(match text {
            "running" => Self::Running,
            "stopped" => Self::Stopped,
            "deleted" => Self::Deleted,
            _ => return Err(UnknownDesired(text.to_owned())),
        })
    }
}
