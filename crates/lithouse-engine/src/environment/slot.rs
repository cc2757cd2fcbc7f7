// SPDX-License-Identifier: Apache-2.0
//! Who works on which environment, and who uses it. Builders of one environment take turns; the first builds, the others find it built.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::error::PrepareError;
use super::key::EnvironmentKey;
use super::log::BuildLog;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The slots of all environments that somebody holds.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Mutex<HashMap<EnvironmentKey, Weak<Slot>>>,
}

impl Slots {
    /// The slot of an environment. As long as it is held, the environment is not collected.
    pub(super) fn hold(&self, key: &EnvironmentKey) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.get(key).and_then(Weak::upgrade) {
            return slot;
        }
        slots.retain(|_, slot| slot.strong_count() > 0);
        let slot = Arc::new(Slot::default());
        slots.insert(key.clone(), Arc::downgrade(&slot));
        slot
    }

    /// Does something to an environment that nobody holds, and that nobody can take hold of meanwhile.
    pub(super) fn if_free<T>(&self, key: &EnvironmentKey, act: impl FnOnce() -> T) -> Option<T> {
        let slots = lock(&self.slots);
        let is_free = slots.get(key).is_none_or(|slot| slot.strong_count() == 0);
        is_free.then(act)
    }
}

/// The place of one environment.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// Held by the one that builds. Fair: the longest waiting is next.
    pub(super) turn: tokio::sync::Mutex<()>,
    failures: Mutex<Failures>,
    followers: Mutex<Followers>,
}

#[derive(Debug, Default)]
struct Failures {
    count: u64,
    last: Option<PrepareError>,
}

#[derive(Debug, Default)]
struct Followers {
    next: u64,
    logs: Vec<(u64, BuildLog)>,
}

impl Slot {
    /// How many builds have failed so far.
    pub(super) fn failed_builds(&self) -> u64 {
        lock(&self.failures).count
    }

    pub(super) fn record_failure(&self, error: &PrepareError) {
        let mut failures = lock(&self.failures);
        failures.count += 1;
        failures.last = Some(error.clone());
    }

    /// The failure of a build that somebody who came at that count has waited for: building again would only repeat it.
    pub(super) fn failure_since(&self, count: u64) -> Option<PrepareError> {
        let failures = lock(&self.failures);
        if failures.count > count { failures.last.clone() } else { None }
    }

    /// Lets a log have the lines of whoever builds, until the answer is dropped.
    pub(super) fn follow(self: &Arc<Self>, log: BuildLog) -> Following {
        let mut followers = lock(&self.followers);
        let number = followers.next;
        followers.next += 1;
        followers.logs.push((number, log));
        Following { slot: Arc::clone(self), number }
    }

    /// Writes a line to every log that follows.
    pub(super) fn tell(&self, text: &str) {
        for (_, log) in &lock(&self.followers).logs {
            log.write(text);
        }
    }
}

/// Ends the following when it is dropped.
#[derive(Debug)]
pub(super) struct Following {
    slot: Arc<Slot>,
    number: u64,
}

impl Drop for Following {
    fn drop(&mut self) {
        lock(&self.slot.followers).logs.retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_free_only_while_nobody_holds_it() {
        let slots = Slots::default();
        let key = EnvironmentKey::of(&["x"]);
        assert_eq!(slots.if_free(&key, || 1), Some(1));
        let held = slots.hold(&key);
        assert!(Arc::ptr_eq(&held, &slots.hold(&key)));
        assert_eq!(slots.if_free(&key, || 1), None);
        drop(held);
        assert_eq!(slots.if_free(&key, || 1), Some(1));
    }

    #[test]
    fn a_failure_is_shared_only_with_those_who_waited_for_it() {
        let slot = Slot::default();
        let before = slot.failed_builds();
        slot.record_failure(&PrepareError::Killed { signal: 9 });
        assert!(slot.failure_since(before).is_some());
        assert!(slot.failure_since(slot.failed_builds()).is_none());
    }
}
