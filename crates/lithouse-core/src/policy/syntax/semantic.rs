// SPDX-License-Identifier: Apache-2.0
//! What ruff's checker of the rules beyond grammar wants to know about the place it looks at.

use ruff_python_ast::PythonVersion;
use ruff_python_parser::semantic_errors::{LazyImportContext, SemanticSyntaxContext, SemanticSyntaxError};
use ruff_text_size::TextRange;

use super::region::Kind;
use super::walk::Walker;

impl SemanticSyntaxContext for Walker<'_> {
    fn future_annotations_or_stub(&self) -> bool {
        false
    }

    fn lazy_import_context(&self) -> Option<LazyImportContext> {
        match self.scope_kind() {
            Kind::Function { .. } | Kind::Lambda => Some(LazyImportContext::Function),
            Kind::Class => Some(LazyImportContext::Class),
            Kind::Module | Kind::Comprehension { .. } | Kind::Generator | Kind::Types | Kind::Loop => None,
        }
    }

    fn python_version(&self) -> PythonVersion {
        self.version()
    }

    fn source(&self) -> &str {
        self.code()
    }

    /// Whether a name was used before its declaration is left to Python.
    fn global(&self, _name: &str) -> Option<TextRange> {
        None
    }

    /// So is whether an outer function has the name.
    fn has_nonlocal_binding(&self, _name: &str) -> bool {
        true
    }

    fn in_async_context(&self) -> bool {
        self.kinds_outwards()
            .find_map(|kind| match kind {
                Kind::Class | Kind::Lambda => Some(false),
                Kind::Function { is_async } => Some(is_async),
                Kind::Module | Kind::Comprehension { .. } | Kind::Generator | Kind::Types | Kind::Loop => None,
            })
            .unwrap_or(false)
    }

    fn in_await_allowed_context(&self) -> bool {
        self.kinds_outwards()
            .find_map(|kind| match kind {
                Kind::Class => Some(false),
                Kind::Function { .. } | Kind::Lambda | Kind::Generator => Some(true),
                Kind::Module | Kind::Comprehension { .. } | Kind::Types | Kind::Loop => None,
            })
            .unwrap_or(false)
    }

    fn in_yield_allowed_context(&self) -> bool {
        self.kinds_outwards()
            .find_map(|kind| match kind {
                Kind::Class | Kind::Comprehension { .. } | Kind::Generator => Some(false),
                Kind::Function { .. } | Kind::Lambda => Some(true),
                Kind::Module | Kind::Types | Kind::Loop => None,
            })
            .unwrap_or(false)
    }

    fn in_sync_comprehension(&self) -> bool {
        self.kinds_outwards().any(|kind| kind == Kind::Comprehension { is_async: false })
    }

    fn in_class_body_comprehension(&self) -> bool {
        self.kinds_outwards()
            .find_map(|kind| match kind {
                Kind::Class => Some(true),
                Kind::Module | Kind::Function { .. } | Kind::Lambda => Some(false),
                Kind::Comprehension { .. } | Kind::Generator | Kind::Types | Kind::Loop => None,
            })
            .unwrap_or(false)
    }

    fn in_module_scope(&self) -> bool {
        self.scope_kind() == Kind::Module
    }

    fn in_function_scope(&self) -> bool {
        matches!(self.scope_kind(), Kind::Function { .. } | Kind::Lambda)
    }

    fn in_generator_context(&self) -> bool {
        self.kinds_outwards().any(|kind| kind == Kind::Generator)
    }

    fn in_notebook(&self) -> bool {
        false
    }

    fn report_semantic_error(&self, error: SemanticSyntaxError) {
        self.take_error(error);
    }

    fn in_loop_context(&self) -> bool {
        self.kinds_outwards()
            .take_while(|kind| !matches!(kind, Kind::Function { .. } | Kind::Class))
            .any(|kind| kind == Kind::Loop)
    }

    fn is_bound_parameter(&self, name: &str) -> bool {
        self.parameters().is_some_and(|parameters| parameters.iter().any(|parameter| parameter.name().as_str() == name))
    }
}
