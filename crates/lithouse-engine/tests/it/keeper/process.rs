// SPDX-License-Identifier: Apache-2.0
//! The keeper and the hidden verbs of the sandbox as the product's binary has them, and nothing else.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use lithouse_engine::home::Home;
use lithouse_engine::keeper::{KeeperOptions, run};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [verb, channel] if verb == "app-entry" => lithouse_sandbox::entry::enter(channel),
        [verb, channel] if verb == "snippet-zygote" => lithouse_sandbox::zygote::enter(channel),
        [verb] if verb == "sandbox-probe" => lithouse_sandbox::level::run_probe(),
        [verb, option, data] if verb == "keeper" && option == "--data" => keep(Path::new(data)),
        _ => ExitCode::from(2),
    }
}

fn keep(data: &Path) -> ExitCode {
    let kept = Home::open(data).map_err(|error| error.to_string());
    match kept.and_then(|home| run(home, KeeperOptions::default()).map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody listens, nobody is told.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}
