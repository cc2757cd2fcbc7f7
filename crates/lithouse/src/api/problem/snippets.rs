// SPDX-License-Identifier: Apache-2.0
//! What the snippet service refuses, as problems.

use lithouse_engine::snippets::ExecuteError;

use super::{Code, Problem};

impl From<ExecuteError> for Problem {
    fn from(error: ExecuteError) -> Self {
        let code = match &error {
            ExecuteError::Busy { .. } => Code::QueueFull,
            ExecuteError::Building { .. } => Code::EnvironmentBuilding,
            ExecuteError::Unavailable { .. } => Code::SnippetsUnavailable,
            ExecuteError::OpenNotAllowed => Code::OpenNotAllowed,
            ExecuteError::CodeTooLarge { .. } => Code::SnippetTooLarge,
            ExecuteError::TimeoutOutOfRange { .. } => Code::TimeoutOutOfRange,
            ExecuteError::StdinTooLarge { .. } | ExecuteError::FilesTooLarge { .. } => Code::TooLarge,
            ExecuteError::TooManyFiles { .. }
            | ExecuteError::BadFileName { .. }
            | ExecuteError::FilesCollide { .. }
            | ExecuteError::NotBase64 { .. } => Code::InvalidFiles,
        };
        let mut problem = Self::new(code, error.to_string());
        problem.hint = error.hint();
        if let Some(pause) = error.retry_after() {
            // A pause that is cut to whole seconds would end too early.
            let seconds = u32::try_from(pause.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
            problem.retry_after = Some(seconds.max(1));
        }
        problem
    }
}
