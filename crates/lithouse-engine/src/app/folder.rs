// SPDX-License-Identifier: Apache-2.0
//! The app's folder: releases, its own state, and the links that a person looks for.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use lithouse_core::id::{AppId, ReleaseNumber};
use lithouse_sandbox::entry::RunAs;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::AppTask;
use crate::home::Home;
use crate::store::AppRecord;

/// The app's folder could not be changed.
#[derive(Debug, thiserror::Error)]
#[error("could not {act} `{path}`: {source}")]
pub struct FolderError {
    act: &'static str,
    path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl FolderError {
    pub(super) fn of(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { act, path, source }
    }
}

/// Makes the app's own folder, and gives it to the user that the app runs as; none is our own. Only root can give.
pub(super) fn give_state(home: &Home, app: &AppId, user: Option<&RunAs>) -> io::Result<()> {
    let (folder, state) = (home.app(app), home.state(app));
    std::fs::create_dir_all(&state)?;
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let (uid, gid) = user.map_or((0, 0), |user| (user.uid, user.gid));
    // Others may pass through, and see nothing.
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(if user.is_some() { 0o711 } else { 0o700 }))?;
    std::os::unix::fs::lchown(&state, Some(uid), Some(gid))?;
    std::fs::set_permissions(&state, PermissionsExt::from_mode(0o700))
}

impl AppTask {
    /// Moves a folder of files into place as a release, and sees that it is on the disk.
    pub(super) async fn take_release_folder(&self, from: PathBuf, number: ReleaseNumber) -> Result<(), FolderError> {
        let to = self.shared.home.release(self.id(), number);
        blocking(move || take_release(&from, &to)).await
    }

    pub(super) async fn remove_release_folder(&self, number: ReleaseNumber) {
        let folder = self.shared.home.release(self.id(), number);
        let _ = blocking(move || std::fs::remove_dir_all(&folder).map_err(FolderError::of("remove", &folder))).await;
    }

    /// Brings links and `meta.json` to what is true now. They are for people, so a failure is only told.
    pub(super) async fn refresh_folder(&self) {
        let environment = match self.shared.store.release(self.id(), self.record.shown_release()).await {
            Ok(release) => release.and_then(|release| release.environment),
            Err(_) => None,
        };
        let home = self.shared.home.clone();
        let record = self.record.clone();
        // At the start of a server a thousand come at once, each of which would take a thread.
        let _turn = self.shared.folders.acquire().await;
        let refreshed = blocking(move || {
            let folder = home.app(&record.id);
            take_state_back(&home, &record)?;
            std::fs::create_dir_all(home.state(&record.id)).map_err(FolderError::of("make", &folder))?;
            let files = match &record.folder {
                Some(folder) => folder.clone(),
                None => PathBuf::from("releases").join(record.shown_release().to_string()),
            };
            for name in ["app.py", "requirements.txt"] {
                let file = files.join(name);
                link(&folder, name, folder.join(&file).exists().then_some(file))?;
            }
            link(&folder, "venv", environment.map(|key| Path::new("../../envs").join(key)))?;
            link(&folder, "run.log", Some(PathBuf::from(format!("../../logs/{}.log", record.log_name()))))?;
            write_meta(&folder.join("meta.json"), &record)
        })
        .await;
        if let Err(error) = refreshed {
            tracing::warn!(app = %self.id(), error = %error, "the app's folder could not be brought up to date");
        }
    }

    /// Removes all that the app owned on the disk. What an app kept that is only named no more stays for when it is again: a folder
    /// that is not mounted, or a mistake in the configuration, must not cost anybody's data.
    pub(super) async fn remove_folder(&self) -> Result<(), FolderError> {
        let home = self.shared.home.clone();
        let record = self.record.clone();
        blocking(move || {
            let folder = home.app(&record.id);
            put_state_away(&home, &record)?;
            // Out of sight at once, so that what is left after a crash is only rubbish in `tmp`.
            let away = home.tmp().join(format!("deleted-{}", record.id));
            match std::fs::rename(&folder, &away) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                moved => moved.map_err(FolderError::of("move away", &folder))?,
            }
            match std::fs::remove_dir_all(&away) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(FolderError::of("remove", &away))?,
            }
            remove_logs(&home.logs(), record.log_name())
        })
        .await
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, FolderError> + Send + 'static,
) -> Result<T, FolderError> {
    match tokio::task::spawn_blocking(act).await {
        Ok(result) => result,
        Err(error) => Err(FolderError { act: "work in", path: PathBuf::from("data"), source: io::Error::other(error) }),
    }
}

/// Moves a folder of files to where a release lies, and sees that it is on the disk.
pub(crate) fn take_release(from: &Path, to: &Path) -> Result<(), FolderError> {
    let parent = to.parent().unwrap_or(to);
    std::fs::create_dir_all(parent).map_err(FolderError::of("make", parent))?;
    // A release that was moved here and never stored, because a crash came between the two.
    if to.exists() {
        std::fs::remove_dir_all(to).map_err(FolderError::of("remove", to))?;
    }
    sync_tree(from)?;
    std::fs::rename(from, to).map_err(FolderError::of("move the release to", to))?;
    std::fs::File::open(parent).and_then(|folder| folder.sync_all()).map_err(FolderError::of("write", parent))
}

