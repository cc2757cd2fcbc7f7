// SPDX-License-Identifier: Apache-2.0
//! The words of the parser and of its checker, put into ours.

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{ExprNumberLiteral, Identifier, ModModule, Number};
use ruff_python_parser::semantic_errors::{SemanticSyntaxError, SemanticSyntaxErrorKind, YieldOutsideFunctionKind};
use ruff_python_parser::{LexicalErrorType, ParseError, ParseErrorType, Parsed};
use ruff_text_size::Ranged;

use super::{Fault, FaultKind, hints};

/// Python reads no longer decimal integer.
const LONGEST_INTEGER: usize = 4300;
const UNEXPECTED_INDENTATION: &str = "unexpected indentation";

/// What does not follow the grammar: the first fault of each line, without those that an earlier one leads to.
pub(super) fn of_parser(code: &str, parsed: &Parsed<ModModule>) -> Vec<Fault> {
    let mut errors: Vec<&ParseError> = parsed.errors().iter().collect();
    errors.sort_by_key(Ranged::start);
    // There may be one for each character, and finding words takes a look at the line.
    let mut line_end = None;
    errors.retain(|error| begins_new_line(code, &mut line_end, error.start().to_usize()));
    let mut faults: Vec<Fault> = errors.into_iter().map(|error| of_error(code, error)).collect();
    faults.extend(
        parsed
            .unsupported_syntax_errors()
            .iter()
            .map(|error| syntax(error.range.start().to_usize(), of_version(&error.to_string()))),
    );
    faults.sort_by_key(|fault| fault.offset);
    if let Some((opener, offset)) = never_closed(parsed) {
        let line_end = end_of_line(code, offset);
        // A string without its end has swallowed the closing bracket.
        let quote = faults.iter().position(|fault| (offset..line_end).contains(&fault.offset) && fault.message.contains("quote"));
        if let Some(quote) = quote {
            faults.truncate(quote + 1);
        } else {
            faults.retain(|fault| fault.offset < offset);
            faults.push(syntax(offset, format!("the bracket `{opener}` is never closed")));
        }
    }
    without_consequences(code, faults)
}

/// What another version of the language has: both versions are told. The parser keeps the one that is needed to its own words.
fn of_version(message: &str) -> String {
    let (what, rest) = message.split_once(" on Python ").unwrap_or((message, ""));
    let needed = rest.split_once("added in Python ").map(|(_, needed)| needed.trim_end_matches(')'));
    let runs = rest.split_once(' ').map(|(runs, _)| runs);
    match (needed, runs) {
        (Some(needed), Some(runs)) => format!("{}: it needs Python {needed}; this server runs {runs}", in_our_form(what)),
        _ => in_our_form(message),
    }
}

fn without_consequences(code: &str, faults: Vec<Fault>) -> Vec<Fault> {
    let mut kept: Vec<Fault> = Vec::new();
    let mut line_end = None;
    for fault in faults {
        let last_end = line_end;
        if !begins_new_line(code, &mut line_end, fault.offset) {
            continue;
        }
        // A block whose first line is wrong has a body without a beginning.
        let is_next_line =
            last_end.is_some_and(|end| code.get(end..fault.offset).is_some_and(|between| between.trim().is_empty()));
        if !(is_next_line && fault.message == UNEXPECTED_INDENTATION) {
            kept.push(fault);
        }
    }
    kept
}

/// Whether a place is in a later line than the last one, whose end is kept.
fn begins_new_line(code: &str, line_end: &mut Option<usize>, offset: usize) -> bool {
    let is_new = line_end.is_none_or(|end| offset > end);
    if is_new {
        *line_end = Some(end_of_line(code, offset));
    }
    is_new
}

fn end_of_line(code: &str, offset: usize) -> usize {
    code.get(offset..).and_then(|rest| rest.find(['\n', '\r'])).map_or(code.len(), |length| offset + length)
}

