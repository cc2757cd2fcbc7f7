// SPDX-License-Identifier: Apache-2.0
//! What must outlive the process: apps, their releases and what people want of them, in SQLite.
//!
//! Owns the database file and nothing else; folders and processes are brought to what it says by others.

mod record;

use std::collections::{HashMap, HashSet};
use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lithouse_core::app::Desired;
use lithouse_core::id::{AppId, Key, ReleaseNumber};
use lithouse_core::lifecycle::Memory;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

pub use record::{AppRecord, Recipe, ReleaseRecord, ReleaseState};

static MIGRATOR: Migrator = sqlx::migrate!();

/// How long a statement may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(600);

/// Why the database could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is something else in its place.
    #[error("the database `{path}` is no file")]
    NoFile {
        /// The place.
        path: PathBuf,
    },
    /// There is nothing in the file, though there are apps.
    #[error("the database `{path}` is empty, though `apps` holds apps that it knew")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// What it holds is no database, or no longer.
    #[error("the database `{path}` is damaged: {found}")]
    DamagedFile {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        found: String,
    },
    /// The file cannot be opened as a database.
    #[error("could not open the database `{path}`")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// It was written by a newer Lithouse.
    #[error("the database `{path}` was written by a newer version of Lithouse")]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// Its tables could not be brought up to date.
    #[error("could not bring the database `{path}` up to date")]
    Migrate {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: MigrateError,
    },
    /// A value is already taken by another app.
    #[error("the {what} `{value}` is taken by another app")]
    Taken {
        /// `key` or `url`.
        what: &'static str,
        /// The value.
        value: String,
    },
    /// A statement failed.
    #[error("the database could not be read or written")]
    Query(#[from] sqlx::Error),
    /// A row holds what no version of ours wrote.
    #[error("the database holds a damaged row: {0}")]
    Damaged(String),
}

impl StoreError {
    /// Whether there was no room on the disk.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Query(error) if code(error) == Some(SQLITE_FULL))
    }

    /// Whether the disk takes no more writes.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Query(error) if code(error) == Some(SQLITE_READONLY))
    }

    /// Whether the file itself is of no use any more.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::NoFile { .. } | Self::Empty { .. } | Self::DamagedFile { .. } | Self::Damaged(_) => true,
            Self::Query(error) => code(error).is_some_and(is_damage),
            Self::Open { .. } | Self::Newer { .. } | Self::Migrate { .. } | Self::Taken { .. } => false,
        }
    }
}

const SQLITE_BUSY: u32 = 5;
const SQLITE_READONLY: u32 = 8;
const SQLITE_CORRUPT: u32 = 11;
const SQLITE_FULL: u32 = 13;
const SQLITE_NOTADB: u32 = 26;
/// How long a statement that is under way may take when the database is closed.
const CLOSES_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);
/// How long a look whether the database can be written waits for others who write.
const LOOKS_WITHIN: Duration = Duration::from_secs(4);
/// How many damaged places are told.
const MOST_TOLD: u32 = 3;

/// SQLite's own number for what went wrong, without its refinements.
fn code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|facts| (facts.dev(), facts.ino()))
}

fn is_damage(code: u32) -> bool {
    code == SQLITE_CORRUPT || code == SQLITE_NOTADB
}

/// What a declaration changes.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// New apps, each with its first release.
    pub(crate) create: Vec<(AppRecord, ReleaseRecord)>,
    /// Apps that changed, each with the script that it runs now.
    pub(crate) update: Vec<(AppRecord, String)>,
    /// Apps that should be gone.
    pub(crate) forget: Vec<AppId>,
    /// Apps that give their name in addresses up.
    pub(crate) free: Vec<AppId>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.create.is_empty() && self.update.is_empty() && self.forget.is_empty() && self.free.is_empty()
    }
}

