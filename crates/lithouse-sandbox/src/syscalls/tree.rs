// SPDX-License-Identifier: Apache-2.0
//! The decision by number alone, as a binary search.
//!
//! The kernel runs every new filter once for each of its calls, to learn which ones need no filter at all. With one comparison after
//! the other that was most of what a child's confinement cost: 470 µs where the search takes 130 (see the test that measures costs).

use seccompiler::sock_filter;

/// What a call's number leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    Forbidden,
    /// It does not exist, as far as the caller is told.
    Unknown,
    /// Its arguments decide: the program goes on behind the tree.
    Arguments,
}

/// A program that expects the number to be loaded, and ends with a verdict or behind its last instruction.
///
/// Each verdict holds from its number on, until the next one's; the first must begin with 0.
pub(super) fn compile(verdicts: &[(u32, Verdict)]) -> Vec<sock_filter> {
    let mut program = subtree(verdicts);
    let length = program.len();
    for (position, instruction) in program.iter_mut().enumerate() {
        if is_jump(instruction) {
            instruction.k = distance(length - position - 1);
        }
    }
    program
}

fn subtree(verdicts: &[(u32, Verdict)]) -> Vec<sock_filter> {
    if let [(_, verdict)] = verdicts {
        return vec![leaf(*verdict)];
    }
    let (lower, upper) = verdicts.split_at(verdicts.len() / 2);
    let (lower, rest) = (subtree(lower), subtree(upper));
    let Some((boundary, _)) = upper.first() else { return Vec::new() };
    let mut program = vec![sock_filter {
        code: super::narrow(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K),
        jt: 0,
        // A test holds that no table comes near this length.
        jf: u8::try_from(rest.len()).unwrap_or(u8::MAX),
        k: *boundary,
    }];
    program.extend(rest);
    program.extend(lower);
    program
}

fn leaf(verdict: Verdict) -> sock_filter {
    let errno = |errno: i32| libc::SECCOMP_RET_ERRNO | errno.cast_unsigned();
    let answer = match verdict {
        Verdict::Allowed => libc::SECCOMP_RET_ALLOW,
        Verdict::Forbidden => errno(libc::EPERM),
        Verdict::Unknown => errno(libc::ENOSYS),
        // How far it is to the end is known when all is put together.
        Verdict::Arguments => return sock_filter { code: JUMP, jt: 0, jf: 0, k: 0 },
    };
    sock_filter { code: super::narrow(libc::BPF_RET | libc::BPF_K), jt: 0, jf: 0, k: answer }
}

const JUMP: u16 = 0x05;

fn is_jump(instruction: &sock_filter) -> bool {
    instruction.code == JUMP
}

fn distance(instructions: usize) -> u32 {
    u32::try_from(instructions).unwrap_or(u32::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Runs a tree as the kernel would; `None` is its end.
    pub(crate) fn run(program: &[sock_filter], number: u32) -> Option<u32> {
        let mut at = 0;
        while let Some(instruction) = program.get(at) {
            at += 1;
            if is_jump(instruction) {
                at += instruction.k as usize;
            } else if instruction.code == super::super::narrow(libc::BPF_RET | libc::BPF_K) {
                return Some(instruction.k);
            } else {
                at += usize::from(if number >= instruction.k { instruction.jt } else { instruction.jf });
            }
        }
        None
    }

    #[test]
    fn every_number_gets_the_verdict_that_begins_at_or_below_it() {
        let verdicts = [
            (0, Verdict::Allowed),
            (3, Verdict::Forbidden),
            (4, Verdict::Arguments),
            (5, Verdict::Allowed),
            (100, Verdict::Unknown),
        ];
        for length in 1..=verdicts.len() {
            let verdicts = &verdicts[..length];
            let program = compile(verdicts);
            for number in (0..200).chain([u32::MAX]) {
                let expected = verdicts.iter().rev().find(|(begin, _)| *begin <= number).expect("the first begins with 0").1;
                let answer = match leaf(expected) {
                    jump if is_jump(&jump) => None,
                    end => Some(end.k),
                };
                assert_eq!(run(&program, number), answer, "{number} of {length}");
            }
        }
    }
}
