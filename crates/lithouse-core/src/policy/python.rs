// SPDX-License-Identifier: Apache-2.0
//! The version of Python that is to run a piece of code.

/// A version of the language, as in Python 3.12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Python {
    /// The first number.
    pub major: u8,
    /// The second one.
    pub minor: u8,
}

impl Python {
    /// The version of the language in an interpreter's own version, such as `3.12.4` or `3.13.0rc1`.
    pub fn of_interpreter(version: &str) -> Option<Self> {
        let mut numbers = version.split('.');
        let (major, minor) = (numbers.next()?, numbers.next()?);
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_read_from_the_version_of_an_interpreter() {
        for (version, minor) in [("3.11.7", 11), ("3.9.20", 9), ("3.14.0rc1", 14), ("3.13", 13)] {
            assert_eq!(Python::of_interpreter(version), Some(Python { major: 3, minor }), "{version}");
        }
        for version in ["", "3", "unknown", "3.x", "-1.2.3"] {
            assert_eq!(Python::of_interpreter(version), None, "{version}");
        }
    }
}
