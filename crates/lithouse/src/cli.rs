// SPDX-License-Identifier: Apache-2.0
//! The command line: the complete tree of verbs, and those of them that ask a server for something.
//!
//! It knows a server only through its HTTP API. What runs *as* a server (`serve` and `keeper`) is parsed and checked here and
//! performed elsewhere.

mod address;
mod app_name;
mod apps;
mod check;
mod client;
mod complete;
mod config;
mod deploy;
mod doctor;
mod exit;
mod failure;
mod healthcheck;
mod info;
mod log_line;
mod logs;
mod man;
mod open;
mod output;
mod power;
mod refresh;
mod releases;
mod resource;
mod restart;
mod rm;
mod rollback;
mod run;
mod serve;
mod service;
mod setting;
mod snippet;
mod start;
mod status;
mod stop;
mod templates;
mod watch;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueHint};
use serde_json::json;
use url::Url;

pub(crate) use complete::answer_shell;

use address::Address;
use client::Client;
use failure::Failure;
use setting::SettingError;

use crate::config::{Around, Config, Environment, Problems, Source, data_folder, help_of};

/// What this process was asked to be.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// The server, in the foreground.
    Serve {
        /// What it goes by.
        config: Box<Config>,
        /// How that is read again.
        source: Source,
    },
    /// The parent of every app.
    Keeper {
        /// The data folder it works for.
        data: PathBuf,
    },
    /// A question that this program answers itself.
    Here(Box<HereCall>),
    /// A question or a wish for a server.
    Client(ClientCall),
}

/// A question about what a server would be.
#[derive(Debug)]
pub(crate) enum HereCall {
    /// Whether that is sound.
    CheckConfig {
        /// What it would go by.
        config: Config,
        /// Whether programs read it.
        json: bool,
    },
    /// What it would go by.
    ShowConfig {
        /// That.
        config: Config,
        /// Whether programs read it.
        json: bool,
    },
    /// Let it run in the background.
    Start {
        /// What it goes by.
        config: Config,
        /// What another process of ours is told to be it.
        arguments: Vec<OsString>,
        /// The app that is meant if a server runs that does not serve the folder of that name.
        app: Option<power::PowerArgs>,
    },
    /// Be looked after by systemd.
    Service(service::Service),
    /// Help a shell to complete what is typed.
    Completions(complete::CompletionsArgs),
    /// Be described in manual pages.
    Man(man::ManArgs),
    /// Whether it could run here.
    Examine {
        /// What it would go by.
        config: Config,
        /// Whether programs read it.
        json: bool,
    },
}

/// A verb for a server, and where that server is.
#[derive(Debug)]
pub(crate) struct ClientCall {
    address: Address,
    token: Option<String>,
    verb: ClientVerb,
    /// Why the configuration did not tell where that is.
    unread: Option<Problems>,
}

/// Hosts a team's Python web apps behind one port.
#[derive(Debug, Parser)]
#[command(name = "lithouse", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "`lithouse help <command>` tells more of a command; `lithouse --help` lists the exit codes.")]
#[command(after_long_help = exit::HELP)]
struct Cli {
    #[command(flatten)]
    server: ServerFlags,
    #[command(flatten)]
    manner: Manner,
    #[command(subcommand)]
    verb: Verb,
}

/// How things are told.
#[derive(Debug, Args)]
struct Manner {
    /// Use colours: `auto`, `always` or `never` [env: `NO_COLOR`, `CLICOLOR_FORCE`]
    ///
    /// `auto` uses them on a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`; with `CLICOLOR_FORCE` in pipes too.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    #[arg(hide_possible_values = true)]
    color: output::When,
    /// Tell nothing but data and what goes wrong
    #[arg(short, long, global = true, help_heading = "Output")]
    quiet: bool,
}

