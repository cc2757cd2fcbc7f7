// SPDX-License-Identifier: Apache-2.0
//! Judges what a script says: which of it a restricted snippet may not, and in which words that is told.

use std::borrow::Cow;

use super::syntax::{Sight, Watch, What};
use super::{Rules, code, modules, names, text};

/// What the rules want to hear of.
pub(super) const WATCH: Watch = Watch {
    names: names::matters,
    fixed_names: names::is_of_the_interpreter,
    attributes: names::is_refused_attribute,
    members: |module, name| modules::member_refusal(module, name).is_some(),
};

/// The code and message of an issue, if it is one.
pub(super) fn judge(sight: &Sight, rules: &Rules) -> Option<(&'static str, String)> {
    match &sight.what {
        What::Import(module) => judge_import(module, rules).map(|message| (code::FORBIDDEN_IMPORT, message)),
        What::RelativeImport => {
            let message = "a relative `import` is not allowed: a snippet is a single file; write what it needs into it";
            Some((code::FORBIDDEN_IMPORT, message.to_owned()))
        }
        What::Member { module, name } => {
            let why = modules::member_refusal(module, name)?;
            Some((code::FORBIDDEN_CALL, format!("using `{module}.{name}` is not allowed: {why}")))
        }
        What::Name { name, is_called } => judge_name(name, *is_called),
        What::Attribute(name) => judge_attribute(name).map(|message| (code::FORBIDDEN_ATTRIBUTE, message)),
        What::Lookup(path) => path.split('.').find_map(judge_attribute).map(|message| (code::FORBIDDEN_ATTRIBUTE, message)),
        What::Format(format) => {
            text::lookups_in_format(format).find_map(judge_attribute).map(|message| (code::FORBIDDEN_FORMAT, message))
        }
    }
}

fn judge_import(module: &str, rules: &Rules) -> Option<String> {
    let top = module.split('.').next().unwrap_or(module);
    let is_within = |library: &String| {
        let rest = module.strip_prefix(library.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    // The operator's word comes first, so that it can lift a refusal too.
    if rules.libraries.iter().any(is_within) || modules::is_companion(top, &rules.libraries) || modules::is_harmless(top) {
        return None;
    }
    let why = modules::refusal(top);
    let why = why.unwrap_or("it is not an allowed library; the operator can add it to `[snippets] packages` and `libraries`");
    Some(format!("importing `{}` is not allowed: {why}", shown(module)))
}

fn judge_name(name: &str, is_called: bool) -> Option<(&'static str, String)> {
    let (code, act) = if is_called { (code::FORBIDDEN_CALL, "calling") } else { (code::FORBIDDEN_NAME, "using") };
    if let Some((_, why, instead)) = names::BUILTINS.iter().find(|(refused, ..)| *refused == name) {
        let instead = if instead.is_empty() { String::new() } else { format!("; {instead}") };
        return Some((code, format!("{act} `{name}` is not allowed: {why}{instead}")));
    }
    if !names::is_refused_dunder(name) {
        return None;
    }
    let instead = names::instead(name).unwrap_or("names with two underscores on both sides are the interpreter's");
    Some((code, format!("{act} `{}` is not allowed: {instead}", shown(name))))
}

fn judge_attribute(name: &str) -> Option<String> {
    if !names::is_refused_attribute(name) {
        return None;
    }
    let instead = names::instead(name).unwrap_or("it leads into the interpreter; use the public methods of the value");
    Some(format!("using the attribute `{}` is not allowed: {instead}", shown(name)))
}

/// A name as it is told: all of it, unless it is longer than any that people give.
fn shown(name: &str) -> Cow<'_, str> {
    const LONGEST: usize = 80;
    match name.char_indices().nth(LONGEST) {
        None => Cow::Borrowed(name),
        Some((end, _)) => Cow::Owned(format!("{}…", &name[..end])),
    }
}
