// SPDX-License-Identifier: Apache-2.0
//! What a shell is told when somebody presses the tab key: verbs, flags and files by the tree of verbs, names of apps by their server.
//!
//! The script of `lithouse completions` asks this program with a variable set. Nothing here may disturb whoever types: what is not
//! found out in a moment is left out, and not a word goes to standard error.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use clap::{Args, Command, CommandFactory, ValueEnum};
use clap_complete::engine::{self, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};
use clap_complete::env::{Bash, CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};
use url::Url;

use super::address::Address;
use super::client::Client;
use super::failure::Failure;
use super::output::{self, Moment, age};
use super::resource::{App, Release};
use super::templates::Templates;
use super::{Cli, setting};
use crate::config::{Around, Environment, data_folder};

/// What the scripts set, to the name of their shell.
const VARIABLE: &str = "LITHOUSE_COMPLETE";
/// The program, as people and the scripts call it.
const PROGRAM: &str = "lithouse";
/// How long a server may take before its apps are left out.
const PATIENCE: Duration = Duration::from_millis(700);

/// How a shell is told of it, for the long help.
pub(super) const HELP: &str = "\
Where to put it, and what:
  `~/.bashrc`                                  source <(lithouse completions bash)
  `~/.zshrc`, after `compinit`                 source <(lithouse completions zsh)
  `~/.config/fish/completions/lithouse.fish`   lithouse completions fish | source
  `~/.config/elvish/rc.elv`                    eval (lithouse completions elvish | slurp)
  `$PROFILE` of PowerShell                     lithouse completions powershell | Out-String | iex

Example:
  lithouse completions bash";

/// Which shell.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell to print the script for
    shell: Shell,
}

/// A shell that can be helped.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

/// Prints the script.
pub(super) fn print(args: &CompletionsArgs) -> Result<(), Failure> {
    let shell: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &JoinedBash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Elvish => &Elvish,
        Shell::Powershell => &Powershell,
    };
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script).map_err(Failure::Output)?;
    output::line(String::from_utf8_lossy(&script).trim())
}

/// Answers the shell, if it is a shell that asks.
pub(crate) fn answer_shell() -> Option<ExitCode> {
    let shells = Shells(&[&JoinedBash, &Zsh, &Fish, &Elvish, &Powershell]);
    let asked = CompleteEnv::with_factory(Cli::command).var(VARIABLE).bin(PROGRAM).completer(PROGRAM).shells(shells);
    match asked.try_complete(std::env::args_os(), std::env::current_dir().ok().as_deref()) {
        Ok(false) => None,
        Ok(true) => Some(ExitCode::SUCCESS),
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// The names of apps.
pub(super) fn apps() -> ArgValueCompleter {
    ArgValueCompleter::new(app_candidates)
}

/// Folders, and the names of apps.
pub(super) fn folder_or_app() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let mut all = app_candidates(current);
        all.extend(PathCompleter::dir().complete(current));
        all
    })
}

/// The releases of the app that was typed before.
pub(super) fn releases() -> ArgValueCompleter {
    ArgValueCompleter::new(release_candidates)
}

/// The names of templates.
pub(super) fn templates() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let Some(Templates { templates }) = ask("/api/templates".to_owned()) else { return Vec::new() };
        beginning(current, templates.iter().map(|template| candidate(&template.name, &template.title)))
    })
}

fn app_candidates(current: &OsStr) -> Vec<CompletionCandidate> {
    #[derive(serde::Deserialize)]
    struct Page {
        apps: Vec<App>,
    }
    let Some(page) = ask::<Page>("/api/apps".to_owned()) else { return Vec::new() };
    let candidates = page.apps.into_iter().map(|app| {
        let name = Some(&app.name).filter(|name| *name != app.label());
        let help = name.map_or_else(|| app.status.clone(), |name| format!("{}, {name}", app.status));
        candidate(app.label(), &help)
    });
    beginning(current, candidates)
}

fn release_candidates(current: &OsStr) -> Vec<CompletionCandidate> {
    #[derive(serde::Deserialize)]
    struct Page {
        releases: Vec<Release>,
    }
    // What follows the verb is the app; what cannot stand in a path is none.
    let app = words().into_iter().skip_while(|word| word != "rollback").skip(1).find_map(|word| {
        let word = word.into_string().ok()?;
        word.parse::<super::app_name::AppName>().ok()
    });
    let Some(page) = app.and_then(|app| ask::<Page>(app.path("/releases"))) else { return Vec::new() };
    let now = Moment::now();
    let candidates = page.releases.into_iter().filter(|release| release.state == "ready" && !release.active).map(|release| {
        let made = release.created_at.map(|made| format!("made {} ago", age(made, now))).unwrap_or_default();
        candidate(&release.number.to_string(), &made)
    });
    beginning(current, candidates)
}

/// A word with its explanation; both are somebody else's and are shown in a prompt.
fn candidate(word: &str, help: &str) -> CompletionCandidate {
    let help = output::plain(help);
    CompletionCandidate::new(output::plain(word)).help((!help.is_empty()).then(|| help.into()))
}

