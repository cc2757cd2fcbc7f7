// SPDX-License-Identifier: Apache-2.0
//! What is asked to be run, and what of it is refused unseen.

use std::time::Duration;

use lithouse_core::policy::Mode;

use super::error::ExecuteError;
use super::limits::{
    CODE_BYTES, INPUT_BYTES, INPUT_DEPTH, INPUT_FILES, INPUT_NAME_BYTES, LONGEST_TIMEOUT, SHORTEST_TIMEOUT, STDIN_BYTES,
};
use super::settings::Settings;

/// One run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Python.
    pub code: String,
    /// How long it may take; the service's own default if not given.
    pub timeout: Option<Duration>,
    /// Which policy it is checked against.
    pub mode: Mode,
    /// What lies in its working folder.
    pub files: Vec<InputFile>,
    /// What it can read from standard input; nothing if not given.
    pub stdin: Option<String>,
}

/// A file for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Its path in the working folder, with `/` between its parts.
    pub name: String,
    /// Its content in base64, with padding.
    pub data: String,
}

impl Request {
    /// Code with the defaults for all else.
    pub fn of(code: impl Into<String>) -> Self {
        Self { code: code.into(), ..Self::default() }
    }

    /// Refuses what cannot be taken; answers with the timeout that holds.
    pub(super) fn check(&self, settings: &Settings) -> Result<Duration, ExecuteError> {
        if self.code.len() > CODE_BYTES {
            return Err(ExecuteError::CodeTooLarge { bytes: self.code.len() });
        }
        if self.mode == Mode::Open && !settings.allow_open {
            return Err(ExecuteError::OpenNotAllowed);
        }
        let timeout = self.timeout.unwrap_or(settings.timeout);
        if !(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(&timeout) {
            return Err(ExecuteError::TimeoutOutOfRange { timeout });
        }
        let stdin = self.stdin.as_ref().map_or(0, String::len);
        if stdin > STDIN_BYTES {
            return Err(ExecuteError::StdinTooLarge { bytes: stdin });
        }
        self.check_files()?;
        Ok(timeout)
    }

    fn check_files(&self) -> Result<(), ExecuteError> {
        if self.files.len() > INPUT_FILES {
            return Err(ExecuteError::TooManyFiles { count: self.files.len() });
        }
        let mut bytes = 0;
        for (index, file) in self.files.iter().enumerate() {
            let name = || file.name.clone();
            if let Some(reason) = fault_of_name(&file.name) {
                return Err(ExecuteError::BadFileName { name: name(), reason });
            }
            if let Some(other) = self.files[..index].iter().find(|other| collide(&other.name, &file.name)) {
                return Err(ExecuteError::FilesCollide { name: name(), other: other.name.clone() });
            }
            bytes += decoded_length(&file.data).ok_or_else(|| ExecuteError::NotBase64 { name: name() })?;
        }
        if bytes > INPUT_BYTES { Err(ExecuteError::FilesTooLarge { bytes }) } else { Ok(()) }
    }
}

/// Why a name cannot be that of a file in the working folder.
fn fault_of_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.len() > INPUT_NAME_BYTES {
        return Some("it is longer than 255 bytes");
    }
    if name.chars().any(char::is_control) {
        return Some("it has control characters in it");
    }
    if name.contains('\\') {
        return Some("folders are separated by `/`");
    }
    if name.starts_with('/') {
        return Some("it must be relative to the working folder");
    }
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Some("none of its parts may be empty, `.` or `..`");
    }
    (name.split('/').count() > INPUT_DEPTH).then_some("it lies more than 4 levels deep")
}

/// Whether two names cannot be two files: one is the other, or would be its folder.
fn collide(one: &str, other: &str) -> bool {
    let is_inside = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    one == other || is_inside(one, other) || is_inside(other, one)
}

/// How many bytes a text in base64 stands for; none if it is not base64.
fn decoded_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let content = bytes.strip_suffix(b"==").or_else(|| bytes.strip_suffix(b"=")).unwrap_or(bytes);
    let is_base64 = content.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    // One character alone carries only six bits.
    (is_base64 && bytes.len().is_multiple_of(4) && content.len() % 4 != 1).then_some(content.len() * 3 / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &Request) -> Result<Duration, String> {
        let mut settings = Settings::new("lithouse".into());
        settings.timeout = Duration::from_secs(7);
        request.check(&settings).map_err(|error| error.to_string())
    }

    fn with_files(names: &[&str]) -> Request {
        let files = names.iter().map(|name| InputFile { name: (*name).to_owned(), data: "aGk=".to_owned() }).collect();
        Request { files, ..Request::of("") }
    }

    #[test]
    fn a_run_that_says_nothing_gets_the_default_timeout() {
        assert_eq!(check(&Request::of("1")), Ok(Duration::from_secs(7)));
    }

    #[test]
    fn timeouts_out_of_range_are_refused_with_the_range() {
        for (timeout, is_fine) in [(0, false), (1, true), (60_000, true), (60_001, false)] {
            let request = Request { timeout: Some(Duration::from_millis(timeout)), ..Request::of("") };
            let checked = check(&request);
            assert_eq!(checked.is_ok(), is_fine, "{timeout}: {checked:?}");
            if let Err(message) = checked {
                assert!(message.contains("60 s"), "{message}");
            }
        }
    }

    #[test]
    fn code_is_taken_up_to_its_limit() {
        assert!(check(&Request::of("x".repeat(51_200))).is_ok());
        assert!(check(&Request::of("x".repeat(51_201))).unwrap_err().contains("51201 bytes"));
    }

    #[test]
    fn open_code_needs_the_operators_word() {
        let request = Request { mode: Mode::Open, ..Request::of("") };
        assert!(check(&request).unwrap_err().contains("snippets.allow_open"));
        let settings = Settings { allow_open: true, ..Settings::new("lithouse".into()) };
        assert!(request.check(&settings).is_ok());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let long = "x".repeat(256);
        for name in ["", "/etc/passwd", "..", "a/../b", "a//b", "a/", "./a", "a\\b", "a\nb", "a\0", "1/2/3/4/5", &long] {
            let message = check(&with_files(&[name])).expect_err(name);
            assert!(message.starts_with("file name"), "{message}");
        }
        for names in [&["a", "a"], &["a", "a/b"], &["a/b", "a"]] {
            assert!(check(&with_files(names)).is_err(), "{names:?}");
        }
        assert!(check(&with_files(&["a.csv", "a.csv.gz", "ab/c", "a/b c/ü/~x"])).is_ok());
    }

    #[test]
    fn files_are_taken_up_to_their_limits() {
        let names: Vec<String> = (0..33).map(|index| index.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(check(&with_files(&names[..32])).is_ok());
        assert!(check(&with_files(&names)).unwrap_err().contains("33 files"));
        let mut request = with_files(&["a", "b"]);
        request.files[0].data = "A".repeat((16 << 20) / 3 * 4);
        assert!(check(&request).unwrap_err().contains("bytes"), "two more bytes are too many");
        request.files.pop();
        assert!(check(&request).is_ok());
    }

    #[test]
    fn only_base64_is_base64() {
        for (text, length) in [("", 0), ("aGk=", 2), ("aGkh", 3), ("aA==", 1), ("+/+/", 3)] {
            assert_eq!(decoded_length(text), Some(length), "{text}");
        }
        for text in ["a", "aGk", "aGk=\n", "a===", "=", "aG=k", "aG-_", "aGk=aGk=", "äää"] {
            assert_eq!(decoded_length(text), None, "{text}");
        }
    }
}
