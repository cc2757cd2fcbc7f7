// SPDX-License-Identifier: Apache-2.0
//! What a monitoring system reads at `/metrics`, as Prometheus text.
//!
//! Whoever counts does so with additions that wait for nobody; everything else is looked at when the page is asked for. Each metric is
//! declared once, in `declare`. Labels hold words of ours and names of apps that there are, never what a client says.

mod collect;
mod declare;
mod process;
#[cfg(test)]
mod reference;
mod requests;
mod text;

pub(crate) use collect::collect;
pub(crate) use requests::{Handler, RequestCounts};
pub(crate) use text::FORMAT;
