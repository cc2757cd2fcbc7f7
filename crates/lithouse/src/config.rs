// SPDX-License-Identifier: Apache-2.0
//! What an operator can set: defaults, under the file, under variables, under flags, resolved once into one value.
//!
//! Each table of the file is a module here, in which each setting is declared once (see [`declare`]). Knows nothing of how the
//! settings are used.

mod app;
mod auth;
mod declare;
mod environment;
mod file;
mod flags;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod hosting;
mod layers;
mod limits;
mod log;
mod problem;
mod reader;
#[cfg(test)]
mod reference;
mod server;
mod show;
mod snippets;
mod source;
mod suggest;
mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lithouse_core::id::Key;

pub(crate) use app::{App, Prefix};
pub(crate) use auth::{Auth, AuthMode};
pub(crate) use declare::Declaration;
pub(crate) use environment::Environment;
pub(crate) use flags::{SettingFlags, help_of};
pub(crate) use hosting::Hosting;
pub(crate) use layers::{Around, Origin};
pub(crate) use log::{Log, LogFormat};
pub(crate) use problem::Problems;
pub(crate) use server::Server;
pub(crate) use show::Row;
pub(crate) use snippets::{Sandbox, Snippets};
pub(crate) use source::Source;
pub(crate) use suggest::{did_you_mean, nearest};
pub(crate) use template::Template;

use file::File;
use layers::{Layers, Report, Scope};

/// Everything that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// Where the server is, and what it owns.
    pub(crate) server: Server,
    /// How apps are built and run.
    pub(crate) hosting: Hosting,
    /// How snippets are run.
    pub(crate) snippets: Snippets,
    /// Who may do what.
    pub(crate) auth: Auth,
    /// What is written down.
    pub(crate) log: Log,
    /// The apps that are named.
    pub(crate) apps: BTreeMap<Key, App>,
    /// The file that was read, if any.
    pub(crate) file: Option<PathBuf>,
    /// Where each setting comes from, by its whole key.
    origins: BTreeMap<String, Origin>,
}

impl Config {
    /// Resolves all layers. Of what is wrong, all is told.
    pub(crate) fn resolve(
        named: Option<&Path>,
        flags: &SettingFlags,
        environment: &Environment,
        around: &Around,
    ) -> Result<Self, Problems> {
        let file = File::find(named, around)?;
        let layers = Layers { flags, environment, file: file.as_ref(), around };
        let mut report = Report::default();
        let config = Self::read(&mut Scope::top(&layers, &mut report));
        let (config, origins) = report.finish(config)?;
        Ok(Self { origins, file: file.map(|file| file.path), ..config })
    }

    /// The file that was read, else where one would be looked for.
    pub(crate) fn places(&self) -> Vec<PathBuf> {
        self.file.clone().map_or_else(|| [file::TOML_NAME, file::JSON_NAME].map(PathBuf::from).to_vec(), |file| vec![file])
    }

    fn read(top: &mut Scope<'_>) -> Option<Self> {
        refuse_unknown(top);
        let server = Server::read(top);
        let mut hosting = Hosting::read(&mut top.table("hosting"));
        let snippets = Snippets::read(&mut top.table("snippets"));
        let auth = Auth::read(&mut top.table("auth"));
        let log = Log::read(&mut top.table("log"));
        if let Some(folder) = hosting.as_ref().and_then(|hosting| hosting.folder.clone()) {
            top.around.apps = folder;
        }
        let apps = app::read_all(&mut top.table("apps"), server.as_ref().map(|server| server.listen));
        if let (Some(server), Some(hosting)) = (&server, &mut hosting)
            && top.report.origins.get("hosting.folder") == Some(&Origin::Default)
        {
            // In a data folder, `./apps` holds what was deployed, which is served anyway.
            hosting.folder.take_if(|folder| is_same(folder, &server.data.join("apps")));
        }
        Some(Self {
            server: server?,
            hosting: hosting?,
            snippets: snippets?,
            auth: auth?,
            log: log?,
            apps: apps?,
            file: None,
            origins: BTreeMap::new(),
        })
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Where the server is that is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DataFolder {
    /// The data folder.
    pub(crate) path: PathBuf,
    /// Why the file could not be asked for it, where a server is found without.
    pub(crate) unread: Option<Problems>,
}

/// The data folder alone, for whoever only asks the server of it. An older `config.json` has none, and one that lies around may be
/// of somebody else. A file that cannot be read must not keep anybody from a server that runs.
pub(crate) fn data_folder(flag: Option<PathBuf>, environment: &Environment, around: &Around) -> Result<DataFolder, Problems> {
    let read = |path| DataFolder { path, unread: None };
    let flags = SettingFlags::default().with_data(flag);
    let mut layers = Layers { flags: &flags, environment, file: None, around };
    let mut report = Report::default();
    let without_file = Server::data(&mut Scope::top(&layers, &mut report));
    let is_said = report.origins.values().any(|origin| *origin != Origin::Default);
    let path = around.folder.join(file::TOML_NAME);
    if is_said || !path.is_file() {
        return report.finish(without_file).map(|(data, _)| read(data));
    }
    let file = match (File::read(path), without_file) {
        (Ok(file), _) => file,
        (Err(problem), Some(path)) if path.join("control.sock").exists() => {
            return Ok(DataFolder { path, unread: Some(problem.into()) });
        }
        (Err(problem), _) => return Err(problem.with_hint("mend it, or name the server's folder with `--data DIR`").into()),
    };
    layers.file = Some(&file);
    let mut report = Report::default();
    let data = Server::data(&mut Scope::top(&layers, &mut report));
    report.finish(data).map(|(data, _)| read(data))
}

/// Every setting that has a name of its own, in the order of the reference.
pub(crate) fn settings() -> impl Iterator<Item = &'static Declaration> {
    tables().into_iter().flat_map(|(_, settings)| settings)
}

/// The tables with their settings.
fn tables() -> [(&'static str, &'static [Declaration]); 5] {
    [
        ("", Server::SETTINGS),
        ("hosting", Hosting::SETTINGS),
        ("snippets", Snippets::SETTINGS),
        ("auth", Auth::SETTINGS),
        ("log", Log::SETTINGS),
    ]
}

/// Everything in the file that is no setting.
fn refuse_unknown(top: &mut Scope<'_>) {
    if top.layers.file.is_some_and(|file| file.is_json) {
        let known = [file::WEBSITE_PORT, "apps"];
        top.refuse_unknown(&known, &[]);
        return;
    }
    let elsewhere: Vec<String> = settings().map(Declaration::key).collect();
    for (table, settings) in tables() {
        let mut known: Vec<&str> = settings.iter().map(|setting| setting.name).collect();
        if table.is_empty() {
            known.extend(tables().iter().map(|(table, _)| *table).filter(|table| !table.is_empty()));
            known.push("apps");
            top.refuse_unknown(&known, &elsewhere);
        } else {
            top.table(table).refuse_unknown(&known, &elsewhere);
        }
    }
}
