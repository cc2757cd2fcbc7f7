// SPDX-License-Identifier: Apache-2.0
//! Whether a declared app can be served, and what there is of it on the disk.

use super::Declared;
use crate::{bundle, fingerprint, owner};

/// A declared app that can be served.
#[derive(Debug, Clone)]
pub(crate) struct Looked {
    pub(crate) declared: Declared,
    /// The script; empty for an app that is a command.
    pub(crate) entry: String,
    /// What its files are at this moment.
    pub(crate) fingerprint: String,
}

/// Why a declared app cannot be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit {
    /// Why, for people.
    pub(crate) reason: String,
    /// Whether an app that is there already goes on: what is missing may come back, as a disk that is not mounted does.
    pub(crate) goes_on: bool,
}

/// Looks at an app's folder. It blocks.
pub(crate) fn look(declared: &Declared) -> Result<Looked, Unfit> {
    let entry = entry(declared)?;
    let fingerprint = fingerprint::of_folder(&declared.folder);
    Ok(Looked { declared: declared.clone(), entry, fingerprint })
}

/// The script that is run, where everything is there that it takes.
fn entry(declared: &Declared) -> Result<String, Unfit> {
    let missing = |reason: String| Unfit { reason, goes_on: true };
    let folder = &declared.folder;
    if !folder.is_dir() {
        return Err(missing(format!("there is no folder `{}`", folder.display())));
    }
    owner::of_folder(folder).map_err(|error| Unfit { reason: error.to_string(), goes_on: false })?;
    if let Some(venv) = declared.recipe.venv.as_ref().filter(|venv| !venv.join("bin/python").exists()) {
        let venv = venv.display();
        return Err(missing(format!("there is no `{venv}/bin/python`; `python3 -m venv {venv}` makes one")));
    }
    match (&declared.recipe.command, bundle::find_entry(folder)) {
        (_, Some(entry)) => Ok(entry),
        (Some(_), None) => Ok(String::new()),
        (None, None) => Err(missing(format!("there is no `app.py` in `{}`", folder.display()))),
    }
}
