# SPDX-License-Identifier: Apache-2.0
"""What the tests share: real environments, a launched app, and a small WebSocket client. Standard library only."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import http.client
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

LAUNCHER = Path(__file__).resolve().parent.parent / "launch.py"
REPOSITORY = LAUNCHER.parent.parent
BASE = "/apps/under-test"
RERUN_SCRIPT = b"\x5a\x00"
OLDEST, NEWEST = "streamlit==1.40.*", "streamlit>=1.57"
DEADLINE_SECONDS = 240.0

T = TypeVar("T")


def wait_until(what: str, probe: Callable[[], T | None], seconds: float = DEADLINE_SECONDS) -> T:
    """Waits for `probe` to give a value, and fails with the last thing that was seen."""
    end, seen = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            value = probe()
            if value:
                return value
            seen = repr(value)
        except OSError as error:
            seen = repr(error)
        time.sleep(0.02)  # The pause between two looks.
    raise AssertionError(f"waited {seconds:.0f} s for {what}; last seen: {seen}")


def _cache() -> Path:
    return Path(os.environ.get("LITHOUSE_TEST_ENVS") or REPOSITORY / ".cache" / "test-envs")


def _build_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")}


def _uv(cache: Path) -> str:
    found = os.environ.get("LITHOUSE_TEST_UV") or shutil.which("uv")
    if found:
        return found
    own = cache / "uv"
    if not (own / "bin" / "uv").exists():
        run = subprocess.run
        run([sys.executable, "-m", "venv", str(own)], check=True)
        run([str(own / "bin" / "pip"), "install", "--quiet", "uv"], check=True, env=_build_environment())
    return str(own / "bin" / "uv")


def environment(*requirements: str) -> Path:
    """The environment that has all `requirements`, built once for all test processes of this machine."""
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True)
    version = f"py{sys.version_info.major}.{sys.version_info.minor}"
    place = cache / f"{version}-{'-'.join(requirements).translate(str.maketrans('=<>*', '____'))}"
    with Path(f"{place}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        complete = place / "complete"
        if not complete.exists():
            shutil.rmtree(place, ignore_errors=True)
            uv, python = _uv(cache), str(place / "bin" / "python")
            build = _build_environment()
            subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(place)], check=True, env=build)
            install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *requirements]
            subprocess.run(install, check=True, env=build)
            complete.touch()
    return place


class App:
    """One launched app with its listener, its output, and a folder of its own."""

    def __init__(self, python: Path, files: dict[str, str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lithouse-launch-"))
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.python = python
        self.listener = self.listen()
        self.port = self.listener.getsockname()[1] if self.listener.family == socket.AF_INET else 1
        self._variables: dict[str, str | None] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.output = b""

    def listen(self) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        return listener

    def variables(self) -> dict[str, str]:
        """The environment that the server gives to a Streamlit app: see the table in README.md."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        told: dict[str, str | None] = {
            "PATH": os.defpath,
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PORT": str(self.port),
            "STREAMLIT_SERVER_HEADLESS": "true",
            "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
            "STREAMLIT_SERVER_PORT": str(self.port),
            "STREAMLIT_SERVER_BASE_URL_PATH": BASE,
            "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none",
            "STREAMLIT_SERVER_RUN_ON_SAVE": "false",
            "STREAMLIT_SERVER_COOKIE_SECRET": "0123456789abcdef",
            "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
            "STREAMLIT_BROWSER_SERVER_ADDRESS": "127.0.0.1",
            "STREAMLIT_GLOBAL_DEVELOPMENT_MODE": "false",
            **self._variables,
        }
        return {name: value for name, value in told.items() if value is not None}

    def start(self, *arguments: str, stdin: int | None = None) -> App:
        command = [str(self.python / "bin" / "python"), str(LAUNCHER), "streamlit", "app.py", *arguments]
        self._process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.variables(),
            stdin=self.listener.fileno() if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        return self

    def _drain(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while chunk := os.read(stream.fileno(), 65536):
            self.output += chunk

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def connect(self, seconds: float = DEADLINE_SECONDS) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)

    def get(self, path: str, seconds: float = DEADLINE_SECONDS) -> tuple[int, bytes]:
        with contextlib.closing(self.connect(seconds)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def healthy(self) -> App:
        """Waits until the app is well; gives a waiting request up now and then, to see whether the app still lives."""

        def ask() -> tuple[int, bytes]:
            if self.process.poll() is not None:
                self._reader.join(DEADLINE_SECONDS)
                raise AssertionError(f"the app ended with {self.process.returncode}; output: {self.output.decode()}")
            return self.get(f"{BASE}/_stcore/health", seconds=5)

        status, body = wait_until("health", ask)
        if (status, body) != (200, b"ok"):
            raise AssertionError(f"health answered {status} {body!r}; output: {self.output.decode()}")
        return self

    def printed(self, needle: str) -> str:
        """The output once it holds `needle`."""
        wait_until(f"{needle!r} in the output", lambda: needle.encode() in self.output)
        return self.output.decode()

    def end(self, seconds: float = DEADLINE_SECONDS) -> int:
        """Sends SIGTERM, as the server does, and returns how the app ended."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def close(self) -> None:
        """Leaves nothing behind, however the test went."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self._reader.join(5)
            assert self.process.stdout is not None
            self.process.stdout.close()
        self.listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> App:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Session:
    """One headless session: enough of a WebSocket client to run a script and look for text in what comes back."""

    def __init__(self, app: App, headers: dict[str, str] | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", app.port), timeout=DEADLINE_SECONDS)
        lines = [
            f"GET {BASE}/_stcore/stream HTTP/1.1",
            f"Host: 127.0.0.1:{app.port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: streamlit",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._stream = self._socket.makefile("rb")
        self.status = int(self._stream.readline().split()[1])
        while self._stream.readline() not in (b"\r\n", b""):
            pass

    def send(self, message: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(message))
        self._socket.sendall(bytes([0x82, 0x80 | len(message)]) + mask + masked)

    def frames(self) -> Iterator[bytes]:
        while head := self._stream.read(2):
            length = head[1] & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", self._stream.read(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", self._stream.read(8))
            payload = self._stream.read(length)
            if head[0] & 0x0F == 2:
                yield payload

    def run(self, until: bytes) -> bytes:
        """Runs the script and returns everything received up to the frame that holds `until`."""
        self.send(RERUN_SCRIPT)
        seen = b""
        for frame in self.frames():
            seen += frame
            if until in frame:
                return seen
        raise AssertionError(f"the session ended before {until!r}; received {seen!r}")

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def link_of(descriptor: int) -> str:
    """What a descriptor of this process is, in the words of the kernel."""
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def listening_inodes(pid: int) -> set[str]:
    """The sockets in the state LISTEN that the process holds, by inode."""
    held = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            held.add(str(entry.readlink()).removeprefix("socket:[").removesuffix("]"))
    listening = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A":
                    listening.add(fields[9])
    return held & listening
