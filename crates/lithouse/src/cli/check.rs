// SPDX-License-Identifier: Apache-2.0
//! `check`: a piece of Python is looked over, and nothing run.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::client::Client;
use super::failure::Failure;
use super::output;
use super::snippet::{self, Policy};

/// What to look over.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// File with the code; `-` is standard input
    file: PathBuf,
    /// Rules that the code is held against
    #[arg(long, value_enum, default_value = "restricted", hide_possible_values = true, value_name = "restricted|open")]
    policy: Policy,
    /// Print the API's JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// The answer.
#[derive(Debug, Deserialize)]
struct Verdict {
    issues: Vec<Issue>,
}

#[derive(Debug, Deserialize)]
struct Issue {
    line: u32,
    column: u32,
    code: String,
    message: String,
}

/// Prints each issue in a line, as compilers do.
pub(super) async fn run(client: &Client, args: &CheckArgs) -> Result<(), Failure> {
    let code = snippet::code(&args.file)?;
    let answer = client.post_json("/api/validate", &json!({ "code": code, "policy": args.policy.as_str() })).await?;
    let verdict: Verdict = answer.as_resource()?;
    let name = args.file.display().to_string();
    if args.json {
        output::line(&answer.pretty())?;
    } else {
        for Issue { line, column, code, message } in &verdict.issues {
            output::line(&output::plain(&format!("{name}:{line}:{column}: {code}: {message}")))?;
        }
    }
    match verdict.issues.len() {
        0 => Ok(()),
        count => Err(Failure::Issues { name, count }),
    }
}
