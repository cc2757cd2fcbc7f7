// SPDX-License-Identifier: Apache-2.0
//! `rollback`: an earlier release again.

use clap::Args;

use super::app_name::AppName;
use super::client::Client;
use super::complete;
use super::failure::Failure;
use super::output;
use super::resource::App;
use super::watch::{self, BuildLog, Releases, Unattended, Way};

/// Which app, and how far back.
#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// Key or id of the app
    #[arg(add = complete::apps())]
    pub(super) app: AppName,
    /// Number of the release; by default the one before the active one
    #[arg(add = complete::releases(), value_parser = number)]
    release: Option<u32>,
}

/// The number of a release.
fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "the number of a release is expected, such as `3`; `lithouse releases` lists them".to_owned())
}

/// Makes the release the active one and waits until it is.
pub(super) async fn run(client: &Client, args: &RollbackArgs) -> Result<(), Failure> {
    let number = match args.release {
        Some(number) => number,
        None => before_active(client, &args.app).await?,
    };
    client.post(&args.app.path(&format!("/releases/{number}/activate"))).await?;
    output::note(&format!("`{}` goes back to release {number}", args.app));
    let unattended = Unattended::begin();
    let outcome = watch::release(client, &args.app, number, Way::Back, &mut BuildLog::none()).await;
    unattended.end();
    let app: App = outcome?.as_resource()?;
    output::line(&output::plain(&app.access_url))
}

async fn before_active(client: &Client, app: &AppName) -> Result<u32, Failure> {
    let list: Releases = client.get(&app.path("/releases")).await?.as_resource()?;
    let active = list.releases.iter().find(|release| release.active).map(|release| release.number);
    let earlier = list.releases.iter().filter(|release| release.state == "ready" && Some(release.number) < active);
    earlier.map(|release| release.number).max().ok_or_else(|| Failure::NothingBefore(app.to_string()))
}
