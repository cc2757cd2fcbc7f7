// SPDX-License-Identifier: Apache-2.0
//! What the floor looks at now and then, because it announces itself by nothing.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::{Floor, GRACE_BY_SIGNAL};
use crate::keeper::belonging::{Family, members};
use crate::keeper::instance::Instance;
use crate::keeper::memory::machine_count;
use crate::keeper::processes;

/// The home's folder, to be noticed when it is gone.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    identity: Option<(u64, u64)>,
    times_missed: u32,
}

impl Floor {
    pub(super) fn look_around(&mut self) {
        let machine = self.instances.values().any(Instance::is_running).then(machine_count).flatten();
        let mut has_news = false;
        for instance in self.instances.values_mut().filter(|instance| instance.is_running()) {
            instance.memory.seen_alive(instance.pid, machine);
            instance.allowance.held_once(processes::peak_of(instance.family.pid));
            let news = instance.allowance.look();
            has_news |= news.is_some();
            instance.remark(news);
        }
        if has_news {
            self.disregard_kills();
        }
        self.groups.tidy();
        if self.root.is_gone() && self.closing.is_none() {
            // Nobody can find this keeper any more, and the next one of the same path is another home's.
            self.close(GRACE_BY_SIGNAL, None);
        }
    }

    /// Ends a keeper whose server was gone before it came in.
    pub(super) fn leave_if_nobody_came(&mut self) {
        // Who has come in this very moment is in there.
        while let Ok(message) = self.inbox.try_recv() {
            self.hear(message);
        }
        if self.awaits_until.take().is_some() {
            self.diary.note("no server came");
            self.close(GRACE_BY_SIGNAL, None);
        }
    }

    /// Whose kills the machine has counted by now is known, so they are no evidence for anybody else.
    pub(super) fn disregard_kills(&mut self) {
        let machine = machine_count();
        self.instances.values_mut().for_each(|instance| instance.memory.disregard(machine));
    }

    pub(super) fn has_memory_to_watch(&self) -> bool {
        self.instances.values().any(watched)
    }

    /// Ends what holds more memory than it may and is in no group that would see to it.
    pub(super) fn weigh(&mut self) {
        let families: Vec<Family> = self.instances.values().map(|instance| instance.family.clone()).collect();
        let Some(oldest) = self.instances.values().filter(|known| watched(known)).map(|known| known.family.started).min() else {
            return;
        };
        let snapshot = processes::snapshot(oldest);
        for instance in self.instances.values_mut().filter(|instance| watched(instance)) {
            let others: Vec<Family> = families.iter().filter(|family| **family != instance.family).cloned().collect();
            let belonging = members(&instance.family, &others, self.us, &snapshot);
            let limit = instance.allowance.memory_to_watch();
            // Pages that several share count in full for each here, and are looked at more closely only if that is too much.
            let mut held: u64 = belonging.iter().filter_map(|process| processes::resident(process.pid)).sum();
            if limit.is_some_and(|limit| held > limit) {
                held = belonging.iter().filter_map(|process| processes::share_of_memory(process.pid)).sum();
            }
            if instance.allowance.holds(held) {
                instance.end_for_memory();
            }
        }
    }
}

fn watched(instance: &Instance) -> bool {
    instance.is_running() && instance.allowance.memory_to_watch().is_some()
}

impl Root {
    pub(super) fn at(path: PathBuf) -> Self {
        let identity = identity(&path);
        Self { path, identity, times_missed: 0 }
    }

    /// Whether the folder is surely gone or another one: what is amiss for a moment only is not held against it.
    fn is_gone(&mut self) -> bool {
        // One that was gone before it was looked at is no folder of ours either.
        if self.identity.is_some() && identity(&self.path) == self.identity {
            self.times_missed = 0;
        } else {
            self.times_missed += 1;
        }
        self.times_missed > 1
    }
}

fn identity(folder: &PathBuf) -> Option<(u64, u64)> {
    std::fs::metadata(folder).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}
