// SPDX-License-Identifier: Apache-2.0
//! The flags of the verbs that know what a server would be: `serve` itself, and those that tell of it.

use std::path::PathBuf;

use clap::Args;
use url::Url;

use super::setting::SettingError;
use crate::config::{Around, Config, Environment, SettingFlags, Source};

/// The flags as they are typed.
#[derive(Debug, Args)]
pub(super) struct ServeFlags {
    // It hides the global flag of this name, which a server has no use for.
    #[arg(long, hide = true)]
    pub(super) url: Option<Url>,
    /// Configuration to read [default: ./lithouse.toml, else ./config.json, if there]
    ///
    /// Variables go before what stands in it, and flags before both. `lithouse config show` tells what comes from where.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
}

impl ServeFlags {
    /// Flags over variables over the file over defaults, and how to read them again.
    pub(super) fn resolve(self, data: Option<PathBuf>, environment: &Environment) -> Result<(Config, Source), SettingError> {
        let source = Source::new(self.config, self.settings.with_data(data));
        Ok((source.resolve(environment, &Around::this_process())?, source))
    }
}
