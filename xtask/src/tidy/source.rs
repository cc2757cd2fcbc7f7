// SPDX-License-Identifier: Apache-2.0
//! Checks of the source files' form.

use super::Finding;
use super::repository::{Repository, TextFile};

const LICENCE: &str = "// SPDX-License-Identifier: Apache-2.0";
/// The one crate that may be unsafe, block by block.
const UNSAFE_CRATE: &str = "crates/lithouse-sandbox/";
const MOST_LINES: usize = 1000;

fn is_test(file: &TextFile) -> bool {
    ["tests", "e2e"].iter().any(|folder| file.is_within(folder)) || file.path.ends_with("/tests.rs")
}

pub(super) fn no_mod_rs(repository: &Repository) -> Vec<Finding> {
    let named_so = repository.rust().filter(|file| file.path.ends_with("/mod.rs"));
    named_so.map(|file| Finding::new(&file.path, "rename it to the name of its folder, beside it")).collect()
}

pub(super) fn files_begin_with_the_licence(repository: &Repository) -> Vec<Finding> {
    let without = repository.rust().filter(|file| file.text.lines().next() != Some(LICENCE));
    without.map(|file| Finding::new(&file.path, format!("the first line is not `{LICENCE}`"))).collect()
}

pub(super) fn modules_say_what_they_own(repository: &Repository) -> Vec<Finding> {
    let says_nothing = |file: &&TextFile| {
        let first = file.text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("// "));
        file.is_within("src") && !first.is_some_and(|line| line.starts_with("//! "))
    };
    repository.rust().filter(says_nothing).map(|file| Finding::new(&file.path, "it does not begin with `//! …`")).collect()
}

pub(super) fn roots_forbid_unsafe(repository: &Repository) -> Vec<Finding> {
    let is_root = |file: &&TextFile| ["/src/lib.rs", "/src/main.rs"].iter().any(|root| file.path.ends_with(root));
    let roots = repository.rust().filter(is_root).filter(|file| !file.path.starts_with(UNSAFE_CRATE));
    let without = roots.filter(|file| !file.text.lines().any(|line| line == "#![forbid(unsafe_code)]"));
    without.map(|file| Finding::new(&file.path, "`#![forbid(unsafe_code)]` is missing")).collect()
}

pub(super) fn waivers_give_their_reason(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repository.rust() {
        for (number, line) in file.lines() {
            let line = line.trim_start();
            let opens = |attribute: &str| ["#[", "#!["].iter().any(|open| line.starts_with(&format!("{open}{attribute}(")));
            if opens("allow") {
                findings.push(Finding::new(file.at(number), "`allow` stays when it is needed no more; use `expect`"));
            }
            if opens("expect") {
                // The attribute may run over several lines; it ends where its bracket stands at the end of one.
                let attribute: Vec<&str> = file.text.lines().skip(number - 1).take(8).collect();
                let end = attribute.iter().position(|line| line.trim_end().ends_with(']')).map_or(attribute.len(), |end| end + 1);
                if !attribute[..end].concat().contains("reason = \"") {
                    findings.push(Finding::new(file.at(number), "`expect` without `reason = \"…\"`"));
                }
            }
        }
    }
    findings
}

pub(super) fn files_are_small(repository: &Repository) -> Vec<Finding> {
    let sources = repository.files.iter().filter(|file| file.has_extension(&["rs", "py", "ts", "js", "mjs", "svelte", "sh"]));
    let large = sources.filter(|file| !is_test(file)).map(|file| (file, file.text.lines().count()));
    let large = large.filter(|(_, lines)| *lines > MOST_LINES);
    large.map(|(file, lines)| Finding::new(&file.path, format!("it has {lines} lines"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(findings: Vec<Finding>) -> Vec<String> {
        findings.into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn a_mod_rs_is_found() {
        let repository = Repository::of(&[("a/src/x/mod.rs", ""), ("a/src/x.rs", ""), ("a/src/my_mod.rs", "")]);
        assert_eq!(places(no_mod_rs(&repository)), ["a/src/x/mod.rs"]);
    }

    #[test]
    fn a_file_without_its_first_lines_is_found() {
        let good = format!("{LICENCE}\n//! Owns this.\n");
        let late = format!("\n{LICENCE}\nuse x;\n//! Owns this.\n");
        let bare = format!("{LICENCE}\nuse x;\n");
        let repository =
            Repository::of(&[("a/src/good.rs", &good), ("a/src/late.rs", &late), ("a/src/b.rs", &bare), ("a/tests/t.rs", &bare)]);
        assert_eq!(places(files_begin_with_the_licence(&repository)), ["a/src/late.rs"]);
        assert_eq!(places(modules_say_what_they_own(&repository)), ["a/src/late.rs", "a/src/b.rs"]);
    }

    #[test]
    fn a_root_that_allows_unsafe_code_is_found_but_not_the_sandbox() {
        let repository = Repository::of(&[
            ("crates/a/src/lib.rs", "#![forbid(unsafe_code)]\n"),
            ("crates/b/src/lib.rs", "// #![forbid(unsafe_code)]\n"),
            ("crates/lithouse-sandbox/src/lib.rs", ""),
            ("crates/b/src/x.rs", ""),
            ("xtask/src/main.rs", ""),
        ]);
        assert_eq!(places(roots_forbid_unsafe(&repository)), ["crates/b/src/lib.rs", "xtask/src/main.rs"]);
    }

    #[test]
    fn a_waiver_without_a_reason_is_found() {
        let text = "#[expect(a, reason = \"x\")]\nfn f() {}\n    #[expect(a)]\nfn g() {}\n#[expect(\n    a,\n    reason = \"x\"\n)]\n#![allow(a)]\n";
        assert_eq!(places(waivers_give_their_reason(&Repository::of(&[("a.rs", text)]))), ["a.rs:3", "a.rs:9"]);
    }

    #[test]
    fn a_long_file_is_found_unless_it_is_a_test() {
        let long = "x\n".repeat(1001);
        let repository = Repository::of(&[
            ("src/a.rs", &long),
            ("src/b.rs", "x"),
            ("tests/it/c.rs", &long),
            ("e2e/d.mjs", &long),
            ("lock.json", &long),
        ]);
        assert_eq!(places(files_are_small(&repository)), ["src/a.rs"]);
    }
}
