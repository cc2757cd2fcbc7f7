// SPDX-License-Identifier: Apache-2.0
//! The flags of `serve`, with the variables that may stand for them, read into checked values.

mod listen;
mod port_range;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use url::Url;

pub(crate) use port_range::PortRange;

use super::setting::{Environment, SettingError};
use listen::{Listen, Port};

/// How the server is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServeArgs {
    /// The folder whose apps are served in place, if one was named.
    pub(crate) apps_dir: Option<PathBuf>,
    /// The folder that holds everything the server owns.
    pub(crate) data: PathBuf,
    /// The address to listen on; port 0 lets the system choose.
    pub(crate) listen: SocketAddr,
    /// What every absolute link begins with; without it, the request's own host.
    pub(crate) public_base: Option<Url>,
    /// The apps' internal ports.
    pub(crate) port_range: PortRange,
    /// The Python that environments are made of.
    pub(crate) python: Option<PathBuf>,
    /// The uv that builds them.
    pub(crate) uv: Option<PathBuf>,
    /// Who may do what.
    pub(crate) auth: AuthMode,
    /// How long an app may take to become healthy.
    pub(crate) start_timeout: Duration,
    /// How long an app may take to end before it is killed.
    pub(crate) stop_grace: Duration,
    /// How much the log tells.
    pub(crate) log_level: LogLevel,
}

/// How the server asks who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthMode {
    /// Open to the local user of a loopback listener; nothing else is listened on.
    Auto,
    /// Open to everybody.
    None,
}

/// How much the log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogLevel {
    /// What went wrong.
    Error,
    /// And what may.
    Warn,
    /// And what happens.
    Info,
    /// And why.
    Debug,
    /// And everything else.
    Trace,
}

impl LogLevel {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A word that is none of those that are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{said}` is none of {known}")]
pub(crate) struct UnknownWord {
    said: String,
    known: &'static str,
}

impl FromStr for AuthMode {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            _ => Err(UnknownWord { said: text.to_owned(), known: "`auto`, `none`" }),
        }
    }
}

impl FromStr for LogLevel {
    type Err = UnknownWord;

    /// `LOG_LEVEL` is shared with other programs, which write it in capitals or say `WARNING`.
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text.to_ascii_lowercase().as_str() {
            "error" | "critical" => Ok(Self::Error),
            "warn" | "warning" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            "trace" => Ok(Self::Trace),
            _ => Err(UnknownWord { said: text.to_owned(), known: "`error`, `warn`, `info`, `debug`, `trace`" }),
        }
    }
}

/// A base for links that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a base for links such as `https://apps.example.com`")]
pub(super) struct NotABase(String);

#[derive(Debug, Clone)]
struct PublicBase(Url);

impl FromStr for PublicBase {
    type Err = NotABase;

