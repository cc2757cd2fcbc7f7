// SPDX-License-Identifier: Apache-2.0
//! The shapes of answers, for the document of the API. The engine makes them; every answer that a test gets is held against these.
#![expect(dead_code, reason = "they are only looked at for their documentation")]

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// How a run ended, and what came of it.
#[derive(ToSchema)]
#[schema(example = json!({
    "status": "success", "execution_time": 1,
    "output": { "stdout": "Hello World\n", "stderr": "", "charts": [], "dataframes": [], "variables": {}, "files": [], "truncated": [] },
    "error": null,
}))]
pub(super) struct RunAnswer {
    #[schema(inline)]
    status: Status,
    /// How many milliseconds the code itself took.
    execution_time: u64,
    output: Output,
    /// Why it did not end well; null on `success` alone.
    #[schema(required)]
    error: Option<RunError>,
}

/// `success`: it ran to its end. `error`: it raised something, or is no Python. `timeout`: it took too long. `memory_limit`: it wanted
/// more memory than it may have. `output_limit`: it wrote more than 64 MiB. `crashed`: its process ended without an answer.
/// `rejected`: the policy refused to run it.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum Status {
    Success,
    Error,
    Timeout,
    MemoryLimit,
    OutputLimit,
    Crashed,
    Rejected,
}

/// What a run left, also when it did not end well.
#[derive(ToSchema)]
#[schema(as = RunOutput)]
struct Output {
    /// What it wrote to standard output: the first MiB.
    #[schema(example = "Hello World\n")]
    stdout: String,
    /// What it wrote to standard error: the first MiB.
    stderr: String,
    /// Figures, in the order in which they came to be; 32 at most.
    #[schema(max_items = 32)]
    charts: Vec<Chart>,
    /// Every data frame and series in a global variable, and the value of a last bare expression; 32 at most.
    #[schema(max_items = 32)]
    dataframes: Vec<DataFrame>,
    /// The global variables by name, without modules, functions, classes, data frames, figures and names that begin with `_`; 200 at
    /// most.
    variables: BTreeMap<String, Variable>,
    /// What is new or changed in its working folder; 32 files of 8 MiB in all at most.
    #[schema(max_items = 32)]
    files: Vec<OutputFile>,
    /// What was cut or left out: `stdout`, `stderr`, `charts`, `dataframes`, `variables`, `files`.
    truncated: Vec<String>,
}

/// A figure of matplotlib or of plotly.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Chart {
    Picture(Picture),
    Figure(Figure),
}

/// A figure of matplotlib, as a picture in its own size and resolution.
#[derive(Serialize, ToSchema)]
struct Picture {
    #[schema(inline)]
    r#type: Matplotlib,
    #[schema(inline)]
    format: Png,
    /// The picture in base64.
    #[schema(content_encoding = "base64", content_media_type = "image/png")]
    data: String,
    /// Its width in pixels.
    #[schema(example = 640)]
    width: u32,
    /// Its height in pixels.
    #[schema(example = 480)]
    height: u32,
}

#[derive(Serialize, ToSchema)]
#[schema(rename_all = "snake_case")]
enum Matplotlib {
    Matplotlib,
}

#[derive(Serialize, ToSchema)]
#[schema(rename_all = "snake_case")]
enum Png {
    Png,
}

/// A figure of plotly.
#[derive(Serialize, ToSchema)]
struct Figure {
    #[schema(inline)]
    r#type: Plotly,
    #[schema(inline)]
    format: InJson,
    /// What plotly's own scripts draw: `data` and `layout`, with lists instead of packed arrays.
    #[schema(value_type = BTreeMap<String, Value>)]
    data: Value,
    /// Its width in pixels; 700 where it does not say.
    #[schema(example = 700)]
    width: f64,
    /// Its height in pixels; 450 where it does not say.
    #[schema(example = 450)]
    height: f64,
}

#[derive(Serialize, ToSchema)]
#[schema(rename_all = "snake_case")]
enum Plotly {
    Plotly,
}

#[derive(Serialize, ToSchema)]
enum InJson {
    #[schema(rename = "json")]
    Json,
}

/// A data frame, or a series as one with a single column.
#[derive(ToSchema)]
struct DataFrame {
    /// The variable that holds it; `_` for the value of a last expression.
    #[schema(example = "sales")]
    name: String,
    /// The names of the columns, 200 at most.
    #[schema(example = json!(["month", "sold"]))]
    columns: Vec<String>,
    /// The type of each column, as pandas calls it.
    #[schema(example = json!(["str", "int64"]))]
    dtypes: Vec<String>,
    /// The label of each row.
    #[schema(example = json!([0, 1]))]
    index: Vec<Value>,
    /// The rows, 1,000 at most, as lists of cells. What is missing is null, times are ISO 8601, integers that not every reader of JSON
    /// holds exactly are strings.
    #[schema(example = json!([["January", 12], ["February", 9]]))]
    data: Vec<Vec<Value>>,
    /// How many rows and columns it has in all.
    #[schema(min_items = 2, max_items = 2, example = json!([2, 2]))]
    shape: Vec<u64>,
    /// Whether rows, columns or long cells were cut.
    truncated: bool,
    /// The first 100 rows as an HTML table, escaped.
    html: String,
}

/// A global variable.
#[derive(ToSchema)]
struct Variable {
    /// The name of its type.
    #[schema(example = "list")]
    r#type: String,
    /// Its value where that is JSON of 10,000 characters at most, else what `repr` says, cut.
    #[schema(value_type = Value, example = json!([1, 2, 3]))]
    value: Value,
}

/// A file that a run has left.
#[derive(ToSchema)]
struct OutputFile {
    /// Its path in the working folder, with `/` between its parts.
    #[schema(example = "report.csv")]
    name: String,
    /// Its size in bytes.
    #[schema(example = 8)]
    size: u64,
    /// Its content in base64.
    #[schema(content_encoding = "base64", example = "YSxiCjEsMgo=")]
    data: String,
}

/// Why a run did not end well.
#[derive(ToSchema)]
struct RunError {
    /// The name of the exception; or `TimeoutError`, `PolicyError` and the like where we ended or refused it.
    #[schema(example = "ZeroDivisionError")]
    r#type: String,
    /// What it says.
    #[schema(example = "division by zero")]
    message: String,
    /// The line of the code, counted from 1; null where it is not known.
    #[schema(required, example = 1)]
    line: Option<u32>,
    /// The column in that line, counted from 1; null where it is not known.
    #[schema(required, example = 1)]
    column: Option<u32>,
    /// As Python prints it, with the frames of the code alone; null where there is none.
    #[schema(required)]
    traceback: Option<String>,
}

/// One thing that keeps code from passing.
#[derive(ToSchema)]
#[schema(as = Issue)]
pub(super) struct IssueShape {
    /// Counted from 1.
    #[schema(example = 1)]
    line: u32,
    /// Counted from 1, in characters.
    #[schema(example = 8)]
    column: u32,
    /// What kind of thing it is, for programs.
    #[schema(example = "forbidden_import")]
    code: String,
    /// What it is, and what to do instead.
    message: String,
}

/// Code to begin with.
#[derive(ToSchema)]
#[schema(as = Template)]
pub(super) struct TemplateShape {
    /// Its name for programs.
    #[schema(example = "line-chart")]
    name: String,
    /// Its name for people.
    #[schema(example = "Line chart")]
    title: String,
    /// What it shows.
    description: String,
    /// The code.
    code: String,
}