/// The open database.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
    path: PathBuf,
    /// What the file was when it was opened: device and number.
    file: Option<(u64, u64)>,
    /// Looks whether the database can be written, and waits in nobody's line.
    looker: Arc<Mutex<Option<SqliteConnection>>>,
}

impl Store {
    /// Opens the database, makes it where it is missing, looks whether it is whole, and brings its tables up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        if std::fs::metadata(path).is_ok_and(|facts| !facts.is_file()) {
            return Err(StoreError::NoFile { path: path.to_owned() });
        }
        close_to_others(path);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        // By a connection of its own: one that knew the tables before they changed would read rows by their old columns.
        let mut first = SqliteConnection::connect_with(&options).await.map_err(|source| not_opened(path, source))?;
        look_over(path, &mut first).await?;
        MIGRATOR.run(&mut first).await.map_err(|source| match source {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => StoreError::Newer { path: path.to_owned() },
            source => StoreError::Migrate { path: path.to_owned(), source },
        })?;
        let looker = SqliteConnection::connect_with(&options.clone().busy_timeout(LOOKS_WITHIN))
            .await
            .map_err(|source| not_opened(path, source))?;
        let pool = SqlitePoolOptions::new()
            .max_connections(2)
            // A thousand apps that start at once stand in line here, each with a row to write. All of them get their turn.
            .acquire_timeout(PATIENCE)
            .acquire_slow_threshold(PATIENCE)
            .after_release(|connection, _| Box::pin(async move { Ok(is_out_of_transactions(connection).await) }))
            .connect_with(options)
            .await
            .map_err(|source| not_opened(path, source))?;
        first.close().await.map_err(|source| not_opened(path, source))?;
        Ok(Self { pool, path: path.to_owned(), file: identity(path), looker: Arc::new(Mutex::new(Some(looker))) })
    }

    /// Whether the database can be written now; the error is for people. Nothing is written.
    pub(crate) async fn try_to_write(&self) -> Result<(), String> {
        let path = self.path.clone();
        let file = tokio::task::spawn_blocking(move || identity(&path)).await.unwrap_or_default();
        if file != self.file {
            let path = self.path.display();
            return Err(format!(
                "the database `{path}` was removed or replaced: what is stored now is lost at the end of the server"
            ));
        }
        let mut looker = self.looker.lock().await;
        // Closed by us: there is nothing to be told of it any more.
        let Some(looker) = looker.as_mut() else { return Ok(()) };
        let begun = sqlx::query("BEGIN IMMEDIATE").execute(&mut *looker).await;
        let ended = sqlx::query("ROLLBACK").execute(&mut *looker).await;
        match begun.and(ended) {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == Some(SQLITE_BUSY) => {
                Err("the database is held by another program; find it with `fuser -v lithouse.db` in the data folder".to_owned())
            }
            Err(error) => Err(format!("the database cannot be written: {error}")),
        }
    }

    /// Writes a copy of the database, as it is at this moment, to a path where there is nothing. Other users cannot read it.
    pub(crate) async fn copy_into(&self, path: &Path) -> Result<(), StoreError> {
        close_to_others(path);
        sqlx::query("VACUUM INTO ?").bind(path.to_string_lossy().into_owned()).execute(&self.pool).await?;
        Ok(())
    }

    /// Whether [`Store::open`] would find a database that this version can work with. Nothing is written.
    pub async fn examine(path: &Path) -> Result<(), StoreError> {
        if !path.exists() {
            return Ok(());
        }
        let open_error = |source| not_opened(path, source);
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(open_error)?;
        let newest = sqlx::query_scalar::<_, Option<i64>>("SELECT max(version) FROM _sqlx_migrations");
        let newest = newest.fetch_one(&mut connection).await.map_err(open_error)?;
        let known = MIGRATOR.iter().map(|migration| migration.version).max();
        if newest > known { Err(StoreError::Newer { path: path.to_owned() }) } else { Ok(()) }
    }

    /// Closes the database, which brings everything into its one file. Nothing can be asked of it any more.
    pub(crate) async fn close(&self) {
        // Whoever still asks for something has this long.
        let closing = async {
            self.pool.close().await;
            if let Some(looker) = self.looker.lock().await.take() {
                // The system takes back what is not closed well.
                let _ = looker.close().await;
            }
        };
        let _ = tokio::time::timeout(CLOSES_WITHIN, closing).await;
    }

    /// Stores a new app together with its first release.
    pub async fn create(&self, app: &AppRecord, release: &ReleaseRecord) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        insert_app(&mut transaction, app).await?;
        insert_release(&mut transaction, &app.id, release).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Stores all that a declaration changes, or nothing of it.
    pub(crate) async fn declare(&self, batch: &Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut transaction = self.pool.begin().await?;
        // Apps may give their names to each other, and one that goes gives its name up.
        for app in batch.free.iter().chain(&batch.forget) {
            sqlx::query("UPDATE apps SET url = NULL WHERE id = ?").bind(app.as_str()).execute(&mut *transaction).await?;
        }
        for app in &batch.forget {
            set_desired(&mut transaction, app, Desired::Deleted).await?;
        }
        for (app, entry) in &batch.update {
            update_app(&mut transaction, app).await?;
            set_entry(&mut transaction, &app.id, entry).await?;
        }
        for (app, release) in &batch.create {
            insert_app(&mut transaction, app).await?;
            insert_release(&mut transaction, &app.id, release).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Every app, oldest first.
    pub async fn apps(&self) -> Result<Vec<AppRecord>, StoreError> {
        let rows = sqlx::query("SELECT * FROM apps ORDER BY created_at, key, id").fetch_all(&self.pool).await?;
        rows.iter().map(AppRecord::read).collect()
    }

    /// The ids of all apps.
    pub(crate) async fn app_ids(&self) -> Result<HashSet<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT id FROM apps").fetch_all(&self.pool).await?.into_iter().collect())
    }

    /// One app.
    pub async fn app(&self, app: &AppId) -> Result<Option<AppRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM apps WHERE id = ?").bind(app.as_str()).fetch_optional(&self.pool).await?;
        row.as_ref().map(AppRecord::read).transpose()
    }

    /// All releases of an app, newest first.
    pub async fn releases(&self, app: &AppId) -> Result<Vec<ReleaseRecord>, StoreError> {
        let rows = sqlx::query("SELECT * FROM releases WHERE app = ? ORDER BY number DESC")
            .bind(app.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(ReleaseRecord::read).collect()
    }

    /// The releases of every app, newest first.
    pub(crate) async fn all_releases(&self) -> Result<HashMap<AppId, Vec<ReleaseRecord>>, StoreError> {
        let rows = sqlx::query("SELECT * FROM releases ORDER BY number DESC").fetch_all(&self.pool).await?;
        let mut releases: HashMap<AppId, Vec<ReleaseRecord>> = HashMap::new();
        for row in &rows {
            releases.entry(record::app_of(row)?).or_default().push(ReleaseRecord::read(row)?);
        }
        Ok(releases)
    }

    /// One release.
    pub async fn release(&self, app: &AppId, number: ReleaseNumber) -> Result<Option<ReleaseRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM releases WHERE app = ? AND number = ?")
            .bind(app.as_str())
            .bind(number.0)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(ReleaseRecord::read).transpose()
    }

    /// Stores a new release and that it is wanted.
    pub async fn add_release(&self, app: &AppId, release: &ReleaseRecord) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        insert_release(&mut transaction, app, release).await?;
        sqlx::query("UPDATE apps SET wanted = ?1, head = ?1 WHERE id = ?2")
            .bind(release.number.0)
            .bind(app.as_str())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Stores that a release which is there already is wanted.
    pub async fn want_release(&self, app: &AppId, number: ReleaseNumber) -> Result<(), StoreError> {
        sqlx::query("UPDATE apps SET wanted = ?1, head = ?1 WHERE id = ?2")
            .bind(number.0)
            .bind(app.as_str())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Stores that visitors get this release now.
    pub async fn activate(&self, app: &AppId, number: ReleaseNumber) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("UPDATE releases SET served = 1 WHERE app = ? AND number = ?")
            .bind(app.as_str())
            .bind(number.0)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE apps SET active = ?1, wanted = CASE wanted WHEN ?1 THEN NULL ELSE wanted END WHERE id = ?2")
            .bind(number.0)
            .bind(app.as_str())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Stores that a release is ready, with what people should know of it.
    pub async fn settle_release(&self, app: &AppId, number: ReleaseNumber, reason: Option<&str>) -> Result<(), StoreError> {
        sqlx::query("UPDATE releases SET state = 'ready', reason = ? WHERE app = ? AND number = ?")
            .bind(reason)
            .bind(app.as_str())
            .bind(number.0)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Stores that a release came to nothing. One that served before keeps its good name.
    pub async fn fail_release(&self, app: &AppId, number: ReleaseNumber, reason: &str) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("UPDATE releases SET state = iif(served, 'ready', 'failed'), reason = iif(served, NULL, ?) WHERE app = ? AND number = ?")
            .bind(reason)
            .bind(app.as_str())
            .bind(number.0)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE apps SET wanted = NULL WHERE id = ? AND wanted = ?")
            .bind(app.as_str())
            .bind(number.0)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Stores which environment a release uses.
    pub async fn set_environment(&self, app: &AppId, number: ReleaseNumber, key: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE releases SET environment = ? WHERE app = ? AND number = ?")
            .bind(key)
            .bind(app.as_str())
            .bind(number.0)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Stores what people want of an app.
    pub async fn set_desired(&self, app: &AppId, desired: Desired) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        set_desired(&mut connection, app, desired).await
    }

    /// Stores all that may change of an app but what is wanted of it and of its releases.
    pub async fn update(&self, app: &AppRecord) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        update_app(&mut connection, app).await
    }

    /// Stores all that may change of an app that is served in place, with the script that is run.
    pub(crate) async fn redeclare(&self, app: &AppRecord, entry: &str) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        update_app(&mut transaction, app).await?;
        set_entry(&mut transaction, &app.id, entry).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Stores what the files of an app were when its process was started.
    pub(crate) async fn set_fingerprint(&self, app: &AppId, fingerprint: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE apps SET fingerprint = ? WHERE id = ?")
            .bind(fingerprint)
            .bind(app.as_str())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Stores what is known of an app's crashes.
    pub(crate) async fn set_memory(&self, app: &AppId, memory: &Memory) -> Result<(), StoreError> {
        let memory = record::to_json(memory)?;
        sqlx::query("UPDATE apps SET memory = ? WHERE id = ?").bind(memory).bind(app.as_str()).execute(&self.pool).await?;
        Ok(())
    }

    /// Stores when an app was last used, in milliseconds since 1970-01-01 UTC.
    pub async fn set_last_used(&self, app: &AppId, at_ms: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE apps SET last_used_at = ? WHERE id = ?").bind(at_ms).bind(app.as_str()).execute(&self.pool).await?;
        Ok(())
    }

    /// Forgets releases of an app.
    pub async fn remove_releases(&self, app: &AppId, numbers: &[ReleaseNumber]) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        for number in numbers {
            sqlx::query("DELETE FROM releases WHERE app = ? AND number = ?")
                .bind(app.as_str())
                .bind(number.0)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Forgets an app and its releases.
    pub async fn remove(&self, app: &AppId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM apps WHERE id = ?").bind(app.as_str()).execute(&self.pool).await?;
        Ok(())
    }

    /// The keys of the environments worth keeping: those of active and wanted releases, and of each app's three newest.
    pub async fn wanted_environments(&self) -> Result<HashSet<String>, StoreError> {
        let keys: Vec<String> = sqlx::query_scalar(
            "SELECT environment FROM (
                 SELECT r.environment, r.number, a.active, a.wanted,
                        row_number() OVER (PARTITION BY r.app ORDER BY r.number DESC) AS age
                 FROM releases r JOIN apps a ON a.id = r.app WHERE r.environment IS NOT NULL
             ) WHERE age <= 3 OR number = active OR number = wanted",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(keys.into_iter().collect())
    }
}

fn not_opened(path: &Path, source: sqlx::Error) -> StoreError {
    match code(&source) {
        Some(code) if is_damage(code) => StoreError::DamagedFile { path: path.to_owned(), found: what_was_said(&source) },
        _ => StoreError::Open { path: path.to_owned(), source },
    }
}

/// Whether nothing is left of what a connection did. SQLite ends a transaction by itself when there is no room, which sqlx does not
/// hear of: it takes the next one for a part of it, whose failure then leaves a transaction open that nobody knows of. What is stored
/// in that is lost at the end of the server, and nobody else can write. Such a connection is closed, which undoes what is open.
async fn is_out_of_transactions(connection: &mut SqliteConnection) -> bool {
    // They stand in line behind a rollback that is still to be done, so that sqlx's count is right after them. No lock is taken.
    let begun = sqlx::query("BEGIN").execute(&mut *connection).await;
    let ended = sqlx::query("ROLLBACK").execute(&mut *connection).await;
    begun.and(ended).is_ok() && !connection.is_in_transaction()
}

/// A damaged database is refused at once rather than found out bit by bit. What is in it for a thousand apps takes milliseconds.
async fn look_over(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let found: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("PRAGMA quick_check({MOST_TOLD})")))
        .fetch_all(connection)
        .await
        .map_err(|source| not_opened(path, source))?;
    if found.iter().all(|row| row == "ok") {
        return Ok(());
    }
    Err(StoreError::DamagedFile { path: path.to_owned(), found: found.join("; ").replace('\n', " ") })
}

