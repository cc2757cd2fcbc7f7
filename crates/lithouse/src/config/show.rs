// SPDX-License-Identifier: Apache-2.0
//! Every setting with its value and where that comes from.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value as Json;

use super::declare::joined;
use super::{Config, Declaration, Origin};

/// One setting.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    /// Its whole key.
    pub(crate) key: String,
    /// As it would be written.
    pub(crate) value: Json,
    /// Where it comes from.
    pub(crate) origin: String,
    /// In words, what holds where there is no value.
    #[serde(skip)]
    pub(crate) default: &'static str,
}

impl Config {
    /// Where a setting comes from, by its whole key.
    pub(crate) fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }

    /// Where a setting was said, as it is told of what is wrong with it.
    pub(crate) fn said(&self, key: &str) -> Option<String> {
        match self.origin(key) {
            Origin::Default => None,
            origin @ Origin::File(..) => Some(format!("{origin}: `{key}`")),
            Origin::Variable(name) => Some(format!("`{name}`")),
            Origin::Flag(flag) => Some(format!("`{}`", flag.rsplit(' ').next().unwrap_or(flag))),
        }
    }

    /// Whether nobody has said anything of a setting.
    pub(crate) fn is_default(&self, key: &str) -> bool {
        *self.origin(key) == Origin::Default
    }

    /// The settings of a running server that are set differently in another configuration, by their whole keys. Apps and their
    /// folder are not among them: they are taken while it runs.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let settings = |config: &Self| -> BTreeMap<String, Json> {
            let rows = config.rows().into_iter().filter(|row| !row.key.starts_with("apps.") && row.key != "hosting.folder");
            rows.map(|row| (row.key, row.value)).collect()
        };
        let (mine, theirs) = (settings(self), settings(other));
        let differs = |key: &&String| mine.get(*key) != theirs.get(*key);
        // Of a list of tables, the list.
        let name = |key: &String| key.split('.').take(2).collect::<Vec<_>>().join(".");
        let names: BTreeSet<String> = mine.keys().chain(theirs.keys()).filter(differs).map(name).collect();
        names.into_iter().collect()
    }

    /// All of them.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let tables = [self.server.show(), self.hosting.show(), self.snippets.show(), self.auth.show(), self.log.show()];
        let named = tables.into_iter().flatten().map(|(setting, value)| self.row(setting.key(), setting, value));
        let templates = self.snippets.templates.iter().enumerate();
        let templates = templates.map(|(number, template)| (format!("snippets.templates.{number}"), template.show()));
        let apps = self.apps.iter().map(|(key, app)| (joined("apps", key.as_str()), app.show()));
        let nested = templates.chain(apps).flat_map(|(table, settings)| {
            settings.into_iter().map(move |(setting, value)| self.row(joined(&table, setting.name), setting, value))
        });
        named.chain(nested).collect()
    }

    fn row(&self, key: String, setting: &Declaration, value: Json) -> Row {
        let origin = self.origin(&key).to_string();
        Row { key, value, origin, default: setting.default }
    }
}
