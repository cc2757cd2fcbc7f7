// SPDX-License-Identifier: Apache-2.0
//! Receives the files of an app: streamed to the disk within limits, then unpacked or put together in a folder of ours.

mod form;
mod schema;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use lithouse_core::id::Key;
use lithouse_core::limits::Limits;
use lithouse_engine::bundle::{self, UnpackError, UnpackLimits};
use lithouse_engine::engine::Engine;
use tokio::io::AsyncWriteExt;

use super::app::LimitsRequest;
use super::problem::{Code, Problem, disk};
use crate::plain::{self, LONGEST_DESCRIPTION, LONGEST_NAME};

pub(super) use form::Form;
pub(super) use schema::{AppUpload, PARTS, ReleaseUpload};

const LARGEST_REQUIREMENTS: u64 = 1 << 20;
const LARGEST_SCRIPT: u64 = 16 << 20;
const LARGEST_BUNDLE: u64 = 1 << 30;
/// A body of which nothing comes for so long is given up: its client has gone, or means no good.
const STALLED: Duration = Duration::from_secs(60);
/// Waiting for a body may take so long in all, and a second more for each so many bytes that came of it.
const AT_FIRST: Duration = Duration::from_secs(60);
const LEAST_A_SECOND: u64 = 1 << 10;

/// What is uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A new app, which may be given a name.
    NewApp,
    /// New files for an app.
    Release,
}

/// What was received. Its folder is removed when this is dropped, unless the engine has moved the files away.
pub(super) struct Upload {
    folder: PathBuf,
    files: PathBuf,
    pub(super) key: Option<Key>,
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) limits: Limits,
}

impl Upload {
    /// The folder that holds the app's files.
    pub(super) fn files(&self) -> &Path {
        &self.files
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // What is left at a crash is removed at the next start.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub(super) fn not_multipart() -> Problem {
    Problem::new(Code::NotMultipart, "the body must be `multipart/form-data`")
        .hint("curl -F requirements=@requirements.txt -F app=@app.py …")
}

/// Receives a whole upload.
pub(super) async fn receive(engine: &Engine, form: Form, purpose: Purpose) -> Result<Upload, Problem> {
    receive_into(engine.new_tmp("upload"), form, purpose).await
}

/// Receives a whole upload into a folder that is not there yet.
pub(super) async fn receive_into(folder: PathBuf, mut form: Form, purpose: Purpose) -> Result<Upload, Problem> {
    let files = folder.join("files");
    tokio::fs::create_dir_all(&files).await.map_err(|error| disk(&error, &error))?;
    let mut upload = Upload { folder, files, key: None, name: None, description: None, limits: Limits::default() };
    let mut seen: Vec<String> = Vec::new();
    let mut pace = Pace::default();
    while let Some(field) = pace.arriving(Code::BrokenMultipart, form.next_field()).await?.map_err(|error| broken(&error))? {
        let Some(name) = field.name().map(str::to_owned) else {
            return Err(Problem::new(Code::UnknownField, "a part of the form has no name").hint(known_fields(purpose)));
        };
        if seen.contains(&name) {
            return Err(Problem::new(Code::DuplicateField, format!("the field `{name}` is there twice")).hint("send it once"));
        }
        receive_field(&mut upload, &name, field, purpose, &mut pace).await?;
        seen.push(name);
    }
    let has = |name: &str| seen.iter().any(|seen| seen == name);
    match (has("bundle"), has("requirements"), has("app")) {
        (true, false, false) => unpack(&mut upload).await?,
        (true, _, _) => {
            return Err(Problem::new(Code::ContradictingFields, "the form has both `bundle` and single files")
                .hint("send either `bundle`, or `requirements` and `app`"));
        }
        (false, true, true) => {}
        (false, false, _) => return Err(missing("requirements", "requirements=@requirements.txt")),
        (false, _, false) => return Err(missing("app", "app=@app.py")),
    }
    Ok(upload)
}

fn missing(field: &str, example: &str) -> Problem {
    Problem::new(Code::MissingField, format!("the field `{field}` is missing")).hint(format!("add `-F {example}`"))
}

async fn receive_field(
    upload: &mut Upload,
    name: &str,
    field: Field<'_>,
    purpose: Purpose,
    pace: &mut Pace,
) -> Result<(), Problem> {
    match (name, purpose) {
        ("requirements", _) => save_file(field, &upload.files.join("requirements.txt"), LARGEST_REQUIREMENTS, true, pace).await,
        ("app", _) => save_file(field, &upload.files.join("app.py"), LARGEST_SCRIPT, false, pace).await,
        ("bundle", _) => save_file(field, &upload.folder.join("bundle"), LARGEST_BUNDLE, false, pace).await,
        ("key", Purpose::NewApp) => {
            let key = text(field, pace).await?;
            upload.key = Some(key.parse().map_err(|error| Problem::new(Code::InvalidKey, format!("{error}")))?);
            Ok(())
        }
        ("name", Purpose::NewApp) => {
            let name = text(field, pace).await?;
            check_name(&name)?;
            upload.name = Some(name);
            Ok(())
        }
        ("description", Purpose::NewApp) => {
            let description = text(field, pace).await?;
            check_description(&description)?;
            upload.description = Some(description);
            Ok(())
        }
        ("limits", Purpose::NewApp) => {
            let limits = LimitsRequest::of_text(&text(field, pace).await?)?;
            upload.limits = limits.checked()?.of(Limits::default());
            Ok(())
        }
        (unknown, _) => {
            Err(Problem::new(Code::UnknownField, format!("there is no field `{unknown}`")).hint(known_fields(purpose)))
        }
    }
}

fn known_fields(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::NewApp => "known are `requirements` and `app` (or `bundle`), `name`, `key`, `description`, `limits`",
        Purpose::Release => "known are `requirements` and `app` (or `bundle`)",
    }
}

