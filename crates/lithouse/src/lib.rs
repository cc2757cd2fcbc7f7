// SPDX-License-Identifier: Apache-2.0
//! Lithouse: one binary that hosts a team's Python web apps behind one port.
//!
//! This crate is the only place that knows everybody: it reads the command line and puts engine, proxy and API together. It is a
//! library for the program in `main.rs` alone, and offers nothing to others.
#![forbid(unsafe_code)]

mod api;
mod asset;
mod cli;
mod config;
mod docs;
mod edge;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod logging;
mod metrics;
mod plain;
mod portal;
#[cfg(test)]
mod reference;
mod refresh;
mod serve;
mod server;

use std::future::Future;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use cli::Invocation;
use lithouse_engine::home::Home;
use lithouse_engine::keeper::{self, KeeperOptions};

/// What the program does, from its arguments to its exit code.
pub fn main() -> ExitCode {
    // Some verbs are for ourselves alone: they stand between us and a program of somebody else's, or need a process with nothing in it.
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_deref().and_then(|verb| verb.to_str()) {
        Some("guard") => return lithouse_engine::guard::run(arguments),
        Some("app-entry") => return lithouse_sandbox::entry::enter(&arguments.next().unwrap_or_default()),
        Some("snippet-zygote") => return lithouse_sandbox::zygote::enter(&arguments.next().unwrap_or_default()),
        Some("sandbox-probe") => return lithouse_sandbox::level::run_probe(),
        _ => {}
    }
    if let Some(code) = cli::answer_shell() {
        return code;
    }
    if serve::background::is_wanted()
        && let Err(error) = serve::background::leave_caller()
    {
        return told(Err(anyhow::Error::new(error).context("could not leave the caller's descriptors")));
    }
    let invocation = match cli::parse() {
        Ok(invocation) => invocation,
        Err(code) => return code,
    };
    match invocation {
        // The keeper must be alone in its process, so nothing may have been started before.
        Invocation::Keeper { data } => told(keep(&data)),
        Invocation::Serve { config, source } => told(on_runtime(serve::run(*config, source)).and_then(|result| result)),
        Invocation::Here(call) => on_runtime(cli::answer(&call)).unwrap_or_else(|error| told(Err(error))),
        Invocation::Client(call) => on_runtime(cli::run(call)).unwrap_or_else(|error| told(Err(error))),
    }
}

fn keep(data: &Path) -> anyhow::Result<()> {
    // A server that was quick to end may have taken its folder along.
    let home = Home::of_another(data).with_context(|| format!("could not use `{}` as the data folder", data.display()))?;
    keeper::run(home, KeeperOptions::default()).map_err(anyhow::Error::new)
}

fn on_runtime<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    Ok(runtime.context("could not start the runtime")?.block_on(work))
}

fn told(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    // With standard error gone there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "error: {error:#}");
    if error.is::<serve::Misconfigured>() { cli::not_understood() } else { ExitCode::FAILURE }
}
