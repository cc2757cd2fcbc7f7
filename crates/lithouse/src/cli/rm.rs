// SPDX-License-Identifier: Apache-2.0
//! `rm`: an app and everything it owned is gone.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;

use super::app_name::AppName;
use super::client::Client;
use super::complete;
use super::failure::Failure;
use super::output::{self, Progress};
use super::resource::App;
use super::watch::{self, Unattended};

/// Which app.
#[derive(Debug, Args)]
pub(super) struct RmArgs {
    /// Key or id of the app
    #[arg(add = complete::apps())]
    pub(super) app: AppName,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Asks, and removes.
pub(super) async fn run(client: &Client, args: &RmArgs) -> Result<(), Failure> {
    if !args.yes {
        // Asked before anything is decided, so that nobody confirms a removal of what is not there.
        let app: App = client.get(&args.app.path("")).await?.as_resource()?;
        if !io::stdin().is_terminal() {
            return Err(Failure::NotConfirmed(app.label().to_owned()));
        }
        if !confirm(&app).await {
            return Err(Failure::Kept(app.label().to_owned()));
        }
    }
    let (unattended, progress) = (Unattended::begin(), Progress::of(&format!("removing `{}`", args.app)));
    let outcome = match client.delete(&args.app.path("")).await {
        // The server has taken it on and does not make us wait any longer.
        Err(error) if error.is_passing() => watch::gone(client, &args.app, error).await,
        outcome => outcome.map_err(Failure::from),
    };
    drop(progress);
    unattended.end();
    outcome?;
    output::note(&format!("removed `{}`", args.app));
    Ok(())
}

async fn confirm(app: &App) -> bool {
    let question = format!("remove `{}` with all its releases, logs and data? [y/N] ", app.label());
    let (give, take) = tokio::sync::oneshot::channel();
    // A thread of its own, so that Ctrl-C need not wait for an answer.
    std::thread::spawn(move || {
        let mut stderr = io::stderr().lock();
        let asked = stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush());
        drop(stderr);
        let mut said = String::new();
        let answered = asked.and_then(|()| io::stdin().lock().read_line(&mut said));
        let _ = give.send(answered.is_ok() && matches!(said.trim().to_lowercase().as_str(), "y" | "yes"));
    });
    take.await.unwrap_or(false)
}
