// SPDX-License-Identifier: Apache-2.0
//! A table of bad input: each row is a request as it goes over the wire and the whole answer to it, frozen, and nothing has changed
//! afterwards. What can only be found out later (requirements, builds) freezes what the app is told to have failed for.

mod accepted;
mod archives;
mod builds;
mod contradictions;
mod forms;
mod heads;
mod index;
mod json;
mod lab;
mod paths;
mod request;
mod scripts;
