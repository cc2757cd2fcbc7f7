// SPDX-License-Identifier: Apache-2.0
//! Snippets run in real sandboxes, at every level that this machine offers, with a real Python and the real libraries.

mod bench;
mod endings;
mod escapes;
mod files;
mod lab;
mod leftovers;
mod levels;
mod lies;
mod processes;
mod results;
mod service;
mod soak;
mod streams;
mod templates;
mod zygotes;
