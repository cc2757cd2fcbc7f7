// SPDX-License-Identifier: Apache-2.0
//! The text of the units.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How long the server may take beyond the apps' grace.
const BEYOND_GRACE: Duration = Duration::from_secs(30);

/// What the units are made of.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) program: PathBuf,
    /// Where relative paths of the arguments begin.
    pub(super) folder: PathBuf,
    pub(super) data: PathBuf,
    pub(super) listen: SocketAddr,
    pub(super) grace: Duration,
    /// Where uv and Python are looked for.
    pub(super) path: String,
    pub(super) arguments: Vec<OsString>,
    pub(super) is_users: bool,
    pub(super) has_socket: bool,
}

impl Unit {
    /// `lithouse.service`.
    pub(super) fn service(&self) -> String {
        let program = quoted(self.program.as_os_str());
        let data = quoted(self.data.as_os_str());
        let arguments: Vec<String> = self.arguments.iter().map(|argument| quoted(argument)).collect();
        let arguments = arguments.join(" ");
        let stop = (self.grace + BEYOND_GRACE).as_secs();
        // A user's own manager knows no network target, has no such rights, and has a target of its own.
        let (network, protection, target) = if self.is_users {
            ("", "", "default.target")
        } else {
            ("After=network-online.target\nWants=network-online.target\n", "ProtectSystem=full\n", "multi-user.target")
        };
        let socket = if self.has_socket { "Requires=lithouse.socket\nAfter=lithouse.socket\n" } else { "" };
        let (folder, path) = (escaped(&self.folder.to_string_lossy()), quoted(OsStr::new(&format!("PATH={}", self.path))));
        format!(
            "\
[Unit]
Description=Lithouse, every Python app of the team behind one port
{network}{socket}
[Service]
# The server says when it answers, and its successor that it is the main process now.
Type=notify
NotifyAccess=all
ExecStart={program} {arguments}
ExecReload={program} restart --server --data={data}
ExecStop={program} stop --data={data}
WorkingDirectory={folder}
Environment={path}
Restart=on-failure
RestartSec=2
# Apps live on when the server is killed, and are found again; `stop` ends them.
KillMode=process
# Limits of apps and snippets need control groups of our own, beside the server's so that it can be started again while apps live.
# (A systemd older than 254 passes over the second line with a warning; the groups are outside of the unit's then.)
Delegate=yes
DelegateSubgroup=server
OOMPolicy=continue
LimitNOFILE=65536
TimeoutStartSec=300
TimeoutStopSec={stop}
{protection}
[Install]
WantedBy={target}
"
        )
    }

    /// `lithouse.socket`.
    pub(super) fn socket(&self) -> String {
        format!(
            "\
[Unit]
Description=Where Lithouse listens

[Socket]
ListenStream={}
NoDelay=yes
Backlog=4096

[Install]
WantedBy=sockets.target
",
            self.listen
        )
    }
}

/// A word of a command line as systemd reads it.
fn quoted(word: &OsStr) -> String {
    let word = escaped(&word.to_string_lossy()).replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$");
    let is_plain =
        !word.is_empty() && word.chars().all(|character| character.is_ascii_alphanumeric() || "/._-=:,+@%".contains(character));
    if is_plain { word } else { format!("\"{word}\"") }
}

/// A text without what systemd would fill in.
fn escaped(text: &str) -> String {
    text.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_systemd_reads_them() {
        let told = |word: &str| quoted(OsStr::new(word));
        assert_eq!(told("/usr/bin/lithouse"), "/usr/bin/lithouse");
        assert_eq!(told("--data=/srv/my apps"), "\"--data=/srv/my apps\"");
        assert_eq!(told("100%"), "100%%");
        assert_eq!(told("a\"b\\c$d"), "\"a\\\"b\\\\c$$d\"");
        assert_eq!(told(""), "\"\"");
    }
}
