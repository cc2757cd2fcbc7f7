// SPDX-License-Identifier: Apache-2.0
//! What holds of everything that others send to the server or write into its configuration. `cargo fuzz` looks for what it does not
//! hold of; the tests replay what it has found.

/// Receives the form of a new app, or of a release, in pieces: what comes of it does not depend on them.
pub fn multipart(input: &[u8]) {
    crate::api::fuzz::multipart(input);
}

/// Reads a configuration in both forms: what is taken can be shown, and shown again is the same.
pub fn configuration(input: &[u8]) {
    crate::config::fuzz::configuration(input);
}

#[cfg(test)]
mod tests {
    use lithouse_testkit::replay;

    use super::*;

    #[test]
    fn what_was_found_in_forms_holds() {
        replay("multipart", multipart);
    }

    #[test]
    fn what_was_found_in_configurations_holds() {
        replay("configuration", configuration);
    }
}
