// SPDX-License-Identifier: Apache-2.0
//! Reads the reason of a failure out of uv's words. The whole of them is in the build log; this is what a person is told first.

use std::path::Path;

use super::error::PrepareError;
use super::log::mask_credentials;
use super::requirements::package_name;
use crate::plain_file;

/// The longest explanation that is passed on.
const LIMIT: usize = 900;

/// What the words were about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// The version of the Python in use.
    pub(super) python: &'a str,
    /// The folder that uv ran in, where the files lie that it names.
    pub(super) folder: &'a Path,
}

/// Finds the error in what uv said.
pub(super) fn explain(words: &str, code: i32, context: Context<'_>) -> PrepareError {
    let complaint = Complaint::find(&mask_credentials(words));
    disk(&complaint)
        .or_else(|| download(&complaint))
        .or_else(|| git(&complaint))
        .or_else(|| build_script(&complaint))
        .or_else(|| unreadable(&complaint, context))
        .or_else(|| unsolvable(&complaint, context))
        .unwrap_or_else(|| PrepareError::Uv { code, message: short(&complaint.flat) })
}

/// Whether uv begins to complain in this line. What it passes on of others is indented.
pub(super) fn begins_complaint(line: &str) -> bool {
    line.starts_with("error:") || line.trim_start().starts_with('×')
}

/// uv's complaint in parts.
struct Complaint {
    /// From `error:` on, line by line.
    lines: Vec<String>,
    /// The same up to the output of a build script, on one line.
    flat: String,
    /// What a build script said, if one was run.
    script: Vec<String>,
    /// uv's own hints.
    hints: Vec<String>,
}

impl Complaint {
    fn find(words: &str) -> Self {
        let all: Vec<&str> = words.lines().collect();
        let is_start = |line: &&str| begins_complaint(line);
        // The last complaint is the one that ended it. A build script inside of it is indented, so it cannot pose as one.
        let start = all.iter().rposition(is_start).unwrap_or_else(|| all.len().saturating_sub(20));
        let lines: Vec<String> = all[start..].iter().map(|line| line.trim_end().to_owned()).collect();
        let is_output =
            |line: &String| ["[stdout]", "[stderr]", "--- stdout", "--- stderr"].iter().any(|mark| line.trim().starts_with(mark));
        let output = lines.iter().position(is_output).unwrap_or(lines.len());
        let is_hint = |line: &&String| line.trim_start().starts_with("hint:");
        let hints: Vec<String> =
            lines.iter().filter(is_hint).map(|line| line.trim().trim_start_matches("hint:").trim().to_owned()).collect();
        let flat = flatten(lines[..output].iter().take_while(|line| !is_hint(line)).map(String::as_str));
        let script = lines[output..].iter().take_while(|line| !is_hint(line)).filter(|line| !is_output(line));
        let script = script.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
        Self { lines, flat, script, hints }
    }

    fn says(&self, words: &str) -> bool {
        self.flat.contains(words)
    }
}

/// One line of what uv spread over several, without its ornaments.
fn flatten<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let ornaments = |character: char| character.is_whitespace() || "×╰─▶│├".contains(character);
    let clean = lines
        .map(|line| line.trim_start_matches(ornaments))
        .map(|line| line.trim_start_matches("error: ").trim_start_matches("cause: "));
    clean.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

fn short(text: &str) -> String {
    if text.len() <= LIMIT { text.to_owned() } else { format!("{} …", &text[..text.floor_char_boundary(LIMIT)]) }
}

/// What stands between two marks, the first time that it does.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

/// The word that stands right before a phrase.
fn word_before<'a>(text: &'a str, phrase: &str) -> Option<&'a str> {
    text[..text.find(phrase)?].split_whitespace().next_back()
}

/// The word that stands right after a phrase.
fn word_after<'a>(text: &'a str, phrase: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(phrase)?;
    rest.split_whitespace().next().map(|word| word.trim_end_matches([',', '.', ':']))
}

fn path_in(text: &str) -> String {
    text.split(['`', ' ', '\'', '"'])
        .find(|word| word.starts_with('/'))
        .unwrap_or("the data folder or uv's cache")
        .trim_end_matches(':')
        .to_owned()
}

fn disk(complaint: &Complaint) -> Option<PrepareError> {
    let full = |text: &str| text.contains("No space left on device") || text.contains("Disk quota exceeded");
    if full(&complaint.flat) || complaint.script.iter().any(|line| full(line)) {
        return Some(PrepareError::DiskFull { at: path_in(&complaint.flat) });
    }
    let reason = ["Read-only file system", "Permission denied"].into_iter().find(|reason| complaint.says(reason))?;
    Some(PrepareError::NotWritable { at: path_in(&complaint.flat), explanation: reason.to_lowercase() })
}

