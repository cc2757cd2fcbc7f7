// SPDX-License-Identifier: Apache-2.0
//! `run`: a piece of Python is run in the server's sandbox. What it writes is passed on as it comes, its data frames are printed, its
//! charts and files saved.

mod answer;
mod frame;
mod question;
mod save;

use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;

use super::client::{Client, ClientError, Message, Messages};
use super::failure::Failure;
use super::output::{self, Progress};
use super::snippet::Policy;
use answer::Answer;

/// What to run, and what to do with what comes of it.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// File with the code; `-` is standard input
    file: PathBuf,
    /// How many seconds it may take, 60 at most; by default what the server is set to
    #[arg(long, value_name = "SECONDS", value_parser = question::seconds)]
    timeout: Option<f64>,
    /// Rules that the code is held against; the server must allow `open`
    #[arg(long, value_enum, hide_possible_values = true, value_name = "restricted|open")]
    policy: Option<Policy>,
    /// File that the code reads as its standard input; `-` is that of this command
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
    /// File to put into its working folder, by the path it is given as; may be said several times
    ///
    /// A path that is absolute, or leads upwards, is put there by its last part.
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Folder for charts and files
    ///
    /// By default charts are saved beside the code as `NAME-1.png` and `NAME-2.json`, and the files it leaves in `NAME-files`.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the API's JSON instead, and save nothing unless `--out` says where
    #[arg(long)]
    pub(super) json: bool,
    /// With `--json`: print one JSON object a line as it comes, `event` and `data`
    #[arg(long, requires = "json")]
    stream: bool,
}

/// Runs it.
pub(super) async fn run(client: &Client, args: &RunArgs) -> Result<(), Failure> {
    let question = question::read(args)?;
    let mut messages = begin(client, question).await?;
    let mut is_at_line_start = true;
    let result = loop {
        // A stream that ends without a result was cut.
        let message = messages.next().await?.ok_or_else(|| client.cut_short())?;
        if args.stream {
            output::line(&format!("{{\"event\":{:?},\"data\":{}}}", message.name, message.data))?;
        }
        match message.name.as_str() {
            "result" => break message.data,
            "problem" => return Err(ClientError::of_problem(&message.data).into()),
            "stdout" | "stderr" if !args.json => pass_on(client, &message, &mut is_at_line_start)?,
            // Charts stand in the result as well; what a newer server tells besides is for newer commands.
            _ => {}
        }
    };
    let answer: Answer = serde_json::from_str(&result).map_err(|error| client.unexpected(error))?;
    if args.json && !args.stream {
        output::line(&output::indent(&result))?;
    }
    if !args.json {
        if !is_at_line_start && !answer.output.dataframes.is_empty() {
            output::line("")?;
        }
        answer.show()?;
    }
    if !args.json || args.out.is_some() {
        save::all(&answer.output, args)?;
    }
    answer.verdict(&args.file)
}

/// Asks; while the server has yet to build what snippets run in, again.
async fn begin(client: &Client, question: Bytes) -> Result<Messages, Failure> {
    let progress = Progress::of("waiting for the sandbox");
    loop {
        let refused = match client.post_for_messages("/api/execute", question.clone()).await {
            Ok(messages) => return Ok(messages),
            Err(error) => error,
        };
        let Some(pause) = refused.pause_for("environment_building") else { return Err(refused.into()) };
        progress.tell(&refused.to_string());
        tokio::time::sleep(pause).await;
    }
}

/// A piece of what the code writes, which is a JSON string.
fn pass_on(client: &Client, message: &Message, is_at_line_start: &mut bool) -> Result<(), Failure> {
    let text: String = serde_json::from_str(&message.data).map_err(|error| client.unexpected(error))?;
    if message.name == "stderr" {
        output::pass_on(&text);
        return Ok(());
    }
    *is_at_line_start = text.ends_with('\n');
    output::write(&text)
}