fn what_was_said(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

/// Makes the file, and whatever SQLite will put beside it in its likeness, its owner's alone. A folder that a person made may be
/// open to others, and what people set for their apps is in it. What fails here is told when the database is opened.
fn close_to_others(path: &Path) {
    let _ = File::options().create_new(true).write(true).mode(0o600).open(path);
    for beside in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(beside);
        let _ = std::fs::set_permissions(PathBuf::from(name), Permissions::from_mode(0o600));
    }
}

async fn insert_app(connection: &mut SqliteConnection, app: &AppRecord) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO apps (id, key, url, name, description, folder, desired, active, wanted, head, restart_on_crash, env, \
         cookie_secret, created_at, last_used_at, origin, recipe, limits, fingerprint) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(app.id.as_str())
    .bind(app.key.as_ref().map(Key::as_str))
    .bind(app.url.as_ref().map(Key::as_str))
    .bind(&app.name)
    .bind(&app.description)
    .bind(app.folder.as_ref().map(|folder| folder.to_string_lossy().into_owned()))
    .bind(app.desired.as_str())
    .bind(app.active.map(|release| release.0))
    .bind(app.wanted.map(|release| release.0))
    .bind(app.head.0)
    .bind(app.restart_on_crash)
    .bind(record::env_text(&app.env))
    .bind(&app.cookie_secret)
    .bind(app.created_at_ms)
    .bind(app.last_used_at_ms)
    .bind(app.origin.as_str())
    .bind(record::to_json(&app.recipe)?)
    .bind(record::to_json(&app.limits)?)
    .bind(&app.fingerprint)
    .execute(connection)
    .await
    .map_err(|error| taken(error, app))?;
    Ok(())
}

