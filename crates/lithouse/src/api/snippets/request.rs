// SPDX-License-Identifier: Apache-2.0
//! What is sent to be run or looked over.

use std::time::Duration;

use lithouse_engine::snippets::limits::{LONGEST_TIMEOUT, SHORTEST_TIMEOUT};
use lithouse_engine::snippets::{self, Mode, Request};
use serde::Deserialize;
use serde_json::Number;
use utoipa::ToSchema;

use crate::api::extract::Object;
use crate::api::problem::{Code, Problem};

/// A piece of Python, and how to run it. What is left out, or null, has its default.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RunRequest, example = json!({ "code": "print(\"Hello World\")", "timeout": 30 }))]
pub(in crate::api) struct RunRequest {
    /// The code: 51,200 bytes of UTF-8 at most.
    #[schema(example = "print(\"Hello World\")")]
    code: String,
    /// How many seconds it may take, from 0.001 to 60; 30 unless the operator has set another default. Waiting for its turn does
    /// not count.
    #[schema(value_type = Option<f64>, minimum = 0.001, maximum = 60, example = 30)]
    timeout: Option<Number>,
    #[schema(inline)]
    policy: Option<Policy>,
    /// What lies in its working folder: 32 files of 16 MiB in all at most.
    #[schema(value_type = Option<Vec<InputFile>>, max_items = 32)]
    files: Option<Vec<Object<InputFile>>>,
    /// What it can read from standard input; 1 MiB at most. Without it there is nothing to read.
    stdin: Option<String>,
}

/// A file for a run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InputFile {
    /// Its path in the working folder, with `/` between its parts: relative, without `..`, 255 bytes and 4 levels at most.
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = r"^(?!\.{1,2}(?:/|$))[^/\\\x00-\x1f\x7f-\x9f]+(?:/(?!\.{1,2}(?:/|$))[^/\\\x00-\x1f\x7f-\x9f]+){0,3}$",
        example = "data/sales.csv"
    )]
    name: String,
    /// Its content in base64: the standard alphabet with padding, in one line.
    #[schema(
        content_encoding = "base64",
        pattern = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
        example = "YSxiCjEsMgo="
    )]
    data: String,
}

/// A piece of Python to look over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "code": "import os" }))]
pub(in crate::api) struct ValidateRequest {
    /// The code.
    #[schema(example = "import os")]
    pub(super) code: String,
    #[serde(default)]
    #[schema(inline)]
    pub(super) policy: Policy,
}

/// `restricted` is for people: it names what does not work in the sandbox. `open` takes whatever Python can read; to run under it
/// needs `snippets.allow_open`. The sandbox is the same under both.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(default = "restricted")]
pub(super) enum Policy {
    #[default]
    Restricted,
    Open,
}

impl RunRequest {
    /// The same for the engine, which has the last word on it.
    pub(super) fn checked(self) -> Result<Request, Problem> {
        let files = self.files.unwrap_or_default().into_iter();
        Ok(Request {
            timeout: self.timeout.as_ref().map(duration).transpose()?,
            mode: self.policy.unwrap_or_default().into(),
            files: files.map(|Object(file)| snippets::InputFile { name: file.name, data: file.data }).collect(),
            code: self.code,
            stdin: self.stdin,
        })
    }
}

/// Seconds that are a duration at all.
fn duration(seconds: &Number) -> Result<Duration, Problem> {
    let duration = seconds.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| {
        let (least, most) = (SHORTEST_TIMEOUT.as_secs_f64(), LONGEST_TIMEOUT.as_secs());
        let detail = format!("a timeout of {seconds} s is not offered: it must be from {least} s to {most} s");
        Problem::new(Code::TimeoutOutOfRange, detail)
    })
}

impl From<Policy> for Mode {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Restricted => Self::Restricted,
            Policy::Open => Self::Open,
        }
    }
}
