// SPDX-License-Identifier: Apache-2.0
//! What an app's process is to become, as it travels from the keeper to the entry.
//!
//! It travels over a socket and not on the command line, which everybody on the machine can read, nor in the environment, which
//! would reach the entry itself: a variable such as `LD_PRELOAD` must act on the app only.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The program and the circumstances it runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The program; without a `/` it is looked for on the `PATH` of `env`.
    pub program: OsString,
    /// Its arguments, without its own name.
    pub args: Vec<OsString>,
    /// Its complete environment.
    pub env: Vec<(OsString, OsString)>,
    /// Its working folder.
    pub cwd: PathBuf,
    /// The pid of the keeper that starts it; if that is gone, it does not start.
    pub parent: i32,
    /// The permissions its new files do not get.
    pub umask: u32,
    /// How readily the kernel chooses it when memory runs out, -1000 to 1000.
    pub oom_score: i32,
    /// Limits on its resources.
    pub limits: Limits,
    /// The user that it runs as; none for the keeper's own.
    pub run_as: Option<RunAs>,
}

/// A user that a process becomes, for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAs {
    /// The user; never root.
    pub uid: u32,
    /// The user's own group.
    pub gid: u32,
    /// The other groups.
    pub groups: Vec<u32>,
}

/// Limits on what one process may take; `None` leaves the inherited one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Open descriptors: the limit that a program may raise again to the inherited hard one.
    pub open_files_soft: Option<u64>,
    /// Open descriptors: the limit that cannot be raised again.
    pub open_files: Option<u64>,
    /// Processes of the same user.
    pub processes: Option<u64>,
    /// The size of one file it writes, in bytes.
    pub file_size: Option<u64>,
    /// Its address space, in bytes.
    pub address_space: Option<u64>,
    /// Its priority, -20 (first) to 19 (last).
    pub nice: Option<i32>,
    /// The bytes of its message queues, which hardly any program uses: a number that all descendants inherit, and that an empty
    /// environment and a session of their own do not take off.
    pub tag: Option<u64>,
}

/// Why a specification cannot be sent or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No program, argument or variable of a Unix process can hold one.
    #[error("a NUL byte in `{0}`")]
    Nul(String),
    /// A variable's name is empty or holds `=`.
    #[error("`{0}` cannot be the name of an environment variable")]
    Name(String),
    /// What was read is not a whole specification.
    #[error("not a whole specification")]
    Damaged,
}

/// The last field: without it the stream was cut off.
const END: &[u8] = b"end=";

impl Spec {
    /// The specification as fields `name=value`, each ended by a NUL byte.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SpecError> {
        let mut bytes = Vec::new();
        let mut field = |name: &str, value: &OsStr| {
            if value.as_bytes().contains(&0) {
                return Err(SpecError::Nul(value.to_string_lossy().replace('\0', "\\0")));
            }
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(b'=');
            bytes.extend_from_slice(value.as_bytes());
            bytes.push(0);
            Ok(())
        };
        field("program", &self.program)?;
        for argument in &self.args {
            field("arg", argument)?;
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.as_bytes().contains(&b'=') {
                return Err(SpecError::Name(name.to_string_lossy().into_owned()));
            }
            let mut variable = name.clone();
            variable.push("=");
            variable.push(value);
            field("env", &variable)?;
        }
        field("cwd", self.cwd.as_os_str())?;
        let limits = &self.limits;
        let numbers = [
            ("parent", Some(i128::from(self.parent))),
            ("umask", Some(i128::from(self.umask))),
            ("oom_score", Some(i128::from(self.oom_score))),
            ("open_files_soft", limits.open_files_soft.map(i128::from)),
            ("open_files", limits.open_files.map(i128::from)),
            ("processes", limits.processes.map(i128::from)),
            ("file_size", limits.file_size.map(i128::from)),
            ("address_space", limits.address_space.map(i128::from)),
            ("nice", limits.nice.map(i128::from)),
            ("tag", limits.tag.map(i128::from)),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                field(name, OsStr::new(&number.to_string()))?;
            }
        }
        if let Some(user) = &self.run_as {
            field("run_as", OsStr::new(&user.to_text()))?;
        }
        bytes.extend_from_slice(END);
        bytes.push(0);
        Ok(bytes)
    }

    /// Reads what [`Spec::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SpecError> {
        let fields = bytes.strip_suffix(&[0]).and_then(|rest| rest.strip_suffix(END)).ok_or(SpecError::Damaged)?;
        let (mut program, mut cwd, mut parent, mut umask, mut oom_score) = (None, None, None, None, None);
        let (mut args, mut env, mut limits, mut run_as) = (Vec::new(), Vec::new(), Limits::default(), None);
        for field in fields.split(|byte| *byte == 0).filter(|field| !field.is_empty()) {
            let (name, value) = split(field)?;
            match name {
                b"program" => program = Some(text(value)),
                b"arg" => args.push(text(value)),
                b"env" => env.push(split(value).map(|(name, value)| (text(name), text(value)))?),
                b"cwd" => cwd = Some(PathBuf::from(text(value))),
                b"parent" => parent = Some(number(value)?),
                b"umask" => umask = Some(number(value)?),
                b"run_as" => run_as = Some(RunAs::of_text(value)?),
                b"oom_score" => oom_score = Some(number(value)?),
                b"open_files_soft" => limits.open_files_soft = Some(number(value)?),
                b"open_files" => limits.open_files = Some(number(value)?),
                b"processes" => limits.processes = Some(number(value)?),
                b"file_size" => limits.file_size = Some(number(value)?),
                b"address_space" => limits.address_space = Some(number(value)?),
                b"nice" => limits.nice = Some(number(value)?),
                b"tag" => limits.tag = Some(number(value)?),
                _ => return Err(SpecError::Damaged),
            }
        }
        match (program, cwd, parent, umask, oom_score) {
            (Some(program), Some(cwd), Some(parent), Some(umask), Some(oom_score)) => {
                Ok(Self { program, args, env, cwd, parent, umask, oom_score, limits, run_as })
            }
            _ => Err(SpecError::Damaged),
        }
    }
}

