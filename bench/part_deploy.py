# SPDX-License-Identifier: Apache-2.0
"""How long a user waits from having an app to seeing it: deployed to Lithouse, or set up by hand."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from processes import clean_environment, run
from report import Section, ratio, spread
from servers import APP, BUILD_SECONDS, Address, Lithouse, Plain, has_bytecode, pip_environment
from session import visit

_CACHE_IS_FILLED_BYTES = 1 << 20

_EXPLANATION = """From handing over `app.py` and `requirements.txt` (Streamlit, with the pandas and numpy that it brings) to an
app that answers (*ready*), and to the end of the first visitor's script (*page*). Lithouse: from the `POST /api/apps` to the
status `running`, for which the health endpoint has answered, and then a visit through the proxy, beside which Lithouse runs the
script once itself to look for errors. By hand: `python -m venv`, `pip install -r requirements.txt`, `streamlit run` until its
health endpoint answers, and then the same visit. Bytecode is compiled on both sides, and `PYTHONDONTWRITEBYTECODE` is unset.
The last column says how many times as long it takes by hand."""


@dataclass
class Waits:
    """Seconds until ready and until the page, round by round."""

    ready: list[float] = field(default_factory=list)
    page: list[float] = field(default_factory=list)

    def take(self, begin: float, ready: float) -> None:
        """Notes a round that is just over."""
        self.ready.append(ready - begin)
        self.page.append(time.perf_counter() - begin)


@dataclass(frozen=True)
class Bench:
    """What the rounds work with."""

    binary: Path
    python: Path
    work: Path
    say: Callable[[str], None]

    def lithouse(self, name: str, settings: Mapping[str, str]) -> Lithouse:
        """A server over an empty data folder."""
        return Lithouse(self.binary, self.python, self.work / name, settings)


class Deploys:
    """All rounds, and what came of them."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._names = (f"app-{count}" for count in itertools.count(1))
        self._waits: dict[str, Waits] = {}
        self._notes: list[str] = []
        self._compiled: list[bool] = []
        self.uv: dict[str, str] = {}
        self.pip: dict[str, str] = {}

    def _waits_of(self, case: str) -> Waits:
        return self._waits.setdefault(case, Waits())

    def cold(self, rounds: int) -> None:
        """Nothing at hand: empty caches, empty data folder. The last caches are kept as the warm ones."""
        for turn in range(rounds):
            self.uv = {"UV_CACHE_DIR": str(self._bench.work / f"uv-{turn}")}
            self.pip = {"PIP_CACHE_DIR": str(self._bench.work / f"pip-{turn}")}
            self._pair("cold", turn, rounds)
        if rounds:
            self._warm_pip()

    def warm(self, rounds: int) -> None:
        """Packages at hand, no environment."""
        for turn in range(rounds):
            self._pair("warm", turn, rounds)

    def known(self, server: Lithouse, environment: Path, rounds: int) -> None:
        """An environment that is there already; by hand that is `streamlit run` alone."""
        for turn in range(rounds):
            self._bench.say(f"deploy with the environment known, round {turn + 1} of {rounds}")
            for ours in _alternate(turn):
                if ours:
                    server.remove(self._deploy(server, "known, ours"))
                else:
                    self._start(environment, "known, by hand", time.perf_counter())

    def _pair(self, case: str, turn: int, rounds: int) -> None:
        self._bench.say(f"deploy with {case} caches, round {turn + 1} of {rounds}")
        for ours in _alternate(turn):
            if ours:
                name = f"data-{case}-{turn}"
                with self._bench.lithouse(name, self.uv) as server:
                    environment = server.environment_of(self._deploy(server, f"{case}, ours"))
                    self._compiled.append(has_bytecode(environment))
                self._notes += server.notes
                shutil.rmtree(self._bench.work / name)
            else:
                begin = time.perf_counter()
                environment = pip_environment(self._bench.python, self._bench.work / f"venv-{case}-{turn}", self.pip)
                self._compiled.append(has_bytecode(environment))
                self._start(environment, f"{case}, by hand", begin)
                shutil.rmtree(environment)

    def _deploy(self, server: Lithouse, case: str) -> str:
        key = next(self._names)
        begin = time.perf_counter()
        app = server.deploy(key)
        server.until_running(app)
        self._visited(server.address(key), case, begin)
        return app

    def _start(self, environment: Path, case: str, begin: float) -> None:
        with Plain(environment).until_healthy() as plain:
            self._visited(plain.address, case, begin)

    def _visited(self, address: Address, case: str, begin: float) -> None:
        ready = time.perf_counter()
        visit(address)
        self._waits_of(case).take(begin, ready)

    def _warm_pip(self) -> None:
        """Makes sure that pip has the packages at hand: some indexes forbid its cache to keep them."""
        cache = Path(self.pip["PIP_CACHE_DIR"])
        if sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) >= _CACHE_IS_FILLED_BYTES:
            self._notes.append("With warm caches, pip finds the packages in its cache.")
            return
        self._bench.say("pip's cache is empty, as the index wants it: downloading the wheels")
        venv, wheels = self._bench.work / "venv-wheels", self._bench.work / "wheels"
        environment = clean_environment()
        run([self._bench.python, "-m", "venv", venv], environment, BUILD_SECONDS)
        run([venv / "bin" / "pip", "download", "-d", wheels, "-r", APP / "requirements.txt"], environment, BUILD_SECONDS)
        self.pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
        self._notes.append(
            "With warm caches, pip finds the packages as wheels in a folder (`--no-index --find-links`): the index here forbids "
            "pip's own cache to keep them. uv asks the index for the versions all the same."
        )

    def section(self, rounds: dict[str, int]) -> Section:
        """The table."""
        head = ["at hand", "until", "Lithouse, s", "by hand", "by hand, s", "by hand : Lithouse"]
        section = Section("From two files to a page", _EXPLANATION, head)
        pip, alone = "venv, pip, `streamlit run`", "`streamlit run` alone"
        warm = "packages (warm caches)" if rounds["cold"] else "packages (caches as they were found)"
        cases = [
            ("nothing (cold caches)", "cold, ours", pip, "cold, by hand"),
            (warm, "warm, ours", pip, "warm, by hand"),
            ("the environment", "known, ours", pip, "warm, by hand"),
            ("the environment", "known, ours", alone, "known, by hand"),
        ]
        for at_hand, ours, way, theirs in cases:
            mine, other = self._waits.get(ours), self._waits.get(theirs)
            if mine is None or other is None:
                continue
            section.rows.append([at_hand, "ready", spread(mine.ready), way, spread(other.ready), ratio(other.ready, mine.ready)])
            section.rows.append([at_hand, "page", spread(mine.page), way, spread(other.page), ratio(other.page, mine.page)])
        counted = ", ".join(f"{count} {case}" for case, count in rounds.items() if count)
        section.notes.append(f"Rounds, in each of which both take turns: {counted}.")
        if rounds["cold"]:
            section.notes.append("Cold times include the download, so they say as much of the network as of the tools.")
        section.notes.append("What the kernel keeps of files in memory was left as it was.")
        missing = self._compiled.count(False)
        if missing:
            section.notes.append(f"BYTECODE WAS MISSING in {missing} of {len(self._compiled)} environments.")
        section.notes += dict.fromkeys(self._notes)
        return section


def _alternate(turn: int) -> Iterator[bool]:
    """Ours first in one round, the other first in the next."""
    return iter((True, False) if turn % 2 == 0 else (False, True))
