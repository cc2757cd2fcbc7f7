// SPDX-License-Identifier: Apache-2.0
//! Snippets on the command line: reading code from a file or from standard input, and what it is called.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::exit::Exit;

/// What `-` stands for.
const STDIN: &str = "-";
/// What code from standard input is called where a name is needed.
const UNNAMED: &str = "snippet";
/// More than any server takes; what is larger is not even read.
const LARGEST: u64 = 64 << 20;

/// Why code, or what belongs to it, could not be read; or what came of it not be saved.
#[derive(Debug, thiserror::Error)]
pub(super) enum SnippetError {
    /// It cannot be read.
    #[error("could not read `{}`", .path.display())]
    Read {
        /// What.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Standard input cannot be read.
    #[error("could not read standard input")]
    ReadStdin(#[source] io::Error),
    /// It is larger than any server takes.
    #[error("`{}` is larger than any server takes", .0.display())]
    TooLarge(PathBuf),
    /// It is no text.
    #[error("`{}` is not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// Code and standard input from one place.
    #[error("the code and its input cannot both come from standard input")]
    StdinTwice,
    /// Something that came of a run cannot be written.
    #[error("could not save `{}`", .path.display())]
    Save {
        /// Where.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

impl SnippetError {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::Usage,
            Self::NotText(_) | Self::TooLarge(_) | Self::StdinTwice => Exit::Usage,
            Self::Read { .. } | Self::ReadStdin(_) | Self::Save { .. } => Exit::Failed,
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Save { .. } => Some("choose another folder with `--out`".to_owned()),
            Self::StdinTwice => Some("keep one of them in a file".to_owned()),
            Self::Read { .. } | Self::ReadStdin(_) | Self::TooLarge(_) | Self::NotText(_) => None,
        }
    }
}

/// Which rules code is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Policy {
    /// The libraries for data, and the harmless part of Python's own.
    Restricted,
    /// Whatever Python can read. The sandbox is the same.
    Open,
}

impl Policy {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Restricted => "restricted",
            Self::Open => "open",
        }
    }
}

/// Whether standard input is meant.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new(STDIN)
}

/// Code, without the mark of its encoding that some editors put before it.
pub(super) fn code(path: &Path) -> Result<String, SnippetError> {
    let text = text(path)?;
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

/// A text.
pub(super) fn text(path: &Path) -> Result<String, SnippetError> {
    String::from_utf8(bytes(path)?).map_err(|_| SnippetError::NotText(path.to_owned()))
}

/// A file, or standard input, as it is.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, SnippetError> {
    let of_file = |source| SnippetError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    if is_stdin(path) {
        io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes).map_err(SnippetError::ReadStdin)?;
    } else {
        let file = fs::File::open(path).map_err(of_file)?;
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(of_file)?;
    }
    if bytes.len() as u64 > LARGEST { Err(SnippetError::TooLarge(path.to_owned())) } else { Ok(bytes) }
}

/// What it is called, without the ending of a file.
pub(super) fn stem(path: &Path) -> String {
    let stem = path.file_stem().filter(|_| !is_stdin(path));
    stem.map_or_else(|| UNNAMED.to_owned(), |stem| stem.to_string_lossy().into_owned())
}
