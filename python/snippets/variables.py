# SPDX-License-Identifier: Apache-2.0
"""What a run left in its globals, name by name."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from typing import Any, Final

from . import errors, limits, safejson

_NOT_VALUES: Final = (
    types.ModuleType,
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodWrapperType,
    types.MethodDescriptorType,
)
# Types that are collected elsewhere, by the module they are in: nothing is imported to look for them.
_ELSEWHERE: Final = {
    "pandas": ("DataFrame", "Series"),
    "matplotlib.figure": ("FigureBase",),
    "plotly.basedatatypes": ("BaseFigure",),
}


def elsewhere() -> tuple[type, ...]:
    """The types of frames and figures, as far as their libraries are loaded."""
    found = []
    for module, names in _ELSEWHERE.items():
        loaded = sys.modules.get(module)
        kinds = [getattr(loaded, name, None) for name in names]
        found += [kind for kind in kinds if isinstance(kind, type)]
    return tuple(found)


def collect(namespace: Mapping[str, object], truncated: set[str]) -> dict[str, Any]:
    """The variables in the order of their first assignment."""
    skipped = (*_NOT_VALUES, *elsewhere())
    found: dict[str, Any] = {}
    room = limits.VARIABLES_ENCODED
    for name, value in list(namespace.items()):
        if type(name) is not str or name.startswith("_") or issubclass(type(value), skipped):
            continue
        if len(found) == limits.VARIABLES:
            truncated.add("variables")
            break
        if len(name) > limits.NAME_CHARACTERS:
            truncated.add("variables")
            continue
        shown = safejson.plain_or_brief(value, limits.VALUE_CHARACTERS)
        room -= safejson.size(shown)
        if room < 0:
            truncated.add("variables")
            break
        found[name] = {"type": errors.qualified(type(value)), "value": shown}
    return found
