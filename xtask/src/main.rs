// SPDX-License-Identifier: Apache-2.0
//! Project chores that are better written in Rust than in a Makefile. Run with `cargo xtask CHORE`.
#![forbid(unsafe_code)]

mod tidy;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

const USAGE: &str = "usage: cargo xtask CHORE

chores:
  tidy    check what the project asks of its own text and no other tool can check
";

fn main() -> anyhow::Result<ExitCode> {
    let chore = std::env::args().nth(1);
    match chore.as_deref() {
        Some("tidy") => tidy(),
        None | Some("help" | "-h" | "--help") => {
            std::io::stdout().write_all(USAGE.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Some(unknown) => bail!("there is no chore `{unknown}`\n\n{USAGE}"),
    }
}

fn tidy() -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("`xtask` lies in the repository")?;
    let report = tidy::check(root)?;
    if report.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    write!(std::io::stderr(), "the repository is not tidy\n\n{report}")?;
    Ok(ExitCode::FAILURE)
}
