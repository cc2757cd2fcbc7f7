// SPDX-License-Identifier: Apache-2.0
//! `templates`: pieces of Python to begin with.

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::Client;
use super::complete;
use super::failure::Failure;
use super::output::{self, Table};
use crate::config::nearest;

/// Which, and how.
#[derive(Debug, Args)]
pub(super) struct TemplatesArgs {
    /// Template to print the code of; without it all are listed
    #[arg(add = complete::templates())]
    name: Option<String>,
    /// Print the API's JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// The list.
#[derive(Debug, Deserialize)]
pub(super) struct Templates {
    pub(super) templates: Vec<Template>,
}

/// One of them.
#[derive(Debug, Deserialize)]
pub(super) struct Template {
    pub(super) name: String,
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    description: String,
    code: String,
}

/// The list, each of them as it came.
#[derive(Debug, Deserialize)]
struct Raw {
    templates: Vec<Box<RawValue>>,
}

/// Lists them, or prints one.
pub(super) async fn run(client: &Client, args: &TemplatesArgs) -> Result<(), Failure> {
    let answer = client.get("/api/templates").await?;
    if args.json && args.name.is_none() {
        return output::line(&answer.pretty());
    }
    let Templates { templates } = answer.as_resource()?;
    if let Some(name) = &args.name {
        let Some(place) = templates.iter().position(|template| template.name == *name) else {
            let near = nearest(name, templates.iter().map(|template| template.name.as_str())).map(str::to_owned);
            return Err(Failure::NoSuchTemplate { name: name.clone(), near });
        };
        if args.json {
            let raw: Raw = answer.as_resource()?;
            return output::line(&raw.templates.get(place).map(|raw| output::indent(raw.get())).unwrap_or_default());
        }
        let code = templates.get(place).map(|template| template.code.as_str()).unwrap_or_default();
        return output::foreign_text(code.trim_end_matches('\n'));
    }
    let mut table = Table::titled(&["TEMPLATE", "TITLE", "DESCRIPTION"]).sparing(&["DESCRIPTION"]);
    for template in templates {
        table.row([template.name.into(), template.title.into(), template.description.into()]);
    }
    output::line(&table.render())
}
