// SPDX-License-Identifier: Apache-2.0
//! The codes of issues. Programs rely on them: they are added to, never changed.

pub(super) const BIDI_CONTROL: &str = "bidi_control";
pub(super) const FORBIDDEN_ATTRIBUTE: &str = "forbidden_attribute";
pub(super) const FORBIDDEN_CALL: &str = "forbidden_call";
pub(super) const FORBIDDEN_FORMAT: &str = "forbidden_format";
pub(super) const FORBIDDEN_IMPORT: &str = "forbidden_import";
pub(super) const FORBIDDEN_NAME: &str = "forbidden_name";
pub(super) const NUL_BYTE: &str = "nul_byte";
pub(super) const SYNTAX_ERROR: &str = "syntax_error";
pub(super) const TOO_DEEP: &str = "too_deep";
pub(super) const TOO_LONG: &str = "too_long";
pub(super) const TOO_MANY_ISSUES: &str = "too_many_issues";

/// All of them, with what each says, and whether the policy `open` has it too.
#[cfg(test)]
pub(super) const ALL: &[(&str, &str, bool)] = &[
    (BIDI_CONTROL, "a character that changes the direction of text, and so hides what the code does", false),
    (FORBIDDEN_ATTRIBUTE, "an attribute that leads into the interpreter, written or named in a string", false),
    (FORBIDDEN_CALL, "a call of a refused function by its name, or the use of a refused member of a module", false),
    (FORBIDDEN_FORMAT, "a format that looks up such an attribute", false),
    (FORBIDDEN_IMPORT, "an import of a refused or unknown module", false),
    (FORBIDDEN_NAME, "the use of a refused function without a call, or of a name of the interpreter", false),
    (NUL_BYTE, "a NUL character, which Python does not read", true),
    (SYNTAX_ERROR, "the code is not Python", true),
    (TOO_DEEP, "brackets, blocks or operators are nested more deeply than the checker follows", true),
    (TOO_LONG, "the code is longer than 51,200 bytes", true),
    (TOO_MANY_ISSUES, "there are more issues than are listed", true),
];
