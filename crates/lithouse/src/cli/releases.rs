// SPDX-License-Identifier: Apache-2.0
//! `releases`: what an app was and can be again.

use clap::Args;

use super::app_name::AppName;
use super::client::Client;
use super::complete;
use super::failure::Failure;
use super::output::{self, Cell, Moment, Paint, Table, age};
use super::watch::Releases;

/// Which app, and how.
#[derive(Debug, Args)]
pub(super) struct ReleasesArgs {
    /// Key or id of the app
    #[arg(add = complete::apps())]
    pub(super) app: AppName,
    /// Print the API's JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Prints the list.
pub(super) async fn run(client: &Client, args: &ReleasesArgs) -> Result<(), Failure> {
    let answer = client.get(&args.app.path("/releases")).await?;
    if args.json {
        return output::line(&answer.pretty());
    }
    let list: Releases = answer.as_resource()?;
    if list.releases.is_empty() {
        output::note(&format!("`{}` has no releases; it is served from its folder", args.app));
        return Ok(());
    }
    let now = Moment::now();
    let mut table = Table::titled(&["RELEASE", "STATE", "MADE", "ENTRY", "REASON"]).sparing(&["ENTRY", "MADE"]);
    for release in list.releases {
        let (state, paint) = match release.state.as_str() {
            _ if release.active => ("active", Paint::Good),
            "failed" => ("failed", Paint::Bad),
            "pending" => ("pending", Paint::Passing),
            other => (other, Paint::Faint),
        };
        table.row([
            Cell::from(release.number.to_string()),
            Cell::painted(state, paint),
            Cell::from(release.created_at.map(|made| format!("{} ago", age(made, now))).unwrap_or_default()),
            Cell::from(release.entry.unwrap_or_default()),
            Cell::from(release.reason.unwrap_or_default()),
        ]);
    }
    output::line(&table.render())
}
