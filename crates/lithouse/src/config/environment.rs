// SPDX-License-Identifier: Apache-2.0
//! The variables of this process, read once. An empty one counts as unset, as compose files leave them.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

/// All that are set.
#[derive(Debug)]
pub(crate) struct Environment(HashMap<OsString, OsString>);

impl Environment {
    /// Those of this process.
    pub(crate) fn of_process() -> Self {
        Self(std::env::vars_os().filter(|(_, value)| !value.is_empty()).collect())
    }

    /// Those of a test.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of_pairs(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// One of them.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// One of them as text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.to_string_lossy().into_owned())
    }
}
