// SPDX-License-Identifier: Apache-2.0
//! Texts that are not Python, told in both modes at their place.

use super::*;

/// One fault each; what the message must say, in lower case.
const WRONG: &[(&str, &str)] = &[
    // Grammar.
    ("x = ¦", "expected an expression"),
    ("x = ¦(1,\n", "the bracket `(` is never closed"),
    ("print¦('a'\nx = 1\ny = [2]\nprint(y)\n", "the bracket `(` is never closed"),
    ("x = ¦{'a': [f'{b}', (c)], 'd'\ny = 2\n", "the bracket `{` is never closed"),
    ("print(¦'a)\nx = 1\n", "quote"),
    ("x = [1, 2¦)", ""),
    ("x = ¦'abc", "quote"),
    ("x = 1 +¦", "expected an expression"),
    ("if a¦\n    b", "expected `:`"),
    ("if a:\n¦b", "indented block"),
    ("a\n¦  b", "unexpected indentation"),
    ("if a:\n    b\n¦  c", "unindent does not match"),
    ("def ¦(): ...", "identifier"),
    ("print ¦'a'", "`print` is a function"),
    ("print ¦a, b", "`print` is a function"),
    ("a ¦'b'", "simple statements"),
    ("a ¦b", "simple statements must be separated by newlines or semicolons"),
    ("¦1 = 2", "invalid assignment target"),
    ("¦$", "the character `$` has no meaning in Python here"),
    ("x =¦\u{a0}1", "the character `U+00A0` has no meaning in Python here: use ordinary spaces"),
    ("x = ¦“a”", "straight quotes"),
    ("x = 1 ¦− 2", "use `-` for minus"),
    ("x = ¦`a`", "the character `U+0060`"),
    ("x = a ¦? b", ""),
    ("f(a=1, ¦b)", "positional argument"),
    ("f'{a¦'", "f-string"),
    ("x = 1 if 2¦", "`else`"),
    ("import¦", ""),
    ("import os.¦", "expected an identifier"),
    ("import numpy as¦", "`as`"),
    ("for ¦in a: pass", ""),
    ("¦%matplotlib inline", "remove the line"),
    ("¦!pip install numpy", "remove the line"),
    ("¦>>> a = 1", "the prompt `>>>`"),
    ("if a ¦= 1:\n    b", "use `==` to compare"),
    ("if a:\n    b\nelse ¦if c:\n    d", "use `elif`"),
    ("a &¦& b", "use `and`"),
    ("if a |¦| b: pass", "use `or`"),
    ("a <¦> b", "use `!=`"),
    ("¦```python\na\n¦```", "between the fences"),
    ("x = ¦01", "invalid decimal integer literal"),
    ("try:\n    a\n¦b", ""),
    // What the grammar allows and the compiler does not.
    ("¦return 1", "`return` statement outside of a function"),
    ("class A:\n    ¦return", "outside of a function"),
    ("¦break", "`break` outside loop"),
    ("if a:\n    ¦continue", "`continue` outside loop"),
    ("for a in b:\n    def f():\n        ¦break", "`break` outside loop"),
    ("for a in b:\n    pass\nelse:\n    ¦break", "`break` outside loop"),
    ("while a:\n    class A:\n        ¦break", "`break` outside loop"),
    ("¦await a", "call `asyncio.run(main())`"),
    ("def f():\n    ¦await a", "outside of an asynchronous function"),
    ("¦async with a: pass", "outside of an asynchronous function"),
    ("¦yield 1", "outside of a function"),
    ("[(¦yield) for a in b]", "outside of a function"),
    ("def f(a, ¦a): ...", "duplicate parameter `a`"),
    ("f(a=1, ¦a=2)", "duplicate keyword argument `a`"),
    ("¦nonlocal a", "nonlocal declaration not allowed at module level"),
    ("def f(a):\n    global ¦a", "parameter"),
    ("¦a, *b, *c = d", "two starred"),
    ("from __future__ import ¦braces", "future feature `braces` is not defined"),
    ("import math\n¦from __future__ import annotations", "must be at the top"),
    ("¦__debug__ = 1", "cannot assign to `__debug__`"),
    ("match a:\n    case ¦b: pass\n    case _: pass", "unreachable"),
    ("def f():\n    ¦from math import *", "only allowed at module level"),
    ("async def f():\n    ¦yield from a", "`async for`"),
];

