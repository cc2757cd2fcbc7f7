// SPDX-License-Identifier: Apache-2.0
//! `apps`: the list of apps, which `status` tells more of.

use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::app_name::AppName;
use super::client::{Client, Json};
use super::failure::Failure;
use super::output::{self, Cell, Moment, Table, age, share, size};
use super::resource::App;
use crate::config;

/// How long a server may take before no name is suggested.
const PATIENCE: Duration = Duration::from_secs(2);

/// How to list.
#[derive(Debug, Args)]
pub(super) struct AppsArgs {
    /// Print the API's JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Deserialize)]
struct Page<T> {
    apps: Vec<T>,
    #[serde(default)]
    next: Option<String>,
}

/// Prints the list.
pub(super) async fn run(client: &Client, args: &AppsArgs) -> Result<(), Failure> {
    let pages = pages(client).await?;
    if args.json { output::line(&json(&pages)?) } else { tell(&pages, Columns::Few) }
}

/// How much is told of each app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Columns {
    /// What everybody wants to know.
    Few,
    /// What whoever looks after the server wants to know.
    All,
}

/// Prints the list for people.
pub(super) fn tell(pages: &[Json], columns: Columns) -> Result<(), Failure> {
    let mut apps: Vec<App> = Vec::new();
    for page in pages {
        apps.extend(page.as_resource::<Page<App>>()?.apps);
    }
    if apps.is_empty() {
        output::note("no apps yet");
        output::note("hint: `lithouse deploy FOLDER` makes one");
        return Ok(());
    }
    output::line(&table(&apps, columns).render())?;
    for app in &apps {
        if let Some(reason) = &app.reason {
            output::note(&format!("`{}` {}: {}", app.label(), app.claim(), output::plain(reason)));
        }
    }
    Ok(())
}

/// Asks for all pages of the list.
pub(super) async fn pages(client: &Client) -> Result<Vec<Json>, Failure> {
    let mut pages = Vec::new();
    let mut path = "/api/apps".to_owned();
    loop {
        let answer = client.get(&path).await?;
        let next = answer.as_resource::<Page<serde::de::IgnoredAny>>()?.next;
        pages.push(answer);
        let Some(next) = next else { return Ok(pages) };
        let cursor: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let following = format!("/api/apps?after={cursor}");
        // A server that sends us round in circles has told us all it has.
        if following == path {
            return Ok(pages);
        }
        path = following;
    }
}

/// The app whose name may be meant by one that no app has.
pub(super) async fn nearest(client: &Client, said: &AppName) -> Option<String> {
    let apps: Page<App> = client.get_within("/api/apps", PATIENCE).await.ok()?.as_resource().ok()?;
    let names: Vec<&str> = apps.apps.iter().map(App::label).collect();
    config::nearest(&said.to_string(), names).map(str::to_owned)
}

/// One page as it came; several as the one page that they are together.
pub(super) fn json(pages: &[Json]) -> Result<String, Failure> {
    if let [page] = pages {
        return Ok(page.pretty());
    }
    let mut apps: Vec<Value> = Vec::new();
    for page in pages {
        apps.extend(page.as_resource::<Page<Value>>()?.apps);
    }
    Ok(output::indent(&serde_json::json!({ "apps": apps, "next": null }).to_string()))
}

fn table(apps: &[App], columns: Columns) -> Table {
    let now = Moment::now();
    let is_told = |title: &&str| columns == Columns::All || !["PORT", "RESTARTS"].contains(title);
    let titles = ["APP", "STATUS", "PID", "PORT", "UP", "RESTARTS", "MEMORY", "CPU", "URL"];
    let mut table = Table::titled(&titles.into_iter().filter(is_told).collect::<Vec<_>>());
    table = table.sparing(&["CPU", "RESTARTS", "PORT", "MEMORY", "UP", "PID", "URL"]);
    for app in apps {
        let cells = [
            Cell::from(app.label()),
            Cell::painted(&app.status, app.paint()),
            shown(app.pid.map(|pid| pid.to_string())),
            shown(app.port.map(|port| port.to_string())),
            shown(app.started_at.map(|started| age(started, now))),
            Cell::from(app.restarts.to_string()),
            shown(app.memory.map(size)),
            shown(app.cpu.map(share)),
            Cell::from(&app.access_url),
        ];
        table.row(titles.iter().zip(cells).filter(|(title, _)| is_told(title)).map(|(_, cell)| cell));
    }
    table
}

fn shown(value: Option<String>) -> Cell {
    Cell::from(value.unwrap_or_else(|| "-".to_owned()))
}
