// SPDX-License-Identifier: Apache-2.0
//! The flags of the verbs that know what a server would be: `serve` itself, and those that tell of it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::Args;
use url::Url;

use super::setting::SettingError;
use crate::config::{Around, Config, Environment, SettingFlags, Source};

/// The flags as they are typed.
#[derive(Debug, Clone, Args)]
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
    /// The folder of apps, as it was typed.
    pub(super) fn folder(&self) -> Option<&OsStr> {
        self.settings.folder()
    }

    /// Whether nothing but that was typed.
    pub(super) fn is_folder_alone(&self) -> bool {
        self.config.is_none() && self.settings.is_folder_alone()
    }

    /// The arguments by which another process is the same server.
    pub(super) fn arguments(&self, data: Option<&Path>) -> Vec<OsString> {
        let option = |name: &str, value: &OsStr| {
            let mut option = OsString::from(format!("--{name}="));
            option.push(value);
            option
        };
        let mut arguments = vec![OsString::from("serve")];
        arguments.extend(self.config.as_deref().map(|config| option("config", config.as_os_str())));
        arguments.extend(data.map(|data| option("data", data.as_os_str())));
        arguments.extend(self.settings.arguments());
        arguments
    }

    /// Flags over variables over the file over defaults, and how to read them again.
    pub(super) fn resolve(self, data: Option<PathBuf>, environment: &Environment) -> Result<(Config, Source), SettingError> {
        let source = Source::new(self.config, self.settings.with_data(data));
        Ok((source.resolve(environment, &Around::this_process())?, source))
    }
}
