// SPDX-License-Identifier: Apache-2.0
//! What a script says, told without ruff's types: what is wrong with its syntax, and what of it the rules may want to judge.
//!
//! This module is the only place that knows the parser. It never recurses over what a person sent: the tokens are counted
//! first (`depth`), and the tree is walked with a list of what is left to see (`walk`).

mod depth;
mod faults;
mod hints;
mod region;
mod semantic;
mod walk;

use ruff_python_ast::PythonVersion;
use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, ParseOptions, Parsed, lexer, parse_unchecked};
use ruff_text_size::Ranged;

use super::Python;
use depth::Depth;
use walk::Walker;

/// What the rules want to hear of. Everything else is passed over.
#[derive(Clone, Copy)]
pub(super) struct Watch {
    /// Names that matter unless the script gives them a meaning of its own.
    pub(super) names: fn(&str) -> bool,
    /// Those of them that keep their meaning whatever the script says.
    pub(super) fixed_names: fn(&str) -> bool,
    /// Attributes of anything.
    pub(super) attributes: fn(&str) -> bool,
    /// A member of a module, by the names of both.
    pub(super) members: fn(&str, &str) -> bool,
}

/// What was read.
pub(super) struct Script {
    pub(super) faults: Vec<Fault>,
    pub(super) sights: Vec<Sight>,
}

/// Something that keeps the script from being a script. The message has no place in it and no final dot.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) offset: usize,
    pub(super) kind: FaultKind,
    pub(super) message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    Syntax,
    Depth,
}

/// Something that the rules may want to judge, and where it begins.
#[derive(Debug)]
pub(super) struct Sight {
    pub(super) offset: usize,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// `import a.b`, or the module of `from a.b import c`.
    Import(String),
    /// `from . import a`.
    RelativeImport,
    /// `from io import open`, or `io.open` where `io` was imported.
    Member { module: String, name: String },
    /// A name that the script itself gives no meaning.
    Name { name: String, is_called: bool },
    /// `value.name`, read or written.
    Attribute(String),
    /// A name in a string that is used like an attribute, as in `getattr(value, "name")`.
    Lookup(String),
    /// A literal that is used as a format: its text.
    Format(String),
}

/// Reads a script of any content, in bounded time and on a small stack.
pub(super) fn read(code: &str, watch: Watch, python: Option<Python>) -> Script {
    if is_too_deep(code) {
        return only_too_deep(shortest_too_deep(code));
    }
    let version = python.map_or_else(PythonVersion::latest_preview, |Python { major, minor }| PythonVersion { major, minor });
    let options = ParseOptions::from(Mode::Module).with_target_version(version);
    let Some(parsed) = parse_unchecked(code, options).try_into_module() else {
        // It was asked for a module, and anything parsed so is one.
        return Script { faults: Vec::new(), sights: Vec::new() };
    };
    // After an error the parser may split the text into other tokens than the lexer by itself did.
    if let Some(offset) = too_deep_token(&parsed) {
        free_deep(code.len(), parsed);
        return only_too_deep(offset);
    }
    let mut faults = faults::of_parser(code, &parsed);
    let walked = Walker::walk(code, parsed.suite(), version, watch);
    // What the parser put together from a broken text may break more rules than its author did.
    if faults.is_empty() {
        faults = walked.faults;
    }
    Script { faults, sights: walked.sights }
}

fn is_too_deep(code: &str) -> bool {
    let mut lexer = lexer::lex(code, Mode::Module);
    let mut depth = Depth::new();
    loop {
        let kind = lexer.next_token();
        if depth.is_too_deep_at(kind) {
            return true;
        }
        if kind == TokenKind::EndOfFile {
            return false;
        }
    }
}

/// The lexer alone does not tell where its tokens are: the place is the end of the shortest beginning that is too deep.
fn shortest_too_deep(code: &str) -> usize {
    let ends: Vec<usize> = code.char_indices().map(|(offset, _)| offset).collect();
    let after = ends.partition_point(|end| !is_too_deep(&code[..*end]));
    ends.get(after.saturating_sub(1)).copied().unwrap_or(0)
}

fn too_deep_token<T>(parsed: &Parsed<T>) -> Option<usize> {
    let mut depth = Depth::new();
    parsed.tokens().iter().find(|token| depth.is_too_deep_at(token.kind())).map(|token| token.start().to_usize())
}

/// A tree is freed by recursion, and each of its levels has a byte in the code at least.
fn free_deep<T>(bytes: usize, parsed: Parsed<T>) {
    const STACK_PER_LEVEL: usize = 1024;
    stacker::grow(bytes.saturating_add(STACK_PER_LEVEL) * STACK_PER_LEVEL, move || drop(parsed));
}

fn only_too_deep(offset: usize) -> Script {
    let message = format!(
        "the code is nested too deeply (more than {} brackets and blocks, or {} operators, calls and attributes in one expression): \
         give parts of it names of their own",
        depth::DEEPEST_NESTING,
        depth::DEEPEST
    );
    Script { faults: vec![Fault { offset, kind: FaultKind::Depth, message }], sights: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The way for texts that the parser, after an error, splits into other tokens than the lexer did.
    #[test]
    fn a_tree_that_is_too_deep_all_the_same_is_found_and_freed_on_a_small_stack() {
        let parse_and_free = || {
            for piece in ["(", "-", "a+", "a."] {
                let code = piece.repeat(50_000 / piece.len());
                let parsed = parse_unchecked(&code, ParseOptions::from(Mode::Module));
                assert!(too_deep_token(&parsed).is_some(), "{piece}");
                free_deep(code.len(), parsed);
            }
        };
        std::thread::Builder::new().stack_size(512 * 1024).spawn(parse_and_free).expect("a thread").join().expect("no panic");
    }
}
