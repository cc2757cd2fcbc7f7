// SPDX-License-Identifier: Apache-2.0
//! What is noted of statements and patterns, and which regions they open.

use ruff_python_ast::visitor::source_order::{self, SourceOrderVisitor};
use ruff_python_ast::{self as ast, Pattern, Stmt, TypeParams};
use ruff_text_size::Ranged;

use super::{Kind, Walker, What, faults};

impl<'a> Walker<'a> {
    pub(super) fn see_statement(&mut self, statement: &'a Stmt) {
        if !has_many_type_parameters(statement) {
            self.ask_checker(|checker, context| checker.visit_stmt(statement, context));
        }
        match statement {
            Stmt::FunctionDef(function) => self.see_function(function),
            Stmt::ClassDef(class) => self.see_class(class),
            Stmt::For(each) => {
                self.visit_expr(&each.target);
                self.visit_expr(&each.iter);
                self.within(Kind::Loop, None, |walker| walker.visit_body(&each.body));
                self.visit_body(&each.orelse);
            }
            Stmt::While(repeat) => {
                self.visit_expr(&repeat.test);
                self.within(Kind::Loop, None, |walker| walker.visit_body(&repeat.body));
                self.visit_body(&repeat.orelse);
            }
            Stmt::TypeAlias(alias) => {
                self.visit_expr(&alias.name);
                self.with_types(alias.type_params.as_deref(), |walker| walker.visit_expr(&alias.value));
            }
            Stmt::Import(import) => self.see_import(import),
            Stmt::ImportFrom(import) => self.see_import_from(import),
            Stmt::Global(global) => {
                for name in &global.names {
                    if self.regions.declare_global(self.region, name.as_str()) {
                        self.faults.push(faults::of_late_global(name));
                    }
                }
            }
            _ => source_order::walk_stmt(self, statement),
        }
    }

    fn see_function(&mut self, function: &'a ast::StmtFunctionDef) {
        self.bind(function.name.as_str());
        for decorator in &function.decorator_list {
            self.visit_decorator(decorator);
        }
        self.with_types(function.type_params.as_deref(), |walker| {
            // Defaults and annotations are worked out where the function is defined.
            walker.visit_parameters(&function.parameters);
            if let Some(returns) = &function.returns {
                walker.visit_annotation(returns);
            }
            let kind = Kind::Function { is_async: function.is_async };
            walker.within(kind, Some(&function.parameters), |walker| walker.visit_body(&function.body));
        });
    }

    fn see_class(&mut self, class: &'a ast::StmtClassDef) {
        self.bind(class.name.as_str());
        for decorator in &class.decorator_list {
            self.visit_decorator(decorator);
        }
        self.with_types(class.type_params.as_deref(), |walker| {
            if let Some(arguments) = &class.arguments {
                walker.visit_arguments(arguments);
            }
            walker.within(Kind::Class, None, |walker| walker.visit_body(&class.body));
        });
    }

    fn see_import(&mut self, import: &'a ast::StmtImport) {
        for alias in &import.names {
            let module = alias.name.as_str();
            if module.is_empty() || module.ends_with('.') {
                // It is not written to its end, which the parser has told.
                continue;
            }
            self.note(alias.name.start().to_usize(), What::Import(module.to_owned()));
            let top = module.split('.').next().unwrap_or(module);
            let (name, meant) = alias.asname.as_ref().map_or((top, top), |name| (name.as_str(), module));
            self.bind(name);
            self.modules.insert(name, meant);
        }
    }

    fn see_import_from(&mut self, import: &'a ast::StmtImportFrom) {
        let module = import.module.as_ref();
        match module {
            _ if import.level > 0 => self.note(import.start().to_usize(), What::RelativeImport),
            Some(module) => self.note(module.start().to_usize(), What::Import(module.as_str().to_owned())),
            None => {}
        }
        for alias in &import.names {
            self.bind(alias.asname.as_ref().unwrap_or(&alias.name).as_str());
            if let Some(module) = module.filter(|module| (self.watch.members)(module.as_str(), alias.name.as_str())) {
                let what = What::Member { module: module.as_str().to_owned(), name: alias.name.as_str().to_owned() };
                self.note(alias.name.start().to_usize(), what);
            }
        }
    }

    pub(super) fn see_pattern(&mut self, pattern: &'a Pattern) {
        let name = match pattern {
            Pattern::MatchAs(pattern) => pattern.name.as_ref(),
            Pattern::MatchStar(pattern) => pattern.name.as_ref(),
            Pattern::MatchMapping(pattern) => pattern.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = name {
            self.bind(name.as_str());
        }
        source_order::walk_pattern(self, pattern);
    }

    /// Puts down parts that type parameters are known in.
    fn with_types(&mut self, types: Option<&'a TypeParams>, put_down: impl FnOnce(&mut Self)) {
        let Some(types) = types else { return put_down(self) };
        self.within(Kind::Types, None, |walker| {
            walker.visit_type_params(types);
            put_down(walker);
        });
    }
}

/// The checker compares all type parameters with each other; far more than anybody writes are left to Python.
fn has_many_type_parameters(statement: &Stmt) -> bool {
    let parameters = match statement {
        Stmt::FunctionDef(function) => function.type_params.as_deref(),
        Stmt::ClassDef(class) => class.type_params.as_deref(),
        Stmt::TypeAlias(alias) => alias.type_params.as_deref(),
        _ => None,
    };
    parameters.is_some_and(|parameters| parameters.len() > 100)
}