fn download(complaint: &Complaint) -> Option<PrepareError> {
    if let Some(package) = between(&complaint.flat, "Hash mismatch for `", "`") {
        return Some(PrepareError::HashMismatch { package: package.to_owned() });
    }
    let url = || {
        word_after(&complaint.flat, "Failed to fetch: ")
            .or_else(|| between(&complaint.flat, "for url (", ")"))
            .unwrap_or("the package index")
    };
    let url = || url().trim_matches('`').to_owned();
    if let Some(status) = between(&complaint.flat, "HTTP status client error (", ")")
        .or_else(|| between(&complaint.flat, "HTTP status server error (", ")"))
    {
        return Some(PrepareError::Refused { url: url(), status: status.to_owned() });
    }
    let is_cut = ["end of file before message length", "error decoding response body", "IncompleteMessage", "connection reset"];
    if let Some(package) = between(&complaint.flat, "Failed to download `", "`")
        && is_cut.iter().any(|mark| complaint.says(mark))
    {
        return Some(PrepareError::CutOff { package: package.to_owned() });
    }
    let marks = ["Failed to fetch:", "error sending request", "Request failed after", "dns error", "tcp connect error"];
    if !marks.iter().any(|mark| complaint.says(mark)) {
        return None;
    }
    let causes = complaint.lines.iter().take_while(|line| !line.starts_with("hint:")).filter(|line| !line.trim().is_empty());
    let cause = causes.last().map_or("no answer", |line| line.trim().trim_start_matches("cause: "));
    let cause = cause.split(" (os error").next().unwrap_or(cause);
    Some(PrepareError::Unreachable { url: url(), cause: short(&cause.to_lowercase()) })
}

fn git(complaint: &Complaint) -> Option<PrepareError> {
    if !complaint.says("Git operation failed") && !complaint.says("Git executable not found") {
        return None;
    }
    let last = complaint.script.iter().rev().find(|line| line.starts_with("fatal:") || line.starts_with("error:"));
    let explanation = last.map_or(complaint.flat.as_str(), |line| line.trim_start_matches("fatal: "));
    Some(PrepareError::Git { explanation: short(explanation) })
}

fn build_script(complaint: &Complaint) -> Option<PrepareError> {
    let marks =
        ["build backend returned an error", "Build backend failed", "Failed to build `", "Failed to resolve requirements from"];
    if !marks.iter().any(|mark| complaint.says(mark)) {
        return None;
    }
    let package = between(&complaint.flat, "Failed to build `", "`")
        .or_else(|| between(&complaint.flat, "Failed to download and build `", "`"));
    let package = package.map(|package| package.split(" @ ").next().unwrap_or(package).to_owned());
    // The last line of a traceback is its reason; a lone word of a compiler is better told with what uv made of it.
    let flat = complaint.flat.as_str();
    let what_failed = flat.split_once("returned an error ").map_or(flat, |(_, what)| what);
    let explanation = complaint.script.last().map_or(what_failed, String::as_str);
    Some(PrepareError::BuildScript { package, explanation: short(explanation) })
}

fn unreadable(complaint: &Complaint, context: Context<'_>) -> Option<PrepareError> {
    let flat = &complaint.flat;
    let bad = |file: &str, line, explanation: &str| PrepareError::BadRequirements {
        file: file.to_owned(),
        line,
        explanation: short(explanation),
    };
    let name = |file: &str| Path::new(file).strip_prefix(context.folder).unwrap_or(Path::new(file)).display().to_string();
    let second = complaint.lines.get(1).map(|line| line.trim().trim_start_matches("cause: ")).unwrap_or_default();
    if let Some(index) = complaint.lines.iter().position(|line| line.contains("Couldn't parse ")) {
        let sentence = &complaint.lines[index];
        let file = between(sentence, " in `", "`").unwrap_or("requirements.txt");
        let position = word_after(sentence, " at position ").and_then(|word| word.parse().ok());
        let (line, text) = position.and_then(|position| line_at(&context.folder.join(file), position)).unzip();
        let text = text.map_or_else(String::new, |text| format!("`{text}`: "));
        let cause = complaint.lines.get(index + 1).map(|line| line.trim().trim_start_matches("cause: ")).unwrap_or_default();
        return Some(bad(&name(file), line, &format!("{text}{cause}")));
    }
    if let Some(file) = word_after(flat, "Failed to parse: ") {
        let line = word_after(flat, "parse error at line ").and_then(|word| word.parse().ok());
        let last =
            complaint.lines.iter().rev().map(|line| line.trim()).find(|line| !line.is_empty() && !line.starts_with("hint:"));
        return Some(bad(&name(file.trim_matches('`')), line, last.unwrap_or(second)));
    }
    if let Some((place, explanation)) = numbered_place(flat) {
        return Some(bad(&name(place.0), Some(place.1), explanation));
    }
    for phrase in ["File not found: `", "failed to read from file `", "failed to open file `", "Failed to read `"] {
        if let Some(file) = between(flat, phrase, "`") {
            return Some(bad(&name(file), None, "the file is not there"));
        }
    }
    None
}

