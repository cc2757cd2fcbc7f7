// SPDX-License-Identifier: Apache-2.0
//! What an app may take, as the API tells and takes it.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use lithouse_core::limits::{Cores, LEAST_MEMORY, LEAST_OPEN_FILES, LEAST_PROCESSES, Limits, MOST_OPEN_FILES, MOST_PROCESSES};
use lithouse_engine::app::{LimitChange, LimitsChange};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;
use utoipa::ToSchema;

use crate::api::extract::Object;
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
pub(in crate::api) struct LimitsRequest {
    /// Memory, in bytes.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<u64>, minimum = 16_000_000, maximum = 9_223_372_036_854_775_807_u64)]
    memory: LimitChange<Number>,
    /// Processor time, in cores.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<f64>, minimum = 0.01, maximum = 1024)]
    cpu: LimitChange<f64>,
    /// Processes and threads.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<u32>, minimum = 4, maximum = 4_194_304)]
    processes: LimitChange<Number>,
    /// Open files and connections of each process, from its next start.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<u32>, minimum = 32, maximum = 1_048_576)]
    open_files: LimitChange<Number>,
}

/// Tells null from what is left out.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<LimitChange<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.map_or(LimitChange::Lift, LimitChange::Set))
}

impl LimitsRequest {
    /// What a field of a form says in JSON.
    pub(in crate::api) fn of_text(text: &str) -> Result<Self, Problem> {
        let read = serde_json::from_str::<Object<Self>>(text).map(|Object(request)| request);
        read.map_err(|error| {
            let detail = format!("the field `limits` is no JSON object of limits: {error}");
            Problem::new(Code::InvalidField, detail).hint("such as `-F 'limits={\"memory\": 1000000000, \"cpu\": 1.5}'`")
        })
    }

    /// The change, if an app could run within all of it.
    pub(in crate::api) fn checked(self) -> Result<LimitsChange, Problem> {
        let Self { memory, cpu, processes, open_files } = self;
        let most = i64::MAX.unsigned_abs();
        let memory = whole("memory", "bytes", memory, LEAST_MEMORY..=most)?;
        let processes = whole("processes", "processes and threads", processes, LEAST_PROCESSES..=MOST_PROCESSES)?;
        let open_files = whole("open_files", "open files", open_files, LEAST_OPEN_FILES..=MOST_OPEN_FILES)?;
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

/// A limit that is a number of things, which JSON may write as `64.0` too.
fn whole<N>(name: &str, unit: &str, said: LimitChange<Number>, bounds: RangeInclusive<N>) -> Result<LimitChange<N>, Problem>
where
    N: FromStr + PartialOrd + Display,
{
    let number = match said {
        LimitChange::Keep => return Ok(LimitChange::Keep),
        LimitChange::Lift => return Ok(LimitChange::Lift),
        LimitChange::Set(number) => number,
    };
    let text = match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 => format!("{float:.0}"),
        _ => number.to_string(),
    };
    if let Some(number) = text.parse().ok().filter(|number| bounds.contains(number)) {
        return Ok(LimitChange::Set(number));
    }
    let (least, most) = bounds.into_inner();
    Err(no_limit(&format!("`limits.{name}` is {number}: a whole number of {unit} from {least} to {most} is expected")))
}

fn no_limit(detail: &str) -> Problem {
    Problem::new(Code::InvalidLimit, detail).hint("null takes the limit away")
}
