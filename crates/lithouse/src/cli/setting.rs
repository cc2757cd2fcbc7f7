// SPDX-License-Identifier: Apache-2.0
//! Settings that the environment may give where no flag does.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use super::address::AddressError;

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingError {
    /// A variable holds something else than it should.
    #[error("`{name}` is set to `{value}`: {problem}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What is wrong with that.
        problem: String,
    },
    /// `--url` and `serve`.
    #[error("`--url` names a server to talk to; `serve` takes its own address from `--listen`")]
    UrlForServer,
    /// The server's address.
    #[error(transparent)]
    Address(#[from] AddressError),
}

/// The variables of this process, read once. An empty one counts as unset, as compose files leave them.
pub(super) struct Environment(HashMap<OsString, OsString>);

impl Environment {
    pub(super) fn of_process() -> Self {
        Self(std::env::vars_os().filter(|(_, value)| !value.is_empty()).collect())
    }

    #[cfg(test)]
    pub(super) fn of_pairs(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The flag, else the first of the variables that is set.
    pub(super) fn path(&self, flag: Option<PathBuf>, names: &[&'static str]) -> Option<PathBuf> {
        flag.or_else(|| names.iter().find_map(|name| self.0.get(&OsString::from(name))).map(PathBuf::from))
    }

    /// One variable as text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0.get(&OsString::from(name)).map(|value| value.to_string_lossy().into_owned())
    }

    /// The flag, else what the first of the variables that is set says.
    pub(super) fn value<T>(&self, flag: Option<T>, names: &[&'static str]) -> Result<Option<T>, SettingError>
    where
        T: FromStr,
        T::Err: Display,
    {
        if flag.is_some() {
            return Ok(flag);
        }
        let Some((name, value)) = names.iter().find_map(|name| Some((*name, self.text(name)?))) else { return Ok(None) };
        match value.parse() {
            Ok(parsed) => Ok(Some(parsed)),
            Err(problem) => Err(SettingError::Variable { name, problem: problem.to_string(), value }),
        }
    }
}
