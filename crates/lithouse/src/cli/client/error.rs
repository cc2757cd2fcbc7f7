// SPDX-License-Identifier: Apache-2.0
//! Why a server did not give what it was asked for.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;

use super::answer::Problem;
use crate::cli::address::Address;
use crate::cli::exit::Exit;
use crate::config::did_you_mean;

/// Why a server did not give what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ClientError {
    /// Nothing listens on the socket.
    #[error("no server answers at `{}`", .path.display())]
    NoServerHere {
        /// The socket.
        path: PathBuf,
        /// What the system said, where that is more than "nobody is there".
        source: Option<io::Error>,
    },
    /// The socket belongs to somebody else.
    #[error("the server's socket `{}` is open to its owner only", .path.display())]
    NotYours {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing listens on the address.
    #[error("no server answers at {address}")]
    NoServerThere {
        /// The address.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The connection ended too early.
    #[error("the server at {address} hung up")]
    HungUp {
        /// The address.
        address: String,
        /// What was noticed of it.
        source: hyper::Error,
    },
    /// An answer in pieces without its last one.
    #[error("the server at {address} ended its answer early")]
    CutShort {
        /// The address.
        address: String,
    },
    /// Nothing came in time.
    #[error("the server at {address} did not answer within {seconds} s")]
    Silent {
        /// The address.
        address: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// What was uploaded could not be read.
    #[error("could not read what should be sent to {address}")]
    Unsent {
        /// The address.
        address: String,
        /// What happened.
        source: hyper::Error,
    },
    /// The server said no.
    #[error("{}", .problem.words(*.status))]
    Refused {
        /// The answer's status.
        status: StatusCode,
        /// What it said.
        problem: Box<Problem>,
    },
    /// What answered does not speak our API.
    #[error("what answers at {address} does not speak as Lithouse does")]
    NotOurs {
        /// The address.
        address: String,
    },
    /// The answer has another shape than it should.
    #[error("the server at {address} answered with something unexpected")]
    Unexpected {
        /// The address.
        address: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Line ends or the like in the token.
    #[error("the token in `LITHOUSE_TOKEN` holds characters that no token has")]
    UnusableToken,
    /// A request that HTTP does not allow.
    #[error("`{path}` cannot be asked for")]
    BadRequest {
        /// What was to be asked for.
        path: String,
        /// Why not.
        source: http::Error,
    },
}

impl ClientError {
    pub(super) fn of_connect(address: &Address, source: io::Error) -> Self {
        match address {
            Address::Socket(path) if source.kind() == io::ErrorKind::PermissionDenied => {
                Self::NotYours { path: path.clone(), source }
            }
            Address::Socket(path) => {
                let is_plain = matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused);
                Self::NoServerHere { path: path.clone(), source: Some(source).filter(|_| !is_plain) }
            }
            Address::Http { .. } => Self::NoServerThere { address: address.to_string(), source },
        }
    }

    pub(super) fn of_hyper(address: &Address, source: hyper::Error) -> Self {
        let address = address.to_string();
        if source.is_parse() {
            Self::NotOurs { address }
        } else if source.is_user() {
            Self::Unsent { address, source }
        } else {
            Self::HungUp { address, source }
        }
    }

    /// Whether there is no such thing.
    pub(in crate::cli) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::NOT_FOUND, .. })
    }

    /// Whether there is no app of that name.
    pub(in crate::cli) fn is_no_such_app(&self) -> bool {
        matches!(self, Self::Refused { problem, .. } if problem.code.as_deref() == Some("no_such_app"))
    }

    /// The same with the name of an app that may be meant.
    pub(in crate::cli) fn with_near(mut self, near: Option<String>) -> Self {
        if let Self::Refused { problem, .. } = &mut self {
            problem.near = near;
        }
        self
    }

    /// What the server said for programs, beside what is told to people.
    pub(in crate::cli) fn said(&self) -> serde_json::Map<String, serde_json::Value> {
        match self {
            Self::Refused { status, problem } => {
                let mut said = problem.others.clone();
                said.insert("status".to_owned(), status.as_u16().into());
                for (name, value) in [("title", &problem.title), ("request_id", &problem.request_id)] {
                    said.extend(value.as_deref().map(|value| (name.to_owned(), value.into())));
                }
                said
            }
            _ => serde_json::Map::new(),
        }
    }

    /// A word for programs, which is the server's own where it said one.
    pub(in crate::cli) fn code(&self) -> &str {
        match self {
            Self::NoServerHere { .. } | Self::NoServerThere { .. } => "no_server",
            Self::NotYours { .. } => "not_yours",
            Self::HungUp { .. } | Self::CutShort { .. } => "hung_up",
            Self::Silent { .. } => "no_answer",
            Self::Unsent { .. } => "unreadable",
            Self::Refused { problem, .. } => problem.code.as_deref().unwrap_or("refused"),
            Self::NotOurs { .. } => "not_lithouse",
            Self::Unexpected { .. } => "unexpected_answer",
            Self::UnusableToken => "unusable_token",
            Self::BadRequest { .. } => "bad_request",
        }
    }

    /// Whether the server's configuration is wrong.
    pub(in crate::cli) fn is_of_configuration(&self) -> bool {
        matches!(self, Self::Refused { problem, .. } if problem.code.as_deref() == Some("invalid_configuration"))
    }

    /// How long to wait before the same question is asked again, if it was refused for this reason alone.
    pub(in crate::cli) fn pause_for(&self, reason: &str) -> Option<Duration> {
        match self {
            Self::Refused { problem, .. } if problem.code.as_deref() == Some(reason) => {
                Some(Duration::from_secs(problem.retry_after.unwrap_or_default().clamp(1, 60)))
            }
            _ => None,
        }
    }

    /// A problem that came in the middle of an answer.
    pub(in crate::cli) fn of_problem(problem: &str) -> Self {
        let problem = serde_json::from_str(problem).unwrap_or_default();
        Self::Refused { status: StatusCode::SERVICE_UNAVAILABLE, problem: Box::new(problem) }
    }

    /// Whether the same question may be answered a moment later.
    pub(in crate::cli) fn is_passing(&self) -> bool {
        match self {
            Self::NoServerHere { .. }
            | Self::NoServerThere { .. }
            | Self::HungUp { .. }
            | Self::CutShort { .. }
            | Self::Silent { .. } => true,
            Self::Refused { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE,
            Self::NotYours { .. }
            | Self::Unsent { .. }
            | Self::NotOurs { .. }
            | Self::Unexpected { .. }
            | Self::UnusableToken
            | Self::BadRequest { .. } => false,
        }
    }

    /// Whose fault it was.
    pub(in crate::cli) fn exit(&self) -> Exit {
        match self {
            Self::Refused { status: StatusCode::NOT_FOUND | StatusCode::GONE, .. } => Exit::NotFound,
            Self::Refused { status, .. } if status.is_client_error() => Exit::Refused,
            Self::Refused { .. } | Self::NotOurs { .. } | Self::Unexpected { .. } => Exit::ServerError,
            Self::NoServerHere { .. }
            | Self::NoServerThere { .. }
            | Self::NotYours { .. }
            | Self::HungUp { .. }
            | Self::CutShort { .. }
            | Self::Silent { .. } => Exit::Unreachable,
            Self::Unsent { .. } => Exit::Failed,
            Self::UnusableToken | Self::BadRequest { .. } => Exit::Usage,
        }
    }

    /// What to do next, where we know it.
    pub(in crate::cli) fn hint(&self) -> Option<String> {
        match self {
            Self::NoServerHere { path, .. } => {
                let data = path.parent().map_or_else(|| "DIR".to_owned(), |data| data.display().to_string());
                Some(format!("start it with `lithouse start --data {data}`, or name another with `--data` or `--url`"))
            }
            Self::NoServerThere { .. } | Self::NotOurs { .. } => {
                Some("see whether `--url` or `LITHOUSE_URL` names the right host and port".to_owned())
            }
            Self::NotYours { .. } => Some("run this as the user who runs the server, or as root".to_owned()),
            Self::Refused { problem, .. } if problem.near.is_some() => problem.near.as_deref().map(did_you_mean),
            // The API's own hint names a path of the API.
            Self::Refused { problem, .. } if problem.code.as_deref() == Some("no_such_app") => {
                Some("`lithouse apps` lists the apps".to_owned())
            }
            Self::Refused { problem, .. } if problem.code.as_deref() == Some("no_such_release") => {
                Some("`lithouse releases` lists those that there are".to_owned())
            }
            Self::Refused { status, problem } => problem.hint.clone().or_else(|| match *status {
                StatusCode::UNAUTHORIZED => {
                    Some("ask on that machine, as the user who runs the server or through its folder with `--data`".to_owned())
                }
                _ => None,
            }),
            Self::Silent { .. } => Some("`lithouse healthcheck` tells whether it is up".to_owned()),
            Self::HungUp { .. } | Self::CutShort { .. } => Some("it may be restarting; try again".to_owned()),
            Self::Unexpected { .. } => Some("it may be of another version; `lithouse status --server` tells".to_owned()),
            Self::Unsent { .. } | Self::UnusableToken | Self::BadRequest { .. } => None,
        }
    }
}
