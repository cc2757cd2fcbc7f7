// SPDX-License-Identifier: Apache-2.0
//! The environment variables of a build: an allowlist of the server's own, with pip's settings translated to uv's.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::pip::PipSettings;

/// Passed on as they are.
const NAMES: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "NETRC",
    "LD_LIBRARY_PATH",
    "SOURCE_DATE_EPOCH",
    // The way to the network.
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CLIENT_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSH_AUTH_SOCK",
    // What compilers and their helpers look at.
    "CC",
    "CXX",
    "CPP",
    "FC",
    "F77",
    "AR",
    "AS",
    "LD",
    "NM",
    "RANLIB",
    "STRIP",
    "CFLAGS",
    "CXXFLAGS",
    "CPPFLAGS",
    "FFLAGS",
    "LDFLAGS",
    "MAKE",
    "MAKEFLAGS",
    "ARCHFLAGS",
    "LIBRARY_PATH",
    "CPATH",
    "C_INCLUDE_PATH",
    "CPLUS_INCLUDE_PATH",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTFLAGS",
    "CUDA_HOME",
    "JAVA_HOME",
    // Where a `python3` of pyenv leads to.
    "PYENV_ROOT",
    "PYENV_VERSION",
];
/// Passed on where a name starts so.
const PREFIXES: &[&str] = &["LC_", "UV_", "XDG_", "SSL_CERT_", "GIT_SSL_", "GIT_SSH", "GIT_CONFIG", "PKG_CONFIG", "CMAKE_"];
/// Settings of uv that are for another purpose (publishing, whole projects, choice of Python) and would bend our own commands.
const UV_PREFIXES_KEPT_OUT: &[&str] =
    &["UV_PUBLISH_", "UV_PYTHON", "UV_PROJECT", "UV_VENV_", "UV_TOOL_", "UV_INSTALL", "UV_TEST_"];
const UV_NAMES_KEPT_OUT: &[&str] = &[
    "UV_ACTIVE",
    "UV_BREAK_SYSTEM_PACKAGES",
    "UV_COMPILE_BYTECODE",
    "UV_CUSTOM_COMPILE_COMMAND",
    "UV_DEV",
    "UV_EDITABLE",
    "UV_FROZEN",
    "UV_ISOLATED",
    "UV_LOCKED",
    "UV_MANAGED_PYTHON",
    "UV_NO_DEV",
    "UV_NO_EDITABLE",
    "UV_NO_MANAGED_PYTHON",
    "UV_NO_SYNC",
    "UV_PREFIX",
    "UV_SYSTEM_PYTHON",
    "UV_TARGET",
    "UV_WORKING_DIR",
    "UV_WORKING_DIRECTORY",
];

/// A set of environment variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<OsString, OsString>);

impl Variables {
    /// Those of this process.
    pub fn ambient() -> Self {
        std::env::vars_os().collect()
    }

    /// Sets one.
    #[must_use]
    pub fn with(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// All of them, by name.
    pub fn iter(&self) -> std::collections::btree_map::Iter<'_, OsString, OsString> {
        self.0.iter()
    }

    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    fn set_default(&mut self, name: &str, value: impl FnOnce() -> Option<String>) {
        if self.get(name).is_none()
            && let Some(value) = value()
        {
            self.0.insert(name.into(), value.into());
        }
    }

    /// The folders of `PATH`, the absolute ones only.
    pub(super) fn search_path(&self) -> Vec<PathBuf> {
        let path = self.get("PATH").unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
        std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect()
    }

