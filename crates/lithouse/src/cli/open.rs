// SPDX-License-Identifier: Apache-2.0
//! `open`: an app's URL, in a browser where there is a display.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use clap::Args;
use url::Url;

use super::app_name::AppName;
use super::client::Client;
use super::complete;
use super::failure::Failure;
use super::output;
use super::resource::App;

/// Which app.
#[derive(Debug, Args)]
pub(super) struct OpenArgs {
    /// Key or id of the app
    #[arg(add = complete::apps())]
    pub(super) app: AppName,
    /// Print the API's JSON of the app
    #[arg(long)]
    pub(super) json: bool,
}

/// Prints the URL and opens it.
pub(super) async fn run(client: &Client, args: &OpenArgs) -> Result<(), Failure> {
    let answer = client.get(&args.app.path("")).await?;
    let app: App = answer.as_resource()?;
    if args.json {
        output::line(&answer.pretty())?;
    } else {
        output::line(&output::plain(&app.access_url))?;
    }
    let has_display =
        ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    // Only what is surely a web page is given to a program that opens anything.
    if let Ok(url) = Url::parse(&app.access_url)
        && matches!(url.scheme(), "http" | "https")
        && has_display
    {
        browse(&url);
    }
    Ok(())
}

/// Leaves the browser to itself: it outlives us and holds nothing of our terminal.
fn browse(url: &Url) {
    let mut command = Command::new("xdg-open");
    command.arg(url.as_str()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    if let Err(error) = command.spawn() {
        output::note(&format!("could not run `xdg-open`: {error}"));
    }
}
