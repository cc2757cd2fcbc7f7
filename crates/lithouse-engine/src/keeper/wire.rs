// SPDX-License-Identifier: Apache-2.0
//! What server and keeper say to each other: JSON frames, each after its length in four bytes, big end first.
//!
//! Each side opens with a [`Hello`]. Then the server asks and the keeper answers under the same number; what the keeper says
//! unasked is a hint only, since the list says the same. A change that an older side would misread raises [`PROTOCOL`].
//!
//! What sides of different versions say to each other stays as it is for ever: the frames, [`Hello`], and a [`Replace`] with its
//! answer. So any server can have any keeper become the program that fits it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use lithouse_core::id::InstanceId;
use lithouse_core::limits::Limits;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::launch::{InstanceReport, Launch, Spawned};

/// The version of this protocol.
pub(super) const PROTOCOL: u32 = 2;

/// No frame is longer; a longer one is not ours.
const LONGEST_FRAME: usize = 4 << 20;

/// The first frame of each side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) lithouse: Side,
    pub(super) protocol: u32,
    pub(super) pid: u32,
    /// Tells the keeper's program from others of the same version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) build: Option<String>,
}

/// Becoming another program with all apps kept. Without an answer it has happened, or the keeper is gone: its next hello tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Replace {
    /// The program and its arguments.
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    /// The versions of a handover that it understands.
    pub(super) reads: Vec<u32>,
}

/// Who says hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    Server,
    Keeper,
}

impl Hello {
    pub(super) fn of_server() -> Self {
        Self { lithouse: Side::Server, protocol: PROTOCOL, pid: std::process::id(), build: None }
    }

    pub(super) fn of_keeper(protocol: u32, build: Option<String>) -> Self {
        Self { lithouse: Side::Keeper, protocol, pid: std::process::id(), build }
    }
}

/// A request with its number. The request is read in a second step, so that one the keeper does not know can be answered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Call<R> {
    pub(super) id: u64,
    pub(super) request: R,
}

/// Everything the server can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Request {
    List,
    Spawn {
        launch: Box<Launch>,
    },
    Terminate {
        instance: InstanceId,
        grace_ms: u64,
    },
    Forget {
        instance: InstanceId,
    },
    Shutdown {
        grace_ms: u64,
    },
    /// The most memory of each instance that runs.
    Peaks,
    Limit {
        instance: InstanceId,
        may_take: Limits,
    },
    Replace(Replace),
}

/// What the keeper says after its hello.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(super) enum Said {
    Answer {
        id: u64,
        answer: Answer,
    },
    Ended {
        report: InstanceReport,
    },
    /// It was halted, or goes on.
    Halted {
        report: InstanceReport,
    },
}

/// The keeper's answer to one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Instances(Vec<InstanceReport>),
    Spawned(Spawned),
    Peaks(Vec<(InstanceId, u64)>),
    Done,
    Refused(Refusal),
}

/// Why the keeper did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Refusal {
    /// Somebody else listens there.
    #[error("port {port} is in use")]
    AddressInUse {
        /// The port that was asked for.
        port: u16,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on `{address}`: {reason}")]
    CannotListen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// There is no such program, or no interpreter that it names.
    #[error("the program `{}` was not found", program.display())]
    ProgramNotFound {
        /// The program that was asked for.
        program: PathBuf,
    },
    /// There is no such folder to work in.
    #[error("the working folder `{}` was not found", folder.display())]
    FolderNotFound {
        /// The folder that was asked for.
        folder: PathBuf,
    },
    /// The process could not be started, or could not become its program.
    #[error("cannot start `{}`: {reason}", program.display())]
    NotStarted {
        /// The program that was asked for.
        program: PathBuf,
        /// What was tried and what the system said.
        reason: String,
    },
    /// No process can hold what was asked for.
    #[error("this cannot be launched: {reason}")]
    NotALaunch {
        /// What is wrong with it.
        reason: String,
    },
    /// It was stopped before its program ran.
    #[error("it was stopped before its program ran")]
    StoppedMeanwhile,
    /// An instance with this id is known already.
    #[error("there is an instance `{instance}` already")]
    InstanceExists {
        /// The id that was given.
        instance: InstanceId,
    },
    /// No instance has this id, or it is forgotten.
    #[error("there is no instance `{instance}`")]
    UnknownInstance {
        /// The id that was given.
        instance: InstanceId,
    },
    /// Only what ended can be forgotten.
    #[error("the instance `{instance}` has not ended")]
    StillAlive {
        /// The id that was given.
        instance: InstanceId,
    },
    /// The keeper is about to end and starts nothing more.
    #[error("the keeper is shutting down")]
    ShuttingDown,
    /// The new limits cannot be held as long as it runs.
    #[error("the limits cannot be changed while it runs: {reason}")]
    NotLimited {
        /// What the system said.
        reason: String,
    },
    /// The keeper goes on as it is.
    #[error("the keeper did not become `{}`: {reason}", program.display())]
    NotReplaced {
        /// What it was to become.
        program: PathBuf,
        /// What was in the way.
        reason: String,
    },
    /// The keeper does not know this request.
    #[error("the keeper does not understand this request: {reason}")]
    NotUnderstood {
        /// What it stumbled over.
        reason: String,
    },
}

