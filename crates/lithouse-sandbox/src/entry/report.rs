// SPDX-License-Identifier: Apache-2.0
//! What the entry tells the keeper: that it is about to run the program, or why it cannot.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

/// One line of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// All is prepared; if nothing follows, the program runs.
    Ready,
    /// The program will not run.
    Failed(Failure),
}

/// Where the way to the program ended, and what the system said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step that failed.
    pub step: Step,
    /// The system's error number.
    pub errno: i32,
}

/// The steps on the way to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Reading the specification.
    Spec,
    /// Tying its life to the keeper's.
    Parent,
    /// A session of its own.
    Session,
    /// Keeping descriptors from the program.
    Descriptors,
    /// Resource limits and priority.
    Limits,
    /// Becoming the user that it runs as.
    User,
    /// No new privileges.
    Privileges,
    /// Going to the working folder.
    Folder,
    /// Running the program.
    Program,
}

const STEPS: [(Step, &str); 9] = [
    (Step::Spec, "spec"),
    (Step::Parent, "parent"),
    (Step::Session, "session"),
    (Step::Descriptors, "descriptors"),
    (Step::Limits, "limits"),
    (Step::User, "user"),
    (Step::Privileges, "privileges"),
    (Step::Folder, "folder"),
    (Step::Program, "program"),
];

impl Report {
    pub(super) fn to_line(self) -> String {
        match self {
            Self::Ready => "ready\n".to_owned(),
            Self::Failed(Failure { step, errno }) => {
                let name = STEPS.iter().find(|(known, _)| *known == step).map_or("spec", |(_, name)| name);
                format!("failed {name} {errno}\n")
            }
        }
    }

    /// Reads everything an entry sent until it closed the socket. `None` when it ended before it was ready.
    pub fn of_stream(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let mut report = None;
        for line in text.lines() {
            let mut words = line.split(' ');
            report = match (words.next(), words.next(), words.next()) {
                (Some("ready"), None, None) => Some(Self::Ready),
                (Some("failed"), Some(name), Some(errno)) => {
                    let step = STEPS.iter().find(|(_, known)| *known == name).map(|(step, _)| *step)?;
                    Some(Self::Failed(Failure { step, errno: errno.parse().ok()? }))
                }
                _ => None,
            };
        }
        report
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.step {
            Step::Spec => "its description could not be read",
            Step::Parent => "the keeper was gone",
            Step::Session => "it got no session of its own",
            Step::Descriptors => "its descriptors could not be closed",
            Step::Limits => "its limits could not be set",
            Step::User => "it could not become the user that it runs as",
            Step::Privileges => "its privileges could not be fixed",
            Step::Folder => "its working folder could not be entered",
            Step::Program => "its program could not be run",
        };
        write!(formatter, "{step}: {}", io::Error::from_raw_os_error(self.errno))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_survives_the_way_to_the_keeper() {
        for (step, _) in STEPS {
            let failed = Report::Failed(Failure { step, errno: 2 });
            let stream = format!("{}{}", Report::Ready.to_line(), failed.to_line());
            assert_eq!(Report::of_stream(stream.as_bytes()), Some(failed));
        }
    }

    #[test]
    fn silence_and_noise_are_no_report() {
        for noise in ["", "ready?", "failed", "failed nowhere 2", "failed program two"] {
            assert_eq!(Report::of_stream(noise.as_bytes()), None, "{noise}");
        }
        assert_eq!(Report::of_stream(b"ready\n"), Some(Report::Ready));
    }
}
