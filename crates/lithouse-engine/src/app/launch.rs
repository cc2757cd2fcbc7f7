// SPDX-License-Identifier: Apache-2.0
//! How an app is started: program, arguments, and the whole of its environment.

use std::collections::BTreeMap;
use std::path::Path;

use lithouse_core::id::{InstanceId, ReleaseNumber};
use lithouse_core::limits::Limits;

use super::{AppTask, Launchable, command};
use crate::keeper::{Launch, LaunchLimits};
use crate::ports::Port;
use crate::probe::Health;

/// What an app may have of the server's environment. Everything else stays with us.
const PASSED_ON: [&str; 7] = ["LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"];
/// How an app reaches the outside where that takes a proxy.
const PROXIES: [&str; 6] = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SHELL: &str = "/bin/sh";

impl AppTask {
    /// The app's path on our port, without a final slash.
    pub(super) fn base_path(&self) -> String {
        format!("/apps/{}", self.record.path_name())
    }

    pub(super) fn health(&self) -> Health {
        Health { path: format!("{}/_stcore/health", self.base_path()), body: "ok" }
    }

    /// What it may take: its own limits, and where it has none those of all apps.
    pub(super) fn may_take(&self) -> Limits {
        self.record.limits.or(self.shared.settings.limits)
    }

    pub(super) fn launch(&self, instance: &InstanceId, release: ReleaseNumber, launchable: &Launchable, port: &Port) -> Launch {
        let home = &self.shared.home;
        let command = self.record.recipe.command.as_deref();
        let (program, args) = match (command, &launchable.venv) {
            (Some(line), _) => (SHELL.into(), vec!["-c".to_owned(), command::shell_line(line)]),
            (None, venv) => {
                let launcher = self.shared.launcher.to_string_lossy().into_owned();
                let python = venv.as_deref().unwrap_or(Path::new("/usr")).join("bin/python");
                (python, vec![launcher, "streamlit".to_owned(), launchable.entry.clone()])
            }
        };
        Launch {
            instance: instance.clone(),
            app: self.id().clone(),
            release,
            program,
            args,
            env: self.environment(launchable.venv.as_deref(), port),
            cwd: self.record.folder.clone().unwrap_or_else(|| home.release(self.id(), release)),
            listen: command.is_none().then(|| port.address()),
            binds: command.is_some().then(|| port.address()),
            log: home.run_log(self.record.log_name()),
            log_limits: self.shared.settings.log_limits,
            may_take: self.may_take(),
            limits: LaunchLimits::default(),
            run_as: launchable.user.clone(),
        }
    }

    fn environment(&self, venv: Option<&Path>, port: &Port) -> BTreeMap<String, String> {
        let state = self.shared.home.state(self.id()).to_string_lossy().into_owned();
        let mut env: BTreeMap<String, String> = PASSED_ON
            .iter()
            .chain(&PROXIES)
            .filter_map(|name| std::env::var(name).ok().map(|value| ((*name).to_owned(), value)))
            .collect();
        let mut set = |name: &str, value: &str| env.insert(name.to_owned(), value.to_owned());
        match venv.map(Path::to_string_lossy) {
            Some(venv) => {
                set("PATH", &format!("{venv}/bin:{SYSTEM_PATH}"));
                set("VIRTUAL_ENV", &venv);
            }
            None => {
                set("PATH", SYSTEM_PATH);
            }
        }
        set("HOME", &state);
        if self.record.recipe.command.is_some() {
            // What it prints should be in its log when it is printed. Of Streamlit the launcher takes care.
            set("PYTHONUNBUFFERED", "1");
        }
        for (name, value) in &self.record.env {
            set(name, value);
        }
        set("PORT", &port.number().to_string());
        set("LITHOUSE_APP_ID", self.id().as_str());
        set("LITHOUSE_APP_DATA", &state);
        set("LITHOUSE_APP_PREFIX", &self.base_path());
        set("LITHOUSE_APP_URL", &format!("{}{}/", self.shared.settings.public_url, self.base_path()));
        if self.record.recipe.command.is_none() {
            env.extend(self.streamlit_settings(port));
        }
        env
    }

    fn streamlit_settings(&self, port: &Port) -> impl Iterator<Item = (String, String)> {
        let (public_host, public_port) = &self.shared.settings.public_address;
        let settings = [
            ("SERVER_PORT", port.number().to_string()),
            ("SERVER_ADDRESS", "127.0.0.1".to_owned()),
            ("SERVER_BASE_URL_PATH", self.base_path()),
            ("SERVER_HEADLESS", "true".to_owned()),
            ("SERVER_FILE_WATCHER_TYPE", "none".to_owned()),
            ("SERVER_RUN_ON_SAVE", "false".to_owned()),
            ("SERVER_COOKIE_SECRET", self.record.cookie_secret.clone()),
            ("BROWSER_GATHER_USAGE_STATS", "false".to_owned()),
            ("GLOBAL_DEVELOPMENT_MODE", "false".to_owned()),
            ("BROWSER_SERVER_ADDRESS", public_host.clone()),
            ("BROWSER_SERVER_PORT", public_port.to_string()),
        ];
        settings.into_iter().map(|(name, value)| (format!("STREAMLIT_{name}"), value))
    }
}
