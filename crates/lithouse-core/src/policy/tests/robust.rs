// SPDX-License-Identifier: Apache-2.0
//! Any text gets its answer, on a small stack, and soon.

use std::time::{Duration, Instant};

use lithouse_testkit::processor_time;

use super::*;

/// A quarter of what a worker of the server has.
const STACK: usize = 512 * 1024;
/// Far more than it takes without optimization; work that grows with the square of the text takes longer.
const SOON: Duration = Duration::from_secs(20);

/// Checks texts on a small stack. An overflow would end the whole test run.
fn check_on_a_small_stack(texts: Vec<String>) -> Vec<Vec<Issue>> {
    let check = move || {
        let checked = |text: &String| {
            let begun = processor_time();
            let issues = restricted(text);
            let start: String = text.chars().take(60).collect();
            let took = processor_time().saturating_sub(begun);
            assert!(took < SOON, "{start} took {took:?}");
            for issue in &issues {
                assert!(issue.line > 0 && issue.column > 0, "{start}: {issue:?}");
                assert_is_well_put(&issue.message);
            }
            issues
        };
        texts.iter().map(checked).collect()
    };
    std::thread::Builder::new().stack_size(STACK).spawn(check).expect("a thread").join().expect("no panic")
}

/// As much as fits of a piece over and over, with something in the middle and as many pieces that close it.
fn nested(open: &str, close: &str) -> String {
    let count = (MAX_CODE_BYTES - 1) / (open.len() + close.len());
    open.repeat(count) + "1" + &close.repeat(count)
}

#[test]
fn nesting_of_every_kind_is_told_and_not_followed() {
    let kinds = [
        ("(", ")"),
        ("(", ""),
        ("[", "]"),
        ("{", "}"),
        ("a(", ")"),
        ("a[", "]"),
        ("{**", "}"),
        ("(\n", ""),
        ("[)a+", ""),
        ("(]", ""),
        ("-", ""),
        ("~", ""),
        ("not ", ""),
        ("await ", ""),
        ("a+", ""),
        ("a**", ""),
        ("a.", ""),
        ("a@", ""),
        ("a if b else ", ""),
        ("lambda:", ""),
        ("lambda a=", ""),
        ("lambda a, b: ", ""),
        ("f\"{", ""),
        ("f'{x:{", ""),
        ("[a for a in ", "]"),
        ("(yield ", ")"),
        ("(a:=", ")"),
        ("@a(", ""),
        ("class a(", ""),
        ("f(*", ")"),
        ("x = {1: ", "}"),
    ];
    let mut texts: Vec<String> = kinds.iter().map(|(open, close)| nested(open, close)).collect();
    texts.push(format!("if a: b\n{}", "elif a: b\n".repeat(5000)));
    texts.push((0..300).fold(String::new(), |text, depth| text + &" ".repeat(depth) + "if a:\n"));
    texts.push(format!("match a:\n case {}", nested("[", "]").split_at(50_000).0));
    texts.push(format!("a{}", "()".repeat(20_000)));
    texts.push(format!("[a {}]", "for a in b ".repeat(4000)));
    for (text, issues) in texts.iter().zip(check_on_a_small_stack(texts.clone())) {
        let codes: Vec<_> = issues.iter().map(|issue| issue.code).collect();
        assert_eq!(codes, ["too_deep"], "{}", text.split_at(20).0);
    }
}

#[test]
fn nesting_that_people_write_passes() {
    let sum = |count| (0..count).map(|index| format!("'part {index}'")).collect::<Vec<_>>().join(" + ");
    let texts = vec![
        sum(400),
        format!("x = [{}]", "-1, ".repeat(10_000)),
        format!("x = {{{}}}", (0..2000).map(|index| format!("'{index}': [a.b(-1) + 2]")).collect::<Vec<_>>().join(",\n")),
        format!("x = {}1", "a < b and c == d or ".repeat(2000)),
        format!("df{}", "\\\n    .pipe(f)".repeat(200)),
        format!("f'{}'", "{a.b + 1:>10} ".repeat(2000)),
        format!("x = [{}]", "lambda a, b: a + b, ".repeat(2000)),
        format!("if a: b\n{}", "elif a == b: c\n".repeat(450)),
        "x = 1; ".repeat(5000),
        "import math\n".repeat(4000),
        format!("{}1{}", "(".repeat(80), ")".repeat(80)),
        "'a' ".repeat(10_000),
        format!("{}pass", (0..80).fold(String::new(), |text, depth| text + "if a:\n" + &" ".repeat(depth + 1))),
    ];
    for (text, issues) in texts.iter().zip(check_on_a_small_stack(texts.clone())) {
        assert_eq!(issues, [], "{}", text.split_at(20).0);
    }
}

