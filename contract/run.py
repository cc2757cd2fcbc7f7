# SPDX-License-Identifier: Apache-2.0
"""Hold a real server against its own document, with schemathesis.

The server has a data folder of its own, an app that runs and one that is stopped, and warm snippets. It is asked twice: all operations
over its port, then those about the server itself over its control socket, where they are not refused. It must answer as its document
says, live, and complain of nothing.
"""

import argparse
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATIENCE = 240
STOP = "POST /api/server/stop"
# A link alone leads to an app that has releases, which is a chance, and how far a build is then differs from run to run. That these
# two succeed as the document says is seen by the tests of the binary, which hold every answer against it.
BY_CHANCE = {"POST /api/apps/{app}/releases/{release}/activate", "PUT /api/apps/{app}/files/{path}"}
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
CONFIGURATION = """
[snippets]
workers = 2

[apps.sales]
dir = "sales"
command = "exec python3 -m http.server --bind 127.0.0.1 $PORT"

[apps.stock]
dir = "stock"
command = "exec python3 -m http.server --bind 127.0.0.1 $PORT"
"""


class Failure(Exception):
    """Something that must not be."""


class OverSocket(http.client.HTTPConnection):
    """HTTP on a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Server:
    """A server of the binary, in a folder of its own."""

    def __init__(self, folder):
        self.folder, self.data, self.errors = folder, folder / "data", folder / "errors.txt"
        self.process = None

    def start(self, binary, tests):
        """Start it, and wait until it listens."""
        folder = self.folder
        for app in ["sales", "stock"]:
            (folder / app).mkdir()
            (folder / app / "index.html").write_text("<p>hello</p>\n")
        (folder / "lithouse.toml").write_text(CONFIGURATION)
        environment = dict(os.environ)
        environment.pop("LITHOUSE_LISTEN", None)
        # What the tests of the binary have built and fetched already need not be built and fetched again.
        if (tests / "snippets-of-tests-1/complete").exists():
            self.data.mkdir()
            for name in ["envs", "snippets"]:
                shutil.copytree(tests / "snippets-of-tests-1" / name, self.data / name, symlinks=True, copy_function=link_or_copy)
        if (tests / "envs-of-tests-1/uv").exists():
            environment.setdefault("LITHOUSE_UV", str(tests / "envs-of-tests-1/uv"))
        command = [binary, "serve", "--config", "lithouse.toml", "--data", "data", "--listen", "127.0.0.1:0"]
        with self.errors.open("w") as errors:
            # What a terminal tells this program, it does not tell the server as well.
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
            )
        self.url = wait("the server listens", self.listening)

    def listening(self):
        """Where it listens, once it does."""
        if self.process.poll() is not None:
            raise Failure(f"the server ended with {self.process.returncode}: {self.errors.read_text()}")
        # A line is written in pieces: half an address is none.
        lines = self.errors.read_text().rpartition("\n")[0].splitlines()
        return next((line.removeprefix("listening on ").strip() for line in lines if line.startswith("listening on ")), None)

    def ask(self, method, path, body=None):
        """Status and JSON of an answer over the control socket, which the server keeps as its successors come."""
        connection = OverSocket(self.data / "control.sock")
        with contextlib.closing(connection):
            connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None

    def prepare(self):
        """Bring it to where the tests begin: an app runs, another is stopped, and snippets are run at once."""
        for app in ["sales", "stock"]:
            self.wait_for(app, "running")
        self.stop_app("stock")
        wait("snippets are run", self.runs_snippets)

    def wait_for(self, app, status):
        """Wait until an app is so."""
        wait(f"`{app}` is {status}", lambda: self.ask("GET", f"/api/apps/{app}")[1].get("status") == status)

    def stop_app(self, app):
        """Stop an app, and wait until it is."""
        self.ask("POST", f"/api/apps/{app}/stop")
        self.wait_for(app, "stopped")

    def runs_snippets(self):
        """Whether it does; it builds their environment first."""
        status, answer = self.ask("POST", "/execute", {"code": "1"})
        if status != 200 and answer["code"] != "environment_building":
            raise Failure(f"snippets are not run: {answer}")
        return status == 200

    def check_is_well(self):
        """Fail where it is not, or has complained."""
        # What it was asked for last may still be under way, and hold the database.
        wait("the server is well", lambda: self.ask("GET", "/health")[1]["status"] == "up", 60)
        for log in [self.errors, *self.data.glob("logs/controller.log*"), *self.data.glob("logs/keeper.log*")]:
            panics = [line for line in log.read_text(errors="replace").splitlines() if "panicked" in line]
            if panics:
                raise Failure(f"{log.name}: {panics[0]}")

    def stop(self):
        """End it as `lithouse stop` does, and wait until all of it has ended."""
        status, _ = self.ask(*STOP.split())
        if status != 202:
            raise Failure(f"stopping the server is answered {status}")
        wait("the server ends", lambda: not (self.data / "control.sock").exists())
        if self.process.wait(PATIENCE) != 0:
            raise Failure(f"the server ended with {self.process.returncode}")
        wait("no process of it is left", lambda: not processes_of(self.folder))

    def end(self):
        """Leave no process of it, whatever happened."""
        # Nobody ends this but at its end, or by force.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(OSError, http.client.HTTPException, Failure):
            self.ask(*STOP.split())
            wait("the server ends", lambda: not processes_of(self.folder), 30)
        while left := processes_of(self.folder):
            for process in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.05)


def processes_of(folder):
    """The processes that were started in a folder, or work with what is in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        # It may end while it is looked at, or be another user's.
        with contextlib.suppress(OSError):
            told = [os.fsencode(os.readlink(process / "cwd")), (process / "cmdline").read_bytes(), (process / "environ").read_bytes()]
            if any(os.fsencode(folder) in text for text in told):
                found.append(int(process.name))
    return found


