// SPDX-License-Identifier: Apache-2.0
//! Performing a plan in this very process: for the probe, and for measuring. In service it is Python that does this.

use rustix::io::Errno;

use super::{Arg, Bound, SlotInt, Step};
use crate::failure::Failure;

/// What the open places of a plan stand for in one child.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values {
    pub(crate) slot: u32,
    pub(crate) uid: u32,
    pub(crate) ruleset: i32,
    pub(crate) data_limit: u64,
}

/// Makes the calls in order, until one fails that must not.
///
/// Whoever calls this gives up everything that the calls may take away: descriptors, paths, system calls.
pub(crate) fn perform(steps: &[Step], values: Values) -> Result<(), Failure> {
    for step in steps {
        if let Err(errno) = call(step, values)
            && !step.may_fail
        {
            return Err(Failure::new(step.name.clone(), errno));
        }
    }
    Ok(())
}

/// An argument in memory, for as long as the call takes.
enum Held {
    Number(i64),
    Bytes(Vec<u8>),
    /// The second part is what the first points to.
    Filter(Box<libc::sock_fprog>, #[expect(dead_code, reason = "it is read by the kernel")] Vec<u64>),
    Limit(Box<libc::rlimit64>),
}

impl Held {
    fn of(arg: &Arg, values: Values) -> Self {
        match arg {
            Arg::Int(value) => Self::Number(*value),
            Arg::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Arg::Text(text) => Self::Bytes(ended(text)),
            Arg::Format(text) => Self::Bytes(ended(&values.fill(text))),
            Arg::SlotInt(which) => Self::Number(match which {
                SlotInt::Slot => i64::from(values.slot),
                SlotInt::Uid | SlotInt::Gid => i64::from(values.uid),
                SlotInt::Ruleset => i64::from(values.ruleset),
            }),
            Arg::Filter(bytes) => Self::filter(bytes),
            Arg::Limit { soft, hard } => {
                let value = |bound: &Bound| match bound {
                    Bound::Value(value) => *value,
                    Bound::DataLimit => values.data_limit,
                };
                Self::Limit(Box::new(libc::rlimit64 { rlim_cur: value(soft), rlim_max: value(hard) }))
            }
        }
    }

    /// Instructions are eight bytes each, held as numbers so that they are aligned as the kernel's type is.
    fn filter(bytes: &[u8]) -> Self {
        let instructions: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|chunk| u64::from_ne_bytes(*chunk)).collect();
        let length = u16::try_from(instructions.len()).unwrap_or(0);
        let program = libc::sock_fprog { len: length, filter: instructions.as_ptr().cast_mut().cast() };
        Self::Filter(Box::new(program), instructions)
    }

    /// The number or the address that the call is given.
    fn word(&mut self) -> libc::c_long {
        match self {
            Self::Number(number) => *number,
            Self::Bytes(bytes) => bytes.as_mut_ptr() as libc::c_long,
            Self::Filter(program, _) => std::ptr::from_mut(program.as_mut()) as libc::c_long,
            Self::Limit(limit) => std::ptr::from_mut(limit.as_mut()) as libc::c_long,
        }
    }
}

impl Values {
    fn fill(self, text: &str) -> String {
        text.replace("{slot}", &self.slot.to_string())
            .replace("{uid}", &self.uid.to_string())
            .replace("{gid}", &self.uid.to_string())
            .replace("{data_limit}", &self.data_limit.to_string())
    }
}

fn ended(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

fn call(step: &Step, values: Values) -> Result<(), Errno> {
    let mut held: Vec<Held> = step.args.iter().map(|arg| Held::of(arg, values)).collect();
    let mut words: [libc::c_long; 6] = [0; 6];
    for (word, held) in words.iter_mut().zip(&mut held) {
        *word = held.word();
    }
    let [first, second, third, fourth, fifth, sixth] = words;
    #[expect(unsafe_code, reason = "a plan is made of raw system calls")]
    // SAFETY: the plans are made in this crate. Every pointer among the words leads into `held`, which outlives the call, and
    // no call of a plan writes beyond the bytes it was given or changes this process's memory map.
    let answer = unsafe { libc::syscall(step.number, first, second, third, fourth, fifth, sixth) };
    if answer < 0 { Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)) } else { Ok(()) }
}
