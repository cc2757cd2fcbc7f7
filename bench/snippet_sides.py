# SPDX-License-Identifier: Apache-2.0
"""Who runs snippets: Lithouse, and what a user has without it. Each of them takes the same code and is asked in the same way."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from load import Generator, Load, Question
from processes import BenchError, Server, clean_environment, free_port, run, wait_until
from servers import ANSWER_SECONDS, BUILD_SECONDS, START_SECONDS, ask_once

RIVALS = Path(__file__).resolve().parent / "rivals"
# Every answer of every side begins with it.
SUCCESS = '"status":"success"'
_FIRST_SECONDS = 60.0
_RUN_SECONDS = 60.0

HELLO = 'print("Hello World")\n'
GROUP_BY = """import numpy as np
import pandas as pd

n = 10_000
frame = pd.DataFrame({"region": np.arange(n) % 7, "amount": np.arange(n) * 0.5})
frame["tax"] = frame["amount"] * 0.2
totals = frame.groupby("region")[["amount", "tax"]].agg(["sum", "mean"])
print(totals)
"""
CHART = """import matplotlib.pyplot as plt
import numpy as np

x = np.linspace(0, 10, 200)
plt.figure(figsize=(6.4, 4.8), dpi=100)
plt.plot(x, np.sin(x), label="sine")
plt.plot(x, np.cos(x), label="cosine")
plt.title("Two waves")
plt.xlabel("x")
plt.legend()
"""


class Side(Protocol):
    """Whoever can run a snippet."""

    def load(self, code: str, clients: int, seconds: int, pause_ms: int = 0) -> Load:
        """Has so many clients run it over and over for so long, each with a pause between two runs."""


@dataclass(frozen=True)
class Service:
    """One that is asked over HTTP."""

    generator: Generator
    port: int

    def load(self, code: str, clients: int, seconds: int, pause_ms: int = 0) -> Load:
        """Each client has a connection of its own and keeps it."""
        question = Question(json.dumps({"code": code}), SUCCESS, pause_ms)
        return self.generator.measure(f"http://127.0.0.1:{self.port}/execute", clients, seconds, question)

    def is_ready(self) -> bool:
        """Whether it runs a first snippet; fails when it says that it never will."""
        body = json.dumps({"code": HELLO}).encode()
        status, answer = ask_once(self.port, "POST", "/execute", body, "application/json", seconds=_FIRST_SECONDS)
        if status == 200 and SUCCESS.encode() in answer:
            return True
        # Ours says so as long as it builds its environment.
        if status == 503 and b"snippets_unavailable" not in answer:
            return False
        raise BenchError(f"a first snippet was answered with {status}: {answer.decode(errors='replace')}")


@dataclass(frozen=True)
class Command:
    """One that is a process for every run, with the code on its standard input."""

    command: list[str]
    environment: dict[str, str]

    def load(self, code: str, clients: int, seconds: int, pause_ms: int = 0) -> Load:
        """Each client is a thread that starts a process, waits for its answer, and starts the next."""
        took: list[float] = []
        errors: list[str] = []
        begin = time.perf_counter()

        def client() -> None:
            while time.perf_counter() - begin < seconds:
                started = time.perf_counter()
                failure = self.once(code)
                took.append(time.perf_counter() - started)
                if failure:
                    errors.append(failure)
                time.sleep(pause_ms / 1e3)

        threads = [threading.Thread(target=client) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return Load.of(took, time.perf_counter() - begin, len(errors))

    def once(self, code: str) -> str:
        """Runs it once and tells what went wrong, if anything did."""
        try:
            done = subprocess.run(
                self.command, input=code.encode(), env=self.environment, capture_output=True, timeout=_RUN_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return "it took too long"
        return "" if SUCCESS.encode() in done.stdout else done.stderr.decode(errors="replace") or "it said nothing"


class Rivals:
    """What a user would take instead, all with one environment, whose libraries have the versions that Lithouse has."""

    def __init__(self, python: Path, place: Path, libraries: dict[str, str]) -> None:
        self._python = python
        self._environment = place / "venv"
        # What matplotlib knows of fonts is found out once, as on any machine where it has been used before.
        self._settings = clean_environment({"MPLBACKEND": "agg", "MPLCONFIGDIR": str(place / "matplotlib")})
        settings = clean_environment()
        run([python, "-m", "venv", self._environment], settings, BUILD_SECONDS)
        pins = [f"{name}=={version}" for name, version in libraries.items()]
        pip: list[str | Path] = [self._environment / "bin" / "pip", "install", "-r", RIVALS / "requirements.txt", *pins]
        run(pip, settings, BUILD_SECONDS, place)
        self._fonts = place / "matplotlib"

    def cold(self) -> Command:
        """An interpreter that is started for every run, and imports what snippets use."""
        return self._tried(Command([str(self._interpreter), str(RIVALS / "cold.py")], self._settings))

    def confined(self) -> Command | None:
        """The same in bubblewrap; none where that is not installed or not permitted."""
        program = shutil.which("bwrap")
        if program is None:
            return None
        options = [program, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
        # The folders below may lie in `/tmp` themselves.
        options += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
        # The last three are links to the first on most systems, and folders of their own on some.
        for place in ("/usr", "/bin", "/lib", "/lib64"):
            link = Path(place)
            options += ["--symlink", str(link.readlink()), place] if link.is_symlink() else ["--ro-bind-try", place, place]
        options += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
        for folder in dict.fromkeys((self._base, str(self._environment), str(RIVALS), str(self._fonts))):
            options += ["--ro-bind", folder, folder]
        options += ["--chdir", "/tmp", "--setenv", "HOME", "/tmp"]
        for name in ("MPLBACKEND", "MPLCONFIGDIR"):
            options += ["--setenv", name, self._settings[name]]
        return self._tried(Command([*options, str(self._interpreter), str(RIVALS / "cold.py")], clean_environment()))

    def service(self, workers: int) -> RestrictedService:
        """The service with a pool of warm processes."""
        return RestrictedService(self._interpreter, workers, self._settings)

    def warm(self, code: str) -> WarmInterpreter:
        """An interpreter that runs one snippet in itself."""
        return WarmInterpreter(self._interpreter, code, self._settings)

    @property
    def _interpreter(self) -> Path:
        return self._environment / "bin" / "python"

    @property
    def _base(self) -> str:
        return run([self._interpreter, "-c", "import sys; print(sys.base_prefix)"], clean_environment(), ANSWER_SECONDS).strip()

    def _tried(self, command: Command) -> Command:
        """Runs it once, so that caches are as warm as they will be, and so that a command that cannot work is not measured."""
        failure = command.once(CHART)
        if failure:
            raise BenchError(f"`{command.command[0]} …` cannot run a snippet: {failure}")
        return command


class RestrictedService:
    """`rivals/service.py` while it serves."""

    def __init__(self, python: Path, workers: int, settings: dict[str, str]) -> None:
        self.port = free_port()
        self.server = Server([python, RIVALS / "service.py", str(self.port), str(workers)], RIVALS, settings)

    def until_ready(self, generator: Generator) -> Service:
        """Waits until all its workers are warm."""
        service = Service(generator, self.port)

        def ready() -> bool | None:
            self.server.check_alive()
            return service.is_ready() or None

        wait_until("the service with RestrictedPython", ready, START_SECONDS)
        return service

    def __enter__(self) -> RestrictedService:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.end(15)


class WarmInterpreter:
    """`rivals/warm.py` while it waits for the next line."""

    def __init__(self, python: Path, code: str, settings: dict[str, str]) -> None:
        command = [str(python), str(RIVALS / "warm.py"), code]
        self._process = subprocess.Popen(command, env=settings, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._once()

    def load(self, seconds: int) -> Load:
        """Runs the snippet over and over for so long."""
        begin, took = time.perf_counter(), []
        while time.perf_counter() - begin < seconds:
            took.append(self._once())
        return Load.of(took, time.perf_counter() - begin, 0)

    def _once(self) -> float:
        """Runs it once and returns the seconds that it took."""
        if self._process.stdin is None or self._process.stdout is None:
            raise BenchError("the warm interpreter has no pipes")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise BenchError("the warm interpreter has ended")
        return float(line) / 1e3

    def __enter__(self) -> WarmInterpreter:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
