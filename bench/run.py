# SPDX-License-Identifier: Apache-2.0
"""Measures Lithouse side by side with what a user would take instead, and prints tables in Markdown.

    make bench                         all of it, about half an hour on a quiet machine
    make bench BENCH_FLAGS=--write     the same, kept as docs/benchmarks*.md
    make test-bench                    some minutes: shows that the benchmark works, and little more

Needs nothing but Python; packages come from the index that pip and uv are set up for. Every server is started by this program,
on free ports and over folders of its own, and ended by it.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import machine
import part_bodies
import part_many
import part_requests
import part_snippets
from load import Generator
from part_deploy import Bench, Deploys
from part_memory import MemoryOf
from processes import BenchError
from report import Section
from servers import Address, Lithouse, Plain, version_in
from session import visit

ROOT = Path(__file__).resolve().parent.parent
_OPTIMIZED = ("release", "dist")
# More than this for each core, and others measure with us.
_QUIET_LOAD = 0.3
PARTS = ("deploy", "requests", "memory", "bodies", "snippets", "many")
# These have documents of their own.
_APART = ("snippets", "many")
# These need no app of Streamlit.
_ALONE = ("bodies",)

_HEAD = """<!-- Written by `{command}`; changes by hand are lost with the next run. -->
# Benchmarks

What Lithouse costs and gains, measured in one run beside what a user would take instead. A figure is the median of its rounds
with the least and the most in brackets; a ratio is taken round by round. The figures are of one machine: the ratios say more
than the times.

```
{command}
```
"""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    request_rounds: int
    request_seconds: int
    cold: int
    warm: int
    known: int
    apps: int
    snippets: part_snippets.Amount
    many: part_many.Amount
    bodies: part_bodies.Amount
    limit_minutes: int


FULL = Plan(
    request_rounds=5,
    request_seconds=3,
    cold=2,
    warm=3,
    known=7,
    apps=10,
    snippets=part_snippets.Amount(rounds=3, seconds=3, level_rounds=3, load_seconds=60),
    many=part_many.Amount(counts=(0, 100, 1000), starts=5, idle_seconds=20, rounds=15),
    bodies=part_bodies.Amount(rounds=5, size=200 << 20),
    limit_minutes=60,
)
QUICK = Plan(
    request_rounds=1,
    request_seconds=1,
    cold=0,
    warm=1,
    known=1,
    apps=2,
    snippets=part_snippets.Amount(rounds=1, seconds=1, level_rounds=1, load_seconds=12),
    many=part_many.Amount(counts=(0, 100), starts=1, idle_seconds=2, rounds=1),
    bodies=part_bodies.Amount(rounds=1, size=20 << 20),
    limit_minutes=10,
)


def main(arguments: list[str]) -> int:
    """Measures, prints, and ends with 1 when something could not be measured."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, _leave)
    begin = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - begin:6.1f} s  {text}", file=sys.stderr, flush=True)

    plan = QUICK if options.quick else FULL
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(plan.limit_minutes * 60)
    try:
        with contextlib.ExitStack() as stack:
            folder = tempfile.TemporaryDirectory(prefix="lithouse-bench-", dir=options.work, ignore_cleanup_errors=True)
            documents = Measuring(options, plan, Path(stack.enter_context(folder)).resolve(), say).all()
    except (BenchError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        signal.alarm(0)
    for name, text in documents.items():
        print(text, end="")
        if options.write:
            place = ROOT / "docs" / name
            place.parent.mkdir(exist_ok=True)
            place.write_text(text)
            say(f"written to {place.relative_to(ROOT)}")
    say("done")
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="bench/run.py", description="Measures Lithouse beside what a user would take instead.")
    default = Path("target") / "release" / "lithouse"
    parser.add_argument("--binary", type=Path, default=ROOT / default, help=f"the Lithouse to measure (default: {default})")
    parser.add_argument("--quick", action="store_true", help="some minutes: to see that the benchmark works")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone; may be given more than once")
    parser.add_argument("--generator", choices=("auto", "wrk", "own"), default="auto", help="who asks (default: wrk if there)")
    parser.add_argument("--work", type=Path, help="where folders are made for the time being (default: the system's)")
    parser.add_argument("--write", action="store_true", help="keep the tables as docs/benchmarks.md and the pages beside it")
    options = parser.parse_args(arguments)
    options.binary = options.binary.resolve()
    options.command = _command(options)
    if not options.binary.is_file():
        parser.error(f"there is no `{options.binary}`: build it with `cargo build --release`, or name one with `--binary`")
    if options.quick and options.write:
        parser.error("`--quick` measures too little to be kept: leave out one of `--quick` and `--write`")
    return options


def _command(options: argparse.Namespace) -> str:
    """The command again, without folders that only this machine has."""
    words = ["python3", "bench/run.py", "--binary", str(Path(*options.binary.parts[-3:]))]
    words += ["--quick"] if options.quick else []
    words += [word for part in options.only or () for word in ("--only", part)]
    words += ["--generator", options.generator] if options.generator != "auto" else []
    return shlex.join(words + (["--write"] if options.write else []))


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise BenchError("the whole took longer than it may; the servers were ended")


