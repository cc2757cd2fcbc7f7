// SPDX-License-Identifier: Apache-2.0
//! Checks of what the text of any file says.

use std::path::Path;

use super::Finding;
use super::repository::{Repository, TextFile};

/// Put together here, so that this file does not find itself.
const LATER: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

const REGISTRY_HOSTS: [&str; 7] = [
    concat!("registry.npm", "js.org"),
    concat!("registry.yarn", "pkg.com"),
    concat!("registry.npm", "mirror.com"),
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("files.python", "hosted.org"),
    concat!("pypi.org", "/simple"),
];

/// Calls that wait for time to pass instead of a fact.
const SLEEPS: [&str; 2] = [concat!("sleep", "("), concat!("waitForTime", "out(")];

/// People who live in examples.
const EXAMPLE_USERS: [&str; 6] = ["user", "you", "me", "ana", "app", "lithouse"];

/// Folders that hold repositories of anybody.
const COMMON_FOLDERS: [&str; 10] = ["/", "/tmp", "/var/tmp", "/home", "/root", "/opt", "/srv", "/usr/src", "/mnt", "/src"];

pub(super) fn nothing_is_left_to_do(repository: &Repository) -> Vec<Finding> {
    lines_with(&repository.files, |line| {
        let word = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').find(|word| LATER.contains(word))?;
        Some(format!("`{word}`"))
    })
}

pub(super) fn no_registry_hosts(repository: &Repository) -> Vec<Finding> {
    let mut findings = lines_with(&repository.files, |line| {
        REGISTRY_HOSTS.iter().find(|host| line.contains(**host)).map(|host| format!("`{host}`"))
    });
    let npm_locks = repository.files.iter().filter(|file| file.path.ends_with("package-lock.json"));
    findings.extend(lines_with(npm_locks, |line| {
        line.trim_start().starts_with("\"resolved\": \"http").then(|| "it says where a package was fetched".to_owned())
    }));
    let npm_settings = repository.files.iter().filter(|file| file.path.rsplit('/').next() == Some(".npmrc"));
    findings.extend(lines_with(npm_settings, |line| {
        line.trim_start().starts_with("registry").then(|| "it chooses a registry for everybody".to_owned())
    }));
    findings
}

pub(super) fn no_local_paths(repository: &Repository) -> Vec<Finding> {
    let home = std::env::var("HOME").unwrap_or_default();
    local_paths(&repository.files, &local_folders(&repository.root, Path::new(&home)))
}

/// The folders that only this machine has: the one the repository lies in, and what lies in the home folder.
fn local_folders(root: &Path, home: &Path) -> Vec<String> {
    let is_own = |folder: &&Path| !COMMON_FOLDERS.iter().any(|common| *folder == Path::new(common));
    let mut folders = vec![root.display().to_string()];
    folders.extend(root.parent().filter(is_own).map(|parent| format!("{}/", parent.display())));
    if home.is_absolute() && home != Path::new("/") {
        // Only its hidden folders, where tools live, are surely nobody else's: sandboxes speak of `/root` itself.
        folders.push(format!("{}/.", home.display()));
    }
    folders
}

fn local_paths(files: &[TextFile], folders: &[String]) -> Vec<Finding> {
    lines_with(files, |line| {
        let named = folders.iter().find(|folder| line.match_indices(folder.as_str()).any(|(at, _)| begins_a_path(line, at)));
        if let Some(folder) = named {
            return Some(format!("`{folder}` is a folder of this machine"));
        }
        [concat!("/ho", "me/"), concat!("/Us", "ers/")].iter().find_map(|homes| {
            let (_, after) = line.split_once(homes)?;
            let name: &str = after.split(|letter: char| !letter.is_alphanumeric() && !"-_.".contains(letter)).next()?;
            let is_example = name.is_empty() || EXAMPLE_USERS.contains(&name);
            let goes_on = after[name.len()..].starts_with('/');
            (goes_on && !is_example).then(|| format!("`{homes}{name}/` is somebody's home; take `{homes}user/` for an example"))
        })
    })
}

/// Whether a path begins here, rather than going on: `/a/` is no part of `crates/a/`.
fn begins_a_path(line: &str, at: usize) -> bool {
    !line[..at].ends_with(|letter: char| letter.is_alphanumeric() || "-_.}".contains(letter))
}

