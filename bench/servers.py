# SPDX-License-Identifier: Apache-2.0
"""The two that are compared: Lithouse, and what a user has without it, which is `streamlit run` in an environment of pip."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processes import BenchError, Server, clean_environment, free_port, processes_of, run, wait_until

APP = Path(__file__).resolve().parent / "app"
ANSWER_SECONDS = 30.0
START_SECONDS = 120.0
BUILD_SECONDS = 400.0
# Longer than the grace that Lithouse gives to its apps.
END_SECONDS = 40.0
_LISTENING = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")
_SETTLED = frozenset({"running", "failed", "crashed", "stopped"})


@dataclass(frozen=True)
class Address:
    """Where an app answers: a port on loopback, and the path of the app there with its final slash."""

    port: int
    path: str

    def url(self, path: str) -> str:
        """A URL below the app's path."""
        return f"http://127.0.0.1:{self.port}{self.path}{path}"

    def get(self, path: str) -> tuple[int, bytes]:
        """Asks once, on a connection of its own."""
        return ask_once(self.port, "GET", self.path + path)

    def is_healthy(self) -> bool:
        """Whether the app behind it answers as Streamlit does when it is well."""
        return self.get("_stcore/health") == (200, b"ok")


def ask_once(
    port: int, method: str, path: str, body: bytes | None = None, kind: str = "", *, seconds: float = ANSWER_SECONDS
) -> tuple[int, bytes]:
    """Asks a server on loopback once, on a connection of its own."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)) as connection:
        connection.request(method, path, body, {"Content-Type": kind} if kind else {})
        answer = connection.getresponse()
        return answer.status, answer.read()


class Lithouse:
    """One server of ours over a data folder of its own, which may be there already."""

    def __init__(self, binary: Path, python: Path, data: Path, settings: Mapping[str, str]) -> None:
        self.data = data
        self.notes: list[str] = []
        data.mkdir(parents=True, exist_ok=True)
        command: list[str | Path] = [binary, "serve", "--data", data, "--listen", "127.0.0.1:0", "--python", python]
        self.server = Server(command, data, clean_environment(settings))
        try:
            self.port = wait_until("Lithouse to listen", self._listening, START_SECONDS)
        except BaseException:
            self.close()
            raise

    def _listening(self) -> int | None:
        self.server.check_alive()
        found = _LISTENING.search(self.server.said)
        return int(found[1]) if found else None

    def api(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> Any:  # noqa: ANN401 (it is JSON)
        """Sends one request to the API and returns what it answers."""
        status, content = ask_once(self.port, method, f"/api{path}", body, kind)
        if not 200 <= status < 300:
            raise BenchError(f"{method} /api{path} answered {status}: {content.decode(errors='replace')}")
        return json.loads(content) if content else None

    def health(self) -> Any:  # noqa: ANN401 (it is JSON)
        """What it tells an operator of itself."""
        return json.loads(ask_once(self.port, "GET", "/health")[1])

    def deploy(self, key: str) -> str:
        """Uploads the app and returns its id, without waiting for it."""
        boundary = uuid.uuid4().hex
        parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="key"\r\n\r\n{key}\r\n'.encode()]
        for field, name in (("requirements", "requirements.txt"), ("app", "app.py")):
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
            parts.append(head.encode() + (APP / name).read_bytes() + b"\r\n")
        body = b"".join([*parts, f"--{boundary}--\r\n".encode()])
        return str(self.api("POST", "/apps", body, f"multipart/form-data; boundary={boundary}")["app_id"])

    @staticmethod
    def app_of(answer: bytes) -> str:
        """The id in the resource that an upload was answered with."""
        return str(json.loads(answer)["app_id"])

    def until_running(self, app: str, seconds: float = BUILD_SECONDS) -> dict[str, Any]:
        """Waits until the app runs and returns its resource; fails with the reason when it does not."""

        def settled() -> dict[str, Any] | None:
            self.server.check_alive()
            resource: dict[str, Any] = self.api("GET", f"/apps/{app}")
            return resource if resource["status"] in _SETTLED else None

        resource = wait_until(f"app {app} to run", settled, seconds)
        if resource["status"] != "running":
            raise BenchError(f"app {app} is {resource['status']}: {resource['reason']}\n{resource.get('reason_log')}")
        return resource

    def address(self, key: str) -> Address:
        """Where the proxy serves an app."""
        return Address(self.port, f"/apps/{key}/")

    def environment_of(self, app: str) -> Path:
        """The environment that the app runs in."""
        return (self.data / "apps" / app / "venv").resolve(strict=True)

    def remove(self, app: str) -> None:
        """Stops the app and removes what it owned."""
        self.api("DELETE", f"/apps/{app}")

    def close(self) -> None:
        """Ends the server with everything that it has started."""
        if self.server.end(END_SECONDS):
            self.notes.append(f"Lithouse did not end within {END_SECONDS:.0f} s")
        left = processes_of(self.data)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if left:
            self.notes.append(f"Lithouse left {len(left)} processes behind")

    def __enter__(self) -> Lithouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Plain:
    """`streamlit run` of the same app, as a user types it on a server: no browser to open, on loopback, on a port of its own."""

    OPTIONS = ("--server.headless=true", "--server.address=127.0.0.1", "--browser.gatherUsageStats=false")

    def __init__(self, environment: Path) -> None:
        port = free_port()
        self.address = Address(port, "/")
        command: list[str | Path] = [environment / "bin" / "streamlit", "run", APP / "app.py", f"--server.port={port}"]
        self.server = Server([*command, *self.OPTIONS], APP, clean_environment())

    def until_healthy(self) -> Plain:
        """Waits until it answers; fails with its log when it ends instead."""

        def healthy() -> bool | None:
            self.server.check_alive()
            return self.address.is_healthy() or None

        try:
            wait_until("`streamlit run` to be healthy", healthy, START_SECONDS)
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Ends it."""
        self.server.end(15)

    def __enter__(self) -> Plain:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def pip_environment(python: Path, place: Path, settings: Mapping[str, str]) -> Path:
    """Makes an environment as the manual of Python says: `python -m venv`, then `pip install -r requirements.txt`."""
    environment = clean_environment(settings)
    run([python, "-m", "venv", place], environment, BUILD_SECONDS)
    run([place / "bin" / "pip", "install", "-r", APP / "requirements.txt"], environment, BUILD_SECONDS, place)
    return place


def has_bytecode(environment: Path) -> bool:
    """Whether the packages are compiled: looks at one that no app imports, so that running an app does not answer for it."""
    return any(environment.glob("lib/python3*/site-packages/streamlit/hello/__pycache__/*.pyc"))


def version_in(environment: Path, package: str) -> str:
    """The version of a package that an environment has."""
    found = next(environment.glob(f"lib/python3*/site-packages/{package}-*.dist-info"), None)
    return found.name.removesuffix(".dist-info").removeprefix(f"{package}-") if found else "unknown"
