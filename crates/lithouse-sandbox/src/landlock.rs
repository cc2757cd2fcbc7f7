// SPDX-License-Identifier: Apache-2.0
//! Which files can be opened, as Landlock sees it: a second wall behind the tree, and the only one in `basic`.
//!
//! A ruleset is made once, by the launcher, while paths can still be opened; each child restricts itself with it.

use std::ffi::c_int;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};
use rustix::io::Errno;

use crate::failure::Failure;
use crate::plan::{Arg, SlotInt, Step};

const STEP: &str = "make Landlock ruleset";

/// What a ruleset opens.
pub(crate) struct Rules<'a> {
    /// To be read and executed, folders with all beneath.
    pub(crate) readable: &'a [PathBuf],
    /// To be changed too.
    pub(crate) writable: &'a [PathBuf],
    /// Files that exist once for everybody, such as `/dev/null`.
    pub(crate) devices: &'a [PathBuf],
}

/// The version of the interface that the kernel offers.
pub(crate) fn version() -> Result<u32, Errno> {
    const CREATE_RULESET_VERSION: c_int = 1;
    #[expect(unsafe_code, reason = "asking for the version is a special form of the call, which no library offers")]
    // SAFETY: with this flag the call takes no pointer, and answers with a number.
    let answer = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0_usize, 0_usize, CREATE_RULESET_VERSION) };
    u32::try_from(answer).map_err(|_| Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::NOSYS))
}

/// Makes a ruleset of everything that this version can refuse.
pub(crate) fn ruleset(version: u32, rules: &Rules<'_>) -> Result<OwnedFd, Failure> {
    let abi = ABI::from(i32::try_from(version).unwrap_or(i32::MAX));
    let mut ruleset = create(abi).map_err(|error| Failure::about(STEP, Errno::INVAL, error))?;
    for path in rules.readable {
        ruleset = allow(ruleset, path, AccessFs::from_read(abi), abi)?;
    }
    for path in rules.writable {
        // Devices, sockets and programs have no place among a run's own files.
        let never = AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeSock | AccessFs::MakeFifo | AccessFs::Execute;
        ruleset = allow(ruleset, path, AccessFs::from_all(abi) & !never, abi)?;
    }
    for path in rules.devices {
        ruleset = allow(ruleset, path, AccessFs::ReadFile | AccessFs::WriteFile, abi)?;
    }
    Option::<OwnedFd>::from(ruleset).ok_or_else(|| Failure::new(STEP, Errno::NOSYS))
}

/// Binds the child, and all that it ever starts, to the slot's ruleset.
pub(crate) fn step() -> Step {
    let args = vec![Arg::SlotInt(SlotInt::Ruleset), Arg::Int(0)];
    Step::new("restrict with Landlock", libc::SYS_landlock_restrict_self, args)
}

/// Every right that the version knows is handled, and so refused where no rule gives it; network and signals get no rule at all.
fn create(abi: ABI) -> Result<RulesetCreated, RulesetError> {
    let mut ruleset =
        Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::from_all(abi))?;
    if abi >= ABI::V4 {
        ruleset = ruleset.handle_access(AccessNet::from_all(abi))?;
    }
    if abi >= ABI::V6 {
        ruleset = ruleset.scope(Scope::from_all(abi))?;
    }
    ruleset.create()
}

fn allow(ruleset: RulesetCreated, path: &Path, access: BitFlags<AccessFs>, abi: ABI) -> Result<RulesetCreated, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::about(STEP, Errno::NOENT, format!("`{}`: {error}", path.display()));
    let opened = PathFd::new(path).map_err(|error| failed(&error))?;
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(abi) };
    ruleset.add_rule(PathBeneath::new(opened, access)).map_err(|error| failed(&error))
}
