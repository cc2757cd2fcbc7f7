// SPDX-License-Identifier: Apache-2.0
//! How people name an app on the command line: by its key or its id.

use std::fmt;
use std::str::FromStr;

use lithouse_core::id::{AppId, IdError, Key};

/// A key or an app id; safe to stand in a path.
#[derive(Debug, Clone)]
pub(super) struct AppName(String);

impl AppName {
    /// Names an app by its key.
    pub(super) fn of_key(key: &Key) -> Self {
        Self(key.as_str().to_owned())
    }

    /// The path of the app's resource, with what follows it.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/api/apps/{self}{rest}")
    }
}

impl FromStr for AppName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.parse::<AppId>().is_err() {
            text.parse::<Key>()?;
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
