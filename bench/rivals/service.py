# SPDX-License-Identifier: Apache-2.0
"""A service that runs snippets, as it is commonly built: FastAPI, RestrictedPython, and a pool of warm processes.

    service.py PORT WORKERS

Built to be quick: the workers have imported everything and drawn a figure before the first request, and are kept. It holds back
less than Lithouse does: the language is restricted and nothing else is, runs share a process one after the other, and code that
does not come back to the interpreter is not ended. `bench/run.py` measures it.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import io
import multiprocessing
import operator
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from types import FrameType
from typing import Any

import collected
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from RestrictedPython import compile_restricted_exec, limited_builtins, safe_builtins, utility_builtins
from RestrictedPython.Eval import default_guarded_getitem, default_guarded_getiter
from RestrictedPython.Guards import guarded_iter_unpack_sequence, guarded_unpack_sequence, safer_getattr

_LIBRARIES = ("numpy", "pandas", "matplotlib", "matplotlib.pyplot", "plotly", "plotly.express", "plotly.graph_objects")
_ALLOWED = frozenset({"numpy", "pandas", "matplotlib", "plotly", "math", "random", "datetime", "json", "statistics", "re"})
_WARM_WITHIN_SECONDS = 60.0
_MORE_BUILTINS = """all any dict enumerate filter frozenset iter list map max min next object print reversed set sum type
super"""
_IN_PLACE: dict[str, Callable[[Any, Any], Any]] = {
    "+=": operator.iadd,
    "-=": operator.isub,
    "*=": operator.imul,
    "/=": operator.itruediv,
    "//=": operator.ifloordiv,
    "%=": operator.imod,
    "**=": operator.ipow,
}


class Snippet(BaseModel):
    """What is asked for."""

    code: str
    timeout: float = 30.0


class TimeOverError(Exception):
    """The code took longer than it may."""


def warm_up(barrier: Barrier) -> None:
    """Makes a worker ready: whatever is slow the first time is done, in all of them before any takes a run."""
    os.environ["MPLBACKEND"] = "agg"
    for name in _LIBRARIES:
        importlib.import_module(name)
    run("import matplotlib.pyplot as plt\nplt.plot([1, 2], [3, 4])\nplt.title('warm')\n", 30.0)
    run("import pandas as pd\nprint(pd.DataFrame({'a': [1, 2], 'b': [3, 4]}).groupby('a').sum())\n", 30.0)
    barrier.wait(_WARM_WITHIN_SECONDS)


def is_warm() -> bool:
    """Answers once the worker has been made ready."""
    return True


def run(code: str, timeout: float) -> dict[str, Any]:
    """One run in a worker."""
    signal.signal(signal.SIGALRM, _time_over)
    stdout = io.StringIO()
    namespace: dict[str, Any] = _globals(stdout)
    began, status, error = time.perf_counter(), "success", None
    compiled = compile_restricted_exec(code, "snippet.py")
    if compiled.errors:
        return _answer("rejected", {"type": "PolicyError", "message": "; ".join(compiled.errors)}, 0, {})
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        exec(compiled.code, namespace)
    except TimeOverError:
        status, error = "timeout", {"type": "TimeoutError", "message": f"longer than {timeout} s"}
    except Exception as raised:
        status, error = "error", {"type": type(raised).__name__, "message": str(raised)}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    took = round((time.perf_counter() - began) * 1000)
    output = {"stdout": stdout.getvalue(), "charts": collected.charts(), "dataframes": collected.frames(namespace)}
    return _answer(status, error, took, output)


def _answer(status: str, error: dict[str, str] | None, took: int, output: dict[str, Any]) -> dict[str, Any]:
    return {"status": status, "execution_time": took, "output": output, "error": error}


def _time_over(_number: int, _frame: FrameType | None) -> None:
    raise TimeOverError


def _globals(stdout: io.StringIO) -> dict[str, Any]:
    """What restricted code finds: harmless builtins, and the guards that its compiled form calls."""
    source = __builtins__ if isinstance(__builtins__, dict) else vars(__builtins__)
    builtins = {
        **safe_builtins,
        **limited_builtins,
        **utility_builtins,
        **{name: source[name] for name in _MORE_BUILTINS.split()},
    }
    builtins["__import__"] = _import

    class Printed:
        """Stands for `print`: what is printed goes to the output of this run."""

        def __init__(self, _getattr: object = None) -> None:
            pass

        def _call_print(self, *objects: object, **options: Any) -> None:  # noqa: ANN401 (as `print` takes them)
            print(*objects, **{**options, "file": stdout})

    return {
        "__builtins__": builtins,
        "__name__": "__main__",
        "__metaclass__": type,
        "_getattr_": safer_getattr,
        "_getitem_": default_guarded_getitem,
        "_getiter_": default_guarded_getiter,
        "_iter_unpack_sequence_": guarded_iter_unpack_sequence,
        "_unpack_sequence_": guarded_unpack_sequence,
        "_write_": lambda target: target,
        "_inplacevar_": lambda kind, left, right: _IN_PLACE[kind](left, right),
        "_print_": Printed,
    }


def _import(name: str, *rest: Any) -> Any:  # noqa: ANN401 (it is what `__import__` is)
    if name.partition(".")[0] not in _ALLOWED:
        raise ImportError(f"`{name}` is not allowed")
    return __import__(name, *rest)


def application(workers: int) -> FastAPI:
    """The service with its pool."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, warm_up, (context.Barrier(workers),)) as pool:
            loop = asyncio.get_running_loop()
            # The pool starts a process for each task that finds none idle, and none is before all are warm.
            await asyncio.gather(*(loop.run_in_executor(pool, is_warm) for _ in range(workers)))
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/execute")
    async def execute(snippet: Snippet) -> dict[str, Any]:
        return await asyncio.get_running_loop().run_in_executor(app.state.pool, run, snippet.code, snippet.timeout)

    return app


if __name__ == "__main__":
    uvicorn.run(application(int(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
