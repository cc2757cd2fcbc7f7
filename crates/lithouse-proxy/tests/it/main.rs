// SPDX-License-Identifier: Apache-2.0
//! The proxy from outside: a real server around it, real connections, apps that are honest and apps that are not.
//!
//! Each module says `cfg(test)`, so that the lints know its helpers for test code too.

#[cfg(test)]
mod faults;
#[cfg(test)]
mod passing;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod streaming;
#[cfg(test)]
mod support;
#[cfg(test)]
mod upgrades;
