// SPDX-License-Identifier: Apache-2.0
//! Sends a bundle, with a progress bar where somebody sees it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lithouse_engine::bundle::Packed;

use super::pack::{self, PackError};
use crate::cli::client::{Client, Form, Json, Sent};
use crate::cli::failure::Failure;
use crate::cli::output::{self, Progress};

/// What is uploaded.
pub(super) struct Bundle {
    file: File,
    file_name: String,
    path: PathBuf,
}

impl Bundle {
    /// An archive as it is; a folder packed into a file that has no name and goes with this process.
    pub(super) async fn of(path: &Path) -> Result<Self, Failure> {
        let path = path.to_owned();
        if !path.is_dir() {
            let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let file = File::open(&path).map_err(|source| PackError::Read { path: path.clone(), source })?;
            return Ok(Self { file, file_name, path });
        }
        let progress = Progress::of("packing");
        let (give, take) = tokio::sync::oneshot::channel();
        let folder = path.clone();
        // A thread of its own: Ctrl-C need not wait until a large folder is packed.
        std::thread::spawn(move || give.send(pack_to_file(&folder)));
        let packed = take.await.unwrap_or_else(|_| Err(PackError::Write(io::ErrorKind::Interrupted.into())));
        drop(progress);
        let (file, packed) = packed?;
        let plural = if packed.files == 1 { "" } else { "s" };
        output::note(&format!("packed {} file{plural}, {}", packed.files, output::size(packed.bytes)));
        Ok(Self { file, file_name: "app.tar.gz".to_owned(), path })
    }
}

fn pack_to_file(folder: &Path) -> Result<(File, Packed), PackError> {
    let mut file = tempfile::tempfile().map_err(PackError::Write)?;
    let packed = pack::pack(folder, io::BufWriter::new(&mut file))?;
    io::Seek::rewind(&mut file).map_err(PackError::Write)?;
    Ok((file, packed))
}

/// Uploads.
pub(super) async fn upload(client: &Client, path: &str, fields: &[(&str, &str)], bundle: Bundle) -> Result<Json, Failure> {
    let Bundle { file, file_name, path: source_path } = bundle;
    let form = Form::new(fields, &file_name, file).map_err(|source| PackError::Read { path: source_path, source })?;
    let progress = Progress::of_bytes("uploading", form.length());
    let sent = Sent::default();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let uploading = client.upload(path, form, &sent);
    tokio::pin!(uploading);
    let answer = loop {
        tokio::select! {
            answer = &mut uploading => break answer,
            _ = ticks.tick() => progress.reach(sent.bytes()),
        }
    };
    drop(progress);
    Ok(answer?)
}