impl RunAs {
    fn to_text(&self) -> String {
        let numbers = [self.uid, self.gid].into_iter().chain(self.groups.iter().copied());
        numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
    }

    fn of_text(bytes: &[u8]) -> Result<Self, SpecError> {
        let mut numbers = bytes.split(|byte| *byte == b' ').map(number);
        match (numbers.next(), numbers.next()) {
            (Some(uid), Some(gid)) => Ok(Self { uid: uid?, gid: gid?, groups: numbers.collect::<Result<_, _>>()? }),
            _ => Err(SpecError::Damaged),
        }
    }
}

fn split(field: &[u8]) -> Result<(&[u8], &[u8]), SpecError> {
    let equals = field.iter().position(|byte| *byte == b'=').ok_or(SpecError::Damaged)?;
    Ok((&field[..equals], &field[equals + 1..]))
}

fn text(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

fn number<N: std::str::FromStr>(bytes: &[u8]) -> Result<N, SpecError> {
    str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).ok_or(SpecError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Spec {
        Spec {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), String::new().into(), "echo \"a=b\"\n".into()],
            env: vec![("A".into(), "1=2\n".into()), ("EMPTY".into(), String::new().into())],
            cwd: PathBuf::from("/tmp"),
            parent: 7,
            umask: 0o027,
            oom_score: 500,
            limits: Limits { open_files: Some(64), nice: Some(-1), ..Limits::default() },
            run_as: Some(RunAs { uid: 1000, gid: 1001, groups: vec![7, 8] }),
        }
    }

    #[test]
    fn a_specification_arrives_as_it_was_sent() {
        let bytes = sample().to_bytes().unwrap();
        assert_eq!(Spec::from_bytes(&bytes), Ok(sample()));
    }

    #[test]
    fn a_specification_cut_off_anywhere_is_not_taken_for_a_whole_one() {
        let bytes = sample().to_bytes().unwrap();
        for length in 0..bytes.len() {
            assert_eq!(Spec::from_bytes(&bytes[..length]), Err(SpecError::Damaged), "{length}");
        }
    }

    #[test]
    fn what_a_process_cannot_hold_is_refused_before_it_is_sent() {
        let nul = Spec { args: vec!["a\0b".into()], ..sample() };
        assert!(matches!(nul.to_bytes(), Err(SpecError::Nul(_))));
        for name in ["", "A=B"] {
            let spec = Spec { env: vec![(name.into(), "x".into())], ..sample() };
            assert_eq!(spec.to_bytes(), Err(SpecError::Name(name.to_owned())));
        }
    }
}
