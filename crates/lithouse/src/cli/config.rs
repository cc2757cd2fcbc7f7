// SPDX-License-Identifier: Apache-2.0
//! `config show`: what a server that is started so would go by, and where each value comes from.

use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use super::failure::Failure;
use super::output::{self, Cell, Paint, Table};
use super::serve::ServeFlags;
use crate::config::{Config, Row};

/// How much of a value is shown in a line.
const WIDEST: usize = 60;

/// What of the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigVerb {
    /// Print every setting with its value and where that comes from
    ///
    /// It takes the flags of `lithouse serve`, and tells what that would go by.
    #[command(after_long_help = "Example:\n  lithouse config show --config lithouse.toml --listen 127.0.0.1:9000")]
    Show(ShowArgs),
    /// Say whether the configuration is sound, and what is wrong with it
    ///
    /// It takes the flags of `lithouse serve`. The exit code is 2 where that would not start for it.
    #[command(after_long_help = "Example:\n  lithouse config check --config lithouse.toml")]
    Check(ShowArgs),
}

/// Of which server, and how.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    pub(super) serve: ServeFlags,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Prints it.
pub(super) fn show(config: &Config, as_json: bool) -> Result<(), Failure> {
    let rows = config.rows();
    if as_json {
        let file = config.file.as_deref().map(|file| file.to_string_lossy().into_owned());
        return output::line(&format!("{:#}", json!({ "file": file, "settings": rows })));
    }
    let mut table = Table::titled(&["SETTING", "VALUE", "ORIGIN"]);
    for row in &rows {
        let origin = if row.origin == "default" { Cell::painted(&row.origin, Paint::Faint) } else { row.origin.as_str().into() };
        table.row([row.key.as_str().into(), value(row).into(), origin]);
    }
    output::line(&table.render())
}

/// Says that it is sound; what is wrong with one ends the program before.
pub(super) fn check(config: &Config, as_json: bool) -> Result<(), Failure> {
    let file = config.file.as_deref().map(|file| file.to_string_lossy().into_owned());
    let rows = config.rows();
    let said = rows.iter().filter(|row| row.origin != "default").count();
    if as_json {
        return output::line(&format!(
            "{:#}",
            json!({ "file": file, "sound": true, "apps": config.apps.len(), "settings": said })
        ));
    }
    let file = file.map_or_else(|| "no file".to_owned(), |file| format!("`{file}`"));
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let (settings, apps) = (format!("{said} setting{}", plural(said)), config.apps.len());
    output::line(&output::plain(&format!("sound: {file}, {settings} set, {apps} app{} named", plural(apps))))
}

/// The value in a line; where there is none, what holds instead.
fn value(row: &Row) -> String {
    let text = match &row.value {
        Json::Null => return format!("({})", row.default),
        Json::String(text) if text.is_empty() => "\"\"".to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(WIDEST) {
        Some((border, _)) => format!("{}…", &text[..border]),
        None => text,
    }
}
