# SPDX-License-Identifier: Apache-2.0
"""What the author of a run can do about an error that Python tells in words of its own.

Owns: the advice that is put behind the message. The policy gives the same for what it finds before the run.
"""

from __future__ import annotations

import sys
from typing import Final

_PACKAGES: Final = "the operator can add it to `[snippets] packages`"
_AWAIT: Final = "put the code into `async def main():` and call `asyncio.run(main())`"
_MAGIC: Final = "commands of notebooks such as `%matplotlib` are not Python: remove the line; figures are collected without it"
_SHELL: Final = "commands of notebooks such as `!pip` are not Python: remove the line; the operator can add a library"


def on(error: BaseException) -> str | None:
    """The advice, if there is some."""
    if isinstance(error, SyntaxError):
        return _on_syntax(error)
    if isinstance(error, ImportError):
        return _on_import(error)
    if isinstance(error, AttributeError) and "requires jinja2" in str(error):
        # So pandas says that a library of its own is missing.
        return _PACKAGES
    if isinstance(error, EOFError) and str(error) == "EOF when reading a line":
        return "there is no more input: send it with `stdin`"
    return None


def _on_syntax(error: SyntaxError) -> str | None:
    if str(error.msg).startswith(("'await' outside", "'async for' outside", "'async with' outside")):
        return _AWAIT
    line = str(error.text or "").lstrip()
    if line.startswith("%"):
        return _MAGIC
    return _SHELL if line.startswith("!") else None


def _on_import(error: ImportError) -> str | None:
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        if top == "IPython":
            return "leave the import out: `display` is there without it"
        # Something within a library that is there was misspelt, or this Python was built without it.
        return None if top in sys.modules or top in sys.stdlib_module_names else _PACKAGES
    # So libraries ask for another one.
    words = str(error).lower()
    return _PACKAGES if "optional dependency" in words or "pip install" in words or "use pip" in words else None
