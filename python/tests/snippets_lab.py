# SPDX-License-Identifier: Apache-2.0
"""Plays the server to a snippet zygote: starts one without a sandbox, has it fork children, and runs code in them.

From the folder above this one, `python3 -m tests.snippets_lab [FILE]` runs a snippet and prints the result as JSON;
`python3 -m tests.snippets_lab 50 [FILE]` runs it fifty times and prints how long that takes.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support import environment

PROGRAM = Path(__file__).resolve().parent.parent / "snippets" / "zygote.py"
LIBRARIES = "numpy pandas matplotlib plotly"
DEADLINE_SECONDS = 240.0
# How long after its own time limit a run is killed, as the server does it.
GRACE_SECONDS = 0.3

Message = dict[str, Any]


class Ended(AssertionError):
    """Something expected did not come, since the other side has ended."""


class Zygote:
    """One warm parent with an empty plan, or the plan that is given."""

    def __init__(self, python: Path | None = None, **settings: Any) -> None:
        self.python = python or environment(*LIBRARIES.split()) / "bin" / "python"
        self.folder = Path(tempfile.mkdtemp(prefix="lithouse-snippets-"))
        self.told: list[Message] = []
        self._settings = settings
        self._runs = 0
        self._free_slots = list(range(64))

    def __enter__(self) -> Zygote:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.errors = tempfile.TemporaryFile()
        environment_of_it = {
            "PATH": os.environ["PATH"],
            "MPLCONFIGDIR": str(self.python.parent / "matplotlib-cache"),
            "LANG": "C.UTF-8",
            **self._settings.pop("env", {}),
        }
        configuration = {
            "control": theirs.fileno(),
            "pid_namespace": None,
            "rulesets": [],
            "level": "none",
            "slots": len(self._free_slots),
            "home": f"{self.folder}/slot-{{slot}}",
            "seal": [],
            "confine": [],
            "steps_before_fork": False,
            **self._settings,
        }
        file = os.memfd_create("configuration", 0)
        os.write(file, json.dumps(configuration).encode())
        namespace = configuration["pid_namespace"]
        kept = (theirs.fileno(), file, *configuration["rulesets"], *([] if namespace is None else [namespace]))
        command = [str(self.python), "-I", "-B", str(PROGRAM), str(file)]
        self.process = subprocess.Popen(command, pass_fds=kept, stderr=self.errors, env=environment_of_it, cwd="/")
        theirs.close()
        os.close(file)
        try:
            self.ready = self.hear("ready")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.control.close()
        try:
            self.process.wait(DEADLINE_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            self.errors.close()
            shutil.rmtree(self.folder)

    def stderr(self) -> str:
        """What the zygote itself has said."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def hear(self, what: str, run: int | None = None) -> Any:
        """The next message of this kind, for this run if one is named."""
        end = time.monotonic() + DEADLINE_SECONDS
        while True:
            for message in self.told:
                if what in message and (run is None or message[what].get("run") == run):
                    self.told.remove(message)
                    return message[what]
            if not select.select([self.control], [], [], max(0.0, end - time.monotonic()))[0]:
                raise AssertionError(f"waited for `{what}`; heard {self.told}; {self.stderr()}")
            content, descriptors, _, _ = socket.recv_fds(self.control, 65536, 8)
            if not content:
                raise Ended(f"the zygote has ended; {self.stderr()}")
            message = json.loads(content)
            if "forked" in message:
                message["forked"]["handle"] = descriptors[0]
            self.told.append(message)

    def fork(self) -> Run:
        """A child that is parked, or was refused."""
        self._runs += 1
        return Run(self, self._runs, self._free_slots.pop(0))

    def run(self, code: str, timeout: float = 120.0, **request: Any) -> Outcome:
        """Runs a snippet to its end in a child of its own."""
        run = self.fork()
        try:
            run.begin(code, timeout, **request)
            return run.outcome(timeout)
        finally:
            run.close()

    def give_back(self, slot: int) -> None:
        """Empties a slot, as the end of its file system would."""
        shutil.rmtree(self.folder / f"slot-{slot}", ignore_errors=True)
        self._free_slots.append(slot)