pub(super) fn check_name(name: &str) -> Result<(), Problem> {
    if !plain::is_name(name) {
        let detail = format!("a name is one line of 1 to {LONGEST_NAME} characters, without invisible ones");
        return Err(Problem::new(Code::InvalidName, detail));
    }
    Ok(())
}

pub(super) fn check_description(description: &str) -> Result<(), Problem> {
    if !plain::is_description(description) {
        let detail = format!("a description has {LONGEST_DESCRIPTION} characters at most, without invisible ones");
        return Err(Problem::new(Code::InvalidDescription, detail));
    }
    Ok(())
}

async fn text(mut field: Field<'_>, pace: &mut Pace) -> Result<String, Problem> {
    const LONGEST: usize = 4 * LONGEST_DESCRIPTION;
    let name = field.name().unwrap_or_default().to_owned();
    let mut bytes = Vec::new();
    while let Some(chunk) = pace.arriving(Code::BrokenMultipart, field.chunk()).await?.map_err(|error| broken(&error))? {
        pace.note(chunk.len());
        bytes.extend_from_slice(&chunk);
        if bytes.len() > LONGEST {
            return Err(Problem::new(Code::TooLarge, format!("`{name}` is larger than {LONGEST} bytes")));
        }
    }
    String::from_utf8(bytes).map_err(|_| Problem::new(Code::BrokenMultipart, format!("the field `{name}` is not UTF-8 text")))
}

async fn save_file(field: Field<'_>, path: &Path, limit: u64, may_be_empty: bool, pace: &mut Pace) -> Result<(), Problem> {
    let name = field.name().unwrap_or_default().to_owned();
    let has_name = field.file_name().is_some();
    let what = format!("`{name}`");
    let size = save(field, path, limit, &what, (Code::BrokenMultipart, pace), |error: &MultipartError| broken(error)).await?;
    if size == 0 && !may_be_empty {
        return Err(Problem::new(Code::EmptyFile, format!("the file in `{name}` is empty")));
    }
    match mistaken_name(path, size).await.filter(|_| !has_name) {
        Some(file) => {
            let detail = format!("the field `{name}` holds the text `{file}`, and no file");
            Err(Problem::new(Code::MissingField, detail).hint(format!("put `@` before the file's name: `-F {name}=@{file}`")))
        }
        None => Ok(()),
    }
}

