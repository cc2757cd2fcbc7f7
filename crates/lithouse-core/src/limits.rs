// SPDX-License-Identifier: Apache-2.0
//! How much of the machine one app may take.

use serde::{Deserialize, Serialize};

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
    fn no_share_of_the_processor_is_nothing_negative_or_no_number() {
        for wrong in [0.0, 0.001, -1.0, 1025.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Cores::try_from(wrong), Err(NotCores), "{wrong}");
        }
        assert_eq!(Cores::try_from(1.5).map(Cores::thousandths), Ok(1500));
    }
}
