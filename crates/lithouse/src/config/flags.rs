// SPDX-License-Identifier: Apache-2.0
//! The flags that set something, made of the declarations.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, Error, FromArgMatches, ValueHint};

use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};

use super::declare::{Declaration, Flag};

/// The setting that is an argument without a name.
const FOLDER: &str = "hosting.folder";

/// What was typed, by the whole key of the setting.
#[derive(Debug, Clone, Default)]
pub(crate) struct SettingFlags(Vec<(String, OsString)>);

impl SettingFlags {
    /// What was typed for a setting.
    pub(super) fn get(&self, key: &str) -> Option<&OsStr> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, words)| words.as_os_str())
    }

    /// The folder of apps.
    pub(crate) fn folder(&self) -> Option<&OsStr> {
        self.get(FOLDER)
    }

    /// Whether nothing but that was typed.
    pub(crate) fn is_folder_alone(&self) -> bool {
        self.0.iter().all(|(key, _)| key == FOLDER)
    }

    /// The arguments that say the same, those without a name last.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let (mut named, mut others) = (Vec::new(), Vec::new());
        for (setting, _) in own_flags() {
            let Some(words) = self.get(&setting.key()) else { continue };
            match setting.flag {
                Some(Flag::Named(name, _) | Flag::Switch(name)) => {
                    let mut argument = OsString::from(format!("--{name}="));
                    argument.push(words);
                    named.push(argument);
                }
                Some(Flag::Position(_) | Flag::Everywhere(_)) | None => others.push(words.to_owned()),
            }
        }
        if !others.is_empty() {
            named.push("--".into());
        }
        named.extend(others);
        named
    }

    /// Those of a test, by the whole key.
    #[cfg(test)]
    pub(super) fn of_pairs(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(key, words)| ((*key).to_owned(), words.into())).collect())
    }

    /// With the data folder, whose flag every verb has.
    pub(crate) fn with_data(mut self, data: Option<PathBuf>) -> Self {
        self.0.extend(data.map(|data| ("data".to_owned(), data.into_os_string())));
        self
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for (setting, id) in own_flags() {
            if let Some(words) = matches.get_one::<OsString>(id) {
                self.0.push((setting.key(), words.clone()));
            }
        }
        Ok(())
    }
}

impl clap::Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        own_flags().fold(command, |command, (setting, id)| command.arg(argument(setting, id)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// The settings with a flag that is declared here, and the name of that.
fn own_flags() -> impl Iterator<Item = (&'static Declaration, &'static str)> {
    super::settings().filter_map(|setting| match setting.flag {
        Some(Flag::Named(name, _) | Flag::Switch(name) | Flag::Position(name)) => Some((setting, name)),
        Some(Flag::Everywhere(_)) | None => None,
    })
}

fn argument(setting: &Declaration, id: &'static str) -> Arg {
    let (short, long) = help(setting);
    let argument = Arg::new(id).help(short).long_help(long).value_parser(clap::value_parser!(OsString));
    match setting.flag {
        Some(Flag::Switch(name)) => {
            argument.long(name).value_name("BOOL").num_args(0..=1).require_equals(true).default_missing_value("true")
        }
        Some(Flag::Named(name, value)) => {
            let hint = if value == "PATH" { ValueHint::AnyPath } else { ValueHint::Unknown };
            let argument = argument.long(name).value_name(value).value_hint(hint);
            let words = (setting.words)();
            if words.is_empty() {
                argument
            } else {
                argument.add(ArgValueCandidates::new(move || words.iter().map(CompletionCandidate::new).collect()))
            }
        }
        _ => argument.value_hint(ValueHint::DirPath),
    }
    .action(ArgAction::Set)
}

/// The short help of the setting with that key.
pub(crate) fn help_of(key: &str) -> String {
    super::settings().find(|setting| setting.key() == key).map(|setting| help(setting).0).unwrap_or_default()
}

/// The short and the long help of a setting.
fn help(setting: &Declaration) -> (String, String) {
    let mut paragraphs = setting.paragraphs();
    let first = paragraphs.first().cloned().unwrap_or_default();
    let env = if setting.env.is_empty() { String::new() } else { format!(" [env: `{}`]", setting.env.join("`, `")) };
    let short = format!("{}{env} [default: {}]", first.trim_end_matches('.'), setting.default);
    if let Some(first) = paragraphs.first_mut() {
        first.clone_from(&short);
    }
    (short, paragraphs.join("\n\n"))
}
