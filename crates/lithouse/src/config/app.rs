// SPDX-License-Identifier: Apache-2.0
//! `[apps.<key>]`: an app that the configuration names, wherever it lies.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use lithouse_core::id::Key;
use lithouse_core::limits::Limits;

use super::declare::Otherwise::{Found, Text as Default};
use super::declare::section;
use super::file::Node;
use super::layers::Scope;
use super::limits::LimitsOfApp;
use super::reader::{Folder, Maybe, OneOf, Port, Prose, ShellLine, Slug, Switch, Title, Word};

section! {
    /// An app that the configuration names. The older `config.json` has the same table, under `apps`.
    pub(crate) struct App in "apps.<key>" {
        /// What people read.
        name: String as Title {
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
        description: String as Prose {
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
        command: Option<String> as Maybe<ShellLine> {
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

/// Reads all apps, of a server that listens there. Of what is wrong, all is told.
pub(super) fn read_all(scope: &mut Scope<'_>, listen: Option<SocketAddr>) -> Option<BTreeMap<Key, App>> {
    let known: Vec<&str> = App::SETTINGS.iter().map(|setting| setting.name).collect();
    let mut apps = BTreeMap::new();
    let mut nodes = BTreeMap::new();
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
        let app = App::read(&mut table).filter(|app| app.is_sound(&mut table, node, listen));
        let app = app.map(|app| App { url: app.url.or(Some(key.clone())), ..app });
        is_whole &= app.is_some();
        nodes.insert(key.clone(), node);
        apps.extend(app.map(|app| (key, app)));
    }
    for (first, second, setting, what) in conflicts(&apps) {
        let line = nodes.get(second).map(|node| node.line_of(setting)).unwrap_or_default();
        scope.wrong(line, &format!("the apps `{first}` and `{second}` have {what}"), "change that of one of them");
        is_whole = false;
    }
    is_whole.then_some(apps)
}

impl App {
    /// Whether its settings go together.
    fn is_sound(&self, table: &mut Scope<'_>, node: &Node, listen: Option<SocketAddr>) -> bool {
        let has_prefix = self.command.is_some() || self.prefix == Prefix::Strip;
        if !has_prefix {
            let message = format!("`{}` is for apps with a `command`", table.key("prefix"));
            let hint = "a Streamlit app always sees its whole path; leave `prefix` out";
            table.wrong(node.line_of("prefix"), &message, hint);
        }
        let taken = listen.filter(|listen| self.port == Some(listen.port()) && is_of_apps(listen.ip()));
        if let Some(listen) = taken {
            let key = table.key("port");
            let message = format!("`{key}` is set to `{}`: the server itself listens on `{listen}`", listen.port());
            let hint = "choose another, or leave it out for one of `hosting.port_range`";
            table.wrong(node.line_of("port"), &message, hint);
        }
        has_prefix && taken.is_none()
    }
}

/// Whether a port there is one that apps, which are on a loopback address, cannot have too.
fn is_of_apps(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

/// Pairs of apps that cannot both be reached, with the setting and what they share: each with the first one that has it.
fn conflicts(apps: &BTreeMap<Key, App>) -> Vec<(&Key, &Key, &'static str, String)> {
    let mut conflicts = Vec::new();
    let (mut names, mut ports) = (BTreeMap::<&Key, &Key>::new(), BTreeMap::<u16, &Key>::new());
    for (key, app) in apps {
        let own: BTreeSet<&Key> = std::iter::once(key).chain(&app.url).collect();
        if let Some((name, first)) = own.iter().find_map(|name| Some((name, names.get(name)?))) {
            conflicts.push((*first, key, "url", format!("the same name `{name}` in addresses")));
        }
        for name in own {
            names.entry(name).or_insert(key);
        }
        if let Some(port) = app.port
            && let Some(first) = ports.insert(port, key)
        {
            ports.insert(port, first);
            conflicts.push((first, key, "port", format!("the same port {port}")));
        }
    }
    conflicts
}
