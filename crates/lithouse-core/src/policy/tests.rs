// SPDX-License-Identifier: Apache-2.0
//! Tables of what passes and what does not, and of texts that are no code at all.

mod allowed;
mod refused;
mod robust;
mod unreadable;

use super::*;

fn restricted(code: &str) -> Vec<Issue> {
    Policy::default().check(code, Mode::Restricted, None)
}

/// Stands before each place where an issue is expected, and is taken out before the check.
const MARK: char = '¦';

/// Takes the marks out of a text, and tells their places.
fn marked(text: &str) -> (String, Vec<(u32, u32)>) {
    let (mut line, mut column, mut places) = (1, 1, Vec::new());
    for character in text.chars() {
        match character {
            MARK => places.push((line, column)),
            '\n' => (line, column) = (line + 1, 1),
            _ => column += 1,
        }
    }
    (text.replace(MARK, ""), places)
}

/// Checks that there are issues of these codes at the marks of the text, and no others.
fn assert_issues(policy: &Policy, text: &str, codes: &[&str]) {
    let (code, places) = marked(text);
    assert_eq!(places.len(), codes.len(), "as many marks as codes: {text}");
    let issues = policy.check(&code, Mode::Restricted, None);
    let found: Vec<_> = issues.iter().map(|issue| ((issue.line, issue.column), issue.code)).collect();
    let expected: Vec<_> = places.into_iter().zip(codes.iter().copied()).collect();
    assert_eq!(found, expected, "{text}\n{issues:#?}");
    for issue in &issues {
        assert_is_well_put(&issue.message);
    }
}

/// Lower case, one clause or more, no final dot, the thing in backticks.
fn assert_is_well_put(message: &str) {
    let first = message.chars().next().expect("a message");
    let is_name = message.starts_with("Python ") || message.starts_with("IPython ");
    assert!(!first.is_uppercase() || is_name, "it begins in upper case: {message}");
    assert!(!message.ends_with('.'), "it ends with a dot: {message}");
    assert!(message.matches('`').count().is_multiple_of(2), "a backtick is alone: {message}");
    assert!(!message.contains('\n') && !message.contains("  "), "it is no single line: {message}");
}

