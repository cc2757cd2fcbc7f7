# SPDX-License-Identifier: Apache-2.0
"""The program `python -I -B zygote.py DESCRIPTOR`: becomes the warm parent of all runs.

Owns: loading the package that lies beside this file, under a name that no snippet uses, and without the place where it lies:
tracebacks and warnings of a run show file names. Everything else is in `control.py`.
`DESCRIPTOR` holds the configuration as JSON.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType

PACKAGE = "lithouse_snippets"


class Loader(importlib.machinery.SourceFileLoader):
    """Compiles a module under a name that tells nothing of this machine."""

    def get_code(self, fullname: str) -> CodeType:
        """The code of the module, from its source alone."""
        path = self.get_filename(fullname)
        return compile(self.get_data(path), f"<{PACKAGE}>/{Path(path).name}", "exec", dont_inherit=True)


class Finder:
    """Finds the modules of the package, and no others."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """How a module of the package is loaded."""
        package, _, module = name.partition(".")
        if package != PACKAGE or "." in module:
            return None
        path = str(self._folder / f"{module or '__init__'}.py")
        folders = None if module else [str(self._folder)]
        return importlib.util.spec_from_file_location(name, path, loader=Loader(name, path), submodule_search_locations=folders)


def load_package() -> None:
    """Makes this folder a package by name alone: it must not be on `sys.path`, where snippets would find `files` or `run`."""
    folder = Path(__file__).resolve().parent
    sys.meta_path.insert(0, Finder(folder))
    importlib.import_module(PACKAGE)


if __name__ == "__main__":
    load_package()
    importlib.import_module(f"{PACKAGE}.fork_hooks").put_off()
    importlib.import_module(f"{PACKAGE}.control").main(int(sys.argv[1]))