class Measuring:
    """One run from its first server to the text."""

    def __init__(self, options: argparse.Namespace, plan: Plan, work: Path, say: Callable[[str], None]) -> None:
        self._options = options
        self._plan = plan
        self._say = say
        self._generator = Generator(options.generator)
        # The interpreter itself rather than what stands for it in PATH: both sides make their environments of it.
        self._bench = Bench(options.binary, Path(sys.executable).resolve(), work, say)
        self._deploys = Deploys(self._bench)
        self._load = machine.load()
        self._versions: list[str] = []

    def _wants(self, part: str) -> bool:
        return not self._options.only or part in self._options.only

    def all(self) -> dict[str, str]:
        """Measures everything that is wanted and returns the documents by their names."""
        sections = {}
        of_apps = []
        if any(self._wants(part) for part in PARTS if part not in _APART + _ALONE):
            of_apps += self._apps()
        if self._wants("bodies"):
            of_apps.append(part_bodies.measure(self._bench, self._plan.bodies))
        if of_apps:
            sections["benchmarks.md"] = of_apps
        if self._wants("snippets"):
            snippets = part_snippets.Snippets(self._bench, self._generator, self._deploys.uv)
            sections["benchmarks-snippets.md"] = snippets.all(self._plan.snippets)
            self._versions += [f"{name} {version}" for name, version in sorted(snippets.libraries.items())]
        if self._wants("many"):
            sections["benchmarks-many.md"] = part_many.Many(self._bench).all(self._plan.many)
        head = "\n".join([_HEAD.format(command=self._options.command), self._machine()])
        return {name: "\n".join([head, *(section.markdown() for section in some)]) for name, some in sections.items()}

    def _apps(self) -> list[Section]:
        """What is measured of apps."""
        plan = self._plan
        if self._wants("deploy"):
            self._deploys.cold(plan.cold)
            self._deploys.warm(plan.warm)
        self._say("starting the server for all that follows")
        with self._bench.lithouse("data-main", self._deploys.uv) as server:
            memory = MemoryOf(server)
            if self._wants("memory"):
                memory.without_apps()
            apps = self._deploy(server, plan.apps if self._wants("memory") else 1)
            environment = server.environment_of(apps[0]["app_id"])
            if self._wants("memory"):
                memory.with_apps([int(app["pid"]) for app in apps])
            for app in apps[1:]:
                server.remove(app["app_id"])
            sections = []
            if self._wants("requests"):
                sections.append(self._requests(server, environment, int(apps[0]["port"])))
                memory.after_requests()
            if self._wants("deploy"):
                self._deploys.known(server, environment, plan.known)
                sections.append(self._deploys.section({"cold": plan.cold, "warm": plan.warm, "known": plan.known}))
        if self._wants("memory"):
            memory.by_hand(environment, plan.apps, self._say)
            sections.append(memory.section)
        sections[-1].notes += server.notes
        self._versions += [f"Streamlit {version_in(environment, 'streamlit')}", f"pandas {version_in(environment, 'pandas')}"]
        return sections

    def _deploy(self, server: Lithouse, count: int) -> list[dict[str, Any]]:
        """Deploys the app so many times, each visited once, and returns their resources."""
        apps = []
        for number in range(1, count + 1):
            self._say(f"deploying app {number} of {count}")
            apps.append(server.until_running(server.deploy(f"measured-{number}")))
            visit(server.address(f"measured-{number}"))
        return apps

    def _requests(self, server: Lithouse, environment: Path, port: int) -> Section:
        """The first of the apps through us, past us, and by hand."""
        with Plain(environment).until_healthy() as plain:
            visit(plain.address)
            addresses = {
                part_requests.LITHOUSE: server.address("measured-1"),
                part_requests.PLAIN: plain.address,
                part_requests.INTERNAL: Address(port, "/apps/measured-1/"),
            }
            rounds, seconds = self._plan.request_rounds, self._plan.request_seconds
            return part_requests.measure(self._generator, addresses, rounds, seconds, self._say)

    def _machine(self) -> str:
        """What all of it was measured on and with."""
        binary, python = self._bench.binary, self._bench.python
        before, after = self._load, machine.load()
        tools = [
            machine.version(binary, "--version") + f" ({binary.parent.name} build)",
            machine.version(python, "--version"),
            *dict.fromkeys(self._versions),
            self._uv(),
            machine.version(python, "-m", "pip", "--version"),
        ]
        lines = [
            f"Machine: {machine.describe()}; load {before:.2f} before and {after:.2f} after.",
            f"With: {', '.join(tools)}. Streamlit is started by hand with `{' '.join(Plain.OPTIONS)}`.",
        ]
        if before > machine.cores() * _QUIET_LOAD:
            lines.append("**The machine was busy when this began: measure again when it is quiet.**")
        if self._options.quick:
            lines.append("**`--quick` shows that the benchmark works; its figures are of too few rounds to be trusted.**")
        if binary.parent.name not in _OPTIMIZED:
            lines.append("**This is no release build of Lithouse: its own figures are too slow.**")
        return "\n\n".join(lines) + "\n"

    def _uv(self) -> str:
        """The uv that Lithouse used: it takes the one in PATH, or fetches one within what is measured."""
        fetched = next(self._bench.work.glob("data-*/tools/uv"), None)
        if fetched is not None:
            return machine.version(fetched, "--version").split(" (")[0] + " (fetched by Lithouse within its times)"
        return machine.version("uv", "--version").split(" (")[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
