// SPDX-License-Identifier: Apache-2.0
//! The filter of system calls: what [`table`] allows passes, all else is answered with an error.
//!
//! An error and not the end, since libraries try things: `EPERM` for what is forbidden, `ENOSYS` where the caller has another way.
//! Only a call of a foreign architecture ends the process, as no program does that by accident.

mod table;
mod tree;

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    sock_filter,
};

use self::table::{ALLOWED, Condition, NEWEST, UNKNOWN};
use self::tree::Verdict;
use crate::level::Level;
use crate::plan::{Arg, Step};

/// The step that installs the filter: the last one, as it refuses what the others need.
pub(crate) fn step(level: Level) -> Step {
    let args = vec![Arg::int(i64::from(libc::SECCOMP_SET_MODE_FILTER)), Arg::Int(0), Arg::Filter(filter(level))];
    Step::new("filter system calls", libc::SYS_seccomp, args)
}

/// The program in the kernel's form.
fn filter(level: Level) -> Vec<u8> {
    let mut bytes = Vec::new();
    for instruction in program(level) {
        bytes.extend(instruction.code.to_ne_bytes());
        bytes.extend([instruction.jt, instruction.jf]);
        bytes.extend(instruction.k.to_ne_bytes());
    }
    bytes
}

/// First the architecture, since numbers mean nothing without it; then the number, which decides nearly everything; then the
/// arguments of the few calls that are left.
fn program(level: Level) -> Vec<sock_filter> {
    const NUMBER: u32 = 0;
    const ARCHITECTURE_TOKEN: u32 = 4;
    let statement = |code: u32, k: u32| sock_filter { code: narrow(code), jt: 0, jf: 0, k };
    let load = |offset: u32| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset);
    let ours = sock_filter { code: narrow(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K), jt: 1, jf: 0, k: AUDIT_ARCHITECTURE };
    let end = statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_KILL_PROCESS);
    let mut program = vec![load(ARCHITECTURE_TOKEN), ours, end, load(NUMBER)];
    program.extend(tree::compile(&verdicts(level)));
    program.extend(by_arguments(level));
    program
}

/// From which number on which verdict holds.
fn verdicts(level: Level) -> Vec<(u32, Verdict)> {
    let rules = rules(level);
    let verdict = |number: i64| match rules.get(&number) {
        Some(cases) if cases.is_empty() => Verdict::Allowed,
        Some(_) => Verdict::Arguments,
        None if number > NEWEST || UNKNOWN.iter().any(|(unknown, _)| *unknown == number) => Verdict::Unknown,
        None => Verdict::Forbidden,
    };
    let mut verdicts: Vec<(u32, Verdict)> = Vec::new();
    // Everything beyond the last is the same, up to the numbers of other ways to call.
    for (begin, number) in (0..).zip(0..=NEWEST + 1) {
        if verdicts.last().is_none_or(|(_, last)| *last != verdict(number)) {
            verdicts.push((begin, verdict(number)));
        }
    }
    verdicts
}

fn by_arguments(level: Level) -> BpfProgram {
    let rules = rules(level).into_iter().filter(|(_, cases)| !cases.is_empty()).collect();
    let forbidden = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    #[expect(clippy::expect_used, reason = "the table is constant, and a test compiles it for every level")]
    let program = SeccompFilter::new(rules, forbidden, SeccompAction::Allow, ARCHITECTURE)
        .and_then(BpfProgram::try_from)
        .expect("the table compiles");
    program
}

fn rules(level: Level) -> BTreeMap<i64, Vec<SeccompRule>> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for allowance in ALLOWED.iter().filter(|allowance| allowance.at.includes(level)) {
        for call in allowance.calls {
            rules.entry(*call).or_default().extend(allowance.cases.iter().map(|case| rule(case)));
        }
    }
    rules
}

