// SPDX-License-Identifier: Apache-2.0
//! The programs that builds and apps need.

use std::process::{Command, Stdio};

use lithouse_engine::environment::{Variables, survey};
use lithouse_engine::home::Home;

use super::Check;
use crate::config::Config;

pub(super) async fn python(config: &Config) -> Check {
    const NAME: &str = "python";
    match survey::python(config.hosting.python.as_deref(), &Variables::ambient()).await {
        Ok(found) => Check::ok(NAME, format!("{} at `{}`", found.version, found.path.display())),
        Err(error) if config.hosting.python.is_some() => {
            Check::fail(NAME, error.to_string(), "name another with `--python`, or leave `hosting.python` out")
        }
        Err(error) => Check::fail(NAME, error.to_string(), install("python3", "python")),
    }
}

pub(super) async fn uv(config: &Config) -> Check {
    const NAME: &str = "uv";
    let home = Home::at(&config.server.data);
    match survey::uv(config.hosting.uv.as_deref(), &home, &Variables::ambient()).await {
        Ok(Some(found)) => Check::ok(NAME, format!("{} at `{}`", found.version, found.path.display())),
        Ok(None) => {
            let place = home.tools();
            let detail =
                format!("none found; the first build installs one into `{}`, for which it needs the network", place.display());
            Check::warn(NAME, detail, "pip install uv")
        }
        Err(error) => Check::fail(NAME, error.to_string(), "name another with `--uv`, or leave `hosting.uv` out"),
    }
}

pub(super) fn git() -> Check {
    const NAME: &str = "git";
    let asked = Command::new("git").arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let said = asked.ok().filter(|answer| answer.status.success()).and_then(|answer| String::from_utf8(answer.stdout).ok());
    match said.as_deref().and_then(|said| said.trim().strip_prefix("git version ")) {
        Some(version) => Check::ok(NAME, version),
        None => Check::warn(NAME, "none found; requirements that name a git repository cannot be built", install("git", "git")),
    }
}

/// The command that installs a package here, by its name elsewhere and on Arch.
fn install(package: &str, on_arch: &str) -> String {
    const MANAGERS: [(&str, &str); 5] = [
        ("apt-get", "sudo apt-get install"),
        ("dnf", "sudo dnf install"),
        ("pacman", "sudo pacman -S"),
        ("zypper", "sudo zypper install"),
        ("apk", "sudo apk add"),
    ];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_here = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    match MANAGERS.iter().find(|(manager, _)| is_here(manager)) {
        Some(("pacman", command)) => format!("{command} {on_arch}"),
        Some((_, command)) => format!("{command} {package}"),
        None => format!("install `{package}` with the package manager of this machine"),
    }
}
