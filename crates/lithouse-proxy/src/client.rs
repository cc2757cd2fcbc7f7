// SPDX-License-Identifier: Apache-2.0
//! What the server knows about the one who asks. The proxy believes this, and nothing that a client says about itself.

use std::net::SocketAddr;

use http::header::{HeaderName, HeaderValue};

/// How the client speaks to us, or to the trusted proxy in front of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The word that stands in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that URLs of this scheme leave out.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// One client, as the server sees it. Make it once per connection and change it per request where that is needed.
#[derive(Debug, Clone)]
pub struct ClientContext {
    pub(crate) peer_text: HeaderValue,
    peer: SocketAddr,
    /// What the client used.
    pub scheme: Scheme,
    /// The host (and port) that the client asked for, where a trusted proxy told it; else the `Host` header counts.
    pub public_host: Option<HeaderValue>,
    /// The `Authorization` header was for the server, and is not the app's to see.
    pub drop_authorization: bool,
    /// What the server tells the app: who is signed in, the request's id. Set after everything of this kind that the
    /// client sent has been taken off.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The request's id, repeated in answers that the proxy gives itself.
    pub request_id: Option<String>,
}

impl ClientContext {
    /// A client at this address, about whom nothing else is known.
    pub fn new(peer: SocketAddr, scheme: Scheme) -> Self {
        // The text of an IP address is always a valid header value.
        let peer_text = HeaderValue::try_from(peer.ip().to_canonical().to_string());
        Self {
            peer_text: peer_text.unwrap_or(HeaderValue::from_static("unknown")),
            peer,
            scheme,
            public_host: None,
            drop_authorization: false,
            headers: Vec::new(),
            request_id: None,
        }
    }

    /// The client's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }
}
