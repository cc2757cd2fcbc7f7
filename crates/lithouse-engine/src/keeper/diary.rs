// SPDX-License-Identifier: Apache-2.0
//! The keeper's own diagnostics: a small log beside the others, for when something went wrong here.

use std::sync::{Arc, Mutex, PoisonError};

use super::launch::LogLimits;
use super::lines::now;
use super::log_file::LogFile;
use crate::home::Home;

/// `logs/keeper.log`, shared by all parts of the keeper.
#[derive(Debug, Clone)]
pub(super) struct Diary {
    file: Arc<Mutex<LogFile>>,
}

impl Diary {
    pub(super) fn of(home: &Home) -> Self {
        let limits = LogLimits { bytes: 1_000_000, files: 3 };
        Self { file: Arc::new(Mutex::new(LogFile::new(home.logs().join("keeper.log"), limits))) }
    }

    /// Writes one entry.
    pub(super) fn note(&self, text: &str) {
        let line = format!("{} keeper | {}\n", now(), text.replace('\n', " "));
        self.file.lock().unwrap_or_else(PoisonError::into_inner).append(&line);
    }
}