/// Which server is meant.
#[derive(Debug, Args)]
struct ServerFlags {
    /// Address of the server to talk to, `http://host:port` [env: `LITHOUSE_URL`]
    ///
    /// Without it, the server of the data folder is asked through its socket.
    #[arg(long, global = true, value_name = "URL", conflicts_with = "data", help_heading = "Server", value_parser = address::url)]
    url: Option<Url>,
    // Described where it is declared.
    #[arg(long, global = true, value_name = "DIR", help = help_of("data"), help_heading = "Server", value_hint = ValueHint::DirPath)]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the server in the foreground
    #[command(after_long_help = "Example:\n  lithouse serve ./apps --listen 127.0.0.1:8080")]
    Serve(Box<serve::ServeFlags>),
    /// Start the server in the background, or an app
    ///
    /// Without an argument, or with a folder of apps, the server is started with the flags of `lithouse serve`, and this returns when
    /// it answers; if one runs already, that is said and the exit code is 0. With the key or id of an app, that app is started, and
    /// this returns when it runs. A name that is a folder here means the folder, unless a server runs that does not serve it and has
    /// an app of that name.
    #[command(mut_arg("APPS_DIR", |folder| folder.add(complete::folder_or_app())))]
    #[command(after_long_help = "Example:\n  lithouse start ./apps --listen 127.0.0.1:8080\n  lithouse start sales")]
    Start(Box<start::StartArgs>),
    /// Print or install units for systemd
    ///
    /// They take the flags of `lithouse serve`. `systemctl reload` replaces the server under its apps, `systemctl stop` ends all of it.
    #[command(subcommand, after_long_help = "Example:\n  lithouse service install --data /var/lib/lithouse")]
    Service(Box<service::ServiceVerb>),
    /// Tell what a server would go by, and where that is set
    #[command(subcommand, after_long_help = "Example:\n  lithouse config show")]
    Config(config::ConfigVerb),
    /// Tell what this machine offers a server, what is missing, and what mends it
    ///
    /// It takes the flags of `lithouse serve`, and changes nothing. The exit code is 1 if anything is missing that a server needs.
    #[command(after_long_help = "Example:\n  lithouse doctor --data /var/lib/lithouse")]
    Doctor(Box<doctor::DoctorArgs>),
    #[command(flatten)]
    Client(ClientVerb),
    /// Print a script by which a shell completes verbs, flags, and the names of apps
    ///
    /// The script asks the `lithouse` in PATH, and that the server that the words typed so far would ask; names of apps and numbers of
    /// releases are there if it answers at once. Made anew by each shell, as below, it always fits the program.
    #[command(after_long_help = complete::HELP)]
    Completions(complete::CompletionsArgs),
    /// Write the help pages as manual pages
    #[command(hide = true)]
    Man(man::ManArgs),
    /// The parent of every app, started by `serve`
    #[command(hide = true)]
    Keeper,
}

