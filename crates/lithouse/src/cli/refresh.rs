// SPDX-License-Identifier: Apache-2.0
//! `refresh`: the server takes what changed in its configuration and its folder of apps.

use clap::Args;
use serde::Deserialize;

use super::client::Client;
use super::failure::Failure;
use super::output::{self, Progress};
use super::watch::Unattended;

/// How to tell what came of it.
#[derive(Debug, Args)]
pub(super) struct RefreshArgs {
    /// Print the API's JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Deserialize)]
struct Refreshed {
    added: Vec<String>,
    changed: Vec<String>,
    restarted: Vec<String>,
    removed: Vec<String>,
    started: Vec<String>,
    unchanged: usize,
    passed_over: Vec<PassedOver>,
    later: Vec<String>,
}

#[derive(Deserialize)]
struct PassedOver {
    name: String,
    reason: String,
}

/// Asks for it, and tells what came of it.
pub(super) async fn run(client: &Client, args: &RefreshArgs) -> Result<(), Failure> {
    let (unattended, progress) = (Unattended::begin(), Progress::of("looking for what changed"));
    let answer = client.post("/api/server/refresh").await;
    drop(progress);
    unattended.end();
    let answer = answer?;
    if args.json {
        return output::line(&answer.pretty());
    }
    let refreshed: Refreshed = answer.as_resource()?;
    for line in refreshed.lines() {
        output::line(&output::plain(&line))?;
    }
    for PassedOver { name, reason } in &refreshed.passed_over {
        output::note(&output::plain(&format!("not served: `{name}`: {reason}")));
    }
    for setting in &refreshed.later {
        output::note(&output::plain(&format!("`{setting}` changed, and counts from the next start of the server")));
    }
    Ok(())
}

impl Refreshed {
    /// One line an app of which something happened, or that nothing did.
    fn lines(&self) -> Vec<String> {
        let all = [
            ("added", &self.added),
            ("changed", &self.changed),
            ("restarted", &self.restarted),
            ("removed", &self.removed),
            ("started", &self.started),
        ];
        let lines = all.iter().flat_map(|(what, keys)| keys.iter().map(move |key| format!("{what:<9} {key}")));
        let mut lines: Vec<String> = lines.collect();
        match (lines.is_empty(), self.unchanged) {
            (true, 0) => lines.push("nothing to do: neither a folder nor the configuration names an app".to_owned()),
            (_, 0) => {}
            (_, 1) => lines.push("unchanged 1 app".to_owned()),
            (_, count) => lines.push(format!("unchanged {count} apps")),
        }
        lines
    }
}
