// SPDX-License-Identifier: Apache-2.0
//! What is noted of expressions: names, attributes, calls, and names in strings.

use ruff_python_ast::visitor::source_order::{self, SourceOrderVisitor};
use ruff_python_ast::{self as ast, Expr, ExprContext};
use ruff_text_size::Ranged;

use super::{Kind, MemberUse, Sight, Use, Walker, What, faults};

impl<'a> Walker<'a> {
    pub(super) fn see_expression(&mut self, expression: &'a Expr) {
        self.ask_checker(|checker, context| checker.visit_expr(expression, context));
        match expression {
            Expr::Name(name) => self.see_name(name),
            Expr::Attribute(attribute) => {
                self.see_attribute(attribute);
                self.visit_expr(&attribute.value);
            }
            Expr::Call(call) => {
                self.callee = Some(call.func.range());
                self.see_call(call);
                source_order::walk_expr(self, expression);
            }
            Expr::Named(named) => {
                if let Expr::Name(name) = named.target.as_ref() {
                    self.see_name(name);
                    self.regions.bind_outside_comprehensions(self.region, name.id.as_str());
                }
                self.visit_expr(&named.value);
            }
            Expr::Lambda(lambda) => {
                let parameters = lambda.parameters.as_deref();
                if let Some(parameters) = parameters {
                    self.visit_parameters(parameters);
                }
                self.within(Kind::Lambda, parameters, |walker| walker.visit_expr(&lambda.body));
            }
            Expr::ListComp(list) => self.see_comprehension(&[&list.elt], &list.generators, false),
            Expr::SetComp(set) => self.see_comprehension(&[&set.elt], &set.generators, false),
            Expr::DictComp(dict) => match dict.key.as_deref() {
                Some(key) => self.see_comprehension(&[key, &dict.value], &dict.generators, false),
                None => self.see_comprehension(&[&dict.value], &dict.generators, false),
            },
            Expr::Generator(generator) => self.see_comprehension(&[&generator.elt], &generator.generators, true),
            Expr::NumberLiteral(number) => self.faults.extend(faults::of_number(self.code, number)),
            _ => source_order::walk_expr(self, expression),
        }
    }

    fn see_comprehension(&mut self, elements: &[&'a Expr], clauses: &'a [ast::Comprehension], is_generator: bool) {
        // The first iterable is worked out outside, as the argument of a function would be.
        if let Some(first) = clauses.first() {
            self.visit_expr(&first.iter);
        }
        let is_async = clauses.iter().any(|clause| clause.is_async);
        let kind = if is_generator { Kind::Generator } else { Kind::Comprehension { is_async } };
        self.within(kind, None, |walker| {
            for element in elements {
                walker.visit_expr(element);
            }
            for (index, clause) in clauses.iter().enumerate() {
                walker.visit_expr(&clause.target);
                if index > 0 {
                    walker.visit_expr(&clause.iter);
                }
                for condition in &clause.ifs {
                    walker.visit_expr(condition);
                }
            }
        });
    }

    fn see_name(&mut self, name: &'a ast::ExprName) {
        let text = name.id.as_str();
        let is_called = self.callee.take_if(|callee| *callee == name.range).is_some();
        self.regions.use_name(self.region, text);
        if !(self.watch.names)(text) {
            return;
        }
        if name.ctx == ExprContext::Store {
            self.bind(text);
        }
        if name.ctx == ExprContext::Load || (self.watch.fixed_names)(text) {
            let sight = Sight { offset: name.start().to_usize(), what: What::Name { name: text.to_owned(), is_called } };
            self.uses.push(Use { name: text, region: self.region, sight });
        }
    }

    fn see_attribute(&mut self, attribute: &'a ast::ExprAttribute) {
        let (name, offset) = (attribute.attr.as_str(), attribute.attr.start().to_usize());
        if (self.watch.attributes)(name) {
            self.note(offset, What::Attribute(name.to_owned()));
        }
        if let Expr::Name(value) = attribute.value.as_ref() {
            self.members.push(MemberUse { alias: value.id.as_str(), name, offset });
        }
    }

    /// Looks for names in strings: `getattr(value, "name")`, `"{0.name}".format(value)` and `attrgetter("name")`.
    fn see_call(&mut self, call: &'a ast::ExprCall) {
        let arguments = &*call.arguments.args;
        match call.func.as_ref() {
            Expr::Name(function) => self.see_function_call(function.id.as_str(), arguments),
            Expr::Attribute(method) => self.see_method_call(method, arguments),
            _ => {}
        }
    }

    fn see_function_call(&mut self, name: &'a str, arguments: &'a [Expr]) {
        match name {
            "getattr" | "hasattr" | "setattr" | "delattr" => {
                if let Some((offset, text)) = arguments.get(1).and_then(literal) {
                    let sight = Sight { offset, what: What::Lookup(text.to_owned()) };
                    self.uses.push(Use { name, region: self.region, sight });
                }
            }
            _ => self.see_operator_call(name, arguments),
        }
    }

    fn see_method_call(&mut self, method: &'a ast::ExprAttribute, arguments: &'a [Expr]) {
        match method.attr.as_str() {
            "format" | "format_map" => {
                let is_of_class = matches!(method.value.as_ref(), Expr::Name(class) if class.id.as_str() == "str");
                let format = if is_of_class { arguments.first() } else { Some(method.value.as_ref()) };
                if let Some((offset, text)) = format.and_then(literal) {
                    self.note(offset, What::Format(text.to_owned()));
                }
            }
            name => self.see_operator_call(name, arguments),
        }
    }

    /// The module `operator` makes functions of names; they are known by their own, wherever they were imported from.
    fn see_operator_call(&mut self, name: &str, arguments: &'a [Expr]) {
        let names = match name {
            "attrgetter" => arguments,
            "methodcaller" => arguments.get(..1).unwrap_or_default(),
            _ => return,
        };
        for (offset, text) in names.iter().filter_map(literal) {
            self.note(offset, What::Lookup(text.to_owned()));
        }
    }
}

fn literal(expression: &Expr) -> Option<(usize, &str)> {
    match expression {
        Expr::StringLiteral(string) => Some((string.start().to_usize(), string.value.to_str())),
        _ => None,
    }
}
