// SPDX-License-Identifier: Apache-2.0
//! The layers that a setting is looked for in: flags, variables, file, default. The first that says something decides.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use super::declare::{Declaration, Flag, Otherwise, joined};
use super::environment::Environment;
use super::file::{File, Node, NodeKind, Table, WEBSITE_PORT};
use super::flags::SettingFlags;
use super::problem::{Problem, Problems};
use super::reader::{Reader, Wrong};
use super::suggest;

/// What defaults are found by.
#[derive(Debug, Clone)]
pub(crate) struct Around {
    /// The working folder; empty for that of this process.
    pub(super) folder: PathBuf,
    /// How many cores there are.
    pub(super) cores: usize,
    /// Where apps lie that do not say.
    pub(super) apps: PathBuf,
    /// Within the table of an app, its key.
    pub(super) app: String,
}

impl Around {
    /// What is around this process.
    pub(crate) fn this_process() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { folder: PathBuf::new(), cores, apps: PathBuf::from("apps"), app: String::new() }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody said anything.
    Default,
    /// A line of the file.
    File(PathBuf, usize),
    /// A variable.
    Variable(&'static str),
    /// A flag, as it is typed.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File(path, line) => write!(formatter, "{}:{line}", path.display()),
            Self::Variable(name) => write!(formatter, "env {name}"),
            Self::Flag(flag) => formatter.write_str(flag),
        }
    }
}

/// All layers.
#[derive(Debug)]
pub(super) struct Layers<'a> {
    pub(super) flags: &'a SettingFlags,
    pub(super) environment: &'a Environment,
    pub(super) file: Option<&'a File>,
    pub(super) around: &'a Around,
}

/// What came out of reading besides the values.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Where each came from, by its whole key.
    pub(super) origins: BTreeMap<String, Origin>,
    problems: Vec<Problem>,
}

/// So much is told of what is wrong; more is looked for when that is mended.
const MOST: usize = 1_000;

impl Report {
    /// Notes something that is wrong.
    pub(super) fn note(&mut self, problem: Problem) {
        // A table that is none is met more than once.
        if self.is_full() || self.problems.contains(&problem) {
            return;
        }
        self.problems.push(problem);
        if self.problems.len() == MOST {
            let more = format!("more than {} things are wrong", MOST - 1);
            self.problems.push(Problem::new(more).with_hint("mend these; then the others are told"));
        }
    }

    /// Whether enough is wrong.
    fn is_full(&self) -> bool {
        self.problems.len() > MOST
    }

    /// The values, if nothing was wrong.
    pub(super) fn finish<T>(self, values: Option<T>) -> Result<(T, BTreeMap<String, Origin>), Problems> {
        match values {
            Some(values) if self.problems.is_empty() => Ok((values, self.origins)),
            _ => Err(Problems(self.problems)),
        }
    }
}

/// One table of the configuration, as all layers see it.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    pub(super) layers: &'a Layers<'a>,
    pub(super) report: &'a mut Report,
    pub(super) around: Around,
    /// Its whole key; empty at the top.
    path: String,
    /// The line that it begins on, if it is there.
    line: Option<usize>,
    table: Option<&'a Table>,
}

impl<'a> Scope<'a> {
    /// The top of the configuration.
    pub(super) fn top(layers: &'a Layers<'a>, report: &'a mut Report) -> Self {
        let table = layers.file.map(|file| &file.root);
        Self { layers, report, around: layers.around.clone(), path: String::new(), line: None, table }
    }

