// SPDX-License-Identifier: Apache-2.0
//! `logs`: what an app, or its build, has written.

use clap::Args;

use super::app_name::AppName;
use super::client::Client;
use super::complete;
use super::failure::Failure;
use super::log_line::LogLine;
use super::output;

/// Which log, and how much of it.
#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// Key or id of the app
    #[arg(add = complete::apps())]
    pub(super) app: AppName,
    /// Go on as the app writes, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Print the last N lines
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 200, value_parser = number)]
    lines: u32,
    /// Print the log of the build instead
    #[arg(long)]
    build: bool,
    /// Print one JSON object a line: `time`, `stream`, `line`
    #[arg(long)]
    pub(super) json: bool,
}

/// A number of lines.
fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "a whole number is expected, such as `50`".to_owned())
}

/// Prints it.
pub(super) async fn run(client: &Client, args: &LogsArgs) -> Result<(), Failure> {
    let stream = if args.build { "build" } else { "run" };
    let path = args.app.path(&format!("/logs?tail={}&stream={stream}", args.lines));
    let print = |line: &str| if args.json { output::line(&LogLine::parse(line).to_json()) } else { output::foreign_line(line) };
    if args.follow {
        let mut events = client.events(&format!("{path}&follow=true")).await?;
        while let Some(line) = events.next().await? {
            print(&line)?;
        }
    } else {
        let mut lines = client.lines(&path).await?;
        while let Some(line) = lines.next().await? {
            print(&line)?;
        }
    }
    Ok(())
}