/// The verbs that a server answers.
#[derive(Debug, Subcommand)]
enum ClientVerb {
    /// Upload a folder, build it and start it; print its URL
    #[command(after_long_help = "Example:\n  lithouse deploy ./sales --key sales --name 'Sales report'")]
    Deploy(deploy::DeployArgs),
    /// List the apps
    #[command(visible_alias = "ls", after_long_help = "Example:\n  lithouse apps --json")]
    Apps(apps::AppsArgs),
    /// List the apps with state, PID and what they take; tell of the server
    ///
    /// The exit code is 3 where no server runs.
    #[command(after_long_help = "Example:\n  lithouse status")]
    Status(status::StatusArgs),
    /// Show everything known of one app
    #[command(after_long_help = "Example:\n  lithouse info sales")]
    Info(info::InfoArgs),
    /// Print what an app has written
    #[command(after_long_help = "Example:\n  lithouse logs sales -f -n 50")]
    Logs(logs::LogsArgs),
    /// Told apart from starting a server before.
    #[command(skip)]
    StartApp(power::PowerArgs),
    /// Stop the server with all apps, or an app
    ///
    /// Without an argument the server is stopped and all apps end, which the next start brings back; this returns when all of it is
    /// gone. With the key or id of an app, that app is stopped, and stays so until somebody starts it.
    #[command(after_long_help = "Example:\n  lithouse stop\n  lithouse stop sales")]
    Stop(stop::StopArgs),
    /// Replace an app's process and wait until it runs; or replace the server
    ///
    /// With `--server` the program that is installed now takes the place of the one that runs, with the same flags, variables and
    /// working folder. No connection is refused. If it cannot serve, because of a wrong configuration for instance, that is told, and the
    /// server goes on.
    #[command(override_usage = "lithouse restart [OPTIONS] <APP>\n       lithouse restart [OPTIONS] --server")]
    #[command(after_long_help = "Example:\n  lithouse restart sales\n  lithouse restart --server")]
    Restart(restart::RestartArgs),
    /// Take what changed in the configuration and in the folder of apps
    ///
    /// The server reads both again, as it was started. New apps start, changed ones are restarted, those that are gone stop, and
    /// those that had stopped by themselves start. Nothing else is touched, and nothing at all changes if anything is wrong.
    #[command(after_long_help = "Example:\n  lithouse refresh")]
    Refresh(refresh::RefreshArgs),
    /// Print an app's URL and open it in a browser where there is a display
    #[command(after_long_help = "Example:\n  lithouse open sales")]
    Open(open::OpenArgs),
    /// List an app's releases, newest first
    #[command(after_long_help = "Example:\n  lithouse releases sales")]
    Releases(releases::ReleasesArgs),
    /// Go back to an earlier release of an app
    #[command(after_long_help = "Example:\n  lithouse rollback sales 3")]
    Rollback(rollback::RollbackArgs),
    /// Remove an app and everything it owns
    #[command(after_long_help = "Example:\n  lithouse rm sales --yes")]
    Rm(rm::RmArgs),
    /// Run a piece of Python in the sandbox; charts are saved beside it
    ///
    /// What it writes comes as it is written. Its data frames are printed as tables at the end.
    #[command(after_long_help = "Example:\n  lithouse run plot.py --file sales.csv --timeout 10")]
    Run(run::RunArgs),
    /// Look a piece of Python over, without running it
    #[command(after_long_help = "Example:\n  lithouse check plot.py")]
    Check(check::CheckArgs),
    /// List pieces of Python to begin with, or print one
    #[command(after_long_help = "Example:\n  lithouse templates\n  lithouse templates hello > hello.py")]
    Templates(templates::TemplatesArgs),
    /// Ask whether the server is up: exit code 0 or 1, as containers want it
    #[command(after_long_help = "Example:\n  lithouse healthcheck --url http://127.0.0.1:8080")]
    Healthcheck(healthcheck::HealthcheckArgs),
}

/// Reads the command line and the environment. Where there is nothing to do, what is wrong is told, and this is the exit code; help ends
/// the process.
pub(crate) fn parse() -> Result<Invocation, ExitCode> {
    if let Some(when) = output::When::typed(std::env::args_os().skip(1)) {
        when.hold();
    }
    let cli = Cli::parse();
    if cli.manner.quiet {
        output::be_quiet();
    }
    let is_for_program = cli.verb.is_for_program();
    let environment = Environment::of_process();
    match resolve(cli, &environment) {
        Ok(invocation) => Ok(invocation),
        Err(error) => {
            let (exit, hint) = (exit::Exit::Usage as u8, error.hint());
            if is_for_program {
                // What people read has the hints in it.
                let (detail, hint, errors) = match &error {
                    SettingError::Configuration(problems) => (problems.details(), problems.hint(), problems.each()),
                    _ => (error.to_string(), hint, Vec::new()),
                };
                let code = error.code();
                output::problem(&json!({ "code": code, "detail": detail, "hint": hint, "errors": errors, "exit_code": exit }));
            } else {
                // What stands in a file may hold anything.
                let lines: Vec<String> = error.to_string().lines().map(output::plain).collect();
                let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
                output::complain(&format!("error: {}{hint}", lines.join("\n")));
            }
            Err(not_understood())
        }
    }
}