def link_or_copy(source, target):
    """Another name for a file, where the disk is the same."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def wait(what, look, patience=PATIENCE):
    """What it sees, once it sees something."""
    end = time.monotonic() + patience
    while not (seen := look()):
        if time.monotonic() > end:
            raise Failure(f"waited in vain until {what}")
        time.sleep(0.05)
    return seen


def forward(path):
    """A port that leads to a unix socket, for as long as this program runs."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source, target):
        with contextlib.suppress(OSError):
            while part := source.recv(1 << 16):
                target.sendall(part)
        # Whoever reads from it, and whoever else writes to it, learns that this is the end.
        for end in [source, target]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept():
        while True:
            client, _ = listener.accept()
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(path))
            except OSError:
                client.close()
                continue
            for ends in [(client, server), (server, client)]:
                threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def examine(schemathesis, folder, url, examples, seconds, *options):
    """Run schemathesis in a folder, with the same inputs each time or, for so many seconds, with ever new ones.

    Answers the operations that were answered with success.
    """
    how = ["--max-time", str(seconds)] if seconds else ["--generation-deterministic", "--seed", "1"]
    command = [schemathesis, "--config-file", HERE / "schemathesis.toml", "run", f"{url}/openapi.json", "--max-examples", str(examples)]
    # What it keeps for its next run must not change that one.
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*command, "--no-color", "--warnings", "off", "--report-ndjson-path", folder / "events.ndjson", *how, *options], cwd=folder, env=environment, check=False)
    if done.returncode != 0:
        raise Failure("the server and its document differ: see above")
    with (folder / "events.ndjson").open() as events:
        return {operation for event in events for operation in succeeded(json.loads(event))}


def succeeded(event):
    """The operations that were answered with success, as far as an event of schemathesis tells."""
    recorder = event.get("ScenarioFinished", {}).get("recorder", {})
    for name, interaction in recorder.get("interactions", {}).items():
        if 200 <= ((interaction.get("response") or {}).get("status_code") or 0) < 300:
            case = recorder["cases"][name]["value"]
            yield f"{case['method']} {case['path']}"


def main():
    """Run."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--binary", required=True, type=Path)
    arguments.add_argument("--schemathesis", required=True, type=Path)
    arguments.add_argument("--tests", required=True, type=Path, help="where the tests of the binary keep what they have built")
    arguments.add_argument("--seconds", type=int, default=0, help="ask at random for so long, instead of the same each time")
    given = arguments.parse_args()
    # Whoever ends this program ends all that it has started.
    for number in SIGNALS:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="lithouse-contract-") as folder:
        folder = Path(folder).resolve()
        server = Server(folder)
        try:
            server.start(given.binary.resolve(), given.tests.resolve())
            server.prepare()
            done = examine(given.schemathesis.absolute(), folder / "port", server.url, 40 if given.seconds else 10, given.seconds)
            if server.ask("GET", "/api/server")[1]["pid"] != server.process.pid:
                raise Failure("another server answers than the one that was started")
            server.check_is_well()
            server.stop_app("stock")
            # To stop is asked for once, below: there is nobody to be asked again. Over the port it was, and is refused. No link leads
            # from one of these operations to another.
            control = ["--include-tag", "server", "--exclude-operation-id", "stop_server", "--phases", "coverage,fuzzing"]
            done |= examine(given.schemathesis.absolute(), folder / "socket", forward(server.data / "control.sock"), 3, 0, *control)
            server.check_is_well()
            if server.ask("GET", "/api/server")[1]["pid"] == server.process.pid:
                raise Failure("the server was told to replace itself, and did not")
            if server.ask("GET", "/api/apps/stock")[1].get("status") != "stopped":
                raise Failure("an app that was stopped is not, after its server was replaced")
            # Whoever only refuses differs from no document.
            document = server.ask("GET", "/openapi.json")[1]
            never = {f"{method.upper()} {path}" for path, operations in document["paths"].items() for method in operations} - done - BY_CHANCE - {STOP}
            if never and not given.seconds:
                raise Failure(f"never answered with success: {', '.join(sorted(never))}")
            server.stop()
        except Failure as failure:
            print(f"failed: {failure}", file=sys.stderr)
            return 1
        finally:
            server.end()
    print("The server answers as its document says.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
