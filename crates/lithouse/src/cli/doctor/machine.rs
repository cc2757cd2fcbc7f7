// SPDX-License-Identifier: Apache-2.0
//! The kernel, and the confinement that it offers.

use super::Check;
use crate::config::{Config, Sandbox};

/// The oldest kernel that has all that is used.
const OLDEST: (u32, u32) = (5, 10);

pub(super) fn kernel() -> Check {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    kernel_of(&release)
}

fn kernel_of(release: &str) -> Check {
    const NAME: &str = "kernel";
    let needed = format!("{}.{} or newer is needed", OLDEST.0, OLDEST.1);
    match version(release) {
        Some(version) if version >= OLDEST => Check::ok(NAME, format!("Linux {release}")),
        Some(_) => Check::fail(NAME, format!("Linux {release}; {needed}"), "upgrade the system, or move to a newer one"),
        None => Check::warn(NAME, format!("`{release}` is not understood; {needed}"), "see what `uname -r` says"),
    }
}

/// The two first numbers.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|each: char| !each.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// What confines code here. **This is the place for the probe of the sandbox**: it tells the level that the machine offers, for
/// `config.snippets.sandbox` to be held against. Until then, what is known without a look is told.
pub(super) fn sandbox(config: &Config) -> Check {
    const NAME: &str = "sandbox";
    if config.snippets.enabled && config.snippets.sandbox == Sandbox::None {
        let detail = "snippets run without confinement: `snippets.sandbox` is `none`";
        return Check::warn(NAME, detail, "take `snippets.sandbox` out of the configuration");
    }
    Check::warn(NAME, "apps and builds run with all rights of this user", "let nobody deploy whom you would not give a login")
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn a_kernel_is_judged_by_its_first_two_numbers() {
        for (release, status) in [
            ("6.1.0-26-amd64", Status::Ok),
            ("5.10.102.1-microsoft-standard-WSL2", Status::Ok),
            ("5.9.16", Status::Fail),
            ("4.18.0-553.el8.x86_64", Status::Fail),
            ("10.0", Status::Ok),
            ("unknown", Status::Warn),
            ("", Status::Warn),
        ] {
            assert_eq!(kernel_of(release).status, status, "{release}");
        }
    }
}
