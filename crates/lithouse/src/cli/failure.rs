// SPDX-License-Identifier: Apache-2.0
//! Everything a client verb can end with but success: its words, its hint and its exit code, in one place.

use std::io;
use std::path::PathBuf;

use super::client::ClientError;
use super::deploy::PackError;
use super::exit::Exit;
use super::output;
use super::snippet::SnippetError;
use crate::config::did_you_mean;

/// Why a client verb did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The server could not be asked, or did not do it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The folder could not be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// What should be run could not be read, or what came of it not be saved.
    #[error(transparent)]
    Snippet(#[from] SnippetError),
    /// A snippet did not run to its end.
    #[error("`{name}` {claim}")]
    NotSuccess {
        /// The snippet.
        name: String,
        /// How it ended, as a claim.
        claim: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A snippet would not be run.
    #[error("`{name}` has {count} issue{}", if *.count == 1 { "" } else { "s" })]
    Issues {
        /// The snippet.
        name: String,
        /// How many there are.
        count: usize,
    },
    /// A folder's name holds nothing that could be a key.
    #[error("no key can be made of the name of `{}`", .0.display())]
    NoKey(PathBuf),
    /// A release failed.
    #[error("release {release} of `{app}` failed: {reason}")]
    ReleaseFailed {
        /// The app.
        app: String,
        /// The release.
        release: u32,
        /// Why.
        reason: String,
        /// The release that goes on serving.
        serving: Option<u32>,
    },
    /// Somebody stopped the app while its release was on its way.
    #[error("`{app}` was stopped before release {release} was ready")]
    StoppedMeanwhile {
        /// The app.
        app: String,
        /// The release.
        release: u32,
    },
    /// The app should run and does not.
    #[error("`{app}` {claim}{}", .reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    NotAsAsked {
        /// The app.
        app: String,
        /// What it is instead, as a claim.
        claim: String,
        /// Why.
        reason: Option<String>,
    },
    /// Nothing to go back to.
    #[error("`{0}` has no earlier release that was ever ready")]
    NothingBefore(String),
    /// No template has that name.
    #[error("there is no template `{name}`")]
    NoSuchTemplate {
        /// The name.
        name: String,
        /// The one that may be meant.
        near: Option<String>,
    },
    /// Nobody can be asked whether the app should really go.
    #[error("removing `{0}` cannot be undone, and there is no terminal to ask on")]
    NotConfirmed(String),
    /// Somebody was asked and said no.
    #[error("`{0}` was not removed")]
    Kept(String),
    /// The server says that it is not up, or says nothing.
    #[error("not up: {0}")]
    NotUp(String),
    /// The machine lacks so many things that a server needs.
    #[error("this machine lacks {0} of the things that a server needs")]
    NotFit(usize),
    /// There is no server.
    #[error("no server runs for the data folder `{}`{}", .data.display(), .keeper.map(|pid| format!("; its apps go on without it (keeper {pid})")).unwrap_or_default())]
    NoServer {
        /// The data folder.
        data: PathBuf,
        /// The process that holds its apps, if there is one.
        keeper: Option<u32>,
    },
    /// The server ended before it answered.
    #[error("the server ended before it answered")]
    NotStarted {
        /// Its own words.
        said: String,
        /// Its exit code.
        code: Option<i32>,
    },
    /// The server's process could not be started or looked after.
    #[error("the server could not be put in the background")]
    Background(#[source] io::Error),
    /// Whether a server runs cannot be found out.
    #[error("could not find out who uses the data folder")]
    Lock(#[source] io::Error),
    /// A unit could not be written.
    #[error("could not write `{}`", .path.display())]
    Unit {
        /// The unit, or its folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody has written or changed a unit.
    #[error("`{}` is there already and says something else", .0.display())]
    UnitIsThere(PathBuf),
    /// A manual page could not be written.
    #[error("could not write the manual pages into `{}`", .path.display())]
    Man {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Where a user's units are cannot be told.
    #[error("neither `XDG_CONFIG_HOME` nor `HOME` is set")]
    NoHome,
    /// Nobody reads our output any more.
    #[error("could not write the output")]
    Output(#[source] io::Error),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// Says on stderr what happened and what to do next; to programs in a line of JSON.
    pub(super) fn report(&self, as_json: bool) {
        if self.is_closed_pipe() {
            return;
        }
        if as_json {
            return output::problem(&self.problem());
        }
        if let Self::NotStarted { said, .. } = self
            && !said.is_empty()
        {
            return output::complain(said);
        }
        let message = self.words();
        let lines = if self.is_of_configuration() { message.lines().collect() } else { vec![message.as_str()] };
        let lines: Vec<String> = lines.into_iter().map(output::plain).collect();
        output::complain(&format!("error: {}", lines.join("\n")));
        if let Some(hint) = self.hint() {
            output::complain(&format!("hint: {}", output::plain(&hint)));
        }
    }

    /// The failure for programs: what the server said of it, as it said it, or our own words in the same shape.
    fn problem(&self) -> serde_json::Value {
        let mut problem = match self {
            Self::Client(error) => error.said(),
            _ => serde_json::Map::new(),
        };
        problem.insert("code".to_owned(), self.code().into());
        let (detail, hint) = if self.is_of_configuration() { self.of_configuration() } else { (self.words(), self.hint()) };
        problem.insert("detail".to_owned(), detail.into());
        problem.insert("hint".to_owned(), hint.into());
        problem.insert("exit_code".to_owned(), (self.exit() as u8).into());
        problem.into()
    }

    /// What is wrong with the configuration and the first hint, out of the lines that people read.
    fn of_configuration(&self) -> (String, Option<String>) {
        let words = self.words();
        let (hints, details): (Vec<&str>, Vec<&str>) = words.lines().partition(|line| line.starts_with("hint: "));
        let details: Vec<&str> = details.into_iter().map(|line| line.strip_prefix("error: ").unwrap_or(line)).collect();
        let hint = hints.first().and_then(|line| line.strip_prefix("hint: ")).map(str::to_owned);
        (details.join("; "), hint.or_else(|| self.hint()))
    }

    /// What happened, with its causes.
    fn words(&self) -> String {
        let mut message = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(source) = cause {
            let text = source.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = source.source();
        }
        message
    }

    /// A word for programs.
    fn code(&self) -> &str {
        match self {
            Self::Client(error) => error.code(),
            Self::Pack(_) => "not_packed",
            Self::Snippet(_) => "unreadable",
            Self::NotSuccess { .. } => "not_successful",
            Self::Issues { .. } => "issues",
            Self::NoKey(_) => "no_key",
            Self::ReleaseFailed { .. } => "release_failed",
            Self::StoppedMeanwhile { .. } => "stopped_meanwhile",
            Self::NotAsAsked { .. } => "not_as_asked",
            Self::NothingBefore(_) => "no_earlier_release",
            Self::NoSuchTemplate { .. } => "no_such_template",
            Self::NotConfirmed(_) => "not_confirmed",
            Self::Kept(_) => "kept",
            Self::NotUp(_) => "not_up",
            Self::NotFit(_) => "not_fit",
            Self::NoServer { .. } => "no_server",
            Self::NotStarted { .. } => "not_started",
            Self::Background(_) => "not_in_background",
            Self::Lock(_) => "unknown_holder",
            Self::Unit { .. } | Self::Man { .. } => "not_written",
            Self::UnitIsThere(_) => "already_there",
            Self::NoHome => "no_home",
            Self::Output(_) => "no_output",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whose fault it was, as a number.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Output(_) if self.is_closed_pipe() => Exit::Done,
            Self::Client(error) => error.exit(),
            Self::Pack(error) => error.exit(),
            Self::Snippet(error) => error.exit(),
            Self::NoKey(_) | Self::NotConfirmed(_) | Self::NotStarted { code: Some(2), .. } => Exit::Usage,
            Self::NothingBefore(_) | Self::UnitIsThere(_) => Exit::Refused,
            Self::ReleaseFailed { .. }
            | Self::StoppedMeanwhile { .. }
            | Self::NotAsAsked { .. }
            | Self::Kept(_)
            | Self::NotUp(_)
            | Self::NotSuccess { .. }
            | Self::Issues { .. }
            | Self::NotFit(_)
            | Self::NotStarted { .. }
            | Self::Background(_)
            | Self::Lock(_)
            | Self::Unit { .. }
            | Self::Man { .. }
            | Self::NoHome
            | Self::Output(_) => Exit::Failed,
            Self::NoServer { .. } | Self::NoSuchTemplate { .. } => Exit::NotFound,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Client(error) => error.hint(),
            Self::NoKey(_) => Some("choose one with `--key`".to_owned()),
            Self::ReleaseFailed { app, serving, .. } => {
                let logs = format!("`lithouse logs {app}` shows what it wrote, `lithouse logs {app} --build` the build");
                let serving = serving.map(|serving| format!("release {serving} goes on serving; ")).unwrap_or_default();
                Some(serving + &logs)
            }
            Self::StoppedMeanwhile { app, .. } => Some(format!("`lithouse start {app}` goes on with it")),
            Self::NotAsAsked { app, .. } => Some(format!("`lithouse logs {app}` shows what it wrote")),
            Self::NothingBefore(app) => Some(format!("`lithouse releases {app}` lists them")),
            Self::NoSuchTemplate { near: Some(near), .. } => Some(did_you_mean(near)),
            Self::NoSuchTemplate { .. } => Some("`lithouse templates` lists them".to_owned()),
            Self::NotConfirmed(_) => Some("say `--yes`".to_owned()),
            Self::Pack(error) => error.hint(),
            Self::Snippet(error) => error.hint(),
            Self::NotSuccess { hint, .. } => hint.clone(),
            Self::NotFit(_) => Some("each line with `fail` says what mends it".to_owned()),
            Self::NoServer { data, .. } => Some(format!("`lithouse start --data {}` starts it", data.display())),
            Self::UnitIsThere(_) => {
                Some("`lithouse service print` shows the other text; `--force` replaces what is there".to_owned())
            }
            Self::Issues { .. }
            | Self::Unit { .. }
            | Self::Man { .. }
            | Self::NoHome
            | Self::Kept(_)
            | Self::NotUp(_)
            | Self::NotStarted { .. }
            | Self::Background(_)
            | Self::Lock(_)
            | Self::Output(_)
            | Self::Interrupted => None,
        }
    }

    /// A configuration may be wrong in several places, each of which has its line.
    fn is_of_configuration(&self) -> bool {
        matches!(self, Self::Client(error) if error.is_of_configuration())
    }

    /// `lithouse logs x | head` is no failure.
    fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