#[test]
fn modes_are_written_in_lower_case() {
    let modes: Vec<Mode> = serde_json::from_str(r#"["restricted", "open"]"#).expect("both are known");
    assert_eq!(modes, [Mode::Restricted, Mode::Open]);
    assert_eq!(serde_json::to_string(&Mode::Open).expect("json"), r#""open""#);
    assert!(serde_json::from_str::<Mode>(r#""Open""#).is_err());
}

#[test]
fn an_issue_is_written_with_its_four_fields() {
    let issues = restricted("\nx = eval('1')");
    let text = serde_json::to_value(&issues).expect("json");
    assert_eq!(
        text,
        serde_json::json!([{
            "line": 2, "column": 5, "code": "forbidden_call",
            "message": "calling `eval` is not allowed: code that is made at run time cannot be checked; \
                        use `ast.literal_eval` for values and `DataFrame.eval` for columns",
        }])
    );
}

#[test]
fn a_configured_library_may_be_imported_with_its_submodules_and_goes_before_a_refusal() {
    let libraries = ["scipy", "google.cloud", "os"].map(str::to_owned).to_vec();
    let policy = Policy::new(Rules { libraries });
    let allowed =
        "import scipy, scipy.stats, os.path\nfrom google.cloud.bigquery import Client\nfrom google.cloud import storage";
    assert_issues(&policy, allowed, &[]);
    assert_issues(&policy, "import ¦scipyx, ¦google, ¦google.cloudy\nimport ¦numpy, ¦dateutil", &["forbidden_import"; 5]);
}

#[test]
fn the_open_policy_asks_only_whether_the_code_is_python() {
    let check = |code| Policy::default().check(code, Mode::Open, None);
    assert_eq!(check("import os\neval(open('x').__class__)\nx = '\u{202e}'\nfrom . import a\n'{0.__class__}'.format(1)"), []);
    let codes: Vec<_> = check("import os\nx = (1 +\n").iter().map(|issue| issue.code).collect();
    assert_eq!(codes, ["syntax_error"]);
}

#[test]
fn all_issues_are_told_at_once_in_the_order_of_the_text() {
    let text = "import ¦os, numpy, ¦socket\nx = ¦eval(¦open('a').¦__class__)\nx = ¦'{0.__globals__}'.format(x)\n";
    let codes =
        ["forbidden_import", "forbidden_import", "forbidden_call", "forbidden_call", "forbidden_attribute", "forbidden_format"];
    assert_issues(&Policy::default(), text, &codes);
}

#[test]
fn issues_beyond_a_thousand_are_counted_as_one() {
    let issues = restricted(&"eval\n".repeat(3000));
    assert_eq!((issues.len(), issues[1000].code, issues[1000].line), (1001, "too_many_issues", 1000));
}

#[test]
fn messages_name_the_thing_and_what_to_do_instead() {
    for (code, thing, instead) in [
        ("import os.path", "`os.path`", "`posixpath`"),
        ("import requests", "`requests`", "there is no network: send data with `files`"),
        ("from socket import socket", "`socket`", "`files`"),
        ("import pickle", "`pickle`", "`json`"),
        ("import subprocess", "`subprocess`", "do the work in Python"),
        ("import seaborn", "`seaborn`", "the operator can add it to `[snippets] packages` and `libraries`"),
        ("from IPython.display import display", "`IPython.display`", "leave the import out"),
        ("import streamlit as st", "`streamlit`", "`lithouse deploy`"),
        ("open('a.csv')", "`open`", "`files` of the request are in the working folder: read them with `pandas.read_csv`"),
        ("compile('1', '', 'eval')", "`compile`", "`re.compile`"),
        ("().__class__", "`__class__`", "`type(value)`"),
        ("x.__dict__", "`__dict__`", "`vars(value)`"),
        ("from . import a", "`import`", "a single file"),
        ("import io\nio.open('a')", "`io.open`", "`io.StringIO`"),
        ("await x", "`await`", "`asyncio.run(main())`"),
        ("print 'a'", "`print`", "`print(value)`"),
        ("x = '\u{2066}'", "`U+2066`", "`\\u2066`"),
        ("\0", "NUL", "`\\0`"),
    ] {
        let issues = restricted(code);
        assert_eq!(issues.len(), 1, "{code}: {issues:?}");
        let message = &issues[0].message;
        assert!(message.contains(thing) && message.contains(instead), "{code}: {message}");
        assert_is_well_put(message);
    }
}

#[test]
fn a_name_of_any_length_and_content_makes_a_message_of_one_short_line() {
    let long = "é".repeat(10_000);
    for code in [format!("import {long}"), format!("a.__{long}__"), format!("__{long}__()"), format!("getattr(a, '__{long}__')")]
    {
        let issues = restricted(&code);
        assert_eq!(issues.len(), 1);
        assert!(issues[0].message.len() < 400 && issues[0].message.contains("é…`"), "{issues:?}");
    }
    assert_eq!(restricted("getattr(a, '__a\\nb__')\ngetattr(a, '__a`b__')\n'{0.__a b__}'.format(a)"), []);
}

#[test]
fn every_reason_in_the_tables_is_well_put() {
    for group in modules::REFUSED {
        for module in group.modules {
            let issues = restricted(&format!("import {module}"));
            assert_eq!(issues.len(), 1, "{module}");
            assert_is_well_put(&issues[0].message);
        }
    }
    for (module, name) in modules::REFUSED_MEMBERS {
        assert_eq!(restricted(&format!("from {module} import {name}")).len(), 1);
    }
    for (name, ..) in names::BUILTINS {
        assert_eq!(restricted(name)[0].code, "forbidden_name");
        assert_is_well_put(&restricted(name)[0].message);
    }
    for (name, _) in names::INSTEAD {
        assert_is_well_put(&restricted(&format!("x.{name}"))[0].message);
    }
}

#[test]
fn no_module_stands_in_two_tables() {
    let mut all: Vec<&str> = modules::HARMLESS.to_vec();
    all.extend(modules::HARMLESS_BECAUSE.iter().map(|(name, _)| name));
    all.extend(modules::REFUSED.iter().flat_map(|group| group.modules));
    all.extend(modules::LIBRARIES);
    all.extend(modules::COMPANIONS.iter().flat_map(|(_, parts)| *parts));
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}
