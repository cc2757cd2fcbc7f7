// SPDX-License-Identifier: Apache-2.0
//! The page of reference about the policy, made of the tables. With `UPDATE_SNAPSHOTS=1` the test writes it anew.

use std::fmt::Write;
use std::path::Path;

use super::{MAX_CODE_BYTES, code, modules, names};

const PAGE: &str = "docs/reference/snippet-policy.md";

const BEGINNING: &str = "\
# The policy of snippets

Before a snippet is run, and when it is only checked, its syntax tree is looked at. All issues are told at once, each with its
line, its column (from 1, in code points), a code and a message. The policy `restricted` asks all of what stands on this page;
`open` asks only that the code is Python.

The policy is a help for people: it says early what will not work, and what to use instead. It does not confine code, and there are
many ways around it. What confines code is the sandbox.
";

const NAMES: &str = "\
## Names

These built-in functions are refused by name, called or not, unless the snippet gives the name a meaning of its own where it is
used: as a variable, parameter, function or import. Methods of the same name, such as `re.compile` or `DataFrame.eval`, are no
affair of the policy.
";

const ATTRIBUTES: &str = "\
## Attributes

Attributes with two underscores on both sides are refused, but for the everyday ones in this table. Methods of any such name may be
defined in a class. What is refused as an attribute is also refused as a text in `getattr`, `hasattr`, `setattr`, `delattr`,
`attrgetter` and `methodcaller`, and in a literal whose `format` is called.
";

fn page() -> Result<String, std::fmt::Error> {
    let mut page = String::new();
    writeln!(page, "<!-- Made of the tables in crates/lithouse-core/src/policy by its tests. Write it anew with:")?;
    writeln!(page, "     UPDATE_SNAPSHOTS=1 cargo test -p lithouse-core the_page_of_reference -->")?;
    writeln!(page, "{BEGINNING}")?;
    writeln!(page, "Code has at most {MAX_CODE_BYTES} bytes of UTF-8.\n")?;
    writeln!(page, "## Codes\n\n| code | says | in `open` too |\n|---|---|---|")?;
    for (code, meaning, is_in_open) in code::ALL {
        writeln!(page, "| `{code}` | {meaning} | {} |", if *is_in_open { "yes" } else { "" })?;
    }
    write_modules(&mut page)?;
    write_names(&mut page)?;
    Ok(page)
}

fn write_modules(page: &mut String) -> std::fmt::Result {
    writeln!(page, "\n## Libraries\n\nAllowed with all their submodules: {}.", list(&modules::LIBRARIES))?;
    writeln!(page, "`[snippets] libraries` of the configuration adds to them; what stands there goes before every refusal.\n")?;
    for (library, parts) in modules::COMPANIONS {
        writeln!(page, "- With `{library}` come {}.", list(parts))?;
    }
    writeln!(page, "\n## The standard library\n\nAllowed: {}.\n", list(modules::HARMLESS))?;
    writeln!(page, "Allowed for a reason:\n\n| module | why |\n|---|---|")?;
    for (module, why) in modules::HARMLESS_BECAUSE {
        writeln!(page, "| `{module}` | {why} |")?;
    }
    writeln!(page, "\n## Refused modules\n\nWhat stands nowhere on this page is refused as an unknown library.\n")?;
    writeln!(page, "| modules | why, and what instead |\n|---|---|")?;
    for group in modules::REFUSED {
        writeln!(page, "| {} | {} |", list(group.modules), group.why)?;
    }
    writeln!(page, "\nOf modules that are allowed otherwise:\n\n| member | why, and what instead |\n|---|---|")?;
    for (module, name) in modules::REFUSED_MEMBERS {
        writeln!(page, "| `{module}.{name}` | {} |", modules::member_refusal(module, name).unwrap_or_default())?;
    }
    Ok(())
}

fn write_names(page: &mut String) -> std::fmt::Result {
    writeln!(page, "\n{NAMES}\n| name | why | instead |\n|---|---|---|")?;
    for (name, why, instead) in names::BUILTINS {
        writeln!(page, "| `{name}` | {why} | {instead} |")?;
    }
    writeln!(
        page,
        "\nOf names with two underscores on both sides, {} may be read, and those that the",
        list(&names::EVERYDAY_NAMES)
    )?;
    writeln!(page, "snippet itself has given a meaning.\n\n{ATTRIBUTES}\n| for | attributes |\n|---|---|")?;
    for (purpose, attributes) in names::EVERYDAY_ATTRIBUTES {
        writeln!(page, "| {purpose} | {} |", list(attributes))?;
    }
    writeln!(page, "\nInstead of some of the others:\n\n| attribute | instead |\n|---|---|")?;
    for (name, instead) in names::INSTEAD {
        writeln!(page, "| `{name}` | {instead} |")?;
    }
    writeln!(page, "\nAlso refused, since they lead from a running function to what is around it: {}.", list(&names::FRAMES))
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_page_of_reference_says_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(PAGE);
    let page = page().expect("text");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &page).expect("the page is written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == page, "`{PAGE}` is not what the tables say; write it anew with `UPDATE_SNAPSHOTS=1`");
}

#[test]
fn every_code_has_a_line_in_the_page_and_all_of_them_are_sorted() {
    let codes: Vec<_> = code::ALL.iter().map(|(code, ..)| *code).collect();
    let mut sorted = codes.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(codes, sorted);
}
