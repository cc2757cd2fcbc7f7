// SPDX-License-Identifier: Apache-2.0
//! Where a server is: the socket in its data folder, or an HTTP address.

use std::fmt;
use std::path::PathBuf;

use url::Url;

/// An address that cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub(super) enum AddressError {
    /// Another scheme than `http`.
    #[error("`{0}` is not an `http://host:port` address; for one behind TLS, forward a port of that machine to this one")]
    NotHttp(Url),
    /// A name and password in the address.
    #[error("the address of the server holds a password, which no server asks for yet; leave it out")]
    HoldsPassword,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// Its control socket, which only its owner may use.
    Socket(PathBuf),
    /// Its port, here or elsewhere.
    Http {
        /// Name or address, without brackets.
        host: String,
        /// The port.
        port: u16,
        /// What stands in `Host`.
        authority: String,
        /// What stands before every path, without a final slash.
        prefix: String,
    },
}

/// Reads an address as people type it.
pub(super) fn url(text: &str) -> Result<Url, String> {
    Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => "an address begins with `http://`".to_owned(),
        other => other.to_string(),
    })
}

impl Address {
    pub(super) fn of_url(url: &Url) -> Result<Self, AddressError> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::HoldsPassword);
        }
        let (Some(host), Some(port), "http") = (url.host_str(), url.port_or_known_default(), url.scheme()) else {
            return Err(AddressError::NotHttp(url.clone()));
        };
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self::Http { host, port, authority, prefix: url.path().trim_end_matches('/').to_owned() })
    }

    /// What stands in `Host`.
    pub(super) fn authority(&self) -> &str {
        match self {
            Self::Socket(_) => "localhost",
            Self::Http { authority, .. } => authority,
        }
    }

    /// What stands before every path.
    pub(super) fn prefix(&self) -> &str {
        match self {
            Self::Socket(_) => "",
            Self::Http { prefix, .. } => prefix,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(formatter),
            Self::Http { authority, prefix, .. } => write!(formatter, "http://{authority}{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<Address, AddressError> {
        Address::of_url(&Url::parse(text).unwrap())
    }

    #[test]
    fn an_http_address_may_have_a_prefix_and_an_ipv6_host() {
        let Address::Http { host, port, authority, prefix } = address("http://[::1]:81/tools/").unwrap() else { panic!() };
        assert_eq!((host.as_str(), port, authority.as_str(), prefix.as_str()), ("::1", 81, "[::1]:81", "/tools"));
        let Address::Http { host, port, authority, prefix } = address("http://apps").unwrap() else { panic!() };
        assert_eq!((host.as_str(), port, authority.as_str(), prefix.as_str()), ("apps", 80, "apps", ""));
    }

    #[test]
    fn other_schemes_and_passwords_are_refused() {
        for wrong in ["https://apps", "localhost:8080", "unix:/run/x", "http://me:secret@apps"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
        assert!(!address("http://me:secret@apps").unwrap_err().to_string().contains("secret"));
    }
}
