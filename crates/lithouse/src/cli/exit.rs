// SPDX-License-Identifier: Apache-2.0
//! The exit codes, and the page that tells them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// As asked.
    Done = 0,
    /// What was asked for came to nothing.
    Failed = 1,
    /// It was not understood.
    Usage = 2,
    /// There is no such thing.
    NotFound = 3,
    /// The server does not do that.
    Refused = 4,
    /// No server answers.
    Unreachable = 5,
    /// The server failed.
    ServerError = 6,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// For the long help.
pub(super) const HELP: &str = "\
Exit codes:
  0    done
  1    what was asked for failed: a deploy, an app that does not run, a snippet that did not succeed
  2    the command line, a variable or the configuration was not understood
  3    there is no such app, release or template; `status`: no server runs
  4    the server refused: a conflict, something invalid, missing rights
  5    no server answers, or it hung up
  6    the server failed, or what answers is not Lithouse
  130  interrupted

Example:
  lithouse deploy ./sales --url http://apps.example.com:8080";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_is_in_the_help() {
        let told: Vec<u8> = HELP.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
        let all = [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::NotFound,
            Exit::Refused,
            Exit::Unreachable,
            Exit::ServerError,
            Exit::Interrupted,
        ];
        assert_eq!(told, all.map(|exit| exit as u8));
    }
}
