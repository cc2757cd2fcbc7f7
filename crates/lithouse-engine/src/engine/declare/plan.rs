// SPDX-License-Identifier: Apache-2.0
//! What a declaration means for the apps that are known: a plain function, which does nothing by itself.

use std::collections::{BTreeMap, BTreeSet};

use lithouse_core::app::Origin;
use lithouse_core::id::{AppId, Key};
use lithouse_core::limits::Limits;

use super::look::Looked;
use crate::store::{AppRecord, Recipe};

/// An app that is there already.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) id: AppId,
    pub(crate) key: Option<Key>,
    pub(crate) url: Option<Key>,
    pub(crate) origin: Origin,
    /// Whether it is being deleted.
    pub(crate) is_going: bool,
}

/// An app, or what could be one, that is not served as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Its key, or where it lies.
    pub name: String,
    /// Why, for people.
    pub reason: String,
}

/// What is to be done.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Apps that are new.
    pub(crate) create: Vec<Looked>,
    /// Apps that are there and should be as declared.
    pub(crate) keep: Vec<(AppId, Looked)>,
    /// Apps that nobody names any more.
    pub(crate) forget: Vec<AppId>,
    /// What cannot be served.
    pub(crate) passed_over: Vec<PassedOver>,
}

/// Compares what is known with what is wanted. Of two wanted apps that cannot both be, the first one is. Apps with a key of
/// `untouched` are left as they are.
pub(crate) fn plan(known: &[Known], wanted: Vec<Looked>, untouched: &BTreeSet<Key>) -> Plan {
    let mut plan = Plan::default();
    let is_fixed = |app: &Known| !app.origin.is_declared() || app.key.as_ref().is_some_and(|key| untouched.contains(key));
    let mut names: BTreeMap<Key, String> = BTreeMap::new();
    for app in known.iter().filter(|app| is_fixed(app)) {
        let title = app.key.as_ref().map_or_else(|| app.id.to_string(), ToString::to_string);
        names.extend([&app.key, &app.url].into_iter().flatten().map(|name| (name.clone(), title.clone())));
    }
    let mut kept: BTreeSet<AppId> = known.iter().filter(|app| is_fixed(app)).map(|app| app.id.clone()).collect();
    for app in wanted {
        let key = app.declared.key.clone();
        let there = known.iter().find(|known| known.key.as_ref() == Some(&key));
        let pass_over = |reason: String| PassedOver { name: key.to_string(), reason };
        match there {
            Some(there) if !there.origin.is_declared() => {
                let reason = format!("an app that was deployed has that key; `lithouse rm {key}` makes room for it");
                plan.passed_over.push(pass_over(reason));
                continue;
            }
            Some(there) if there.is_going => {
                plan.passed_over
                    .push(pass_over("the app of that key is still being removed; `lithouse refresh` again".to_owned()));
                continue;
            }
            _ => {}
        }
        let own = [Some(&key), app.declared.url.as_ref()];
        if let Some((name, other)) = own.into_iter().flatten().find_map(|name| Some((name, names.get(name)?))) {
            plan.passed_over.push(pass_over(format!("the app `{other}` answers at `/apps/{name}/` already")));
            continue;
        }
        names.extend(own.into_iter().flatten().map(|name| (name.clone(), key.to_string())));
        match there {
            Some(there) => {
                kept.insert(there.id.clone());
                plan.keep.push((there.id.clone(), app));
            }
            None => plan.create.push(app),
        }
    }
    plan.forget = known.iter().filter(|app| !app.is_going && !kept.contains(&app.id)).map(|app| app.id.clone()).collect();
    plan
}

/// How an app differs from what is declared of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Difference {
    /// In nothing.
    None,
    /// In what is told of it.
    Told,
    /// In what its process is made of.
    Runs,
}

/// Compares an app with what is declared of it. `fingerprint` is of the files that its process was, or is being, started with.
pub(crate) fn compare(record: &AppRecord, fingerprint: Option<&str>, app: &Looked) -> Difference {
    let wanted = declared_as(record, app);
    let runs = |record: &AppRecord| -> (_, Recipe, Limits, String) {
        (record.folder.clone(), record.recipe.clone(), record.limits, record.path_name().to_owned())
    };
    let told = |record: &AppRecord| (record.name.clone(), record.description.clone(), record.restart_on_crash, record.origin);
    if runs(record) != runs(&wanted) || fingerprint.is_some_and(|fingerprint| fingerprint != app.fingerprint) {
        Difference::Runs
    } else if told(record) != told(&wanted) || record.fingerprint != wanted.fingerprint {
        Difference::Told
    } else {
        Difference::None
    }
}

/// The app as it is declared. Where only a folder names it, what people have set of it stays.
pub(crate) fn declared_as(record: &AppRecord, app: &Looked) -> AppRecord {
    let declared = &app.declared;
    let mut new = AppRecord {
        url: declared.url.clone().filter(|url| *url != declared.key),
        folder: Some(declared.folder.clone()),
        origin: declared.origin,
        recipe: declared.recipe.clone(),
        ..record.clone()
    };
    if declared.origin == Origin::Configured || record.origin != Origin::Folder {
        new.name.clone_from(&declared.name);
        new.description.clone_from(&declared.description);
        new.restart_on_crash = declared.restart_on_crash;
        new.limits = declared.limits;
    }
    // A process of before fingerprints were kept is taken to run what is there.
    new.fingerprint.get_or_insert_with(|| app.fingerprint.clone());
    new
}

/// The same, as the process that is to be replaced is marked: it runs other files than any folder has.
pub(crate) fn to_be_replaced(record: AppRecord) -> AppRecord {
    AppRecord { fingerprint: Some(String::new()), ..record }
}

#[cfg(test)]
mod tests;