/// The text that was sent in place of a file, where it is the name of one: `curl -F app=app.py` sends it so.
async fn mistaken_name(path: &Path, size: u64) -> Option<String> {
    const LONGEST: u64 = 255;
    if size > LONGEST {
        return None;
    }
    let text = tokio::fs::read_to_string(path).await.ok()?;
    let is_name = |text: &str| {
        let of_file = text.chars().all(|each| each.is_alphanumeric() || "._-/@ ".contains(each));
        of_file && [".py", ".txt", ".zip", ".tar", ".gz", ".tgz"].iter().any(|ending| text.ends_with(ending))
    };
    is_name(&text).then_some(text)
}

/// Streams a whole request body into a new file.
pub(super) async fn save_body(body: Body, path: &Path, limit: u64) -> Result<(), Problem> {
    let cut = |_: &axum::Error| Problem::new(Code::BrokenBody, "the body ended before it was complete");
    let mut pace = Pace::default();
    save(body.into_data_stream(), path, limit, "the body", (Code::BrokenBody, &mut pace), cut).await.map(|_| ())
}

async fn save<E>(
    mut chunks: impl Stream<Item = Result<Bytes, E>> + Unpin,
    path: &Path,
    limit: u64,
    name: &str,
    (code, pace): (Code, &mut Pace),
    broken: impl Fn(&E) -> Problem,
) -> Result<u64, Problem> {
    let mut file = tokio::fs::File::create_new(path).await.map_err(|error| disk(&error, &error))?;
    let mut size = 0;
    while let Some(chunk) = pace.arriving(code, chunks.next()).await? {
        let chunk = chunk.map_err(|error| broken(&error))?;
        pace.note(chunk.len());
        size += chunk.len() as u64;
        if size > limit {
            return Err(too_large(name, limit));
        }
        file.write_all(&chunk).await.map_err(|error| disk(&error, &error))?;
    }
    // What became of the last write is told here, and only here.
    file.flush().await.map_err(|error| disk(&error, &error))?;
    // The deploy is accepted only when its files would survive a power cut.
    file.sync_all().await.map_err(|error| disk(&error, &error))?;
    Ok(size)
}

/// How a body comes. Only the time counts in which it is waited for, and not that in which it is written to the disk.
#[derive(Debug, Default)]
struct Pace {
    waited: Duration,
    came: u64,
}

impl Pace {
    /// Something came.
    fn note(&mut self, bytes: usize) {
        self.came += bytes as u64;
    }

    /// How long the next piece may be waited for.
    fn patience(&self) -> Duration {
        (AT_FIRST + Duration::from_secs(self.came / LEAST_A_SECOND)).saturating_sub(self.waited).min(STALLED)
    }

    /// What comes next of a body, unless nothing comes for too long, or too little in all.
    async fn arriving<T>(&mut self, code: Code, next: impl Future<Output = T>) -> Result<T, Problem> {
        let (began, patience) = (Instant::now(), self.patience());
        let arrived = arriving_within(patience, code, next).await;
        self.waited += began.elapsed();
        arrived.map_err(|problem| if patience < STALLED { too_slow(code) } else { problem })
    }
}

fn too_slow(code: Code) -> Problem {
    let detail = format!("less than {LEAST_A_SECOND} bytes of the body came in a second, for more than {} s", AT_FIRST.as_secs());
    Problem::new(code, detail).hint("send it again over a faster connection, or in smaller requests")
}

