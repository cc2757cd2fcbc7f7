// SPDX-License-Identifier: Apache-2.0
//! `doctor`: what this machine offers a server, what is missing, and the command that mends it.
//!
//! It looks, and changes nothing: no folder is made, nothing is installed, no app is touched.

mod machine;
mod network;
mod storage;
mod tools;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::failure::Failure;
use super::output::{self, Cell, Paint, Table};
use super::serve::ServeFlags;
use crate::config::Config;

/// Which server is meant, and how to print.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    pub(super) serve: ServeFlags,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// As it should be.
    Ok,
    /// A server runs without it, and something will be missed.
    Warn,
    /// A server does not run so.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    detail: String,
    /// The command, or the step, that mends it.
    fix: Option<String>,
}

impl Check {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, detail: detail.into(), fix: None }
    }

    fn warn(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, status: Status::Warn, detail: detail.into(), fix: Some(fix.into()) }
    }

    fn fail(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, status: Status::Fail, detail: detail.into(), fix: Some(fix.into()) }
    }
}

/// Looks at everything and prints it.
pub(super) async fn run(config: &Config, as_json: bool) -> Result<(), Failure> {
    let checks = [
        machine::kernel(),
        machine::sandbox(config).await,
        machine::limits().await,
        tools::python(config).await,
        tools::uv(config).await,
        tools::git(),
        machine::open_files(),
        machine::memory(),
        machine::clock(),
        configuration(config),
        storage::data(config),
        storage::disk(config),
        network::listen(config).await,
        network::ports(config),
    ];
    if as_json {
        let worst = checks.iter().map(|check| check.status).max();
        output::line(&format!("{:#}", json!({ "status": worst, "checks": checks })))?;
    } else {
        output::line(&table(&checks).render())?;
    }
    match checks.iter().filter(|check| check.status == Status::Fail).count() {
        0 => Ok(()),
        missing => Err(Failure::NotFit(missing)),
    }
}

fn table(checks: &[Check]) -> Table {
    let mut table = Table::default();
    for check in checks {
        let status = match check.status {
            Status::Ok => Cell::painted("ok", Paint::Good),
            Status::Warn => Cell::painted("warn", Paint::Passing),
            Status::Fail => Cell::painted("fail", Paint::Bad),
        };
        table.row([status, check.name.into(), check.detail.as_str().into()]);
        if let Some(fix) = &check.fix {
            table.row(["".into(), "".into(), Cell::painted(&format!("fix: {fix}"), Paint::Faint)]);
        }
    }
    table
}

/// A configuration that is wrong ends the program before; here is what a right one may still lack.
fn configuration(config: &Config) -> Check {
    const NAME: &str = "configuration";
    match &config.file {
        None => Check::ok(NAME, "no file; `lithouse config show` tells what holds"),
        Some(file) => Check::ok(NAME, format!("`{}`; `lithouse config show` tells what holds", file.display())),
    }
}