    fn from_str(text: &str) -> Result<Self, NotABase> {
        let url = Url::parse(text).map_err(|_| NotABase(text.to_owned()))?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        if is_web && is_plain { Ok(Self(url)) } else { Err(NotABase(text.to_owned())) }
    }
}

/// The flags as they are typed.
#[derive(Debug, Args)]
pub(super) struct ServeFlags {
    // It hides the global flag of this name, which a server has no use for.
    #[arg(long, hide = true)]
    pub(super) url: Option<Url>,
    /// Folder of apps to serve in place, one folder each [env: `LITHOUSE_APPS`]
    apps_dir: Option<PathBuf>,
    /// Address to listen on [env: `LITHOUSE_LISTEN`] [default: 127.0.0.1:8080]
    ///
    /// Where `LITHOUSE_LISTEN` is not set and `PORT` is, it is `0.0.0.0:$PORT`.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<Listen>,
    /// What every link that is printed or returned begins with [env: `LITHOUSE_PUBLIC_BASE`]
    ///
    /// Without it, links begin with the host of the request. `STREAMLIT_HOST_PUBLIC_BASE` is read too.
    #[arg(long, value_name = "URL")]
    public_base: Option<PublicBase>,
    /// Internal ports of the apps [env: `LITHOUSE_PORT_RANGE`] [default: 8501-8999]
    #[arg(long, value_name = "FIRST-LAST")]
    port_range: Option<PortRange>,
    /// Python that environments are made of [env: `LITHOUSE_PYTHON`] [default: the newest from 3.10 on]
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// The uv that builds environments [env: `LITHOUSE_UV`] [default: the one in PATH]
    #[arg(long, value_name = "PATH")]
    uv: Option<PathBuf>,
    /// Who may do what: `auto` or `none` [env: `LITHOUSE_AUTH`] [default: auto]
    ///
    /// `auto` is open to the user who runs the server and to root, on this machine, and refuses to listen where others reach
    /// it. `none` is open to everybody who can reach it: they may deploy and run programs here.
    #[arg(long, value_name = "MODE")]
    auth: Option<AuthMode>,
    /// How long an app may take to become healthy
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    start_timeout: u64,
    /// How long an app may take to end before it is killed
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    stop_grace: u64,
    /// How much the log tells: `error`, `warn`, `info`, `debug` or `trace` [env: `LOG_LEVEL`] [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<LogLevel>,
}

impl ServeFlags {
    /// Flags over variables over defaults.
    pub(super) fn resolve(self, data: PathBuf, environment: &Environment) -> Result<ServeArgs, SettingError> {
        let listen = environment.value(self.listen, &["LITHOUSE_LISTEN"])?.map(|listen| listen.0);
        let listen = match listen {
            Some(listen) => listen,
            None => environment.value(None::<Port>, &["PORT"])?.map_or(Listen::DEFAULT, Port::everywhere),
        };
        let public_base = environment.value(self.public_base, &["LITHOUSE_PUBLIC_BASE", "STREAMLIT_HOST_PUBLIC_BASE"])?;
        Ok(ServeArgs {
            apps_dir: environment.path(self.apps_dir, &["LITHOUSE_APPS"]),
            data,
            listen,
            public_base: public_base.map(|base| base.0),
            port_range: environment.value(self.port_range, &["LITHOUSE_PORT_RANGE"])?.unwrap_or_default(),
            python: environment.path(self.python, &["LITHOUSE_PYTHON"]),
            uv: environment.path(self.uv, &["LITHOUSE_UV"]),
            auth: environment.value(self.auth, &["LITHOUSE_AUTH"])?.unwrap_or(AuthMode::Auto),
            start_timeout: Duration::from_secs(self.start_timeout),
            stop_grace: Duration::from_secs(self.stop_grace),
            log_level: environment.value(self.log_level, &["LOG_LEVEL"])?.unwrap_or(LogLevel::Info),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: ServeFlags,
    }

    fn resolved(arguments: &[&str], variables: &[(&str, &str)]) -> Result<ServeArgs, String> {
        let line = Line::try_parse_from(std::iter::once("serve").chain(arguments.iter().copied()));
        let flags = line.map_err(|error| error.to_string())?.flags;
        flags.resolve(PathBuf::from("data"), &Environment::of_pairs(variables)).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_said_gives_the_documented_defaults() {
        let args = resolved(&[], &[]).unwrap();
        assert_eq!(args.listen, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(args.port_range, "8501-8999".parse().unwrap());
        assert_eq!((args.start_timeout.as_secs(), args.stop_grace.as_secs()), (120, 10));
        assert_eq!((args.auth, args.log_level), (AuthMode::Auto, LogLevel::Info));
        assert_eq!((args.apps_dir, args.public_base, args.python, args.uv), (None, None, None, None));
    }

    #[test]
    fn variables_stand_for_flags_and_flags_win() {
        let variables = [
            ("LITHOUSE_APPS", "/srv/apps"),
            ("LITHOUSE_LISTEN", "[::]:9000"),
            ("PORT", "5000"),
            ("STREAMLIT_HOST_PUBLIC_BASE", "https://apps.example.com/team/"),
            ("LITHOUSE_PORT_RANGE", "9000-9010"),
            ("LITHOUSE_PYTHON", "/py"),
            ("LITHOUSE_UV", "/uv"),
            ("LITHOUSE_AUTH", "none"),
            ("LOG_LEVEL", "WARNING"),
        ];
        let args = resolved(&[], &variables).unwrap();
        assert_eq!(args.apps_dir, Some("/srv/apps".into()));
        assert_eq!(args.listen, "[::]:9000".parse().unwrap());
        assert_eq!(args.public_base.unwrap().as_str(), "https://apps.example.com/team/");
        assert_eq!(args.port_range, "9000-9010".parse().unwrap());
        assert_eq!((args.python, args.uv), (Some("/py".into()), Some("/uv".into())));
        assert_eq!((args.auth, args.log_level), (AuthMode::None, LogLevel::Warn));
        let args = resolved(&["here", "--listen", "localhost:1", "--auth", "auto", "--log-level", "trace"], &variables).unwrap();
        assert_eq!(args.apps_dir, Some("here".into()));
        assert_eq!(args.listen, "127.0.0.1:1".parse().unwrap());
        assert_eq!((args.auth, args.log_level), (AuthMode::Auto, LogLevel::Trace));
    }

    #[test]
    fn port_alone_listens_everywhere() {
        assert_eq!(resolved(&[], &[("PORT", "5000")]).unwrap().listen, "0.0.0.0:5000".parse().unwrap());
        assert_eq!(resolved(&["--listen", "127.0.0.1:0"], &[("PORT", "5000")]).unwrap().listen.port(), 0);
    }

    #[test]
    fn a_wrong_value_is_an_error_that_names_the_variable() {
        let wrong = [
            ("PORT", "http"),
            ("PORT", "70000"),
            ("LITHOUSE_LISTEN", "8080"),
            ("LITHOUSE_PUBLIC_BASE", "apps.example.com"),
            ("LITHOUSE_PUBLIC_BASE", "https://a/?b"),
            ("LITHOUSE_PORT_RANGE", "9-8"),
            ("LITHOUSE_AUTH", "off"),
            ("LOG_LEVEL", "loud"),
        ];
        for (name, value) in wrong {
            let error = resolved(&[], &[(name, value)]).unwrap_err();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
    }
}