async fn update_app(connection: &mut SqliteConnection, app: &AppRecord) -> Result<(), StoreError> {
    let statement = "UPDATE apps SET url = ?, name = ?, description = ?, env = ?, restart_on_crash = ?, folder = ?, \
         origin = ?, recipe = ?, limits = ?, fingerprint = ? WHERE id = ?";
    sqlx::query(statement)
        .bind(app.url.as_ref().map(Key::as_str))
        .bind(&app.name)
        .bind(&app.description)
        .bind(record::env_text(&app.env))
        .bind(app.restart_on_crash)
        .bind(app.folder.as_ref().map(|folder| folder.to_string_lossy().into_owned()))
        .bind(app.origin.as_str())
        .bind(record::to_json(&app.recipe)?)
        .bind(record::to_json(&app.limits)?)
        .bind(&app.fingerprint)
        .bind(app.id.as_str())
        .execute(connection)
        .await
        .map_err(|error| taken(error, app))?;
    Ok(())
}

async fn set_desired(connection: &mut SqliteConnection, app: &AppId, desired: Desired) -> Result<(), StoreError> {
    sqlx::query("UPDATE apps SET desired = ? WHERE id = ?").bind(desired.as_str()).bind(app.as_str()).execute(connection).await?;
    Ok(())
}

