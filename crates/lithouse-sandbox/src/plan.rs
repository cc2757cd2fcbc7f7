// SPDX-License-Identifier: Apache-2.0
//! System calls as data: what a child does to itself before it sees foreign code.
//!
//! A child is a fork of the warm interpreter, so its last layers can only be put on by code inside that Python process. The
//! policy is ours all the same: here it is composed into calls, and whoever performs them needs to understand none. The JSON form
//! is the contract with the Python side; `docs/adr/0008-the-sandbox-plan.md` says why it is made so.

pub(crate) mod perform;

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

/// Calls to be made in order. The first that fails ends the child, unless it may fail.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Plan {
    /// The calls.
    pub steps: Vec<Step>,
}

/// One system call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it is for, in words, to be told when it fails.
    pub name: Cow<'static, str>,
    /// The call's number on this machine's architecture.
    pub number: i64,
    /// The arguments, always six: some calls refuse to be made while those that they do not need are not zero.
    pub args: Vec<Arg>,
    /// Whether an error is passed over: for what is a preference and not a promise.
    pub may_fail: bool,
}

/// One argument of a call. All but the plain numbers are passed as pointers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arg {
    /// A number as it is.
    Int(i64),
    /// A pointer to these bytes, which the call may overwrite. Base64 in JSON.
    Bytes(#[serde(serialize_with = "as_base64")] Vec<u8>),
    /// A pointer to this text, ended by a zero byte.
    Text(String),
    /// As a text, once `{slot}`, `{uid}`, `{gid}` and `{data_limit}` are replaced by what they are for this child.
    Format(String),
    /// A number that depends on the slot.
    SlotInt(SlotInt),
    /// A pointer to a `struct sock_fprog` over these `struct sock_filter`. Base64 in JSON.
    Filter(#[serde(serialize_with = "as_base64")] Vec<u8>),
    /// A pointer to a `struct rlimit64`.
    Limit {
        /// What binds now.
        soft: Bound,
        /// What the soft limit can be raised to.
        hard: Bound,
    },
}

/// Numbers that differ from slot to slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotInt {
    /// The slot's index.
    Slot,
    /// The user id that came with the fork.
    Uid,
    /// The group id: the same number as the user id.
    Gid,
    /// The descriptor of the slot's Landlock ruleset: entry `slot` of the list, or the only one.
    Ruleset,
}

/// One half of a resource limit: a JSON number, or the word `data_limit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// A number known beforehand.
    Value(u64),
    /// The `data_limit` that came with the fork.
    DataLimit,
}

impl Step {
    const ARGUMENTS: usize = 6;

    pub(crate) fn new(name: &'static str, number: libc::c_long, mut args: Vec<Arg>) -> Self {
        args.resize(Self::ARGUMENTS, Arg::NULL);
        Self { name: Cow::Borrowed(name), number, args, may_fail: false }
    }

    pub(crate) fn that_may_fail(mut self) -> Self {
        self.may_fail = true;
        self
    }
}

impl Arg {
    /// A null pointer.
    pub(crate) const NULL: Self = Self::Int(0);

    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// Flags and other numbers, whatever type the C library gives them.
    pub(crate) fn int(value: impl Into<i64>) -> Self {
        Self::Int(value.into())
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => serializer.serialize_u64(*value),
            Self::DataLimit => serializer.serialize_str("data_limit"),
        }
    }
}

fn as_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_form_is_the_one_that_python_reads() {
        let step = Step::new(
            "everything",
            165,
            vec![
                Arg::int(-1),
                Arg::Bytes(vec![0, 255]),
                Arg::text("tmpfs"),
                Arg::Format("uid={uid}".to_owned()),
                Arg::SlotInt(SlotInt::Ruleset),
                Arg::Limit { soft: Bound::Value(u64::MAX), hard: Bound::DataLimit },
            ],
        );
        let other = Step::new("filter", 317, vec![Arg::Filter(vec![6, 0])]).that_may_fail();
        let json = serde_json::to_string(&Plan { steps: vec![step, other] }).expect("plain data");
        assert_eq!(
            json,
            concat!(
                r#"[{"name":"everything","number":165,"args":[{"int":-1},{"bytes":"AP8="},{"text":"tmpfs"},{"format":"uid={uid}"},"#,
                r#"{"slot_int":"ruleset"},{"limit":{"soft":18446744073709551615,"hard":"data_limit"}}],"may_fail":false},"#,
                r#"{"name":"filter","number":317,"args":[{"filter":"BgA="},{"int":0},{"int":0},{"int":0},{"int":0},{"int":0}],"may_fail":true}]"#,
            )
        );
    }
}