/// Finds `requirements.txt:2:1` at the end of a sentence.
fn numbered_place(flat: &str) -> Option<((&str, usize), &str)> {
    let (explanation, place) = flat.rsplit_once(' ')?;
    let explanation = explanation.trim_end_matches(" at").trim_end_matches(':');
    let mut parts = place.trim().rsplitn(3, ':');
    let (_column, line, file) = (parts.next()?.parse::<usize>().ok()?, parts.next()?.parse().ok()?, parts.next()?);
    Some(((file, line), explanation))
}

/// The number and the text of the line that holds a byte of a file.
fn line_at(file: &Path, position: usize) -> Option<(usize, String)> {
    let bytes = plain_file::read(file, plain_file::LARGEST).ok()?;
    let before = String::from_utf8_lossy(bytes.get(..position)?).matches('\n').count();
    let line = String::from_utf8_lossy(&bytes).lines().nth(before)?.trim().to_owned();
    Some((before + 1, line.chars().take(200).collect()))
}

fn unsolvable(complaint: &Complaint, context: Context<'_>) -> Option<PrepareError> {
    let flat = &complaint.flat;
    if let Some(url) = word_after(flat, "Distribution not found at: ") {
        let place = context.folder.display().to_string();
        let requirement = url.trim_start_matches("file://").trim_start_matches(&place).trim_start_matches('/').to_owned();
        return Some(PrepareError::NotFound { requirement, place: "the app's folder".to_owned() });
    }
    if !complaint.says("No solution found") {
        return None;
    }
    let explanation = flat.split_once("Because ").map_or(flat.as_str(), |(_, rest)| rest);
    if let Some(refusal) = complaint.hints.iter().find_map(|hint| refusal_in(hint)) {
        return Some(refusal);
    }
    if let Some(package) = word_before(flat, " was not found in the ") {
        let place = flat.split_once(" was not found in ").and_then(|(_, rest)| rest.split([',', '.']).next()).unwrap_or_default();
        let place = place.split(" and ").next().unwrap_or_default();
        return Some(PrepareError::NotFound { requirement: package.to_owned(), place: place.to_owned() });
    }
    if let Some((_, rest)) = flat.split_once(" does not satisfy Python") {
        let needed = rest.split([' ', ',']).next().unwrap_or_default().to_owned();
        let package = word_before(rest, " depends on Python").unwrap_or("a requirement").to_owned();
        return Some(PrepareError::WrongPython { package, needed, found: context.python.to_owned() });
    }
    if let Some(package) = word_before(flat, " has no wheels with").or_else(|| word_before(flat, " has no usable wheels")) {
        let explanation = complaint.hints.first().map_or(explanation, String::as_str);
        return Some(PrepareError::NoWheel { package: package.to_owned(), explanation: short(explanation) });
    }
    if let Some(requirement) =
        word_after(flat, "there is no version of ").or_else(|| word_after(flat, "there are no versions of "))
    {
        let is_any_version = package_name(requirement).as_deref() == Some(requirement);
        return Some(if is_any_version {
            PrepareError::NotFound { requirement: requirement.to_owned(), place: "the package registry".to_owned() }
        } else {
            PrepareError::NoSuchVersion { requirement: requirement.to_owned() }
        });
    }
    if explanation.starts_with("only ") && flat.matches("Because ").count() == 1 && flat.contains(" available and you require ") {
        let requirement = word_after(flat, " available and you require ").unwrap_or_default();
        return Some(PrepareError::NoSuchVersion { requirement: requirement.to_owned() });
    }
    Some(PrepareError::Conflict { explanation: short(explanation) })
}

/// An index that refuses is passed over like one that has nothing, and told of in a hint only.
fn refusal_in(hint: &str) -> Option<PrepareError> {
    let url = between(hint, "An index (", ")").or_else(|| between(hint, "An index URL (", ")"))?.to_owned();
    let status =
        between(hint, "returned a ", " error").or_else(|| between(hint, "authentication credentials (", ")"))?.to_owned();
    Some(PrepareError::Refused { url, status })
}

#[cfg(test)]
mod tests;
