// SPDX-License-Identifier: Apache-2.0
//! What an app may take, as the API tells and takes it.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use lithouse_core::limits::{Cores, LEAST_MEMORY, LEAST_OPEN_FILES, LEAST_PROCESSES, Limits, MOST_OPEN_FILES, MOST_PROCESSES};
use lithouse_engine::app::{LimitChange, LimitsChange};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;
use utoipa::ToSchema;

use crate::api::problem::{Code, Problem};

/// What an app may take, with all that it starts; null is unlimited.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Limits)]
pub(super) struct LimitsResource {
    /// Memory, in bytes.
    #[schema(required, example = 1_000_000_000)]
    memory: Option<u64>,
    /// Processor time, in cores.
    #[schema(required, example = 1.5)]
    cpu: Option<f64>,
    /// Processes and threads.
    #[schema(required, example = 64)]
    processes: Option<u32>,
    /// Open files and connections of each process.
    #[schema(required, example = 1024)]
    open_files: Option<u32>,
}

impl From<Limits> for LimitsResource {
    fn from(limits: Limits) -> Self {
        let Limits { memory, cpu, processes, open_files } = limits;
        Self { memory, cpu: cpu.map(f64::from), processes, open_files }
    }
}

/// Limits to set. What is left out stays; null takes the app's own limit away, and that of `[hosting]` holds, if there is one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "memory": 1_000_000_000, "cpu": null }))]
pub(super) struct LimitsRequest {
    /// Memory, in bytes.
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<u64>, minimum = 16_000_000, maximum = 9_223_372_036_854_775_807_u64)]
    memory: LimitChange<u64>,
    /// Processor time, in cores.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<f64>, minimum = 0.01, maximum = 1024)]
    cpu: LimitChange<f64>,
    /// Processes and threads.
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<u32>, minimum = 4, maximum = 4_194_304)]
    processes: LimitChange<u32>,
    /// Open files and connections of each process, from its next start.
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<u32>, minimum = 32, maximum = 1_048_576)]
    open_files: LimitChange<u32>,
}

/// Tells null from what is left out.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<LimitChange<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.map_or(LimitChange::Lift, LimitChange::Set))
}

/// The same for a number of things, which JSON may write as `64.0` too.
fn whole<'de, D: Deserializer<'de>, T: FromStr>(deserializer: D) -> Result<LimitChange<T>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(deserializer)? else { return Ok(LimitChange::Lift) };
    let text = match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 => format!("{float:.0}"),
        _ => number.to_string(),
    };
    text.parse().map(LimitChange::Set).map_err(|_| D::Error::custom(format!("`{number}` is not a number of something")))
}

impl LimitsRequest {
    /// The change, if an app could run within all of it.
    pub(super) fn checked(self) -> Result<LimitsChange, Problem> {
        let Self { memory, cpu, processes, open_files } = self;
        let most = i64::MAX.unsigned_abs();
        if let LimitChange::Set(bytes) = memory {
            check("memory", "bytes", bytes, LEAST_MEMORY..=most)?;
        }
        if let LimitChange::Set(number) = processes {
            check("processes", "processes and threads", number, LEAST_PROCESSES..=MOST_PROCESSES)?;
        }
        if let LimitChange::Set(number) = open_files {
            check("open_files", "open files", number, LEAST_OPEN_FILES..=MOST_OPEN_FILES)?;
        }
        let cpu = match cpu {
            LimitChange::Keep => LimitChange::Keep,
            LimitChange::Lift => LimitChange::Lift,
            LimitChange::Set(cpu) => {
                let cores = Cores::try_from(cpu);
                LimitChange::Set(cores.map_err(|error| no_limit(&format!("`limits.cpu` is {cpu}: {error}")))?)
            }
        };
        Ok(LimitsChange { memory, cpu, processes, open_files })
    }
}

fn check<N: Copy + PartialOrd + Display>(name: &str, unit: &str, number: N, bounds: RangeInclusive<N>) -> Result<(), Problem> {
    if bounds.contains(&number) {
        return Ok(());
    }
    let (least, most) = bounds.into_inner();
    Err(no_limit(&format!("`limits.{name}` is {number}: a number of {unit} from {least} to {most} is expected")))
}

fn no_limit(detail: &str) -> Problem {
    Problem::new(Code::InvalidLimit, detail).hint("null takes the limit away")
}
