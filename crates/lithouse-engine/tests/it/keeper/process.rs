// SPDX-License-Identifier: Apache-2.0
//! The keeper and the hidden verbs of the sandbox as the product's binary has them, and nothing else.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use lithouse_engine::home::Home;
use lithouse_engine::keeper::{KeeperOptions, run};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [verb, channel] if verb == "app-entry" => lithouse_sandbox::entry::enter(channel),
        [verb, channel] if verb == "snippet-zygote" => lithouse_sandbox::zygote::enter(channel),
        [verb] if verb == "sandbox-probe" => lithouse_sandbox::level::run_probe(),
        [verb, option, data, special @ ..] if verb == "keeper" && option == "--data" => keep(Path::new(data), special),
        _ => ExitCode::from(2),
    }
}

/// `special` makes it say that it is of another version: `--protocol 7`, or that it can read another handover: `--reads 7`;
/// `--groups 0` takes control groups from it; `--awaits-ms 300` has it wait no longer for a server.
fn keep(data: &Path, special: &[OsString]) -> ExitCode {
    let mut options = KeeperOptions::default();
    for pair in special.chunks(2) {
        let number = pair.get(1).and_then(|number| number.to_str()).and_then(|number| number.parse().ok());
        match (pair[0].to_str(), number) {
            (Some("--protocol"), Some(number)) => options.protocol = number,
            (Some("--groups"), Some(0)) => options.makes_groups = false,
            (Some("--reads"), Some(number)) => options.reads = vec![number],
            (Some("--awaits-ms"), Some(number)) => options.awaits_for = Duration::from_millis(number.into()),
            _ => return ExitCode::from(2),
        }
    }
    let kept = Home::open(data).map_err(|error| error.to_string());
    match kept.and_then(|home| run(home, options).map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody listens, nobody is told.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}