async fn arriving_within<T>(time: Duration, code: Code, next: impl Future<Output = T>) -> Result<T, Problem> {
    tokio::time::timeout(time, next).await.map_err(|_| {
        Problem::new(code, format!("nothing of the body came for {} s", time.as_secs_f32()))
            .hint("send it again, without long pauses")
    })
}

/// What is too large, as people call it, and how large it may be.
fn too_large(what: &str, limit: u64) -> Problem {
    let hint = match what {
        "`requirements`" => "each line names one requirement, such as `pandas>=2`",
        "`bundle`" => "leave out what the app does not need, such as data that it can fetch",
        _ => "send it in a `bundle`, where data has files of its own",
    };
    Problem::new(Code::TooLarge, format!("{what} is larger than {} MiB", limit >> 20)).hint(hint)
}

fn broken(error: &MultipartError) -> Problem {
    let mut cause = error.source();
    while let Some(deeper) = cause {
        if deeper.is::<form::NoHead>() {
            let detail = "the form has a part with an endless head, or none where one should begin";
            return Problem::new(Code::BrokenMultipart, detail).hint("let a library make the form, or `curl -F`");
        }
        cause = deeper.source();
    }
    let words = error.body_text();
    let is_cut = ["incomplete", "failed to read stream"].iter().any(|cut| words.contains(cut));
    if is_cut {
        Problem::new(Code::BrokenMultipart, "the form ends before it is complete")
            .hint("send it again; if a program makes it, see that each part and the end have the boundary of the head")
    } else {
        Problem::new(Code::BrokenMultipart, "the head of a part of the form cannot be read")
            .hint("let a library make the form, or `curl -F`")
    }
}

async fn unpack(upload: &mut Upload) -> Result<(), Problem> {
    let (archive, files) = (upload.folder.join("bundle"), upload.files.clone());
    let unpacked = tokio::task::spawn_blocking(move || {
        let kind = bundle::detect(&archive).map_err(|error| invalid_bundle(&error))?;
        match bundle::unpack(&archive, kind, &files, &UnpackLimits::default()) {
            Ok(_) => Ok(()),
            Err(UnpackError::Write { source, .. }) => Err(disk(&source, &source)),
            Err(error) => Err(invalid_bundle(&error)),
        }
    });
    unpacked.await.map_err(|error| Problem::internal(&error))?
}

fn invalid_bundle(error: &dyn std::error::Error) -> Problem {
    Problem::new(Code::InvalidBundle, format!("the bundle cannot be used: {error}"))
        .hint("send a zip or a tar.gz of the app's folder, with `app.py` at its top")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_of_which_nothing_comes_any_more_is_given_up() {
        assert_eq!(Pace::default().arriving(Code::BrokenBody, std::future::ready(7)).await.unwrap(), 7);
        let problem =
            arriving_within(Duration::from_millis(20), Code::BrokenBody, std::future::pending::<()>()).await.unwrap_err();
        assert!(format!("{problem:?}").contains("nothing of the body came for 0.02 s"), "{problem:?}");
    }

    #[tokio::test]
    async fn a_body_that_creeps_is_given_up_and_one_that_comes_at_a_modems_pace_is_not() {
        // A byte a second.
        let mut pace = Pace { waited: Duration::from_secs(59), came: 59 };
        assert_eq!(pace.patience(), Duration::from_secs(1));
        pace = Pace { waited: Duration::from_millis(59_980), came: 60 };
        let problem = pace.arriving(Code::BrokenBody, std::future::pending::<()>()).await.unwrap_err();
        assert!(format!("{problem:?}").contains("less than 1024 bytes of the body came in a second"), "{problem:?}");
        assert!(pace.waited >= AT_FIRST);
        // Five kilobytes a second, for an hour.
        let pace = Pace { waited: Duration::from_secs(3600), came: 3600 * 5000 };
        assert_eq!(pace.patience(), STALLED);
    }
}
