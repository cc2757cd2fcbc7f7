// SPDX-License-Identifier: Apache-2.0
//! Walks the tree of a script in the order of its text, without recursion, and notes what the rules may want to judge.

mod expression;
mod statement;

use std::cell::RefCell;
use std::collections::HashMap;

use ruff_python_ast::visitor::source_order::{self, SourceOrderVisitor};
use ruff_python_ast::{ExceptHandler, Expr, Parameters, Pattern, PythonVersion, Stmt, TypeParam};
use ruff_python_parser::semantic_errors::{SemanticSyntaxChecker, SemanticSyntaxError};
use ruff_text_size::TextRange;

use super::region::{Kind, RegionId, Regions};
use super::{Fault, Sight, Watch, What, faults};

/// What is noted of a script, its names resolved.
pub(super) struct Walked {
    pub(super) faults: Vec<Fault>,
    pub(super) sights: Vec<Sight>,
}

enum Node<'a> {
    Stmt(&'a Stmt),
    Expr(&'a Expr),
    Pattern(&'a Pattern),
}

/// Something that counts only if the script gives this name no meaning of its own. What it gives is known at the end.
struct Use<'a> {
    name: &'a str,
    region: RegionId,
    sight: Sight,
}

/// `alias.name`, which counts if `alias` is a module with such a member.
struct MemberUse<'a> {
    alias: &'a str,
    name: &'a str,
    offset: usize,
}

pub(super) struct Walker<'a> {
    code: &'a str,
    version: PythonVersion,
    watch: Watch,
    regions: Regions<'a>,
    region: RegionId,
    /// What is left to see, the next at the end.
    pending: Vec<(Node<'a>, RegionId)>,
    /// What the call that was seen last calls.
    callee: Option<TextRange>,
    checker: SemanticSyntaxChecker,
    errors: RefCell<Vec<SemanticSyntaxError>>,
    faults: Vec<Fault>,
    sights: Vec<Sight>,
    uses: Vec<Use<'a>>,
    /// Names of modules in this script.
    modules: HashMap<&'a str, &'a str>,
    members: Vec<MemberUse<'a>>,
}

impl<'a> Walker<'a> {
    pub(super) fn walk(code: &'a str, body: &'a [Stmt], version: PythonVersion, watch: Watch) -> Walked {
        let mut walker = Self {
            code,
            version,
            watch,
            regions: Regions::new(),
            region: Regions::MODULE,
            pending: Vec::new(),
            callee: None,
            checker: SemanticSyntaxChecker::new(),
            errors: RefCell::default(),
            faults: Vec::new(),
            sights: Vec::new(),
            uses: Vec::new(),
            modules: HashMap::new(),
            members: Vec::new(),
        };
        walker.visit_body(body);
        walker.pending.reverse();
        while let Some((node, region)) = walker.pending.pop() {
            walker.region = region;
            let mark = walker.pending.len();
            match node {
                Node::Stmt(statement) => walker.see_statement(statement),
                Node::Expr(expression) => walker.see_expression(expression),
                Node::Pattern(pattern) => walker.see_pattern(pattern),
            }
            // The parts were put down in the order of the text, and are taken from the end.
            walker.pending[mark..].reverse();
        }
        walker.finish()
    }

    fn finish(mut self) -> Walked {
        for used in self.uses {
            if !self.regions.is_bound(used.region, used.name) {
                self.sights.push(used.sight);
            }
        }
        for MemberUse { alias, name, offset } in self.members {
            if let Some(module) = self.modules.get(alias).filter(|module| (self.watch.members)(module, name)) {
                let what = What::Member { module: (*module).to_owned(), name: name.to_owned() };
                self.sights.push(Sight { offset, what });
            }
        }
        self.faults.extend(faults::of_checker(&self.errors.into_inner()));
        Walked { faults: self.faults, sights: self.sights }
    }

    fn note(&mut self, offset: usize, what: What) {
        self.sights.push(Sight { offset, what });
    }

    fn bind(&mut self, name: &'a str) {
        if (self.watch.names)(name) && !(self.watch.fixed_names)(name) {
            self.regions.bind(self.region, name);
        }
    }

    /// Puts down parts that stand in a region of their own.
    fn within(&mut self, kind: Kind, parameters: Option<&'a Parameters>, put_down: impl FnOnce(&mut Self)) {
        let outer = self.region;
        self.region = self.regions.add(outer, kind, parameters);
        for parameter in parameters.into_iter().flatten() {
            self.bind(parameter.name().as_str());
        }
        put_down(self);
        self.region = outer;
    }

    fn ask_checker(&mut self, ask: impl FnOnce(&mut SemanticSyntaxChecker, &Self)) {
        let mut checker = std::mem::take(&mut self.checker);
        ask(&mut checker, self);
        self.checker = checker;
    }

    pub(super) fn version(&self) -> PythonVersion {
        self.version
    }

    pub(super) fn take_error(&self, error: SemanticSyntaxError) {
        self.errors.borrow_mut().push(error);
    }

    pub(super) fn code(&self) -> &'a str {
        self.code
    }

    pub(super) fn scope_kind(&self) -> Kind {
        self.regions.kind(self.regions.scope(self.region))
    }

    pub(super) fn parameters(&self) -> Option<&'a Parameters> {
        self.regions.parameters(self.regions.scope(self.region))
    }

    pub(super) fn kinds_outwards(&self) -> impl Iterator<Item = Kind> {
        self.regions.outwards(self.region).map(|region| self.regions.kind(region))
    }
}

/// Parts are put down for later instead of being gone into.
impl<'a> SourceOrderVisitor<'a> for Walker<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.pending.push((Node::Stmt(statement), self.region));
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        self.pending.push((Node::Expr(expression), self.region));
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        self.pending.push((Node::Pattern(pattern), self.region));
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(except) = handler;
        if let Some(name) = &except.name {
            self.bind(name.as_str());
        }
        source_order::walk_except_handler(self, handler);
    }

    fn visit_type_param(&mut self, parameter: &'a TypeParam) {
        self.bind(parameter.name().as_str());
        source_order::walk_type_param(self, parameter);
    }
}