fn beginning(current: &OsStr, candidates: impl Iterator<Item = CompletionCandidate>) -> Vec<CompletionCandidate> {
    let current = current.as_encoded_bytes();
    candidates.filter(|candidate| candidate.get_value().as_encoded_bytes().starts_with(current)).collect()
}

/// What the server answers that would be asked, if it does so at once.
fn ask<T: serde::de::DeserializeOwned + Send + 'static>(path: String) -> Option<T> {
    let address = address()?;
    let token = Environment::of_process().text("LITHOUSE_TOKEN");
    let (give, take) = mpsc::channel();
    // A thread of its own, since the name of a machine is looked up for as long as that takes. It ends with the process.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let answer = runtime.block_on(async {
            let client = Client::new(address, token.as_deref()).ok()?;
            client.get_within(&path, PATIENCE).await.ok()?.as_resource::<T>().ok()
        });
        give.send(answer?).ok()
    });
    take.recv_timeout(PATIENCE).ok()
}

/// The server that the words before name, as the verbs would find it.
fn address() -> Option<Address> {
    let typed = Cli::command().ignore_errors(true).try_get_matches_from(words()).ok()?;
    let environment = Environment::of_process();
    let data = typed.get_one::<std::path::PathBuf>("data").cloned();
    let url = match (&data, typed.get_one::<Url>("url").cloned()) {
        (Some(_), _) => None,
        (None, url) => setting::url(url, &environment).ok()?,
    };
    match url {
        Some(url) => Address::of_url(&url).ok(),
        None => Some(Address::Socket(data_folder(data, &environment, &Around::this_process()).ok()?.path.join("control.sock"))),
    }
}

/// The words that were typed, from the program's name on.
fn words() -> Vec<OsString> {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let is_bash = std::env::var_os("_CLAP_COMPLETE_COMP_TYPE").is_some();
    if is_bash { joined(words, usize::MAX).words } else { words }
}

/// Bash, which takes `--data=x` and `http://a:1` for several words each.
#[derive(Debug)]
struct JoinedBash;

impl EnvCompleter for JoinedBash {
    fn name(&self) -> &'static str {
        Bash.name()
    }

    fn is(&self, name: &str) -> bool {
        Bash.is(name)
    }

    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        program: &str,
        completer: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        Bash.write_registration(variable, name, program, completer, out)
    }

    fn write_complete(
        &self,
        command: &mut Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let told = |name| std::env::var(name).ok();
        let index = told("_CLAP_COMPLETE_INDEX").and_then(|index| index.parse().ok()).unwrap_or_default();
        let separator = told("_CLAP_IFS").unwrap_or_else(|| "\n".to_owned());
        let Joined { words, index, kept } = joined(words, index);
        let candidates = engine::complete(command, words, index, folder)?;
        let candidates = candidates.iter().map(|candidate| candidate.get_value().to_string_lossy());
        // Bash has kept what stands before in the same word of ours.
        let candidates: Vec<String> = candidates.filter_map(|word| word.get(kept..).map(str::to_owned)).collect();
        out.write_all(candidates.join(&separator).as_bytes())
    }
}

/// Words as people see them.
#[derive(Debug, PartialEq, Eq)]
struct Joined {
    words: Vec<OsString>,
    /// Which of them is being typed.
    index: usize,
    /// How many bytes of that one bash does not replace.
    kept: usize,
}

/// Puts together what bash has cut at `=` and `:`.
fn joined(cut: Vec<OsString>, index: usize) -> Joined {
    let mut joined = Joined { words: Vec::new(), index: 0, kept: 0 };
    let mut is_open = false;
    for (at, word) in cut.into_iter().enumerate() {
        let is_border = word == "=" || word == ":";
        let kept = if is_open || is_border { joined.words.last().map_or(0, |last| last.len()) } else { 0 };
        match joined.words.last_mut() {
            Some(last) if is_open || is_border => last.push(&word),
            _ => joined.words.push(word),
        }
        is_open = is_border;
        if at == index {
            (joined.index, joined.kept) = (joined.words.len() - 1, kept);
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(words: &[&str], index: usize) -> (Vec<String>, usize, usize) {
        let Joined { words, index, kept } = joined(words.iter().map(OsString::from).collect(), index);
        (words.into_iter().map(|word| word.into_string().unwrap()).collect(), index, kept)
    }

    #[test]
    fn what_bash_cuts_is_one_word_again() {
        let all = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(join(&["lithouse", "stop", ""], 2), (all(&["lithouse", "stop", ""]), 2, 0));
        assert_eq!(
            join(&["lithouse", "--data", "=", "/d", "stop", "sa"], 5),
            (all(&["lithouse", "--data=/d", "stop", "sa"]), 3, 0)
        );
        assert_eq!(join(&["lithouse", "--data", "=", "/d"], 3), (all(&["lithouse", "--data=/d"]), 1, 7));
        assert_eq!(
            join(&["lithouse", "--url", "http", ":", "//a", ":", "80", "stop", ""], 8),
            (all(&["lithouse", "--url", "http://a:80", "stop", ""]), 4, 0)
        );
    }
}