fn resolve(cli: Cli, environment: &Environment) -> Result<Invocation, SettingError> {
    let data_flag = cli.server.data;
    let of_server = |flags: serve::ServeFlags, url: Option<Url>, data| {
        if url.or(flags.url.clone()).is_some() { Err(SettingError::UrlForServer) } else { flags.resolve(data, environment) }
    };
    let data = |flag| data_folder(flag, environment, &Around::this_process());
    let of_client = |verb, url: Option<Url>, data_flag: Option<PathBuf>| {
        // A folder that was typed is meant more than an address that stands in the environment.
        let url = match (&data_flag, url) {
            (Some(_), _) => None,
            (None, url) => setting::url(url, environment)?,
        };
        let (address, unread) = if let Some(url) = url {
            (Address::of_url(&url)?, None)
        } else {
            let data = data(data_flag)?;
            (Address::Socket(data.path.join("control.sock")), data.unread)
        };
        let token = environment.text("LITHOUSE_TOKEN");
        Ok::<_, SettingError>(Invocation::Client(ClientCall { address, token, verb, unread }))
    };
    Ok(match cli.verb {
        Verb::Serve(flags) => {
            let (config, source) = of_server(*flags, cli.server.url, data_flag)?;
            Invocation::Serve { config: Box::new(config), source }
        }
        Verb::Service(verb) => {
            let arguments = verb.serve().arguments(data_flag.as_deref());
            let (config, _) = of_server(verb.serve().clone(), cli.server.url, data_flag)?;
            Invocation::Here(Box::new(HereCall::Service(verb.service(&config, &arguments).map_err(SettingError::Here)?)))
        }
        Verb::Config(config::ConfigVerb::Check(args)) => {
            let (config, _) = of_server(args.serve, cli.server.url, data_flag)?;
            Invocation::Here(Box::new(HereCall::CheckConfig { config, json: args.json }))
        }
        Verb::Config(config::ConfigVerb::Show(args)) => {
            let (config, _) = of_server(args.serve, cli.server.url, data_flag)?;
            Invocation::Here(Box::new(HereCall::ShowConfig { config, json: args.json }))
        }
        Verb::Doctor(args) => {
            let (config, _) = of_server(args.serve, cli.server.url, data_flag)?;
            Invocation::Here(Box::new(HereCall::Examine { config, json: args.json }))
        }
        Verb::Completions(args) => Invocation::Here(Box::new(HereCall::Completions(args))),
        Verb::Man(args) => Invocation::Here(Box::new(HereCall::Man(args))),
        Verb::Keeper => Invocation::Keeper { data: data(data_flag)?.path },
        Verb::Start(args) => {
            let start::StartArgs { serve, no_wait } = *args;
            if let Some(app) = app_meant(&serve)? {
                let url = cli.server.url.or(serve.url);
                of_client(ClientVerb::StartApp(power::PowerArgs { app, no_wait }), url, data_flag)?
            } else {
                let arguments = serve.arguments(data_flag.as_deref());
                let word = serve.folder().filter(|_| serve.is_folder_alone()).and_then(|word| word.to_str()?.parse().ok());
                let app = word.map(|app| power::PowerArgs { app, no_wait });
                let (config, _) = of_server(serve, cli.server.url, data_flag)?;
                Invocation::Here(Box::new(HereCall::Start { config, arguments, app }))
            }
        }
        Verb::Client(verb) => of_client(verb, cli.server.url, data_flag)?,
    })
}

/// The app that `start` is about, if the word after it is no folder.
fn app_meant(flags: &serve::ServeFlags) -> Result<Option<app_name::AppName>, SettingError> {
    let Some(word) = flags.folder().filter(|word| !Path::new(word).is_dir()) else { return Ok(None) };
    let word = word.to_string_lossy();
    let app = word.parse().map_err(|_| SettingError::NeitherFolderNorApp(word.to_string()))?;
    if flags.is_folder_alone() { Ok(Some(app)) } else { Err(SettingError::SettingsForApp(word.to_string())) }
}

impl Verb {
    /// Whether its output is for a program.
    fn is_for_program(&self) -> bool {
        match self {
            Self::Config(config::ConfigVerb::Show(args) | config::ConfigVerb::Check(args)) => args.json,
            Self::Doctor(args) => args.json,
            Self::Client(verb) => verb.is_for_program(),
            Self::Service(verb) => verb.is_for_program(),
            Self::Serve(_) | Self::Start(_) | Self::Completions(_) | Self::Man(_) | Self::Keeper => false,
        }
    }
}