    /// A table within this one. Something else under its name is a problem.
    pub(super) fn table(&mut self, name: &str) -> Scope<'_> {
        let node = self.table.and_then(|table| table.get(name));
        let path = joined(&self.path, name);
        let (line, table) = (node.map(|node| node.line), node.and_then(|node| self.as_table(&path, node)));
        Scope { layers: self.layers, report: self.report, around: self.around.clone(), path, line, table }
    }

    /// A table that stands in a list, or under a key that people choose.
    pub(super) fn at<'n>(&'n mut self, path: String, node: &'n Node) -> Scope<'n> {
        let (line, table) = (Some(node.line), self.as_table(&path, node));
        Scope { layers: self.layers, report: self.report, around: self.around.clone(), path, line, table }
    }

    fn as_table<'n>(&mut self, path: &str, node: &'n Node) -> Option<&'n Table> {
        if let NodeKind::Table(table) = &node.kind {
            return Some(table);
        }
        let (form, hint) = if self.is_older_shape() {
            ("an object", "write its settings between `{` and `}`".to_owned())
        } else {
            ("a table", format!("write `[{path}]` on a line of its own, and its settings below"))
        };
        let message = format!("{}: `{path}` is set to `{}`: {form} is expected", self.place(node.line), node.said());
        self.report.note(Problem::new(message).with_hint(hint));
        None
    }

    /// The entries of the table.
    pub(super) fn entries(&self) -> &'a [(String, Node)] {
        self.table.map_or(&[], |table| &table.0)
    }

    /// Where relative paths of the file begin.
    pub(super) fn folder(&self) -> &Path {
        self.layers.file.map_or(Path::new(""), File::folder)
    }

    /// A line of the file, as people write it.
    pub(super) fn place(&self, line: usize) -> String {
        self.origin(line).to_string()
    }

    fn origin(&self, line: usize) -> Origin {
        Origin::File(self.layers.file.map(|file| file.path.clone()).unwrap_or_default(), line)
    }

    /// The whole key of one of its settings.
    pub(super) fn key(&self, name: &str) -> String {
        joined(&self.path, name)
    }

    /// Notes something that is wrong on a line.
    pub(super) fn wrong(&mut self, line: usize, message: &str, hint: impl Into<String>) {
        let message = format!("{}: {message}", self.place(line));
        self.report.note(Problem::new(message).with_hint(hint));
    }

    /// Reads one setting from the first layer that has it.
    pub(super) fn read<R: Reader>(&mut self, setting: &Declaration, otherwise: &Otherwise<R::Value>) -> Option<R::Value> {
        let (read, origin, said) = self.first::<R>(setting, otherwise);
        let key = self.key(setting.name);
        match read {
            Ok(value) => {
                self.report.origins.insert(key, origin);
                return Some(value);
            }
            Err(wrong) => {
                let name = match &origin {
                    Origin::Variable(name) => format!("`{name}`"),
                    Origin::Flag(_) => format!("`{}`", setting.flag.map(typed).unwrap_or_default()),
                    Origin::File(..) => format!("{origin}: `{}`", self.key(self.written(setting))),
                    Origin::Default => {
                        format!("{}`{key}`", self.line.map(|line| self.place(line) + ": ").unwrap_or_default())
                    }
                };
                let (problem, hint) = match wrong {
                    Wrong::Form => ((setting.expected)(), format!("such as `{}`", R::example())),
                    Wrong::Because { problem, hint } => (problem, hint),
                };
                let message = match said {
                    Some(said) => format!("{name} is set to `{said}`: {problem}"),
                    None => format!("{name} must be given: {problem}"),
                };
                self.report.note(Problem::new(message).with_hint(hint));
            }
        }
        None
    }

    fn first<R: Reader>(
        &mut self,
        setting: &Declaration,
        otherwise: &Otherwise<R::Value>,
    ) -> (Result<R::Value, Wrong>, Origin, Option<String>) {
        let lossy = |words: &OsStr| Some(words.to_string_lossy().into_owned());
        let key = self.key(setting.name);
        if let (Some(flag), Some(words)) = (setting.flag, self.layers.flags.get(&key)) {
            return (R::of_words(words), Origin::Flag(told(flag)), lossy(words));
        }
        for name in setting.env {
            if let Some(words) = self.layers.environment.get(name) {
                return (R::of_variable(name, words), Origin::Variable(name), lossy(words));
            }
        }
        if let Some(node) = self.table.and_then(|table| table.get(self.written(setting))) {
            let said = Some(node.said());
            return (R::of_node(node, self), self.origin(node.line), said);
        }
        match otherwise {
            Otherwise::Text(text) => (R::of_text(text), Origin::Default, Some((*text).to_owned())),
            Otherwise::Found(_, find) => (Ok(find(&self.around)), Origin::Default, None),
            Otherwise::Required => (Err(Wrong::Form), Origin::Default, None),
        }
    }

    /// What the setting is called in the file that is there.
    fn written(&self, setting: &Declaration) -> &'static str {
        if self.is_older_shape() && self.path.is_empty() && setting.name == "listen" { WEBSITE_PORT } else { setting.name }
    }

    /// Whether the file is an older `config.json`.
    pub(super) fn is_older_shape(&self) -> bool {
        self.layers.file.is_some_and(|file| file.is_json)
    }

    /// Everything in the table that none of the names is: a problem each, with the name that was meant.
    pub(super) fn refuse_unknown(&mut self, known: &[&str], elsewhere: &[String]) {
        for (name, node) in self.entries() {
            if self.report.is_full() {
                return;
            }
            if known.contains(&name.as_str()) {
                continue;
            }
            let hint = match hint_for(name, known, elsewhere) {
                Some(meant) if known.contains(&meant) => suggest::did_you_mean(&self.key(meant)),
                Some(meant) => suggest::did_you_mean(meant),
                None => format!("known here: `{}`", known.join("`, `")),
            };
            let message = format!("unknown key `{}`", self.key(name));
            self.wrong(node.line, &message, hint);
        }
    }
}

/// What may be meant: a name of the same table, the same name in another one, or nearly that.
fn hint_for<'a>(name: &str, known: &[&'a str], elsewhere: &'a [String]) -> Option<&'a str> {
    let near = suggest::nearest(name, known.iter().copied());
    let last = |key: &'a String| key.rsplit('.').next().unwrap_or(key);
    let same = || elsewhere.iter().find(|key| last(key) == name).map(String::as_str);
    let nearly = || {
        let meant = suggest::nearest(name, elsewhere.iter().map(last))?;
        elsewhere.iter().find(|key| last(key) == meant).map(String::as_str)
    };
    near.or_else(same).or_else(nearly)
}

/// A flag as the origin of a value.
fn told(flag: Flag) -> String {
    match flag {
        Flag::Position(name) => format!("argument {name}"),
        other => format!("flag {}", typed(other)),
    }
}

/// A flag as it is typed.
pub(super) fn typed(flag: Flag) -> String {
    match flag {
        Flag::Position(name) => name.to_owned(),
        Flag::Named(name, _) | Flag::Switch(name) | Flag::Everywhere(name) => format!("--{name}"),
    }
}
