// SPDX-License-Identifier: Apache-2.0
//! `start`, `stop` and `restart`, each until it is so.

use clap::Args;

use super::app_name::AppName;
use super::client::Client;
use super::complete;
use super::failure::Failure;
use super::output;
use super::resource::App;
use super::watch::{self, Unattended};

/// Which app.
#[derive(Debug, Args)]
pub(crate) struct PowerArgs {
    /// Key or id of the app
    #[arg(add = complete::apps())]
    pub(super) app: AppName,
    /// Return once the server has accepted it
    #[arg(long)]
    pub(super) no_wait: bool,
}

/// Starts an app.
pub(super) async fn start(client: &Client, args: &PowerArgs) -> Result<(), Failure> {
    ask(client, args, "/start", App::is_serving).await
}

/// Stops an app.
pub(super) async fn stop(client: &Client, args: &PowerArgs) -> Result<(), Failure> {
    // One that failed or crashed holds no process either.
    ask(client, args, "/stop", |app| !app.is_serving() && !app.is_passing()).await
}

/// Replaces an app's process.
pub(super) async fn restart(client: &Client, args: &PowerArgs) -> Result<(), Failure> {
    ask(client, args, "/restart", App::is_serving).await
}

async fn ask(client: &Client, args: &PowerArgs, verb: &str, is_done: fn(&App) -> bool) -> Result<(), Failure> {
    let answer = client.post(&args.app.path(verb)).await?;
    let mut app: App = answer.as_resource()?;
    if !args.no_wait {
        let unattended = Unattended::begin();
        let settled = watch::settled(client, &args.app).await;
        unattended.end();
        app = settled?.0;
        if !is_done(&app) {
            return Err(watch::not_as_asked(&app));
        }
    }
    let place = if app.is_serving() { format!(" at {}", output::plain(&app.access_url)) } else { String::new() };
    output::note(&format!("`{}` {}{place}", app.label(), app.claim()));
    Ok(())
}
