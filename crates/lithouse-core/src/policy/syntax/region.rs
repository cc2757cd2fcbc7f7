// SPDX-License-Identifier: Apache-2.0
//! Which part of a script a piece of code stands in, and which names mean something of the script's own there.

use std::collections::HashSet;

use ruff_python_ast::Parameters;

/// Names one region of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RegionId(usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Module,
    Function {
        is_async: bool,
    },
    Lambda,
    Class,
    /// A comprehension of a list, set or dict.
    Comprehension {
        is_async: bool,
    },
    /// A generator expression.
    Generator,
    /// Around a function, class or alias that has type parameters.
    Types,
    /// The body of a loop. It has no names of its own.
    Loop,
}

struct Region<'a> {
    /// The module is its own outer region.
    outer: RegionId,
    kind: Kind,
    bound: HashSet<&'a str>,
    /// Those that were declared `global`.
    globals: HashSet<&'a str>,
    /// Those that were read or written so far.
    used: HashSet<&'a str>,
    parameters: Option<&'a Parameters>,
}

/// All regions of a script.
pub(super) struct Regions<'a>(Vec<Region<'a>>);

impl<'a> Regions<'a> {
    pub(super) const MODULE: RegionId = RegionId(0);

    pub(super) fn new() -> Self {
        let mut regions = Self(Vec::new());
        regions.add(Self::MODULE, Kind::Module, None);
        regions
    }

    pub(super) fn add(&mut self, outer: RegionId, kind: Kind, parameters: Option<&'a Parameters>) -> RegionId {
        self.0.push(Region { outer, kind, bound: HashSet::new(), globals: HashSet::new(), used: HashSet::new(), parameters });
        RegionId(self.0.len() - 1)
    }

    pub(super) fn kind(&self, region: RegionId) -> Kind {
        self.0[region.0].kind
    }

    pub(super) fn parameters(&self, region: RegionId) -> Option<&'a Parameters> {
        self.0[region.0].parameters
    }

    /// The region and those around it, from the inside out.
    pub(super) fn outwards(&self, region: RegionId) -> impl Iterator<Item = RegionId> {
        let outer = |region: &RegionId| (*region != Self::MODULE).then(|| self.0[region.0].outer);
        std::iter::successors(Some(region), outer)
    }

    /// The nearest region with names of its own.
    pub(super) fn scope(&self, region: RegionId) -> RegionId {
        self.outwards(region).find(|at| self.kind(*at) != Kind::Loop).unwrap_or(Self::MODULE)
    }

    /// Gives a name a meaning in this region.
    pub(super) fn bind(&mut self, region: RegionId, name: &'a str) {
        let scope = self.scope(region);
        if self.0[scope.0].globals.contains(name) {
            self.0[Self::MODULE.0].bound.insert(name);
        }
        self.0[scope.0].bound.insert(name);
    }

    /// Gives a name a meaning as `:=` does: outside of the comprehensions it stands in.
    pub(super) fn bind_outside_comprehensions(&mut self, region: RegionId, name: &'a str) {
        let is_comprehension = |at: &RegionId| matches!(self.kind(*at), Kind::Comprehension { .. } | Kind::Generator);
        let target = self.outwards(region).find(|at| !is_comprehension(at)).unwrap_or(Self::MODULE);
        self.bind(target, name);
    }

    /// Notes that a name is read or written in this region.
    pub(super) fn use_name(&mut self, region: RegionId, name: &'a str) {
        let scope = self.scope(region);
        self.0[scope.0].used.insert(name);
    }

    /// Declares a name `global`, and tells whether that comes too late: after a use of it.
    pub(super) fn declare_global(&mut self, region: RegionId, name: &'a str) -> bool {
        let scope = self.scope(region);
        self.0[scope.0].globals.insert(name);
        self.0[scope.0].used.contains(name)
    }

    /// Whether the script itself says what a name means in this region.
    pub(super) fn is_bound(&self, region: RegionId, name: &str) -> bool {
        let own = self.scope(region);
        self.outwards(own).any(|at| {
            // The names of a class are not seen by the functions in it.
            let is_seen = at == own || self.kind(at) != Kind::Class;
            is_seen && self.0[at.0].bound.contains(name)
        })
    }
}
