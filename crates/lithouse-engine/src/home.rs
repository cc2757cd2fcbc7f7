// SPDX-License-Identifier: Apache-2.0
//! Where everything lies in the data folder. The only place that knows these paths.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use lithouse_core::id::{AppId, Key, ReleaseNumber};

/// The data folder, absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// Takes a folder as the data folder and makes it and its fixed parts where they are missing (mode 0700 for the folder itself).
    pub fn open(root: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        let home = Self { root: root.canonicalize()? };
        for part in [home.apps(), home.envs(), home.logs(), home.tmp(), home.tools()] {
            std::fs::create_dir_all(part)?;
        }
        if rustix::process::geteuid().is_root() {
            home.let_apps_through()?;
        }
        Ok(home)
    }

    /// Apps that run as other users need their environment, the launcher and their own folder, and nothing else. What is open to
    /// them cannot be listed; all else is closed.
    fn let_apps_through(&self) -> io::Result<()> {
        let set = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode));
        let where_it_is = |path: &Path, mode| match set(path, mode) {
            // One that is made later is made so.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        };
        for closed in [self.logs(), self.tmp(), self.snippets()] {
            where_it_is(&closed, 0o700)?;
        }
        for passed in [self.apps(), self.envs(), self.tools()] {
            set(&passed, 0o711)?;
        }
        for file in [self.database(), self.lock(), self.keeper_lock(), self.reserve()] {
            where_it_is(&file, 0o600)?;
        }
        // Last, when nothing inside is open any more that should not be. A person's own folder keeps what it has.
        let mode = std::fs::metadata(&self.root)?.permissions().mode();
        set(&self.root, mode | 0o011)
    }

    /// The data folder that somebody else has opened and is still there, with no part of it made anew.
    pub fn of_another(root: &Path) -> io::Result<Self> {
        Ok(Self { root: root.canonicalize()? })
    }

    /// The paths of a data folder that may not be there, for whoever only looks. Nothing is made.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The SQLite database.
    pub fn database(&self) -> PathBuf {
        self.root.join("lithouse.db")
    }

    /// The newest copy of it.
    pub fn backup(&self) -> PathBuf {
        self.root.join("backup").join("lithouse.db")
    }

    /// Held locked by the one server of this folder.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lithouse.lock")
    }

    /// The unix socket on which the server answers the local CLI.
    pub fn control_socket(&self) -> PathBuf {
        self.root.join("control.sock")
    }

    /// The unix socket on which the keeper answers the server.
    pub fn keeper_socket(&self) -> PathBuf {
        self.root.join("keeper.sock")
    }

    /// Held locked by the one keeper of this folder; its content is the keeper's pid.
    pub fn keeper_lock(&self) -> PathBuf {
        self.root.join("keeper.lock")
    }

    /// One folder an app.
    pub fn apps(&self) -> PathBuf {
        self.root.join("apps")
    }

    /// What a person looks for of one app.
    pub fn app(&self, app: &AppId) -> PathBuf {
        self.apps().join(app.as_str())
    }

    /// All releases of one app.
    pub fn releases(&self, app: &AppId) -> PathBuf {
        self.app(app).join("releases")
    }

    /// The files of one release, which is the app's working folder.
    pub fn release(&self, app: &AppId, release: ReleaseNumber) -> PathBuf {
        self.releases(app).join(release.to_string())
    }

    /// The app's own data, which outlives releases.
    pub fn state(&self, app: &AppId) -> PathBuf {
        self.app(app).join("state")
    }

    /// What an app that a folder or the configuration named had kept when that named it no more, for when it does so again.
    pub fn kept(&self, key: &Key) -> PathBuf {
        self.all_kept().join(key.as_str())
    }

    /// The same of all such apps.
    pub(crate) fn all_kept(&self) -> PathBuf {
        self.root.join("kept")
    }

    /// One folder a built environment, named by its key.
    pub fn envs(&self) -> PathBuf {
        self.root.join("envs")
    }

    /// All logs.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The log of an app's runs; `name` is its key or id.
    pub fn run_log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// The log of an app's builds; `name` is its key or id.
    pub fn build_log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.build.log"))
    }

    /// What belongs to the snippet service: its requirements, which environment it has, its caches.
    pub fn snippets(&self) -> PathBuf {
        self.root.join("snippets")
    }

    /// Holds some room on the disk, for when it is full.
    pub fn reserve(&self) -> PathBuf {
        self.root.join("reserve")
    }

    /// Uploads and builds in the making; emptied at every start.
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Tools that Lithouse installed for itself: uv, and its own Python files.
    pub fn tools(&self) -> PathBuf {
        self.root.join("tools")
    }
}
