// SPDX-License-Identifier: Apache-2.0
//! Runs `lithouse::fuzz::configuration`, which says what it holds.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lithouse::fuzz::configuration(input));
