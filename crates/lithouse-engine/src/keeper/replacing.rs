// SPDX-License-Identifier: Apache-2.0
//! The server's part in making a keeper become another program.

use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

use super::handover::{self, build_of};
use super::start::KeeperProgram;
use super::wire::{self, Answer, Call, Hello, PROTOCOL, Refusal, Replace, Request, Said};

/// How far it has come. It is tried once.
#[derive(Debug)]
pub(super) enum Replacing {
    /// A keeper whose program is not this build is asked to become it.
    Wanted { build: Option<String> },
    /// It was asked; if it is still another, this is why.
    Over(String),
    /// It is not to be asked.
    Unwanted,
}

impl Replacing {
    pub(super) fn of(program: &KeeperProgram) -> Self {
        // A program that cannot be read is not one that a keeper could become.
        Self::Wanted { build: build_of(&program.program).ok() }
    }

    /// Whether this keeper is to be asked now.
    pub(super) fn is_due(&self, hello: &Hello) -> bool {
        match self {
            Self::Wanted { build } => hello.protocol != PROTOCOL || (build.is_some() && hello.build != *build),
            Self::Over(_) | Self::Unwanted => false,
        }
    }

    /// Why the keeper is not what it should be.
    pub(super) fn failure(self) -> String {
        match self {
            Self::Wanted { .. } | Self::Unwanted => "it was not asked".to_owned(),
            Self::Over(why) => why,
        }
    }

    /// Says in the log what came of it.
    pub(super) fn tell(self, hello: &Hello, program: &KeeperProgram) {
        let Self::Over(why) = self else { return };
        let is_this = build_of(&program.program).is_ok_and(|build| hello.build == Some(build));
        if is_this {
            tracing::info!(pid = hello.pid, "the keeper runs this program now, with all its apps");
        } else {
            tracing::warn!(pid = hello.pid, "the keeper goes on as another build of the program: {why}");
        }
    }
}

/// Asks for it. Answers with what is known of a failure; without any, the next hello shows what became of it.
pub(super) async fn replace(mut stream: UnixStream, program: &KeeperProgram, deadline: Instant) -> String {
    const UNKNOWN: &str = "it did not say why";
    let args = program.args.iter().map(|argument| argument.to_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
    let Some(args) = args else { return "the path of the data folder is not UTF-8".to_owned() };
    let request = Request::Replace(Replace { program: program.program.clone(), args, reads: vec![handover::VERSION] });
    if let Err(error) = wire::write(&mut stream, &Call { id: 0, request }).await {
        return format!("it could not be asked: {error}");
    }
    loop {
        match timeout_at(deadline, wire::read::<Said>(&mut stream)).await {
            Ok(Ok(Said::Answer { answer: Answer::Refused(Refusal::NotReplaced { reason, .. }), .. })) => return reason,
            Ok(Ok(Said::Answer { answer: Answer::Refused(refusal), .. })) => return refusal.to_string(),
            Ok(Ok(_)) => {}
            Ok(Err(wire::FrameError::Closed)) => return UNKNOWN.to_owned(),
            Ok(Err(error)) => return error.to_string(),
            Err(_) => return "it did not answer in time".to_owned(),
        }
    }
}
