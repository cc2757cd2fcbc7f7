// SPDX-License-Identifier: Apache-2.0
//! `man`: the help pages as manual pages, for packages. Hidden: people have `lithouse help`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::Cli;
use super::failure::Failure;

/// Where to.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Folder to write the pages into
    folder: PathBuf,
}

/// Writes them.
pub(super) fn write(args: &ManArgs) -> Result<(), Failure> {
    let path = &args.folder;
    let written = std::fs::create_dir_all(path).and_then(|()| clap_mangen::generate_to(Cli::command(), path));
    written.map_err(|source| Failure::Man { path: path.clone(), source })
}
