// SPDX-License-Identifier: Apache-2.0
//! Which headers pass, in either direction. Pure functions over header maps.

pub(crate) mod cookie;
pub(crate) mod hop;
pub(crate) mod identity;
pub(crate) mod location;
pub(crate) mod request;
pub(crate) mod response;
