// SPDX-License-Identifier: Apache-2.0
//! `service`: the server under systemd.

mod unit;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::failure::Failure;
use super::output;
use super::serve::ServeFlags;
use crate::config::Config;
use unit::Unit;

/// What is done with the units.
#[derive(Debug, Subcommand)]
pub(super) enum ServiceVerb {
    /// Print the units
    #[command(after_long_help = "Example:\n  lithouse service print --data /var/lib/lithouse")]
    Print(PrintArgs),
    /// Write the units to where systemd looks for them; tell what to run next
    ///
    /// A unit that is there already and says something else stays as it is, unless `--force` is said.
    #[command(after_long_help = "Example:\n  lithouse service install --data /var/lib/lithouse --listen 127.0.0.1:8080")]
    Install(InstallArgs),
}

/// What the service is.
#[derive(Debug, Args)]
pub(super) struct ServiceArgs {
    #[command(flatten)]
    pub(super) serve: ServeFlags,
    /// For the service manager of this user, instead of the machine's
    #[arg(long)]
    user: bool,
    /// With a socket unit: systemd listens, and starts the server with the first connection
    #[arg(long)]
    socket: bool,
}

/// What is printed, and how.
#[derive(Debug, Args)]
pub(super) struct PrintArgs {
    #[command(flatten)]
    pub(super) service: ServiceArgs,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What is installed, and over what.
#[derive(Debug, Args)]
pub(super) struct InstallArgs {
    #[command(flatten)]
    pub(super) service: ServiceArgs,
    /// Replace units that say something else
    #[arg(long)]
    force: bool,
}

/// What is asked for, with all that it is made of.
#[derive(Debug)]
pub(crate) struct Service {
    units: Vec<(&'static str, String)>,
    is_users: bool,
    /// None where they are only printed.
    install: Option<Install>,
    /// Whether programs read it.
    pub(super) json: bool,
}

#[derive(Debug)]
struct Install {
    force: bool,
}

impl ServiceVerb {
    /// Whether its output is for a program.
    pub(super) fn is_for_program(&self) -> bool {
        matches!(self, Self::Print(PrintArgs { json: true, .. }))
    }

    /// The flags of the server.
    pub(super) fn serve(&self) -> &ServeFlags {
        match self {
            Self::Print(args) => &args.service.serve,
            Self::Install(args) => &args.service.serve,
        }
    }

    /// The units of a server that goes by this.
    pub(super) fn service(&self, config: &Config, arguments: &[std::ffi::OsString]) -> std::io::Result<Service> {
        let (args, install) = match self {
            Self::Print(args) => (&args.service, None),
            Self::Install(args) => (&args.service, Some(Install { force: args.force })),
        };
        let unit = Unit {
            program: std::env::current_exe()?,
            folder: std::env::current_dir()?,
            data: std::path::absolute(&config.server.data)?,
            listen: config.server.listen,
            grace: config.hosting.stop_grace,
            path: std::env::var("PATH").unwrap_or_default(),
            arguments: arguments.to_vec(),
            is_users: args.user,
            has_socket: args.socket,
        };
        let mut units = vec![("lithouse.service", unit.service())];
        if args.socket {
            units.push(("lithouse.socket", unit.socket()));
        }
        Ok(Service { units, is_users: args.user, install, json: self.is_for_program() })
    }
}

/// Prints or writes them.
pub(super) fn run(service: &Service) -> Result<(), Failure> {
    let Some(install) = &service.install else { return print(service) };
    let folder = folder(service.is_users).ok_or(Failure::NoHome)?;
    std::fs::create_dir_all(&folder).map_err(|source| Failure::Unit { path: folder.clone(), source })?;
    let paths: Vec<PathBuf> = service.units.iter().map(|(name, _)| folder.join(name)).collect();
    for (path, (_, text)) in paths.iter().zip(&service.units) {
        let is_other = std::fs::read_to_string(path).is_ok_and(|there| there != *text);
        if is_other && !install.force {
            return Err(Failure::UnitIsThere(path.clone()));
        }
    }
    for (path, (_, text)) in paths.iter().zip(&service.units) {
        write(path, text).map_err(|source| Failure::Unit { path: path.clone(), source })?;
        output::line(&output::plain(&path.display().to_string()))?;
    }
    let systemctl = if service.is_users { "systemctl --user" } else { "systemctl" };
    let first = service.units.last().map_or("lithouse.service", |(name, _)| name);
    output::note("next:");
    output::note(&format!("  {systemctl} daemon-reload"));
    output::note(&format!("  {systemctl} enable --now {first}"));
    if service.is_users {
        output::note("  loginctl enable-linger    # to run while nobody is signed in");
    }
    Ok(())
}

fn print(service: &Service) -> Result<(), Failure> {
    if service.json {
        let units: Vec<_> = service.units.iter().map(|(name, text)| json!({ "name": name, "text": text })).collect();
        return output::line(&format!("{:#}", json!({ "units": units })));
    }
    let texts: Vec<String> = service.units.iter().map(|(name, text)| format!("# {name}\n{text}")).collect();
    output::line(texts.join("\n").trim_end())
}

/// In one step, so that nobody reads half of it.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)
}

fn folder(is_users: bool) -> Option<PathBuf> {
    if !is_users {
        return Some(PathBuf::from("/etc/systemd/system"));
    }
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(config.join("systemd/user"))
}