/// Whether a function of this name is called here: not one whose name only ends so, and not by a sample app in a string.
fn is_a_call(line: &str, at: usize) -> bool {
    let before = &line[..at];
    let begins_a_word = !before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
    let is_in_a_string = before.replace("\\\"", "").matches('"').count() % 2 == 1;
    begins_a_word && !is_in_a_string
}

pub(super) fn tests_do_not_sleep(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &repository.files {
        if !file.has_extension(&["rs", "py", "ts", "js", "mjs"]) {
            continue;
        }
        let is_test_file = ["tests", "e2e"].iter().any(|folder| file.is_within(folder));
        let lines: Vec<&str> = file.text.lines().collect();
        let tests_begin = if is_test_file { Some(0) } else { lines.iter().position(|line| line.trim() == "#[cfg(test)]") };
        let Some(tests_begin) = tests_begin else { continue };
        for (index, line) in lines.iter().enumerate().skip(tests_begin) {
            let has_comment = |line: &str| line.contains("// ") || line.contains("# ");
            let is_explained = has_comment(line) || (index > 0 && has_comment(lines[index - 1]));
            let sleeps = SLEEPS.iter().any(|sleep| line.match_indices(sleep).any(|(at, _)| is_a_call(line, at)));
            if sleeps && !is_explained {
                findings.push(Finding::new(file.at(index + 1), "wait for what should happen, or say why time itself must pass"));
            }
        }
    }
    findings
}

fn lines_with<'a>(files: impl IntoIterator<Item = &'a TextFile>, what: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let in_file = |file: &'a TextFile| {
        file.lines().filter_map(|(number, line)| Some(Finding::new(file.at(number), what(line)?))).collect::<Vec<_>>()
    };
    files.into_iter().flat_map(in_file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(findings: Vec<Finding>) -> Vec<String> {
        findings.into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn what_is_left_for_later_is_found_as_a_word() {
        let text = format!("// {0}: more\nmktemp /tmp/{2}{2}\n# {1}\n", LATER[0], LATER[1], LATER[2]);
        let found = nothing_is_left_to_do(&Repository::of(&[("a.sh", &text)]));
        assert_eq!(places(found), ["a.sh:1", "a.sh:3"]);
    }

    #[test]
    fn the_hosts_of_registries_are_found() {
        let lock = format!("\"version\": \"1\",\n  \"resolved\": \"https://{}/x.tgz\",\n", "mirror.example");
        let text = format!("see https://{}/x", REGISTRY_HOSTS[0]);
        let repository = Repository::of(&[
            ("console/package-lock.json", &lock),
            ("a.md", &text),
            (".npmrc", "registry=https://mirror.example"),
            ("b.json", &lock),
        ]);
        let found = no_registry_hosts(&repository);
        assert_eq!(places(found), ["a.md:1", "console/package-lock.json:2", ".npmrc:1"]);
    }

    #[test]
    fn folders_of_this_machine_are_found() {
        let folders = local_folders(Path::new("/farm/barn"), Path::new("/farmer"));
        assert_eq!(folders, ["/farm/barn", "/farm/", "/farmer/."]);
        assert_eq!(local_folders(Path::new("/tmp/barn"), Path::new("")), ["/tmp/barn"]);
        let text = "cd /farm/other\ncrates/farm/x\nhide /root and /root/x\n/farmer/.cache\n/home/user/x and /home\n".to_owned()
            + &format!("{}zoe/x\n", concat!("/ho", "me/"));
        assert_eq!(places(local_paths(&Repository::of(&[("a.md", &text)]).files, &folders)), ["a.md:1", "a.md:4", "a.md:6"]);
    }

    #[test]
    fn a_sleep_without_a_reason_is_found_in_tests_only() {
        let text = format!("{0}1);\n// The clock itself is tested.\n{0}1);\n{0}1); // as long as a tick\n", SLEEPS[0]);
        let both = format!("{0}1);\n#[cfg(test)]\nmod tests {{\n    {0}1);\n}}\n", SLEEPS[0]);
        let in_a_string = format!("app('x', \"time.{0}1)\")\ntime.{0}1)\n", SLEEPS[0]);
        let repository = Repository::of(&[
            ("a/src/x.rs", &text),
            ("a/tests/it/x.rs", &text),
            ("a/src/y.rs", &both),
            ("tests/z.py", &in_a_string),
        ]);
        assert_eq!(places(tests_do_not_sleep(&repository)), ["a/tests/it/x.rs:1", "a/src/y.rs:4", "tests/z.py:2"]);
    }
}
