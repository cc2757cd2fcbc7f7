// SPDX-License-Identifier: Apache-2.0
//! The program `lithouse`. All that it does is in the library beside it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    lithouse::main()
}
