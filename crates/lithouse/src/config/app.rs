// SPDX-License-Identifier: Apache-2.0
//! `[apps.<key>]`: an app that the configuration names, wherever it lies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use lithouse_core::id::Key;
use lithouse_core::limits::Limits;

use super::declare::Otherwise::{Found, Text as Default};
use super::declare::section;
use super::layers::Scope;
use super::limits::LimitsOfApp;
use super::reader::{Folder, Maybe, OneOf, Port, Slug, Switch, Text, Word};

section! {
    /// An app that the configuration names. The older `config.json` has the same table, under `apps`.
    pub(crate) struct App in "apps.<key>" {
        /// What people read.
        name: String as Text {
            default: Found("the key", |around| around.app.clone()),
        }
        /// Its name in addresses; `/sales/` is read as `sales`.
        url: Option<Key> as Maybe<Slug> {
            default: Found("the key", |around| around.app.parse().ok()),
        }
        /// The folder that holds its `app.py`.
        dir: PathBuf as Folder {
            default: Found("the folder of that key in `hosting.folder`", |around| around.apps.join(&around.app)),
        }
        /// The virtual environment that it runs in.
        venv: Option<PathBuf> as Maybe<Folder> {
            default: Found("`venv` in `dir` if there, else one is built", |_| None),
        }
        /// Its internal port.
        port: Option<u16> as Maybe<Port> {
            default: Found("one of `hosting.port_range`", |_| None),
        }
        /// A sentence or two about it.
        description: String as Text {
            default: Default(""),
        }
        /// Whether it is started again when it crashed.
        restart_on_crash: bool as Switch {
            default: Default("true"),
        }
        /// What it may take, in the table `[apps.<key>.limits]`.
        limits: Limits as LimitsOfApp {
            default: Found("none", |_| Limits::default()),
        }
        /// A shell line that serves on `$PORT`, for what is not an `app.py`.
        command: Option<String> as Maybe<Text> {
            default: Found("none", |_| None),
        }
        /// Whether an app with a `command` sees its path without the prefix (`strip`) or with it (`keep`).
        prefix: Prefix as OneOf<Prefix> {
            default: Default("strip"),
        }
    }
}

/// What becomes of an app's path before the app sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefix {
    /// It begins at the app.
    Strip,
    /// It is left as it is.
    Keep,
}

impl Word for Prefix {
    const WORDS: &'static [(&'static str, Option<Self>)] = &[("strip", Some(Self::Strip)), ("keep", Some(Self::Keep))];
}

/// Reads all apps. Of what is wrong, all is told.
pub(super) fn read_all(scope: &mut Scope<'_>) -> Option<BTreeMap<Key, App>> {
    let known: Vec<&str> = App::SETTINGS.iter().map(|setting| setting.name).collect();
    let mut apps = BTreeMap::new();
    let mut lines = BTreeMap::new();
    let mut is_whole = true;
    for (name, node) in scope.entries() {
        let key = match name.parse::<Key>() {
            Ok(key) => key,
            Err(error) => {
                let near = Key::suggest(name).map_or("rename it".to_owned(), |near| format!("such as `{near}`"));
                scope.wrong(node.line, &error.to_string(), near);
                is_whole = false;
                continue;
            }
        };
        let mut table = scope.at(scope.key(name), node);
        table.around.app.clone_from(name);
        table.refuse_unknown(&known, &[]);
        let app = App::read(&mut table).filter(|app| app.is_sound(&mut table, node.line));
        let app = app.map(|app| App { url: app.url.or(Some(key.clone())), ..app });
        is_whole &= app.is_some();
        lines.insert(key.clone(), node.line);
        apps.extend(app.map(|app| (key, app)));
    }
    for (first, second, what) in conflicts(&apps) {
        let line = lines.get(second).copied().unwrap_or_default();
        scope.wrong(line, &format!("the apps `{first}` and `{second}` have {what}"), "change that of one of them");
        is_whole = false;
    }
    is_whole.then_some(apps)
}

impl App {
    /// Whether its settings go together.
    fn is_sound(&self, table: &mut Scope<'_>, line: usize) -> bool {
        let is_sound = self.command.is_some() || self.prefix == Prefix::Strip;
        if !is_sound {
            let message = format!("`{}` is for apps with a `command`", table.key("prefix"));
            table.wrong(line, &message, "a Streamlit app always sees its whole path; leave `prefix` out");
        }
        is_sound
    }
}

/// Pairs of apps that cannot both be reached, with what they share: each with the first one that has it.
fn conflicts(apps: &BTreeMap<Key, App>) -> Vec<(&Key, &Key, String)> {
    let mut conflicts = Vec::new();
    let (mut names, mut ports) = (BTreeMap::<&Key, &Key>::new(), BTreeMap::<u16, &Key>::new());
    for (key, app) in apps {
        let own: BTreeSet<&Key> = std::iter::once(key).chain(&app.url).collect();
        if let Some((name, first)) = own.iter().find_map(|name| Some((name, names.get(name)?))) {
            conflicts.push((*first, key, format!("the same name `{name}` in addresses")));
        }
        for name in own {
            names.entry(name).or_insert(key);
        }
        if let Some(port) = app.port
            && let Some(first) = ports.insert(port, key)
        {
            ports.insert(port, first);
            conflicts.push((first, key, format!("the same port {port}")));
        }
    }
    conflicts
}