/// Why a frame could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("the other side is gone")]
    Closed,
    #[error("a frame of {0} bytes is longer than any of ours")]
    TooLong(usize),
    #[error("a frame that is not ours: {0}")]
    NotOurs(#[source] serde_json::Error),
    #[error("reading failed: {0}")]
    Io(#[source] io::Error),
}

/// A message as a frame, ready to be written.
pub(super) fn frame<M: Serialize>(message: &M) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - 4;
    match u32::try_from(length) {
        Ok(prefix) if length <= LONGEST_FRAME => bytes[..4].copy_from_slice(&prefix.to_be_bytes()),
        _ => return Err(serde::ser::Error::custom(FrameError::TooLong(length))),
    }
    Ok(bytes)
}

/// Reads one frame. What was read of it is lost when this is dropped half way.
pub(super) async fn read<M: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> Result<M, FrameError> {
    let gone = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => FrameError::Closed,
        _ => FrameError::Io(error),
    };
    let length = stream.read_u32().await.map_err(gone)? as usize;
    if length > LONGEST_FRAME {
        return Err(FrameError::TooLong(length));
    }
    // Room is made for what came, not for what was announced.
    let mut bytes = Vec::new();
    stream.take(length as u64).read_to_end(&mut bytes).await.map_err(gone)?;
    if bytes.len() < length {
        return Err(FrameError::Closed);
    }
    serde_json::from_slice(&bytes).map_err(FrameError::NotOurs)
}

/// Writes one message as a frame.
pub(super) async fn write<M: Serialize>(stream: &mut (impl AsyncWrite + Unpin), message: &M) -> io::Result<()> {
    stream.write_all(&frame(message)?).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_back(bytes: &[u8]) -> Result<Hello, FrameError> {
        read(&mut &*bytes).await
    }

    #[tokio::test]
    async fn frames_arrive_whole_or_not_at_all() {
        let hello = Hello::of_server();
        let bytes = frame(&hello).unwrap();
        assert_eq!(read_back(&bytes).await.unwrap(), hello);
        for length in 0..bytes.len() {
            assert!(matches!(read_back(&bytes[..length]).await, Err(FrameError::Closed)), "{length}");
        }
    }

    #[tokio::test]
    async fn noise_is_told_apart_from_frames() {
        assert!(matches!(read_back(b"GET / HTTP/1.1\r\n\r\n").await, Err(FrameError::TooLong(_))));
        assert!(matches!(read_back(b"\0\0\0\x02{}").await, Err(FrameError::NotOurs(_))));
    }

    /// These texts are the frozen part: never change them, only add others.
    #[test]
    fn what_sides_of_different_versions_say_stays_as_it_is() {
        let hello = r#"{"lithouse":"keeper","protocol":7,"pid":8,"build":"x"}"#;
        let expected = Hello { lithouse: Side::Keeper, protocol: 7, pid: 8, build: Some("x".to_owned()) };
        assert_eq!(serde_json::from_str::<Hello>(hello).unwrap(), expected);
        assert_eq!(serde_json::to_string(&expected).unwrap(), hello);
        let replace = r#"{"id":1,"request":{"do":"replace","program":"/p","args":["keeper"],"reads":[1]}}"#;
        let request = Request::Replace(Replace { program: "/p".into(), args: vec!["keeper".to_owned()], reads: vec![1] });
        assert_eq!(serde_json::to_string(&Call { id: 1, request }).unwrap(), replace);
        let answer = r#"{"is":"answer","id":1,"answer":{"refused":{"why":"not_replaced","program":"/p","reason":"r"}}}"#;
        let refused = Answer::Refused(Refusal::NotReplaced { program: "/p".into(), reason: "r".to_owned() });
        assert_eq!(serde_json::to_string(&Said::Answer { id: 1, answer: refused }).unwrap(), answer);
    }

    #[test]
    fn a_message_that_is_too_long_is_never_sent() {
        assert!(frame(&"x".repeat(LONGEST_FRAME)).is_err());
    }
}
