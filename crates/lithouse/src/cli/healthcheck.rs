// SPDX-License-Identifier: Apache-2.0
//! `healthcheck`: up or not, in the way that containers and service managers ask.

use std::time::Duration;

use clap::Args;

use super::client::Client;
use super::failure::Failure;
use super::output;
use super::resource::Health;

/// How long to wait.
#[derive(Debug, Args)]
pub(super) struct HealthcheckArgs {
    /// How long the server may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Print the API's JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Asks. Whatever is wrong, the exit code is 1: containers give the others a meaning of their own.
pub(super) async fn run(client: &Client, args: &HealthcheckArgs) -> Result<(), Failure> {
    let answer = client.get_within("/health", Duration::from_secs(args.timeout)).await;
    let answer = answer.map_err(|error| Failure::NotUp(error.to_string()))?;
    let health: Health = answer.as_resource().map_err(|error| Failure::NotUp(error.to_string()))?;
    if args.json {
        output::line(&answer.pretty())?;
    } else {
        output::line(&output::plain(&health.status))?;
        for reason in &health.reasons {
            output::note(&output::plain(reason));
        }
    }
    // A server that is degraded does serve; to restart it would only take its apps away.
    if matches!(health.status.as_str(), "up" | "degraded") {
        Ok(())
    } else {
        Err(Failure::NotUp(format!("the server says `{}`", health.status)))
    }
}
