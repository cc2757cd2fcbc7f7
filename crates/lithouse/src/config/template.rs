// SPDX-License-Identifier: Apache-2.0
//! `[[snippets.templates]]`: snippets to begin with.

use std::path::PathBuf;

use lithouse_engine::plain_file;
use serde_json::Value as Json;

use super::declare::Otherwise::{Found, Required};
use super::declare::section;
use super::file::{Node, NodeKind};
use super::layers::Scope;
use super::reader::{Folder, Maybe, Name, Reader, Text, Wrong};

section! {
    /// A snippet to begin with.
    pub(crate) struct Template in "snippets.templates" {
        /// What it is known by.
        name: String as Name {
            default: Required,
        }
        /// What people read.
        title: String as Text {
            default: Found("the name", |_| String::new()),
        }
        /// A sentence or two about it.
        description: String as Text {
            default: Found("none", |_| String::new()),
        }
        /// The Python code.
        code: String as Text {
            default: Found("the content of `file`", |_| String::new()),
        }
        /// A file with the code, instead of `code`.
        file: Option<PathBuf> as Maybe<Folder> {
            default: Found("none", |_| None),
        }
    }
}

/// Reads them all.
pub(super) struct Templates;

impl Reader for Templates {
    type Value = Vec<Template>;

    fn expected() -> String {
        "a list of tables is expected".to_owned()
    }

    fn example() -> &'static str {
        "[[snippets.templates]]"
    }

    fn of_text(_text: &str) -> Result<Vec<Template>, Wrong> {
        Err(Wrong::Form)
    }

    fn show(value: &Vec<Template>) -> Json {
        value.iter().map(|template| template.name.as_str()).collect::<Vec<_>>().into()
    }

    /// What is wrong in one of them is told with its own line, and leaves the others to be looked at.
    fn of_node(node: &Node, scope: &mut Scope<'_>) -> Result<Vec<Template>, Wrong> {
        let NodeKind::List(items) = &node.kind else { return Err(Wrong::Form) };
        let mut templates: Vec<Template> = Vec::new();
        for (number, item) in items.iter().enumerate() {
            let mut entry = scope.at(format!("snippets.templates.{number}"), item);
            let known: Vec<&str> = Template::SETTINGS.iter().map(|setting| setting.name).collect();
            entry.refuse_unknown(&known, &[]);
            let Some(template) = Template::read(&mut entry).and_then(|read| read.whole(&mut entry, item.line)) else {
                continue;
            };
            if templates.iter().any(|known| known.name == template.name) {
                entry.wrong(item.line, &format!("two templates have the name `{}`", template.name), "rename one of them");
            }
            templates.push(template);
        }
        Ok(templates)
    }
}

impl Template {
    /// With its code and title, wherever they come from.
    fn whole(mut self, scope: &mut Scope<'_>, line: usize) -> Option<Self> {
        match (&self.file, self.code.is_empty()) {
            (None, false) => {}
            (Some(file), true) => match plain_file::read_text(file) {
                Ok(code) => self.code = code,
                Err(error) => {
                    let message = format!("could not read the template `{}` from `{}`: {error}", self.name, file.display());
                    scope.wrong(line, &message, "a relative path begins at the folder of the configuration");
                    return None;
                }
            },
            (Some(_), false) | (None, true) => {
                let message = format!("the template `{}` needs either `code` or `file`", self.name);
                scope.wrong(line, &message, "say one of the two");
                return None;
            }
        }
        if self.title.is_empty() {
            self.title.clone_from(&self.name);
        }
        Some(self)
    }
}
