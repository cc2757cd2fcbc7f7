// SPDX-License-Identifier: Apache-2.0
//! The control groups of all instances: made, and removed when nothing lives in them any more.

use lithouse_core::id::InstanceId;
use lithouse_core::limits::Limits;
use lithouse_sandbox::cgroup::{Cgroups, Group};
use serde::{Deserialize, Serialize};

use super::allowance::bounds;

/// The place of the groups, and the groups that are still to be removed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Groups {
    /// Why there are none, otherwise.
    place: Result<Cgroups, String>,
    to_remove: Vec<Group>,
}

impl Default for Groups {
    /// None, while another holds them.
    fn default() -> Self {
        Self::none("they are being handed over")
    }
}

impl Groups {
    /// None, and why.
    pub(super) fn none(why: &str) -> Self {
        Self { place: Err(why.to_owned()), to_remove: Vec::new() }
    }

    /// Finds out whether there can be groups here, and ends what an earlier keeper of this home left in its own.
    ///
    /// To be called while the keeper has no child and one thread.
    pub(super) fn find(mark: &str) -> Self {
        // Other than the server's, whose name is the mark's alone.
        let place = Cgroups::find(&format!("keeper-{}", mark.get(..16).unwrap_or(mark)));
        Self { place: place.map_err(|missing| missing.to_string()), to_remove: Vec::new() }
    }

    /// A group for an instance; otherwise why it has none.
    pub(super) fn make(&self, instance: &InstanceId, limits: &Limits) -> Result<Group, String> {
        let place = self.place.as_ref().map_err(Clone::clone)?;
        place.group(instance.as_str(), &bounds(limits)).map_err(|error| format!("no control group could be made: {error}"))
    }

    /// Removes a group, now or as soon as the kernel lets it go.
    pub(super) fn remove(&mut self, group: Group) {
        if group.dismantle().is_err() {
            self.to_remove.push(group);
        }
    }

    /// Tries again what could not be removed.
    pub(super) fn tidy(&mut self) {
        self.to_remove.retain(|group| group.dismantle().is_err());
    }

    /// Removes all of it: the keeper ends.
    pub(super) fn leave(self) {
        if let Ok(place) = self.place {
            // The next keeper of this home tries again.
            let _ = place.remove();
        }
    }

    /// Where they are, or why there are none.
    pub(super) fn told(&self) -> String {
        match &self.place {
            Ok(place) => format!("apps are held by cgroups, {place}"),
            Err(missing) => format!("apps are held without cgroups: {missing}"),
        }
    }
}
