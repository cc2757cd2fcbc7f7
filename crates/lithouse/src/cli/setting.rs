// SPDX-License-Identifier: Apache-2.0
//! What is wrong with the command line and its variables, beyond what the parser sees.

use url::Url;

use super::address::{self, AddressError};
use crate::config::{Environment, Problems};

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingError {
    /// The variable with the server's address holds something else.
    #[error("`LITHOUSE_URL` is set to `{value}`: {problem}")]
    Url {
        /// What it holds.
        value: String,
        /// What is wrong with that.
        problem: String,
    },
    /// `--url` and `serve`.
    #[error("`--url` names a server to talk to; `serve` takes its own address from `--listen`")]
    UrlForServer,
    /// A word after `start` that is nothing.
    #[error("`{0}` is neither a folder nor a key or id of an app")]
    NeitherFolderNorApp(String),
    /// Settings of a server for an app that is to be started.
    #[error(
        "`start {0}` starts an app of the server that runs, which takes no settings of a server; a folder of that name does not exist"
    )]
    SettingsForApp(String),
    /// This process cannot find out where it is.
    #[error("could not find our own program or folder: {0}")]
    Here(#[source] std::io::Error),
    /// The server's address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// What is set for the server.
    #[error(transparent)]
    Configuration(#[from] Problems),
}

impl SettingError {
    /// What to do next, where we know it.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Url { .. } | Self::Address(AddressError::NotHttp(_)) => Some("such as `http://127.0.0.1:8080`".to_owned()),
            Self::NeitherFolderNorApp(_) => Some("`lithouse apps` lists the apps".to_owned()),
            Self::UrlForServer
            | Self::SettingsForApp(_)
            | Self::Here(_)
            | Self::Address(AddressError::HoldsPassword)
            | Self::Configuration(_) => None,
        }
    }

    /// A word for programs.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Configuration(_) => "invalid_configuration",
            Self::Url { .. } | Self::Address(_) => "invalid_address",
            Self::UrlForServer | Self::NeitherFolderNorApp(_) | Self::SettingsForApp(_) | Self::Here(_) => "not_understood",
        }
    }
}

/// The address of the server: the flag, else the variable.
pub(super) fn url(flag: Option<Url>, environment: &Environment) -> Result<Option<Url>, SettingError> {
    match (flag, environment.text("LITHOUSE_URL")) {
        (Some(url), _) => Ok(Some(url)),
        (None, None) => Ok(None),
        (None, Some(value)) => address::url(&value).map(Some).map_err(|problem| SettingError::Url { value, problem }),
    }
}
