// SPDX-License-Identifier: Apache-2.0
//! `logs`: what an app, or its build, has written.

use std::time::Duration;

use clap::Args;

use super::app_name::AppName;
use super::client::Client;
use super::complete;
use super::failure::Failure;
use super::log_line::LogLine;
use super::output;
use super::watch::Patience;

/// How long a server may be away while its log is followed: until whoever looks after it has started it again.
const LONGEST_ABSENCE: Duration = Duration::from_secs(60);

/// Which log, and how much of it.
#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// Key or id of the app
    #[arg(add = complete::apps())]
    pub(super) app: AppName,
    /// Go on as the app writes, until Ctrl-C
    ///
    /// A server that is replaced or started again meanwhile is waited for, up to a minute, and no line is lost or printed twice.
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
        follow(client, &format!("{path}&follow=true"), print).await?;
    } else {
        let mut lines = client.lines(&path).await?;
        while let Some(line) = lines.next().await? {
            print(&line)?;
        }
    }
    Ok(())
}

/// Prints each line that comes, once, also when the server is replaced or started again meanwhile.
async fn follow(client: &Client, path: &str, print: impl Fn(&str) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut patience = Patience::of(LONGEST_ABSENCE);
    let mut events = client.events(path).await?;
    // As long as the server has not said where in the log it is, its stream is all there is.
    let mut last_id: Option<String> = None;
    loop {
        let ended = loop {
            match events.next().await {
                Ok(Some(line)) => {
                    print(&line)?;
                    patience.begin_anew();
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        last_id = events.last_id().map(str::to_owned).or(last_id);
        let Some(id) = &last_id else { return Ok(ended?) };
        if let Err(error) = ended
            && !error.is_passing()
        {
            return Err(error.into());
        }
        events = loop {
            tokio::time::sleep(patience.pause()).await;
            match client.events_after(path, Some(id)).await {
                Ok(events) => break events,
                // It has come to its end with the app.
                Err(error) if error.is_no_such_app() => return Ok(()),
                Err(error) => patience.excuse(error)?,
            }
        };
        if patience.is_tried() {
            output::note("the server is back");
            patience.restore();
        }
    }
}
