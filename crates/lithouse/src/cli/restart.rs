// SPDX-License-Identifier: Apache-2.0
//! `restart`: an app, or the server beneath its apps.

use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use super::app_name::AppName;
use super::client::Client;
use super::complete;
use super::failure::Failure;
use super::output::{self, Progress};
use super::power::{self, PowerArgs};
use super::watch::Unattended;

/// A successor looks at everything first, and what the API has begun is finished.
const PATIENCE: Duration = Duration::from_secs(200);

/// What is restarted.
#[derive(Debug, Args)]
pub(super) struct RestartArgs {
    /// Key or id of the app
    #[arg(required_unless_present = "server", conflicts_with = "server", add = complete::apps())]
    pub(super) app: Option<AppName>,
    /// Replace the server by the program that is installed now; apps and their sessions live on
    #[arg(long)]
    server: bool,
    /// With an app: return once the server has accepted it
    #[arg(long)]
    no_wait: bool,
}

#[derive(Deserialize)]
struct Replacement {
    pid: u32,
    version: String,
    gap: f64,
}

/// Restarts it.
pub(super) async fn run(client: &Client, args: RestartArgs) -> Result<(), Failure> {
    if let Some(app) = args.app {
        return power::restart(client, &PowerArgs { app, no_wait: args.no_wait }).await;
    }
    let (unattended, progress) = (Unattended::begin(), Progress::of("replacing the server"));
    let answer = client.post_within("/api/server/restart", PATIENCE).await;
    drop(progress);
    unattended.end();
    let new: Replacement = answer?.as_resource()?;
    let milliseconds = new.gap * 1000.0;
    output::note(&format!(
        "version {} serves now (pid {}); requests to the API waited {milliseconds:.0} ms",
        output::plain(&new.version),
        new.pid
    ));
    Ok(())
}
