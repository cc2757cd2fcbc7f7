// SPDX-License-Identifier: Apache-2.0
//! Reads how the user has configured pip, in its files and its variables. uv looks at neither.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::variables::Variables;

/// The settings that hold for `pip install`, by their long option's name.
#[derive(Debug, Default)]
pub(super) struct PipSettings {
    values: HashMap<String, String>,
}

impl PipSettings {
    /// Reads the files in pip's own order (machine, user, `PIP_CONFIG_FILE`), then the `PIP_` variables; the later wins.
    pub(super) fn read(variables: &Variables) -> Self {
        let mut settings = Self::default();
        for path in files(variables) {
            if let Ok(text) = std::fs::read_to_string(path) {
                settings.take_file(&text);
            }
        }
        for (name, value) in variables {
            if let (Some(name), Some(value)) = (name.to_str().and_then(|name| name.strip_prefix("PIP_")), value.to_str())
                && !value.is_empty()
            {
                settings.values.insert(name.to_lowercase().replace('_', "-"), value.to_owned());
            }
        }
        settings
    }

    /// The first word of a setting.
    pub(super) fn first(&self, name: &str) -> Option<String> {
        self.values.get(name)?.split_whitespace().next().map(str::to_owned)
    }

    /// All words of a setting, joined anew.
    pub(super) fn words(&self, name: &str, separator: &str) -> Option<String> {
        let words: Vec<&str> = self.values.get(name)?.split_whitespace().collect();
        (!words.is_empty()).then(|| words.join(separator))
    }

    /// Takes `[global]` and then `[install]` of an INI file; indented lines continue the value above them.
    fn take_file(&mut self, text: &str) {
        for wanted in ["global", "install"] {
            let mut is_wanted = false;
            let mut last: Option<String> = None;
            for line in text.lines() {
                let content = line.trim();
                if content.is_empty() || content.starts_with(['#', ';']) {
                    continue;
                }
                if line.starts_with([' ', '\t'])
                    && let Some(name) = &last
                {
                    if let Some(value) = self.values.get_mut(name) {
                        value.push(' ');
                        value.push_str(content);
                    }
                    continue;
                }
                last = None;
                if let Some(section) = content.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                    is_wanted = section.trim() == wanted;
                } else if is_wanted && let Some((name, value)) = content.split_once(['=', ':']) {
                    let name = name.trim().to_lowercase().replace('_', "-");
                    self.values.insert(name.clone(), value.trim().to_owned());
                    last = Some(name);
                }
            }
        }
    }
}

fn files(variables: &Variables) -> Vec<PathBuf> {
    let named = variables.path("PIP_CONFIG_FILE");
    if named.as_deref() == Some(Path::new("/dev/null")) {
        return Vec::new();
    }
    let machine = variables.path("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".into());
    let mut files: Vec<PathBuf> = std::env::split_paths(&machine).map(|folder| folder.join("pip/pip.conf")).collect();
    // The first of these folders is the most important one, and the later file wins here.
    files.reverse();
    files.push("/etc/pip.conf".into());
    let home = variables.path("HOME");
    files.extend(home.as_ref().map(|home| home.join(".pip/pip.conf")));
    let config = variables.path("XDG_CONFIG_HOME").or_else(|| home.map(|home| home.join(".config")));
    files.extend(config.map(|config| config.join("pip/pip.conf")));
    files.extend(named);
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn install_wins_over_global_and_indented_lines_continue() {
        let mut settings = PipSettings::default();
        settings.take_file(
            "[install]\nindex-url = https://install/simple\n[download]\ncert = /no\n[global]\n# a note\nindex_url: https://global/simple\n\
             find-links =\n    /one\n    /two\nextra-index-url=https://a/simple\n",
        );
        assert_eq!(settings.first("index-url").as_deref(), Some("https://install/simple"));
        assert_eq!(settings.words("find-links", ",").as_deref(), Some("/one,/two"));
        assert_eq!(settings.words("extra-index-url", " ").as_deref(), Some("https://a/simple"));
        assert_eq!(settings.first("cert"), None);
    }

    #[test]
    fn the_users_file_wins_over_the_machines_and_a_variable_over_both() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            std::fs::write(path, text).expect("a file");
        };
        write("etc/pip/pip.conf", "[global]\nindex-url = https://machine/\ntimeout = 5\n");
        write("home/.config/pip/pip.conf", "[global]\nindex-url = https://user/\ncert = /user.pem\n");
        let variables = Variables::default()
            .with("XDG_CONFIG_DIRS", folder.path().join("etc"))
            .with("HOME", folder.path().join("home"))
            .with("PIP_CERT", "/variable.pem");
        let settings = PipSettings::read(&variables);
        assert_eq!(settings.first("index-url").as_deref(), Some("https://user/"));
        assert_eq!(settings.first("timeout").as_deref(), Some("5"));
        assert_eq!(settings.first("cert").as_deref(), Some("/variable.pem"));
    }
}
