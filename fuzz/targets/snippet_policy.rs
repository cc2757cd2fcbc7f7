// SPDX-License-Identifier: Apache-2.0
//! Runs `lithouse_core::fuzz::snippet_policy`, which says what it holds.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lithouse_core::fuzz::snippet_policy(input));
