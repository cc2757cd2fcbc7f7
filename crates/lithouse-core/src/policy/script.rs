// SPDX-License-Identifier: Apache-2.0
//! Whether an app's script is Python at all. Unlike a snippet it may say whatever Python can read.

use super::syntax::{self, FaultKind, Watch};
use super::{Issue, Python, text};

/// A longer script is left to Python itself: nobody writes one by hand, and reading it here would take long.
const LONGEST_CHECKED: usize = 256 << 10;

/// Nothing is judged but the syntax.
const NOTHING: Watch = Watch { names: |_| false, fixed_names: |_| false, attributes: |_| false, members: |_, _| false };

/// The first thing that keeps a script from being Python of this version, or of the newest that is known. What only might be wrong
/// (it is nested deeper than we look, or longer) is none.
pub fn script_fault(code: &str, python: Option<Python>) -> Option<Issue> {
    let (offset, message) = match code.find('\0') {
        Some(offset) => (offset, "Python reads no script with a NUL character in it".to_owned()),
        None if code.len() > LONGEST_CHECKED => return None,
        None => {
            let faults = syntax::read(code, NOTHING, python).faults.into_iter();
            let first = faults.filter(|fault| fault.kind == FaultKind::Syntax).min_by_key(|fault| fault.offset)?;
            (first.offset, first.message)
        }
    };
    let (line, column) = text::Places::new(code).of(offset);
    Some(Issue { line, column, code: super::code::SYNTAX_ERROR, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(code: &str) -> Option<(u32, u32, String)> {
        script_fault(code, None).map(|issue| (issue.line, issue.column, issue.message))
    }

    #[test]
    fn the_first_fault_is_told_with_its_place() {
        assert_eq!(told("x = 1\nst.write('a'\n"), Some((2, 9, "the bracket `(` is never closed".to_owned())));
        assert_eq!(told("x = 1\ny = '\0'\n").map(|(line, column, _)| (line, column)), Some((2, 6)));
        assert_eq!(told("return 1\n").map(|(line, ..)| line), Some(1));
        assert!(told("if True:\nprint('x')\ny = (\n").is_some_and(|(line, ..)| line == 2));
    }

    #[test]
    fn whatever_python_reads_is_no_fault() {
        for code in [
            "",
            "\n\n# nothing\n",
            "import os, socket\nexec('1')\neval(input())\n__import__('x').__dict__\n",
            "\u{feff}x = 1\n",
            "x = 1\r\ny = 2\r\n",
            "'a text'\n[1, 2]\n",
            "match 1:\n    case 1:\n        pass\n",
            "async def f():\n    await g()\n",
        ] {
            assert_eq!(told(code), None, "{code:?}");
        }
    }

    #[test]
    fn what_another_python_reads_is_a_fault_of_an_older_one() {
        let code = "def f[T](x: T) -> T:\n    return x\n";
        let python = |minor| Some(Python { major: 3, minor });
        assert_eq!(script_fault(code, python(12)), None);
        let issue = script_fault(code, python(11)).expect("type parameters are newer");
        assert!(issue.line == 1 && issue.message.ends_with("it needs Python 3.12; this server runs 3.11"), "{issue:?}");
    }

    #[test]
    fn what_is_too_deep_or_too_long_to_be_looked_at_is_left_to_python() {
        assert_eq!(told(&format!("x = {}1{}\n", "(".repeat(150), ")".repeat(150))), None);
        assert_eq!(told(&"x = (\n".repeat(LONGEST_CHECKED)), None);
        let hostile = || {
            for piece in ["(", "-", "a+", "a.", "[", "{", "f'{", "if x:\n ", "lambda:", "not "] {
                // Whether it is a fault or not, it is found out on a small stack.
                let _ = script_fault(&piece.repeat(LONGEST_CHECKED / piece.len()), None);
            }
        };
        std::thread::Builder::new().stack_size(512 * 1024).spawn(hostile).expect("a thread").join().expect("no panic");
    }
}