/// The script of an app that is served in place: its only release is its folder.
async fn set_entry(connection: &mut SqliteConnection, app: &AppId, entry: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE releases SET entry = ? WHERE app = ? AND number = 0")
        .bind(entry)
        .bind(app.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_release(connection: &mut SqliteConnection, app: &AppId, release: &ReleaseRecord) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO releases (app, number, state, served, entry, environment, reason, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(app.as_str())
    .bind(release.number.0)
    .bind(release.state.as_str())
    .bind(release.served)
    .bind(&release.entry)
    .bind(&release.environment)
    .bind(&release.reason)
    .bind(release.created_at_ms)
    .execute(connection)
    .await?;
    Ok(())
}

fn taken(error: sqlx::Error, app: &AppRecord) -> StoreError {
    let message = error.as_database_error().filter(|error| error.is_unique_violation()).map(|error| error.message().to_owned());
    match (message, &app.key, &app.url) {
        (Some(message), Some(key), _) if message.contains("apps.key") => {
            StoreError::Taken { what: "key", value: key.to_string() }
        }
        (Some(message), _, Some(url)) if message.contains("apps.url") => {
            StoreError::Taken { what: "url", value: url.to_string() }
        }
        _ => StoreError::Query(error),
    }
}

#[cfg(test)]
mod tests {
    use lithouse_core::app::Origin;
    use lithouse_core::limits::Limits;

    use super::*;

    #[tokio::test]
    async fn the_database_is_its_owners_alone_also_one_that_was_open_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lithouse.db");
        let modes = || {
            let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
            files.map(|file| (file.path(), file.metadata().unwrap().permissions().mode() & 0o777)).collect::<Vec<_>>()
        };
        for was in [0o600, 0o644] {
            let store = Store::open(&path).await.unwrap();
            let seen = modes();
            assert!(seen.len() >= 2 && seen.iter().all(|(_, mode)| *mode == 0o600), "{was:o}: {seen:?}");
            drop(store);
            std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        }
    }

    #[tokio::test]
    async fn a_database_that_takes_no_writes_is_told_from_a_damaged_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("lithouse.db")).await.unwrap();
        // Of each connection that the pool may have.
        let mut both = [store.pool.acquire().await.unwrap(), store.pool.acquire().await.unwrap()];
        for connection in &mut both {
            sqlx::query("PRAGMA query_only = 1").execute(&mut **connection).await.unwrap();
        }
        drop(both);
        let refused = store.set_last_used(&"a7c1e0f2b9f84a62".parse().unwrap(), 1).await.unwrap_err();
        assert!(refused.is_read_only() && !refused.is_damage() && !refused.is_disk_full(), "{refused:?}");
    }

    /// Sets of each connection that the pool may have how many pages the database may take.
    async fn allow_pages(store: &Store, pages: u32) {
        let mut both = [store.pool.acquire().await.unwrap(), store.pool.acquire().await.unwrap()];
        for connection in &mut both {
            let pragma = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
            sqlx::query(pragma).execute(&mut **connection).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_change_that_found_no_room_leaves_no_transaction_open_in_which_later_ones_are_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lithouse.db");
        let store = Store::open(&path).await.unwrap();
        let row = "INSERT INTO apps (id, name, origin, desired, head, cookie_secret, created_at) \
             VALUES ('a7c1e0f2b9f84a62', 'Sales', 'deployed', 'running', 1, 'x', 5)";
        sqlx::query(row).execute(&store.pool).await.unwrap();
        let app: AppId = "a7c1e0f2b9f84a62".parse().unwrap();
        let release = |number, entry: String| ReleaseRecord::accepted(ReleaseNumber(number), entry, 5);
        store.add_release(&app, &release(1, "app.py".to_owned())).await.unwrap();
        for _ in 0..4 {
            // It cannot be less than there are: there is no room for more.
            allow_pages(&store, 1).await;
            let refused = store.add_release(&app, &release(2, "x".repeat(1 << 20))).await.unwrap_err();
            assert!(refused.is_disk_full(), "{refused:?}");
            for _ in 0..2 {
                // Refused within a transaction for a reason of its own.
                store.add_release(&app, &release(1, "app.py".to_owned())).await.unwrap_err();
            }
        }
        allow_pages(&store, u32::MAX - 1).await;
        for number in 2..6 {
            store.add_release(&app, &release(number, "x".repeat(1 << 20))).await.unwrap();
            store.set_last_used(&app, number.into()).await.unwrap();
        }
        assert_eq!(store.try_to_write().await, Ok(()));
        // What the database holds for anybody else.
        let options = SqliteConnectOptions::new().filename(&path);
        let mut other = SqliteConnection::connect_with(&options).await.unwrap();
        let kept = "SELECT last_used_at, (SELECT count(*) FROM releases) FROM apps";
        let kept: (i64, i64) = sqlx::query_as(kept).fetch_one(&mut other).await.unwrap();
        assert_eq!(kept, (5, 5));
    }

    #[tokio::test]
    async fn a_database_of_before_apps_were_declared_keeps_every_app_and_release() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lithouse.db");
        let old = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path).create_if_missing(true)).await.unwrap();
        let before = Migrator {
            migrations: MIGRATOR.iter().filter(|migration| migration.version == 1).cloned().collect::<Vec<_>>().into(),
            ..Migrator::DEFAULT
        };
        before.run(&old).await.unwrap();
        let rows = "INSERT INTO apps (id, key, name, folder, desired, head, cookie_secret, created_at) VALUES \
             ('a7c1e0f2b9f84a62', 'sales', 'Sales', NULL, 'running', 1, 'x', 5), \
             ('a7c1e0f2b9f84a63', NULL, 'Here', '/srv/here', 'stopped', 0, 'x', 6); \
             INSERT INTO releases (app, number, state, entry, created_at) VALUES ('a7c1e0f2b9f84a62', 1, 'ready', 'app.py', 5);";
        sqlx::raw_sql(rows).execute(&old).await.unwrap();
        old.close().await;

        let store = Store::open(&path).await.unwrap();
        let apps = store.apps().await.unwrap();
        let seen: Vec<_> = apps.iter().map(|app| (app.name.as_str(), app.origin, app.limits)).collect();
        assert_eq!(seen, [("Sales", Origin::Deployed, Limits::default()), ("Here", Origin::Folder, Limits::default())]);
        assert_eq!(store.releases(&apps[0].id).await.unwrap().len(), 1);
        store.remove(&apps[0].id).await.unwrap();
        assert_eq!(store.releases(&apps[0].id).await.unwrap().len(), 0, "a release goes with its app");
    }
}