/// The first bracket that nothing closes, outside of f-strings.
fn never_closed(parsed: &Parsed<ModModule>) -> Option<(char, usize)> {
    let mut open: Vec<(TokenKind, Option<char>, usize)> = Vec::new();
    for token in parsed.tokens() {
        let (closer, opener) = match token.kind() {
            TokenKind::Lpar => (TokenKind::Rpar, Some('(')),
            TokenKind::Lsqb => (TokenKind::Rsqb, Some('[')),
            TokenKind::Lbrace => (TokenKind::Rbrace, Some('{')),
            TokenKind::FStringStart => (TokenKind::FStringEnd, None),
            TokenKind::TStringStart => (TokenKind::TStringEnd, None),
            kind @ (TokenKind::FStringEnd | TokenKind::TStringEnd) => {
                let start = open.iter().rposition(|(closer, ..)| *closer == kind)?;
                open.truncate(start);
                continue;
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => {
                // One that closes another kind is told by the parser.
                open.pop();
                continue;
            }
            _ => continue,
        };
        open.push((closer, opener, token.start().to_usize()));
    }
    let (_, opener, offset) = open.first()?;
    Some(((*opener)?, *offset))
}

/// What Python's compiler refuses though the grammar allows it.
pub(super) fn of_checker(errors: &[SemanticSyntaxError]) -> impl Iterator<Item = Fault> {
    let mut seen = None;
    errors.iter().filter_map(move |error| {
        let offset = error.range.start().to_usize();
        // The same `await` breaks two rules.
        if seen.replace(offset) == Some(offset) {
            return None;
        }
        let message = match &error.kind {
            SemanticSyntaxErrorKind::YieldOutsideFunction(YieldOutsideFunctionKind::Await) => {
                "`await` outside of a function: put the code into `async def main():` and call `asyncio.run(main())`".to_owned()
            }
            _ => in_our_form(&error.to_string()),
        };
        Some(syntax(offset, message))
    })
}

/// A declaration of a name that was used before it in the same scope.
pub(super) fn of_late_global(name: &Identifier) -> Fault {
    let message = format!("`{name}` is used before `global {name}`: put the declaration first");
    syntax(name.range.start().to_usize(), message)
}

pub(super) fn of_number(code: &str, number: &ExprNumberLiteral) -> Option<Fault> {
    let text = code.get(number.range.start().to_usize()..number.range.end().to_usize())?;
    let is_decimal = matches!(number.value, Number::Int(_)) && !text.starts_with(['0']);
    let is_too_long = is_decimal && text.bytes().filter(u8::is_ascii_digit).count() > LONGEST_INTEGER;
    is_too_long.then(|| {
        let message = format!("an integer of more than {LONGEST_INTEGER} digits: write it in hexadecimal, as `0x…`");
        syntax(number.range.start().to_usize(), message)
    })
}

fn syntax(offset: usize, message: String) -> Fault {
    Fault { offset, kind: FaultKind::Syntax, message }
}

fn of_error(code: &str, error: &ParseError) -> Fault {
    let offset = error.start().to_usize();
    if let Some(message) = hints::of_place(code, offset) {
        return syntax(offset, message.to_owned());
    }
    let message = match &error.error {
        ParseErrorType::SimpleStatementsOnSameLine if hints::follows_print(code, offset) => {
            "`print` is a function: put what it prints into parentheses, as in `print(value)`".to_owned()
        }
        ParseErrorType::Lexical(LexicalErrorType::UnrecognizedToken { tok }) => hints::of_character(*tok),
        ParseErrorType::ExpectedToken { expected: TokenKind::Colon, found: TokenKind::Equal } => {
            "expected `:`, found `=`: use `==` to compare".to_owned()
        }
        ParseErrorType::UnexpectedIndentation => UNEXPECTED_INDENTATION.to_owned(),
        other => in_our_form(&other.to_string()),
    };
    syntax(offset, message)
}

/// Lower case, no final dot, literals in backticks.
fn in_our_form(message: &str) -> String {
    let mut text = message.trim_end_matches('.').to_owned();
    for quote in ['\'', '"'] {
        // A single one is an apostrophe.
        if text.matches(quote).count().is_multiple_of(2) {
            text = text.replace(quote, "`");
        }
    }
    let is_word = text.chars().nth(1).is_some_and(char::is_lowercase);
    if let Some(first) = text.chars().next().filter(|_| is_word) {
        text.replace_range(..first.len_utf8(), &first.to_lowercase().to_string());
    }
    text
}
