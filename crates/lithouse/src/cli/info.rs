// SPDX-License-Identifier: Apache-2.0
//! `info`: everything known of one app.

use clap::Args;

use super::app_name::AppName;
use super::client::Client;
use super::complete;
use super::failure::Failure;
use super::log_line::LogLine;
use super::output::{self, Cell, Moment, Table, age, share, size};
use super::resource::{App, AppLimits};

/// Which app, and how.
#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    /// Key or id of the app
    #[arg(add = complete::apps())]
    pub(super) app: AppName,
    /// Print the API's JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Prints it.
pub(super) async fn run(client: &Client, args: &InfoArgs) -> Result<(), Failure> {
    let answer = client.get(&args.app.path("")).await?;
    if args.json {
        return output::line(&answer.pretty());
    }
    output::line(&table(&answer.as_resource()?).render())
}

/// Those that there are.
fn limits(limits: &AppLimits) -> Option<String> {
    let told = [
        limits.memory.map(|bytes| format!("memory {}", lithouse_core::limits::size(bytes))),
        limits.cpu.map(|cores| format!("cpu {cores}")),
        limits.processes.map(|most| format!("processes {most}")),
        limits.open_files.map(|most| format!("open files {most}")),
    ];
    let told: Vec<String> = told.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn table(app: &App) -> Table {
    let now = Moment::now();
    let ago = |moment: Option<Moment>| moment.map(|moment| format!("{} ago", age(moment, now)));
    let on_crash = app.restart_on_crash.map(|restart| if restart { "restart" } else { "stay down" }.to_owned());
    let facts = [
        ("id", Some(app.id.clone())),
        ("key", app.key.clone()),
        ("name", Some(app.name.clone()).filter(|name| !name.is_empty())),
        ("description", app.description.clone().filter(|description| !description.is_empty())),
        ("url", Some(app.access_url.clone())),
        ("reason", app.reason.clone()),
        ("release", app.release.map(|release| release.to_string())),
        ("port", app.port.map(|port| port.to_string())),
        ("pid", app.pid.map(|pid| pid.to_string())),
        ("up", app.started_at.map(|started| age(started, now))),
        ("memory", app.memory.map(size)),
        ("peak", app.memory_peak.map(size)),
        ("cpu", app.cpu.map(share)),
        ("limits", app.limits.as_ref().and_then(limits)),
        ("restarts", Some(app.restarts.to_string())),
        ("on crash", on_crash),
        ("created", ago(app.created_at)),
        ("last used", ago(app.last_used_at)),
    ];
    let mut table = Table::default();
    table.row(["status".into(), Cell::painted(&app.status, app.paint())]);
    for (name, value) in facts {
        if let Some(value) = value {
            table.row([name.into(), value.into()]);
        }
    }
    for (number, line) in app.reason_log.iter().flatten().enumerate() {
        table.row([if number == 0 { "log" } else { "" }.into(), LogLine::parse(line).text.into()]);
    }
    table
}