#[test]
fn what_is_not_python_is_told_in_both_modes() {
    let mut failures = Vec::new();
    for (text, said) in WRONG {
        let (code, places) = marked(text);
        for mode in [Mode::Restricted, Mode::Open] {
            let issues = Policy::default().check(&code, mode, None);
            let found: Vec<_> = issues.iter().map(|issue| (issue.line, issue.column)).collect();
            let is_said = issues.iter().all(|issue| issue.code == "syntax_error" && issue.message.contains(said));
            if found != places || !is_said {
                failures.push(format!("{text:?} should say {said:?}: {issues:?}"));
            }
            for issue in &issues {
                assert_is_well_put(&issue.message);
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_first_fault_of_each_line_is_told_and_refusals_besides() {
    let issues = restricted("x = = =\nimport os\ny = $ $\n");
    let found: Vec<_> = issues.iter().map(|issue| (issue.line, issue.column, issue.code)).collect();
    assert_eq!(found, [(1, 5, "syntax_error"), (2, 8, "forbidden_import"), (3, 5, "syntax_error")]);
}

#[test]
fn code_that_is_too_long_is_told_so_and_nothing_else() {
    let fits = "#".repeat(MAX_CODE_BYTES);
    assert_eq!(restricted(&fits), []);
    let issues = restricted(&(fits + "#"));
    assert_eq!((issues.len(), issues[0].code, issues[0].line, issues[0].column), (1, "too_long", 1, 1));
    // The limit is in bytes.
    assert_eq!(restricted(&format!("#{}", "é".repeat(MAX_CODE_BYTES / 2)))[0].code, "too_long");
}

#[test]
fn a_nul_character_is_told_at_its_place() {
    for mode in [Mode::Restricted, Mode::Open] {
        let issues = Policy::default().check("import os\nx = '\0'\0", mode, None);
        assert_eq!((issues.len(), issues[0].code, issues[0].line, issues[0].column), (1, "nul_byte", 2, 6));
    }
}

#[test]
fn an_integer_that_python_does_not_read_is_told() {
    assert_eq!(restricted(&"9".repeat(4300)), []);
    assert_eq!(restricted(&format!("x = 0x{}", "f".repeat(40_000))), []);
    assert_eq!(restricted(&format!("x = {}.0", "9".repeat(5000))), []);
    let issues = restricted(&format!("x = {}", "9".repeat(4301)));
    assert_eq!((issues.len(), issues[0].code, issues[0].column), (1, "syntax_error", 5));
}

#[test]
fn json_has_no_way_to_write_what_is_no_text() {
    // A lone surrogate cannot be in a `str`; whoever decodes a request refuses it before the policy is asked.
    assert!(serde_json::from_str::<String>(r#""\ud800""#).is_err());
}

#[test]
fn syntax_that_the_running_python_does_not_have_is_an_issue_that_names_both_versions() {
    let newer = [
        ("match 1:\n    case _: pass", 9, "3.10"),
        ("try: pass\nexcept* ValueError: pass", 10, "3.11"),
        ("type Pair = tuple[int, int]", 11, "3.12"),
        ("def first[T](values: list[T]) -> T: ...", 11, "3.12"),
        ("class Box[T]: ...", 11, "3.12"),
        ("key = {'a': 1}\nprint(f'{key['a']}')", 11, "3.12"),
        ("print(t'{1}')", 13, "3.14"),
    ];
    for (code, minor, needed) in newer {
        let check = |minor| Policy::default().check(code, Mode::Restricted, Some(Python { major: 3, minor }));
        let issues = check(minor);
        let [issue] = issues.as_slice() else { panic!("one issue of {code}: {issues:#?}") };
        assert_eq!(issue.code, "syntax_error");
        let ends = format!("it needs Python {needed}; this server runs 3.{minor}");
        assert!(issue.message.ends_with(&ends), "{}", issue.message);
        assert_is_well_put(&issue.message);
        assert_eq!(check(minor + 1), [], "{code}");
        assert_eq!(restricted(code), [], "{code}");
    }
}

#[test]
fn a_name_that_is_declared_global_after_its_use_is_an_issue() {
    for code in [
        "x = 1\nglobal ¦x",
        "def f():\n    print(x)\n    global ¦x",
        "for x in y:\n    pass\nglobal ¦x",
        "class A:\n    x = 1\n    global ¦x",
    ] {
        assert_issues(&Policy::default(), code, &["syntax_error"]);
    }
    for code in [
        "global x\nx = 1",
        "x = 1\ndef f():\n    global x\n    x = 2",
        "def f():\n    y = [x for x in range(3)]\n    global x\n    x = 2",
        "def f():\n    x = 1\ndef g():\n    global x",
    ] {
        assert_eq!(restricted(code), [], "{code}");
    }
}
