// SPDX-License-Identifier: Apache-2.0
//! `[hosting]`: how apps are built and run.

use std::path::PathBuf;
use std::time::Duration;

use lithouse_core::limits::{Cores, LEAST_MEMORY, Limits};

use super::declare::Flag::{Named, Position, Switch as FlagOf};
use super::declare::Otherwise::{Found, Text};
use super::declare::section;
use super::limits::{OpenFiles, Processes};
use super::reader::{Count, Folder, Maybe, OneOf, PortRange, Ports, Program, Seconds, Share, Size, Switch, Word};

section! {
    /// How apps are built and run.
    pub(crate) struct Hosting in "hosting" {
        /// Folder of apps to serve in place, one folder each.
        folder: Option<PathBuf> as Maybe<Folder> {
            env: &["LITHOUSE_APPS"],
            flag: Position("APPS_DIR"),
            default: Found("./apps if there", |around| Some(around.folder.join("apps")).filter(|apps| apps.is_dir())),
        }
        /// Whether changes of the folder and of the configuration are taken by themselves.
        ///
        /// Without it, `lithouse refresh` takes them. With it they are taken about two seconds after the last one.
        watch: bool as Switch {
            env: &["LITHOUSE_WATCH"],
            flag: FlagOf("watch"),
            default: Text("false"),
        }
        /// Internal ports of the apps.
        port_range: PortRange as Ports {
            env: &["LITHOUSE_PORT_RANGE"],
            flag: Named("port-range", "FIRST-LAST"),
            default: Text("8501-8999"),
        }
        /// How the server reaches the apps: `tcp`, on ports of 127.0.0.1.
        transport: Transport as OneOf<Transport> {
            env: &["LITHOUSE_TRANSPORT"],
            default: Text("tcp"),
        }
        /// Python that environments are made of, 3.10 or newer.
        python: Option<PathBuf> as Maybe<Program> {
            env: &["LITHOUSE_PYTHON"],
            flag: Named("python", "PATH"),
            default: Found("the newest in PATH from 3.10 on", |_| None),
        }
        /// The uv that builds environments, 0.5.0 or newer.
        uv: Option<PathBuf> as Maybe<Program> {
            env: &["LITHOUSE_UV"],
            flag: Named("uv", "PATH"),
            default: Found("the one in PATH, else installed", |_| None),
        }
        /// How long the build of an environment may take before it is ended.
        build_timeout: Duration as Seconds<1, 86_400> {
            env: &["LITHOUSE_BUILD_TIMEOUT"],
            default: Text("30m"),
        }
        /// How long an app may take to become healthy.
        start_timeout: Duration as Seconds<1, 86_400> {
            flag: Named("start-timeout", "TIME"),
            default: Text("120s"),
        }
        /// How long an app may take to end before it is killed.
        stop_grace: Duration as Seconds<0, 86_400> {
            flag: Named("stop-grace", "TIME"),
            default: Text("10s"),
        }
        /// How many of its newest releases an app keeps.
        ///
        /// The active release, one on its way, the one whose files are edited and the last other one that served are kept in any case.
        keep_releases: usize as Count<1, 100_000> {
            env: &["LITHOUSE_KEEP_RELEASES"],
            default: Text("10"),
        }
        /// Memory that an app may take, with all that it starts, unless it has a limit of its own.
        memory: Option<u64> as Maybe<Size<LEAST_MEMORY>> {
            env: &["LITHOUSE_APP_MEMORY"],
            default: Found("none", |_| None),
        }
        /// Processor time that an app may take, in cores, unless it has a limit of its own.
        cpu: Option<Cores> as Maybe<Share> {
            env: &["LITHOUSE_APP_CPU"],
            default: Found("none", |_| None),
        }
        /// Processes and threads that an app may have, unless it has a limit of its own.
        processes: Option<u32> as Maybe<Processes> {
            env: &["LITHOUSE_APP_PROCESSES"],
            default: Found("none", |_| None),
        }
        /// Open files and connections that each process of an app may have, unless the app has a limit of its own.
        open_files: Option<u32> as Maybe<OpenFiles> {
            env: &["LITHOUSE_APP_OPEN_FILES"],
            default: Found("that of the server", |_| None),
        }
    }
}

impl Hosting {
    /// What each app may take that has no limit of its own.
    pub(crate) fn limits(&self) -> Limits {
        Limits { memory: self.memory, cpu: self.cpu, processes: self.processes, open_files: self.open_files }
    }
}

/// How the server reaches the apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// On ports of the loopback address.
    Tcp,
}

impl Word for Transport {
    const WORDS: &'static [(&'static str, Option<Self>)] = &[("tcp", Some(Self::Tcp)), ("unix", None)];
}
