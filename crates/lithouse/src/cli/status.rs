// SPDX-License-Identifier: Apache-2.0
//! `status`: every app with what it takes, and the server.

use std::path::Path;

use clap::Args;
use lithouse_engine::home::Home;
use lithouse_engine::keeper;

use super::address::Address;
use super::apps;
use super::client::{Client, ClientError};
use super::failure::Failure;
use super::output::{self, Cell, Moment, Table, age};
use super::resource::{Health, Server};

/// What is told.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Tell of the server instead of its apps
    #[arg(long)]
    server: bool,
    /// Print the API's JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Tells it. The exit code is 3 where no server runs.
pub(super) async fn run(client: &Client, args: &StatusArgs) -> Result<(), Failure> {
    let told = if args.server { server(client, args.json).await } else { all(client, args.json).await };
    match (told, client.address()) {
        (Err(Failure::Client(ClientError::NoServerHere { .. })), Address::Socket(socket)) => Err(no_server(socket)),
        (told, _) => told,
    }
}

async fn all(client: &Client, json: bool) -> Result<(), Failure> {
    let pages = apps::pages(client).await?;
    if json {
        return output::line(&apps::json(&pages)?);
    }
    // An older server does not tell of itself.
    if let Ok(Ok(server)) = client.get("/api/server").await.map(|answer| answer.as_resource::<Server>()) {
        output::note(&output::plain(&in_a_line(&server)));
        compare(&server);
    }
    if let Ok(Ok(health)) = client.get("/health").await.map(|answer| answer.as_resource::<Health>()) {
        for reason in &health.reasons {
            output::note(&output::plain(&format!("degraded: {reason}")));
        }
    }
    apps::tell(&pages, apps::Columns::All)
}

/// Tells it where the server is another program than this one.
fn compare(server: &Server) {
    let own = env!("CARGO_PKG_VERSION");
    if server.version != own {
        output::complain(&output::plain(&format!("warning: this command is version {own}, the server {}", server.version)));
        output::complain("hint: `lithouse restart --server` replaces the server by the program that is installed there now");
    }
}

fn in_a_line(server: &Server) -> String {
    let up = server.started_at.map(|started| format!(", up {}", age(started, Moment::now()))).unwrap_or_default();
    format!("server: pid {}, version {}{up}, at {}, data {}", server.pid, server.version, server.url, server.data)
}

async fn server(client: &Client, json: bool) -> Result<(), Failure> {
    let answer = client.get("/api/server").await?;
    if json {
        return output::line(&answer.pretty());
    }
    let server: Server = answer.as_resource()?;
    compare(&server);
    let apps: Vec<String> = server.apps.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let facts = [
        ("pid", Some(server.pid.to_string())),
        ("version", Some(server.version)),
        ("up", server.started_at.map(|started| age(started, Moment::now()))),
        ("listens", Some(server.listen)),
        ("url", Some(server.url)),
        ("data", Some(server.data)),
        ("config", server.config),
        ("folder", server.folder),
        ("log", Some(server.log)),
        ("apps", Some(apps.join(", ")).filter(|apps| !apps.is_empty())),
    ];
    let mut table = Table::default();
    for (name, value) in facts {
        if let Some(value) = value {
            table.row([Cell::from(name), Cell::from(value)]);
        }
    }
    output::line(&table.render())
}

fn no_server(socket: &Path) -> Failure {
    let data = socket.parent().unwrap_or(Path::new("")).to_owned();
    let keeper = keeper::holder(&Home::at(&data)).ok().flatten();
    Failure::NoServer { data, keeper }
}