#[test]
fn long_texts_of_one_kind_are_answered_soon() {
    let mut texts: Vec<String> = [
        "eval;",
        "open=1;",
        "$\n",
        "\u{202e}",
        "\"",
        "'''\n",
        "\\\n",
        "a,",
        "'{a.__b__}'.format();",
        "#\n",
        "\n",
        "\r",
        "\t",
        "\u{c}",
        "é",
        "def f():pass\n",
        "import os\n",
        "a.__b__;",
        "@a\n",
        "\u{feff}",
        "if a:\n\n",
        "\\",
        "`",
        "f'{",
        "}",
        ")",
        "]",
        "😀",
        "a=yield\n",
        "return;",
        "await a;",
        "break\n",
        "1_",
        "0x",
        "1e",
        "b'",
        "rb'''",
    ]
    .iter()
    .map(|piece| piece.repeat(MAX_CODE_BYTES / piece.len()))
    .collect();
    texts.push(format!("def f[{}](): pass", "a, ".repeat(15_000)));
    texts.push(format!("def f({}): pass", "a, ".repeat(15_000)));
    texts.push(format!("f({})", "a=1, ".repeat(10_000)));
    texts.push((0..4500).map(|index| format!("__a{index}__=1")).collect::<Vec<_>>().join(";"));
    texts.push(format!("lambda:{}[{}]", "lambda:".repeat(300), "eval,".repeat(9000)));
    texts.push(format!("'{}'.format()", "{a.__b__".repeat(6000)));
    check_on_a_small_stack(texts);
}

/// Words that mean something to the parser, put together without sense.
const WORDS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "{",
    "f'",
    "f\"",
    "f'''",
    "t'{",
    "'",
    "\"",
    "'''",
    "rb'",
    "\\",
    "\n",
    "\r\n",
    "\r",
    "\n    ",
    "\n\t",
    "\n  ",
    " ",
    ":",
    ":=",
    "=",
    "==",
    ",",
    ";",
    ".",
    "...",
    "->",
    "@",
    "*",
    "**",
    "-",
    "+",
    "~",
    "not ",
    "lambda ",
    "lambda:",
    "if ",
    "else ",
    "elif ",
    "for ",
    "in ",
    "is ",
    "async ",
    "await ",
    "yield ",
    "from ",
    "import ",
    "as ",
    "def f",
    "class A",
    "return ",
    "try:",
    "except ",
    "except*",
    "finally:",
    "with ",
    "match ",
    "case ",
    "type ",
    "lazy ",
    "global ",
    "nonlocal ",
    "del ",
    "assert ",
    "raise ",
    "while ",
    "break",
    "pass",
    "eval",
    "open(",
    "os",
    "__class__",
    "a",
    "b",
    "getattr(a, '__x__')",
    ".format(",
    "1",
    "0x",
    "1_0",
    "1e9",
    "0b2",
    "é",
    "漢",
    "😀",
    "\u{202e}",
    "\0",
    "\u{feff}",
    "ｅｖａｌ",
    "!",
    "!r",
    "?",
    "$",
    "`",
    "#",
    "%",
    "%%",
    "# type: ignore",
    "\u{c}",
    "\t",
    "{{",
    "}}",
    "{a:",
    "{a!r:",
    "\u{301}",
    "\u{a0}",
    "\\N{",
    "\\x",
    "\\u12",
];

/// The same numbers at every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }
}

#[test]
fn words_without_sense_get_an_answer() {
    let mut numbers = Numbers(1);
    let mut texts = Vec::new();
    for size in [10, 40, 200, 1000] {
        for _ in 0..6000 / size {
            texts.push((0..size).map(|_| WORDS[numbers.below(WORDS.len())]).collect());
        }
    }
    // Few words often, so that what one of them begins is deep before another ends it.
    for _ in 0..60 {
        let some: Vec<&str> = (0..3).map(|_| WORDS[numbers.below(WORDS.len())]).collect();
        texts.push((0..3000).map(|_| some[numbers.below(some.len())]).collect());
    }
    let many = texts.len();
    assert_eq!(check_on_a_small_stack(texts).len(), many);
}

/// Measures; it asserts nothing. Run it with
/// `cargo test --release -p lithouse-core -- --ignored --nocapture how_long_a_check_takes`.
#[test]
#[ignore = "it measures and asserts nothing"]
fn how_long_a_check_takes() {
    let snippet = "import numpy as np\nimport pandas as pd\n\ndf = pd.DataFrame({'a': np.arange(10), 'b': [f'{i:>3}' for i in range(10)]})\n\
                   for name, group in df.groupby('b'):\n    print(name, group['a'].mean(), getattr(group, 'shape'))\n";
    let fifty_lines = snippet.repeat(8);
    let longest = snippet.repeat(MAX_CODE_BYTES / snippet.len());
    for (name, code) in [("50 lines", fifty_lines), ("50 KB", longest), ("50 KB of brackets", "(".repeat(MAX_CODE_BYTES))] {
        let mut times: Vec<Duration> = (0..200)
            .map(|_| {
                let begun = Instant::now();
                std::hint::black_box(restricted(&code));
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        println!("{name}: median {:?}, longest {:?}", times[times.len() / 2], times[times.len() - 1]);
    }
}
