// SPDX-License-Identifier: Apache-2.0
//! Which built-in names and which attributes a restricted snippet may not use, and what to use instead.

/// Why files are not opened by name.
pub(super) const FILES: &str = "`files` of the request are in the working folder: read them with `pandas.read_csv`, and use `io.StringIO` for text in memory";
const DYNAMIC: &str = "code that is made at run time cannot be checked";
const WHOLE: &str = "it gives all names of the interpreter away: use a `dict` of your own";

/// Built-in names that are refused unless the script gives them a meaning of its own, and why.
pub(super) const BUILTINS: &[(&str, &str, &str)] = &[
    ("__import__", DYNAMIC, "use an `import` statement"),
    ("breakpoint", "nobody can answer a debugger here", "use `print`"),
    ("compile", DYNAMIC, "use `re.compile` for patterns and a function for code"),
    ("eval", DYNAMIC, "use `ast.literal_eval` for values and `DataFrame.eval` for columns"),
    ("exec", DYNAMIC, "define a function and call it"),
    ("globals", WHOLE, ""),
    ("locals", WHOLE, ""),
    ("open", FILES, ""),
];

/// Built-in functions that take the name of an attribute as text. They are allowed, with names that are.
pub(super) const LOOKUPS: [&str; 4] = ["delattr", "getattr", "hasattr", "setattr"];

/// Names with two underscores on both sides that are everyday as names.
pub(super) const EVERYDAY_NAMES: [&str; 4] = ["__annotations__", "__debug__", "__doc__", "__name__"];

/// Attributes with two underscores on both sides that are everyday, in groups.
pub(super) const EVERYDAY_ATTRIBUTES: &[(&str, &[&str])] = &[
    (
        "making and showing",
        &["__new__", "__init__", "__post_init__", "__del__", "__repr__", "__str__", "__bytes__", "__format__"],
    ),
    (
        "telling about itself",
        &["__name__", "__qualname__", "__doc__", "__version__", "__annotations__", "__members__", "__all__", "__wrapped__"],
    ),
    ("comparing", &["__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__", "__bool__"]),
    (
        "containers and iteration",
        &[
            "__len__",
            "__length_hint__",
            "__getitem__",
            "__setitem__",
            "__delitem__",
            "__missing__",
            "__contains__",
            "__iter__",
            "__next__",
            "__reversed__",
            "__aiter__",
            "__anext__",
        ],
    ),
    ("calls and contexts", &["__call__", "__enter__", "__exit__", "__aenter__", "__aexit__", "__await__"]),
    (
        "numbers",
        &[
            "__add__",
            "__radd__",
            "__iadd__",
            "__sub__",
            "__rsub__",
            "__isub__",
            "__mul__",
            "__rmul__",
            "__imul__",
            "__matmul__",
            "__rmatmul__",
            "__imatmul__",
            "__truediv__",
            "__rtruediv__",
            "__itruediv__",
            "__floordiv__",
            "__rfloordiv__",
            "__ifloordiv__",
            "__mod__",
            "__rmod__",
            "__imod__",
            "__divmod__",
            "__rdivmod__",
            "__pow__",
            "__rpow__",
            "__ipow__",
            "__lshift__",
            "__rlshift__",
            "__ilshift__",
            "__rshift__",
            "__rrshift__",
            "__irshift__",
            "__and__",
            "__rand__",
            "__iand__",
            "__xor__",
            "__rxor__",
            "__ixor__",
            "__or__",
            "__ror__",
            "__ior__",
            "__neg__",
            "__pos__",
            "__abs__",
            "__invert__",
            "__complex__",
            "__int__",
            "__float__",
            "__index__",
            "__round__",
            "__trunc__",
            "__floor__",
            "__ceil__",
        ],
    ),
    (
        "classes",
        &[
            "__slots__",
            "__match_args__",
            "__set_name__",
            "__init_subclass__",
            "__class_getitem__",
            "__get__",
            "__set__",
            "__delete__",
        ],
    ),
    ("attributes", &["__getattr__", "__setattr__", "__delattr__", "__dir__"]),
    ("copies", &["__copy__", "__deepcopy__", "__sizeof__"]),
    ("exceptions", &["__cause__", "__context__", "__suppress_context__", "__notes__"]),
    (
        "arrays and frames",
        &["__array__", "__array_interface__", "__array_priority__", "__array_ufunc__", "__array_function__", "__dataframe__"],
    ),
];

/// What to use instead of some refused attributes.
pub(super) const INSTEAD: &[(&str, &str)] = &[
    ("__class__", "use `type(value)`"),
    ("__dict__", "use `vars(value)`"),
    ("__bases__", "use `isinstance` or `issubclass`"),
    ("__base__", "use `isinstance` or `issubclass`"),
    ("__mro__", "use `isinstance` or `issubclass`"),
    ("__subclasses__", "keep a list of your classes"),
    ("__module__", "use `type(value).__name__`"),
    ("__file__", "a snippet is not a file; its working folder is `.`"),
    ("__import__", "use an `import` statement"),
    ("__builtins__", "use the names themselves"),
    ("__getattribute__", "use `getattr`"),
];

/// Attributes without underscores that lead from a running function to everything around it.
pub(super) const FRAMES: [&str; 8] =
    ["ag_frame", "cr_frame", "f_back", "f_builtins", "f_globals", "f_locals", "gi_frame", "tb_frame"];

/// Names that mean the same whatever the script says.
pub(super) fn is_of_the_interpreter(name: &str) -> bool {
    matches!(name, "__builtins__" | "__loader__" | "__spec__")
}

/// Names come from strings too, where anything may stand between underscores.
fn is_dunder(name: &str) -> bool {
    let is_part_of_name = |character: char| character.is_alphanumeric() || character == '_';
    name.len() > 4 && name.starts_with("__") && name.ends_with("__") && name.chars().all(is_part_of_name)
}

/// Whether a use of the name matters, or a meaning that the script gives it.
pub(super) fn matters(name: &str) -> bool {
    is_dunder(name) || LOOKUPS.contains(&name) || BUILTINS.iter().any(|(refused, ..)| *refused == name)
}

/// Whether an attribute is refused.
pub(super) fn is_refused_attribute(name: &str) -> bool {
    let is_everyday = || EVERYDAY_ATTRIBUTES.iter().any(|(_, names)| names.contains(&name));
    FRAMES.contains(&name) || is_dunder(name) && !is_everyday()
}

/// Whether a name with underscores is refused where it has no meaning of the script's own.
pub(super) fn is_refused_dunder(name: &str) -> bool {
    is_dunder(name) && !EVERYDAY_NAMES.contains(&name)
}

/// The next step for who meant this attribute, if there is one.
pub(super) fn instead(name: &str) -> Option<&'static str> {
    INSTEAD.iter().find(|(refused, _)| *refused == name).map(|(_, instead)| *instead)
}