fn put_state_away(home: &Home, record: &AppRecord) -> Result<(), FolderError> {
    let state = home.state(&record.id);
    let Some(key) = record.key.as_ref().filter(|_| record.origin.is_declared() && holds_anything(&state)) else {
        return Ok(());
    };
    let kept = home.kept(key);
    let parent = kept.parent().unwrap_or(&kept);
    // Apps that run as other users get no further than this.
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent);
    made.map_err(FolderError::of("make", parent))?;
    // From now on it waits.
    let began = std::fs::File::open(&state).and_then(|folder| folder.set_modified(std::time::SystemTime::now()));
    began.map_err(FolderError::of("write", &state))?;
    match std::fs::remove_dir_all(&kept) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(FolderError::of("remove", &kept)(error)),
        _ => {}
    }
    std::fs::rename(&state, &kept).map_err(FolderError::of("put what the app kept to", &kept))
}

fn take_state_back(home: &Home, record: &AppRecord) -> Result<(), FolderError> {
    let state = home.state(&record.id);
    let kept = record.key.as_ref().filter(|_| record.origin.is_declared()).map(|key| home.kept(key));
    let Some(kept) = kept.filter(|kept| !state.exists() && kept.is_dir()) else { return Ok(()) };
    make_parent(&state)?;
    std::fs::rename(&kept, &state).map_err(FolderError::of("take what the app kept to", &state))
}

fn holds_anything(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

fn make_parent(path: &Path) -> Result<(), FolderError> {
    let parent = path.parent().unwrap_or(path);
    std::fs::create_dir_all(parent).map_err(FolderError::of("make", parent))
}

/// So many files and folders are written one by one. More of them take less time with all else that is to go to that disk.
const FEW: usize = 64;

/// Sees that every file and folder beneath is on the disk: what was accepted survives a power cut.
fn sync_tree(folder: &Path) -> Result<(), FolderError> {
    let mut paths = Vec::new();
    walk(folder, &mut paths)?;
    let written = |path: &Path, write: fn(&std::fs::File) -> io::Result<()>| {
        std::fs::File::open(path).and_then(|opened| write(&opened)).map_err(FolderError::of("write", path))
    };
    if paths.len() > FEW {
        return written(folder, |opened| rustix::fs::syncfs(opened).map_err(io::Error::from));
    }
    paths.iter().try_for_each(|path| written(path, std::fs::File::sync_all))
}

/// Whatever there is beneath a folder, and itself behind that.
fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), FolderError> {
    for entry in std::fs::read_dir(folder).map_err(FolderError::of("read", folder))? {
        let path = entry.map_err(FolderError::of("read", folder))?.path();
        if path.is_dir() { walk(&path, paths)? } else { paths.push(path) }
    }
    paths.push(folder.to_owned());
    Ok(())
}

/// Points a link somewhere else in one step; without a target it is removed.
fn link(folder: &Path, name: &str, target: Option<PathBuf>) -> Result<(), FolderError> {
    let path = folder.join(name);
    if std::fs::read_link(&path).ok() == target && target.is_some() {
        return Ok(());
    }
    let Some(target) = target else {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FolderError::of("remove", &path)(error)),
            _ => Ok(()),
        };
    };
    let new = folder.join(format!(".{name}.new"));
    let _ = std::fs::remove_file(&new);
    std::os::unix::fs::symlink(&target, &new).map_err(FolderError::of("make the link", &new))?;
    std::fs::rename(&new, &path).map_err(FolderError::of("make the link", &path))
}

fn write_meta(path: &Path, record: &AppRecord) -> Result<(), FolderError> {
    let created = OffsetDateTime::from_unix_timestamp_nanos(i128::from(record.created_at_ms) * 1_000_000);
    let meta = json!({
        "app_id": record.id,
        "key": record.key,
        "name": record.name,
        "description": record.description,
        "path": format!("/apps/{}/", record.path_name()),
        "folder": record.folder,
        "desired": record.desired,
        "release": record.active,
        "restart_on_crash": record.restart_on_crash,
        "created_at": created.ok().and_then(|time| time.format(&Rfc3339).ok()),
    });
    let meta = format!("{meta:#}\n");
    if std::fs::read(path).is_ok_and(|there| there == meta.as_bytes()) {
        return Ok(());
    }
    let new = path.with_extension("json.new");
    std::fs::write(&new, meta).map_err(FolderError::of("write", &new))?;
    std::fs::rename(&new, path).map_err(FolderError::of("write", path))
}

/// Removes `x.log`, `x.build.log` and what was rotated of them, and no other app's.
fn remove_logs(logs: &Path, name: &str) -> Result<(), FolderError> {
    let entries = std::fs::read_dir(logs).map_err(FolderError::of("read", logs))?;
    for entry in entries.flatten() {
        let file = entry.file_name();
        let Some(rest) = file.to_str().and_then(|file| file.strip_prefix(name)) else { continue };
        let rest = rest.strip_prefix(".build").unwrap_or(rest);
        let Some(number) = rest.strip_prefix(".log") else { continue };
        if number.is_empty() || number.strip_prefix('.').is_some_and(|number| number.parse::<u32>().is_ok()) {
            std::fs::remove_file(entry.path()).map_err(FolderError::of("remove", &entry.path()))?;
        }
    }
    Ok(())
}