impl ClientVerb {
    fn is_for_program(&self) -> bool {
        match self {
            Self::Deploy(args) => args.json,
            Self::Apps(args) => args.json,
            Self::Status(args) => args.json,
            Self::Info(args) => args.json,
            Self::Logs(args) => args.json,
            Self::Refresh(args) => args.json,
            Self::Releases(args) => args.json,
            Self::Run(args) => args.json,
            Self::Check(args) => args.json,
            Self::Templates(args) => args.json,
            Self::Open(args) => args.json,
            Self::Healthcheck(args) => args.json,
            Self::StartApp(_) | Self::Stop(_) | Self::Restart(_) | Self::Rollback(_) | Self::Rm(_) => false,
        }
    }

    /// The app that it is about, as it was typed.
    fn app(&self) -> Option<&app_name::AppName> {
        match self {
            Self::Info(args) => Some(&args.app),
            Self::Logs(args) => Some(&args.app),
            Self::StartApp(args) => Some(&args.app),
            Self::Stop(args) => args.app.as_ref(),
            Self::Restart(args) => args.app.as_ref(),
            Self::Open(args) => Some(&args.app),
            Self::Releases(args) => Some(&args.app),
            Self::Rollback(args) => Some(&args.app),
            Self::Rm(args) => Some(&args.app),
            Self::Deploy(_)
            | Self::Apps(_)
            | Self::Status(_)
            | Self::Refresh(_)
            | Self::Run(_)
            | Self::Check(_)
            | Self::Templates(_)
            | Self::Healthcheck(_) => None,
        }
    }
}

/// Answers a question by itself: data to stdout, all else to stderr, the outcome as exit code.
pub(crate) async fn answer(call: &HereCall) -> ExitCode {
    let is_for_program = match call {
        HereCall::CheckConfig { json, .. } | HereCall::ShowConfig { json, .. } | HereCall::Examine { json, .. } => *json,
        HereCall::Service(service) => service.json,
        HereCall::Completions(_) | HereCall::Man(_) | HereCall::Start { .. } => false,
    };
    let outcome = match call {
        HereCall::CheckConfig { config, json } => config::check(config, *json),
        HereCall::ShowConfig { config, json } => config::show(config, *json),
        HereCall::Service(service) => service::run(service),
        HereCall::Completions(args) => complete::print(args),
        HereCall::Man(args) => man::write(args),
        HereCall::Start { config, arguments, app } => start::run(config, arguments, app.as_ref()).await,
        HereCall::Examine { config, json } => doctor::run(config, *json).await,
    };
    ended(outcome, is_for_program)
}

/// Performs a client verb: data to stdout, all else to stderr, the outcome as exit code.
pub(crate) async fn run(call: ClientCall) -> ExitCode {
    if let Some(problems) = &call.unread {
        output::complain(&format!("warning: {problems}\nhint: `--data DIR` names the server's folder"));
    }
    let is_for_program = call.verb.is_for_program();
    let interrupted = async {
        // Without a handler Ctrl-C ends the process in the ordinary way, which is as good.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let outcome = tokio::select! {
        biased;
        () = interrupted => Err(Failure::Interrupted),
        outcome = perform(call) => outcome,
    };
    ended(outcome, is_for_program)
}

/// The exit code where the command line, a variable or the configuration cannot be gone by.
pub(crate) fn not_understood() -> ExitCode {
    exit::Exit::Usage.into()
}

fn ended(outcome: Result<(), Failure>, is_for_program: bool) -> ExitCode {
    match outcome {
        Ok(()) => exit::Exit::Done.into(),
        Err(failure) => {
            failure.report(is_for_program);
            failure.exit().into()
        }
    }
}