fn rule(case: &[Condition]) -> SeccompRule {
    #[expect(clippy::expect_used, reason = "the table is constant, and a test compiles it for every level")]
    let condition = |condition: &Condition| {
        let operator = SeccompCmpOp::MaskedEq(condition.mask);
        SeccompCondition::new(condition.argument, SeccompCmpArgLen::Dword, operator, condition.value).expect("an argument")
    };
    #[expect(clippy::expect_used, reason = "the table is constant, and a test compiles it for every level")]
    SeccompRule::new(case.iter().map(condition).collect()).expect("no rule is empty")
}

#[expect(clippy::cast_possible_truncation, reason = "instruction codes are 16 bits wide; the C library's constants are wider")]
fn narrow(code: u32) -> u16 {
    code as u16
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "x86_64")]
const AUDIT_ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: TargetArch = TargetArch::aarch64;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCHITECTURE: u32 = 0xC000_00B7;

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: [Level; 3] = [Level::Full, Level::Standard, Level::Basic];

    #[test]
    fn every_allowance_gives_its_reason_and_no_call_is_allowed_twice_without_a_condition() {
        let mut free = std::collections::BTreeSet::new();
        for allowance in ALLOWED {
            assert!(allowance.reason.len() > 5 && !allowance.calls.is_empty());
            for call in allowance.calls.iter().filter(|_| allowance.cases.is_empty()) {
                assert!(free.insert(*call), "call {call} is listed twice");
            }
        }
        for (number, reason) in UNKNOWN {
            assert!(!free.contains(number) && reason.len() > 5);
        }
    }

    #[test]
    fn a_condition_and_none_never_meet_at_one_call() {
        for level in LEVELS {
            for (call, cases) in rules(level) {
                let free = ALLOWED.iter().any(|a| a.at.includes(level) && a.cases.is_empty() && a.calls.contains(&call));
                assert_eq!(free, cases.is_empty(), "call {call} at {level}: seccompiler would take the condition for all of it");
            }
        }
    }

    #[test]
    fn the_filter_compiles_for_every_level_and_fits_the_kernel() {
        for level in LEVELS {
            let instructions = filter(level).len() / 8;
            assert!((100..4096).contains(&instructions), "{instructions} at {level}");
        }
    }

    #[test]
    fn the_search_says_of_every_number_what_the_table_says() {
        for level in LEVELS {
            let rules = rules(level);
            let program = tree::compile(&verdicts(level));
            // Half of it must be within reach of one jump.
            assert!(program.len() < 2 * 255, "{}", program.len());
            for number in (0..2000).chain([0x4000_0000, 0x4000_0027, 0x7FFF_FFFF]) {
                let answer = tree::tests::run(&program, number);
                let number = i64::from(number);
                let is_unknown = number > NEWEST || UNKNOWN.iter().any(|(unknown, _)| *unknown == number);
                let errno = if is_unknown { libc::ENOSYS } else { libc::EPERM };
                let expected = match rules.get(&number) {
                    Some(cases) if cases.is_empty() => Some(libc::SECCOMP_RET_ALLOW),
                    Some(_) => None,
                    None => Some(libc::SECCOMP_RET_ERRNO | errno.cast_unsigned()),
                };
                assert_eq!(answer, expected, "call {number} at {level}");
            }
        }
    }

    #[test]
    fn processes_and_unaccounted_memory_are_for_the_level_that_counts_them() {
        for (call, at_full) in [(libc::SYS_memfd_create, 1), (libc::SYS_clone, 2), (libc::SYS_mmap, 3)] {
            assert_eq!(rules(Level::Full).get(&call).map(Vec::len), Some(at_full));
            assert!(rules(Level::Standard).get(&call).is_none_or(|cases| cases.len() == at_full - 1));
        }
    }

    #[test]
    fn what_is_never_needed_is_never_allowed() {
        let never = [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_mount,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_sendmsg,
            libc::SYS_bpf,
            libc::SYS_keyctl,
            libc::SYS_userfaultfd,
            libc::SYS_perf_event_open,
            libc::SYS_seccomp,
            libc::SYS_chroot,
            libc::SYS_shmget,
            libc::SYS_setuid,
            libc::SYS_flock,
        ];
        for level in LEVELS {
            assert!(never.iter().all(|call| !rules(level).contains_key(call)));
        }
    }
}
