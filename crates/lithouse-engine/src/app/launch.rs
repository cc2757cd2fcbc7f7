// SPDX-License-Identifier: Apache-2.0
//! How a Streamlit app is started: program, arguments, and the whole of its environment.

use std::collections::BTreeMap;
use std::path::Path;

use lithouse_core::id::{InstanceId, ReleaseNumber};

use super::{AppTask, Launchable};
use crate::keeper::{Launch, LaunchLimits};
use crate::ports::Port;
use crate::probe::Health;

/// What an app may have of the server's environment. Everything else stays with us.
const PASSED_ON: [&str; 7] = ["LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"];
/// How an app reaches the outside where that takes a proxy.
const PROXIES: [&str; 6] = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl AppTask {
    /// The app's path on our port, without a final slash.
    pub(super) fn base_path(&self) -> String {
        format!("/apps/{}", self.record.path_name())
    }

    pub(super) fn health(&self) -> Health {
        Health { path: format!("{}/_stcore/health", self.base_path()), body: "ok" }
    }

    pub(super) fn launch(&self, instance: &InstanceId, release: ReleaseNumber, launchable: &Launchable, port: &Port) -> Launch {
        let home = &self.shared.home;
        let cwd = self.record.folder.clone().unwrap_or_else(|| home.release(self.id(), release));
        Launch {
            instance: instance.clone(),
            app: self.id().clone(),
            release,
            program: launchable.venv.join("bin/python"),
            args: vec![self.shared.launcher.to_string_lossy().into_owned(), "streamlit".to_owned(), launchable.entry.clone()],
            env: self.environment(&launchable.venv, port),
            cwd,
            listen: Some(port.address()),
            log: home.run_log(self.record.log_name()),
            log_limits: self.shared.settings.log_limits,
            limits: LaunchLimits::default(),
        }
    }

    fn environment(&self, venv: &Path, port: &Port) -> BTreeMap<String, String> {
        let state = self.shared.home.state(self.id()).to_string_lossy().into_owned();
        let mut env: BTreeMap<String, String> = PASSED_ON
            .iter()
            .chain(&PROXIES)
            .filter_map(|name| std::env::var(name).ok().map(|value| ((*name).to_owned(), value)))
            .collect();
        let venv = venv.to_string_lossy();
        let mut set = |name: &str, value: &str| env.insert(name.to_owned(), value.to_owned());
        set("PATH", &format!("{venv}/bin:{SYSTEM_PATH}"));
        set("VIRTUAL_ENV", &venv);
        set("HOME", &state);
        for (name, value) in &self.record.env {
            set(name, value);
        }
        set("PORT", &port.number().to_string());
        set("LITHOUSE_APP_ID", self.id().as_str());
        set("LITHOUSE_APP_DATA", &state);
        set("LITHOUSE_APP_PREFIX", &self.base_path());
        set("STREAMLIT_SERVER_PORT", &port.number().to_string());
        set("STREAMLIT_SERVER_ADDRESS", "127.0.0.1");
        set("STREAMLIT_SERVER_BASE_URL_PATH", &self.base_path());
        set("STREAMLIT_SERVER_HEADLESS", "true");
        set("STREAMLIT_SERVER_FILE_WATCHER_TYPE", "none");
        set("STREAMLIT_SERVER_RUN_ON_SAVE", "false");
        set("STREAMLIT_SERVER_COOKIE_SECRET", &self.record.cookie_secret);
        set("STREAMLIT_BROWSER_GATHER_USAGE_STATS", "false");
        set("STREAMLIT_GLOBAL_DEVELOPMENT_MODE", "false");
        let (host, port) = &self.shared.settings.public_address;
        set("STREAMLIT_BROWSER_SERVER_ADDRESS", host);
        set("STREAMLIT_BROWSER_SERVER_PORT", &port.to_string());
        env
    }
}
