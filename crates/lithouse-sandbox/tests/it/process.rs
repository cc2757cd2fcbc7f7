// SPDX-License-Identifier: Apache-2.0
//! The launcher and the probe, as a program for the tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_deref().and_then(|verb| verb.to_str()) {
        Some("snippet-zygote") => lithouse_sandbox::zygote::enter(&arguments.next().unwrap_or_default()),
        Some("sandbox-probe") => lithouse_sandbox::level::run_probe(),
        _ => ExitCode::from(2),
    }
}
