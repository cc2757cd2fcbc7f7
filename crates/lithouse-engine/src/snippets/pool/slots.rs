// SPDX-License-Identifier: Apache-2.0
//! What each slot is used for. Pure bookkeeping: nothing here starts or ends a process.

/// What a slot is used for, and which zygote its process is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Nothing.
    Free,
    /// A process is on its way.
    Parking(u64),
    /// A process waits for its run.
    Parked(u64),
    /// A run is going on.
    Running(u64),
    /// What is left of a process is cleared away.
    Cleaning(u64),
}

/// All slots.
#[derive(Debug)]
pub(super) struct Slots(Vec<Use>);

impl Slots {
    pub(super) fn new(count: u32) -> Self {
        Self((0..count).map(|_| Use::Free).collect())
    }

    /// Takes a free slot for a process of a zygote.
    pub(super) fn take(&mut self, zygote: u64) -> Option<u32> {
        let index = self.0.iter().position(|used| *used == Use::Free)?;
        self.0[index] = Use::Parking(zygote);
        u32::try_from(index).ok()
    }

    pub(super) fn set(&mut self, slot: u32, used: Use) {
        if let Some(place) = usize::try_from(slot).ok().and_then(|slot| self.0.get_mut(slot)) {
            *place = used;
        }
    }

    /// The slot's process is gone or going; answers with the zygote that it was of.
    pub(super) fn vacate(&mut self, slot: u32) -> u64 {
        let zygote = match usize::try_from(slot).ok().and_then(|slot| self.0.get(slot)) {
            Some(Use::Parking(zygote) | Use::Parked(zygote) | Use::Running(zygote) | Use::Cleaning(zygote)) => *zygote,
            Some(Use::Free) | None => 0,
        };
        self.set(slot, Use::Cleaning(zygote));
        zygote
    }

    pub(super) fn running(&self) -> usize {
        self.0.iter().filter(|used| matches!(used, Use::Running(_))).count()
    }

    pub(super) fn parked(&self) -> usize {
        self.0.iter().filter(|used| matches!(used, Use::Parked(_))).count()
    }

    /// How many processes of a zygote wait for a run, or will soon.
    pub(super) fn available(&self, zygote: u64) -> usize {
        self.0.iter().filter(|used| matches!(used, Use::Parking(of) | Use::Parked(of) if *of == zygote)).count()
    }

    /// Whether anything is left of a zygote's children.
    pub(super) fn has_any_of(&self, zygote: u64) -> bool {
        let is_of = |used: &Use| match used {
            Use::Parking(of) | Use::Parked(of) | Use::Running(of) | Use::Cleaning(of) => *of == zygote,
            Use::Free => false,
        };
        self.0.iter().any(is_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_go_round() {
        let mut slots = Slots::new(2);
        assert_eq!((slots.take(7), slots.take(8), slots.take(8)), (Some(0), Some(1), None));
        slots.set(0, Use::Parked(7));
        assert_eq!((slots.parked(), slots.available(7), slots.available(8)), (1, 1, 1));
        slots.set(0, Use::Running(7));
        assert_eq!((slots.running(), slots.available(7)), (1, 0));
        assert_eq!(slots.vacate(0), 7);
        assert!(slots.has_any_of(7), "its remains are still cleared away");
        slots.set(0, Use::Free);
        assert!(!slots.has_any_of(7) && slots.has_any_of(8));
        assert_eq!(slots.take(9), Some(0));
    }
}
