// SPDX-License-Identifier: Apache-2.0
//! How much of the machine one app may take.

use serde::{Deserialize, Serialize};

/// Less memory than this holds no program that serves anybody, in bytes.
pub const LEAST_MEMORY: u64 = 16_000_000;
/// Fewer processes and threads than this are too few for one that serves somebody.
pub const LEAST_PROCESSES: u32 = 4;
/// Nor is there a machine with more than this.
pub const MOST_PROCESSES: u32 = 4_194_304;
/// Fewer open descriptors than this are too few to begin with.
pub const LEAST_OPEN_FILES: u32 = 32;
/// Nor do kernels usually allow more than this.
pub const MOST_OPEN_FILES: u32 = 1_048_576;

/// What an app's process and all its descendants may take together; `None` leaves it unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Memory, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Processor time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cores>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Open descriptors of each process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u32>,
}

/// A share of the processor, exact to a thousandth of a core; a number of cores for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Cores {
    thousandths: u32,
}

/// Why a number is no share of the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("processor time is a number of cores from 0.01 to 1024, such as 0.5")]
pub struct NotCores;

impl Limits {
    /// These, and where they leave something unlimited, what `others` say of it.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            memory: self.memory.or(others.memory),
            cpu: self.cpu.or(others.cpu),
            processes: self.processes.or(others.processes),
            open_files: self.open_files.or(others.open_files),
        }
    }
}

/// A number of bytes for people, exact, in the greatest unit that makes it a whole number: `512 MB`, `1 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 8] = [
        ("TiB", 1 << 40),
        ("TB", 1_000_000_000_000),
        ("GiB", 1 << 30),
        ("GB", 1_000_000_000),
        ("MiB", 1 << 20),
        ("MB", 1_000_000),
        ("KiB", 1 << 10),
        ("kB", 1_000),
    ];
    let unit = UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{bytes} bytes"), |(name, unit)| format!("{} {name}", bytes / unit))
}

impl Cores {
    /// Thousandths of a core.
    pub fn thousandths(self) -> u32 {
        self.thousandths
    }
}

impl TryFrom<f64> for Cores {
    type Error = NotCores;

    fn try_from(cores: f64) -> Result<Self, NotCores> {
        if !(0.01..=1024.0).contains(&cores) {
            return Err(NotCores);
        }
        // In range, so nothing is cut off but what is finer than a thousandth.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked above")]
        let thousandths = (cores * 1000.0).round() as u32;
        Ok(Self { thousandths })
    }
}

impl From<Cores> for f64 {
    fn from(cores: Cores) -> Self {
        f64::from(cores.thousandths) / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_they_were_written_and_unknown_ones_are_refused() {
        let limits = Limits { memory: Some(1 << 30), cpu: Cores::try_from(0.25).ok(), processes: Some(64), open_files: None };
        let text = serde_json::to_string(&limits).unwrap();
        assert_eq!(text, r#"{"memory":1073741824,"cpu":0.25,"processes":64}"#);
        assert_eq!(serde_json::from_str::<Limits>(&text).unwrap(), limits);
        assert_eq!(serde_json::from_str::<Limits>("{}").unwrap(), Limits::default());
        assert!(serde_json::from_str::<Limits>(r#"{"ram":1}"#).is_err());
    }

    #[test]
    fn a_size_is_told_exactly_in_the_unit_that_it_was_meant_in() {
        for (bytes, text) in
            [(512_000_000, "512 MB"), (1 << 30, "1 GiB"), (1_500_000_000, "1500 MB"), (1_000_001, "1000001 bytes")]
        {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn an_apps_own_limits_come_before_those_of_all_apps() {
        let own = Limits { memory: Some(1), ..Limits::default() };
        let all = Limits { memory: Some(2), processes: Some(3), ..Limits::default() };
        assert_eq!(own.or(all), Limits { memory: Some(1), processes: Some(3), ..Limits::default() });
    }

    #[test]
    fn no_share_of_the_processor_is_nothing_negative_or_no_number() {
        for wrong in [0.0, 0.001, -1.0, 1025.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Cores::try_from(wrong), Err(NotCores), "{wrong}");
        }
        assert_eq!(Cores::try_from(1.5).map(Cores::thousandths), Ok(1500));
    }
}
