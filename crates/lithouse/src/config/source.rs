// SPDX-License-Identifier: Apache-2.0
//! How the configuration was asked for, so that it can be read again in the same way.

use std::path::PathBuf;

use super::{Around, Config, Environment, Problems, SettingFlags};

/// The file that was named, if any, and the flags.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub(super) file: Option<PathBuf>,
    pub(super) flags: SettingFlags,
}

impl Source {
    /// What was typed.
    pub(crate) fn new(file: Option<PathBuf>, flags: SettingFlags) -> Self {
        Self { file, flags }
    }

    /// The same with this file where none was named.
    pub(crate) fn or_file(self, file: Option<PathBuf>) -> Self {
        Self { file: self.file.or(file), ..self }
    }

    /// Flags over variables over the file over defaults.
    pub(crate) fn resolve(&self, environment: &Environment, around: &Around) -> Result<Config, Problems> {
        Config::resolve(self.file.as_deref(), &self.flags, environment, around)
    }
}