async fn perform(call: ClientCall) -> Result<(), Failure> {
    let client = Client::new(call.address, call.token.as_deref())?;
    let app = call.verb.app().cloned();
    let outcome = match call.verb {
        ClientVerb::Deploy(args) => deploy::run(&client, args).await,
        ClientVerb::Apps(args) => apps::run(&client, &args).await,
        ClientVerb::Status(args) => status::run(&client, &args).await,
        ClientVerb::Info(args) => info::run(&client, &args).await,
        ClientVerb::Logs(args) => logs::run(&client, &args).await,
        ClientVerb::StartApp(args) => power::start(&client, &args).await,
        ClientVerb::Stop(args) => stop::run(&client, args).await,
        ClientVerb::Restart(args) => restart::run(&client, args).await,
        ClientVerb::Refresh(args) => refresh::run(&client, &args).await,
        ClientVerb::Open(args) => open::run(&client, &args).await,
        ClientVerb::Releases(args) => releases::run(&client, &args).await,
        ClientVerb::Rollback(args) => rollback::run(&client, &args).await,
        ClientVerb::Rm(args) => rm::run(&client, &args).await,
        ClientVerb::Run(args) => run::run(&client, &args).await,
        ClientVerb::Check(args) => check::run(&client, &args).await,
        ClientVerb::Templates(args) => templates::run(&client, &args).await,
        ClientVerb::Healthcheck(args) => healthcheck::run(&client, &args).await,
    };
    match (outcome, app) {
        (Err(Failure::Client(error)), Some(app)) if error.is_no_such_app() => {
            Err(error.with_near(apps::nearest(&client, &app).await).into())
        }
        (outcome, _) => outcome,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn resolved(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Invocation, String> {
        let arguments = std::iter::once("lithouse").chain(arguments.iter().copied());
        let cli = Cli::try_parse_from(arguments).map_err(|error| error.to_string())?;
        resolve(cli, &Environment::of_pairs(variables)).map_err(|error| error.to_string())
    }

    fn address(arguments: &[&str], variables: &[(&str, &str)]) -> String {
        match resolved(arguments, variables) {
            Ok(Invocation::Client(call)) => call.address.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
    }

    /// The words of a line of a shell, without what follows `>` or `|`.
    fn words(line: &str) -> Vec<String> {
        let line = line.split(['>', '|']).next().unwrap_or_default();
        let mut words = Vec::new();
        for (number, piece) in line.split('\'').enumerate() {
            match number % 2 {
                0 => words.extend(piece.split_whitespace().map(str::to_owned)),
                _ => words.push(piece.to_owned()),
            }
        }
        words
    }

    #[test]
    fn every_verb_has_an_example_that_can_be_typed() {
        fn look(command: &clap::Command) {
            for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
                let help = verb.get_after_long_help().map(ToString::to_string).unwrap_or_default();
                let examples: Vec<&str> = help.split("Example:\n").nth(1).unwrap_or_default().lines().collect();
                assert!(!examples.is_empty(), "`{}` has no example", verb.get_name());
                for example in examples {
                    assert!(example.contains(verb.get_name()), "{example}");
                    let parsed = Cli::try_parse_from(words(example));
                    assert!(parsed.is_ok(), "{example}: {}", parsed.err().map(|error| error.to_string()).unwrap_or_default());
                }
                look(verb);
            }
        }
        look(&Cli::command());
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_default() {
        let both = [("LITHOUSE_URL", "http://far:1"), ("LITHOUSE_DATA", "/of/env")];
        assert_eq!(address(&["apps"], &[]), "data/control.sock");
        assert_eq!(address(&["apps"], &both[1..]), "/of/env/control.sock");
        assert_eq!(address(&["apps"], &[("STREAMLIT_HOST_DATA", "/older")]), "/older/control.sock");
        assert_eq!(address(&["apps"], &both), "http://far:1");
        assert_eq!(address(&["--data", "/typed", "apps"], &both), "/typed/control.sock");
        assert_eq!(address(&["apps", "--url", "http://near:2/"], &both), "http://near:2");
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        assert_eq!(address(&["apps"], &[("LITHOUSE_URL", ""), ("LITHOUSE_DATA", "")]), "data/control.sock");
    }

    #[test]
    fn a_server_is_named_once() {
        assert!(resolved(&["apps", "--url", "http://a", "--data", "b"], &[]).is_err());
        assert!(resolved(&["serve", "--url", "http://a"], &[]).is_err());
        assert!(resolved(&["--url", "http://a", "serve"], &[]).is_err());
    }

    #[test]
    fn the_keeper_is_told_its_folder() {
        let Ok(Invocation::Keeper { data }) = resolved(&["keeper", "--data", "/d"], &[]) else { panic!() };
        assert_eq!(data, PathBuf::from("/d"));
    }
}