class Drain(threading.Thread):
    """Reads a pipe to its end."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(daemon=True)
        self._descriptor = descriptor
        self._chunks: list[bytes] = []
        self.start()

    def run(self) -> None:
        while chunk := os.read(self._descriptor, 65536):
            self._chunks.append(chunk)
        os.close(self._descriptor)

    def text(self) -> str:
        return b"".join(self._chunks).decode(errors="replace")


class Outcome:
    """What came of a run."""

    def __init__(self, result: Message | None, charts: list[Message], stdout: str, stderr: str, status: int) -> None:
        self.result, self.streamed, self.stdout, self.stderr, self.wait_status = result, charts, stdout, stderr, status

    def __getattr__(self, name: str) -> Any:
        if self.result is None:
            raise AssertionError(f"there is no result; wait status {self.wait_status}; {self.stderr}")
        return self.result[name]

    def frame(self, name: str) -> Message:
        found: Message
        (found,) = [frame for frame in self.dataframes if frame["name"] == name]
        return found

    def value(self, name: str) -> Any:
        return self.variables[name]["value"]


class Run:
    """One child."""

    def __init__(self, zygote: Zygote, number: int, slot: int) -> None:
        self._zygote, self.number, self._slot = zygote, number, slot
        self.channel, theirs = socket.socketpair()
        (out, out_theirs), (err, err_theirs) = os.pipe(), os.pipe()
        order = {"run": number, "slot": slot, "uid": os.getuid(), "data_limit": 2**62}
        ours = [theirs.fileno(), out_theirs, err_theirs]
        socket.send_fds(zygote.control, [json.dumps({"fork": order}).encode()], ours)
        theirs.close()
        os.close(out_theirs)
        os.close(err_theirs)
        self.stdout, self.stderr = Drain(out), Drain(err)
        self.handle: int = zygote.hear("forked", number)["handle"]
        self.channel.settimeout(DEADLINE_SECONDS)
        self.first = self.receive()

    def send(self, message: Message) -> None:
        body = json.dumps(message).encode()
        self.channel.sendall(struct.pack("<I", len(body)) + body)

    def receive(self) -> Message | None:
        """The next frame, or nothing at the end."""
        header = self._read(4)
        if header is None:
            return None
        body = self._read(struct.unpack("<I", header)[0])
        return None if body is None else json.loads(body)

    def _read(self, length: int) -> bytes | None:
        content = b""
        while len(content) < length:
            try:
                chunk = self.channel.recv(min(length - len(content), 1 << 20))
            except ConnectionResetError:
                return None
            if not chunk:
                return None
            content += chunk
        return content

    def begin(self, code: str, timeout: float = 120.0, **request: Any) -> None:
        if self.first != {"parked": {}}:
            raise AssertionError(f"not parked: {self.first}; {self.stderr.text()}; {self._zygote.stderr()}")
        self.send({"run": {"code": code, "timeout": timeout, "files": [], "stdin": None, "stream": False, **request}})

    def outcome(self, timeout: float) -> Outcome:
        """Waits for the result and, as the server does, for no longer than the time limit and a little."""
        killer = threading.Timer(timeout + GRACE_SECONDS, self.kill)
        killer.start()
        charts, result = [], None
        while (message := self.receive()) is not None:
            if "result" in message:
                result = message["result"]
                break
            charts.append(message["chart"])
        killer.cancel()
        if result is not None:
            self.kill()
        self.ended = self._zygote.hear("ended", self.number)
        for drain in (self.stdout, self.stderr):
            drain.join(DEADLINE_SECONDS)
        return Outcome(result, charts, self.stdout.text(), self.stderr.text(), self.ended["status"])

    def kill(self) -> None:
        # It may have ended by itself.
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, signal.SIGKILL)

    def close(self) -> None:
        self.channel.close()
        os.close(self.handle)
        self._zygote.give_back(self._slot)


class InLab(unittest.TestCase):
    """Tests that share one zygote; every run has a child of its own."""

    zygote: Zygote

    @classmethod
    def setUpClass(cls) -> None:
        cls.zygote = cls.enterClassContext(Zygote()) if hasattr(cls, "enterClassContext") else _entered(cls, Zygote())

    def run_code(self, code: str, timeout: float = 120.0, **request: Any) -> Outcome:
        return self.zygote.run(textwrap.dedent(code), timeout, **request)

    def succeeds(self, code: str, timeout: float = 120.0, **request: Any) -> Outcome:
        outcome = self.run_code(code, timeout, **request)
        self.assertEqual(outcome.status, "success", outcome.error)
        return outcome

    def told_in_time(self, code: str, timeout: float, is_told: Callable[[Outcome, float], bool]) -> tuple[Outcome, float]:
        """Runs code with ever more time until the outcome is as expected, and tells that time.

        On a machine with much else to do, it may not come to anything in so little.
        """
        while True:
            outcome = self.run_code(code, timeout)
            if is_told(outcome, timeout):
                return outcome, timeout
            timeout *= 2
            self.assertLess(timeout, 60, (outcome.result, outcome.stdout, outcome.wait_status))

    def fails(self, code: str, timeout: float = 120.0, **request: Any) -> Outcome:
        outcome = self.run_code(code, timeout, **request)
        self.assertEqual(outcome.status, "error", outcome.result)
        return outcome

    def prints(self, code: str, **request: Any) -> str:
        return self.succeeds(code, **request).stdout


def _entered(case: type[unittest.TestCase], zygote: Zygote) -> Zygote:
    """What `enterClassContext` does, which Python 3.10 has not."""
    zygote.__enter__()
    case.addClassCleanup(zygote.__exit__, None, None, None)
    return zygote


def measure(zygote: Zygote, code: str, count: int) -> None:
    """Prints how long a child takes to be parked, and then from the code to the result."""
    parked, answered = [], []
    for _ in range(count):
        begin = time.perf_counter()
        run = zygote.fork()
        parked.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        run.begin(code)
        run.receive()
        answered.append(time.perf_counter() - begin)
        run.kill()
        zygote.hear("ended", run.number)
        run.close()
    for what, times in (("parked after", parked), ("answered after", answered)):
        print(f"{what}: least {min(times) * 1000:.2f} ms, median {statistics.median(times) * 1000:.2f} ms")


def main(arguments: list[str]) -> None:
    """Runs the file that is named, or standard input; with a number before it, so often, and prints the times."""
    count = int(arguments.pop(0)) if arguments and arguments[0].isdigit() else 0
    code = Path(arguments[0]).read_text() if arguments else sys.stdin.read()
    with Zygote() as zygote:
        print(json.dumps(zygote.ready), file=sys.stderr)
        if count:
            measure(zygote, code, count)
            return
        outcome = zygote.run(code)
        print(json.dumps({"stdout": outcome.stdout, "stderr": outcome.stderr, **(outcome.result or {})}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
