// SPDX-License-Identifier: Apache-2.0
//! Connections to apps: made, used by one request at a time, and kept for the next.

pub(crate) mod carrier;
pub(crate) mod link;
pub(crate) mod pool;
pub(crate) mod socket;