    /// What pip itself would see, to fetch uv with.
    pub(super) fn for_pip(&self) -> Self {
        let passes = |name: &OsStr| name.to_str().is_some_and(|name| is_allowed(name) || name.starts_with("PIP_"));
        self.0.iter().filter(|(name, _)| passes(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// What uv and the build scripts that it runs see.
    pub(super) fn for_builds(&self) -> Self {
        let passes = |name: &OsStr| name.to_str().is_some_and(is_allowed);
        let mut build: Self =
            self.0.iter().filter(|(name, _)| passes(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
        let pip = PipSettings::read(self);
        // An index that is configured for uv itself, in either of its two spellings, says more than one configured for pip.
        if build.get("UV_INDEX_URL").is_none() {
            build.set_default("UV_DEFAULT_INDEX", || pip.first("index-url"));
        }
        if build.get("UV_INDEX").is_none() {
            build.set_default("UV_EXTRA_INDEX_URL", || pip.words("extra-index-url", " "));
        }
        build.set_default("UV_FIND_LINKS", || pip.words("find-links", ",").and_then(|places| only_there(&places)));
        build.set_default("UV_INSECURE_HOST", || pip.words("trusted-host", " "));
        build.set_default("UV_CONSTRAINT", || pip.words("constraint", " "));
        build.set_default("UV_HTTP_TIMEOUT", || pip.first("timeout").or_else(|| pip.first("default-timeout")));
        build.set_default("UV_NO_INDEX", || pip.first("no-index").filter(|value| is_true(value)).map(|_| "1".to_owned()));
        build.set_default("SSL_CERT_FILE", || pip.first("cert"));
        build.set_default("SSL_CLIENT_CERT", || pip.first("client-cert"));
        if build.get("https_proxy").is_none() && build.get("all_proxy").is_none() {
            build.set_default("HTTPS_PROXY", || pip.first("proxy"));
            build.set_default("HTTP_PROXY", || pip.first("proxy"));
        }
        // Bytecode of a large package may need longer on a busy machine than uv would wait.
        build.set_default("UV_COMPILE_BYTECODE_TIMEOUT", || Some("600".to_owned()));
        build
            .with("UV_PYTHON_DOWNLOADS", "never")
            .with("UV_PYTHON_PREFERENCE", "system")
            .with("UV_NO_PROGRESS", "1")
            .with("NO_COLOR", "1")
            .with("GIT_TERMINAL_PROMPT", "0")
            .with("PYTHONUTF8", "1")
    }
}

fn is_allowed(name: &str) -> bool {
    let kept_out = UV_NAMES_KEPT_OUT.contains(&name) || UV_PREFIXES_KEPT_OUT.iter().any(|prefix| name.starts_with(prefix));
    !kept_out && (NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

/// The places of wheels without folders that are not there: pip passes over them, uv would fail.
fn only_there(places: &str) -> Option<String> {
    let kept: Vec<&str> = places.split(',').filter(|place| place.contains("://") || Path::new(place).exists()).collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

fn is_true(value: &str) -> bool {
    ["1", "true", "yes", "on"].contains(&value.to_lowercase().as_str())
}

impl FromIterator<(OsString, OsString)> for Variables {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Variables {
    type Item = (&'a OsString, &'a OsString);
    type IntoIter = std::collections::btree_map::Iter<'a, OsString, OsString>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(variables: &Variables, name: &str) -> Option<String> {
        variables.get(name)?.to_str().map(str::to_owned)
    }

    fn only(pairs: &[(&str, &str)]) -> Variables {
        let none = Variables::default().with("PIP_CONFIG_FILE", "/dev/null");
        pairs.iter().fold(none, |variables, (name, value)| variables.with(*name, *value))
    }

    #[test]
    fn builds_see_nothing_of_the_server_or_of_its_apps() {
        let ambient = only(&[
            ("PATH", "/bin"),
            ("LITHOUSE_TOKEN", "secret"),
            ("STREAMLIT_SERVER_PORT", "1"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("PYTHONPATH", "/x"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("UV_PUBLISH_TOKEN", "secret"),
            ("UV_PROJECT_ENVIRONMENT", "/x"),
            ("UV_PYTHON", "3.9"),
            ("VIRTUAL_ENV", "/x"),
        ]);
        let build = ambient.for_builds();
        for name in ["LITHOUSE_TOKEN", "STREAMLIT_SERVER_PORT", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "AWS_SECRET_ACCESS_KEY"]
        {
            assert_eq!(build.get(name), None, "{name}");
        }
        for name in ["UV_PUBLISH_TOKEN", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "VIRTUAL_ENV"] {
            assert_eq!(build.get(name), None, "{name}");
        }
        assert_eq!(text(&build, "PATH").as_deref(), Some("/bin"));
        assert_eq!(text(&build, "UV_PYTHON_DOWNLOADS").as_deref(), Some("never"));
    }

    #[test]
    fn the_settings_of_pip_become_those_of_uv() {
        let build = only(&[
            ("PIP_INDEX_URL", "https://mirror/simple"),
            ("PIP_EXTRA_INDEX_URL", "https://a/simple  https://b/simple"),
            ("PIP_FIND_LINKS", "/tmp /no/such/folder https://c/"),
            ("PIP_CERT", "/ca.pem"),
            ("PIP_NO_INDEX", "0"),
            ("PIP_TIMEOUT", "99"),
        ])
        .for_builds();
        assert_eq!(text(&build, "UV_DEFAULT_INDEX").as_deref(), Some("https://mirror/simple"));
        assert_eq!(text(&build, "UV_EXTRA_INDEX_URL").as_deref(), Some("https://a/simple https://b/simple"));
        assert_eq!(text(&build, "UV_FIND_LINKS").as_deref(), Some("/tmp,https://c/"));
        assert_eq!(text(&build, "SSL_CERT_FILE").as_deref(), Some("/ca.pem"));
        assert_eq!(text(&build, "UV_HTTP_TIMEOUT").as_deref(), Some("99"));
        assert_eq!(build.get("UV_NO_INDEX"), None);
        assert_eq!(build.get("PIP_INDEX_URL"), None);
    }

    #[test]
    fn what_is_set_for_uv_wins_over_what_is_set_for_pip() {
        let build = only(&[
            ("PIP_INDEX_URL", "https://pip/simple"),
            ("UV_INDEX_URL", "https://uv/simple"),
            ("PIP_CERT", "/pip.pem"),
            ("SSL_CERT_FILE", "/uv.pem"),
        ])
        .for_builds();
        assert_eq!(build.get("UV_DEFAULT_INDEX"), None);
        assert_eq!(text(&build, "UV_INDEX_URL").as_deref(), Some("https://uv/simple"));
        assert_eq!(text(&build, "SSL_CERT_FILE").as_deref(), Some("/uv.pem"));
    }
}
