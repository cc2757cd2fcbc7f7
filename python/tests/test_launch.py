# SPDX-License-Identifier: Apache-2.0
"""The launcher's promises, held against the oldest and the newest Streamlit we support, in real processes.

From the root of the repository: `python3 -m unittest discover -s python -t python`.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

import launch
from tests.support import BASE, NEWEST, OLDEST, App, Session, environment, link_of, listening_inodes, wait_until

HELLO = "import streamlit as st\nst.write('hello from the app')\n"


class OnOldest(unittest.TestCase):
    """Every promise, on the oldest version; the class below repeats them on the newest."""

    requirement = OLDEST

    def setUp(self) -> None:
        self.environment = environment(self.requirement)

    def app(self, script: str = HELLO, files: dict[str, str] | None = None) -> App:
        app = App(self.environment, {"app.py": script, **(files or {})})
        self.addCleanup(app.close)
        return app

    def test_app_answers_on_the_inherited_listener_and_opens_no_other(self) -> None:
        app = self.app().start().healthy()
        inode = link_of(app.listener.fileno()).removeprefix("socket:[").removesuffix("]")
        self.assertEqual(listening_inodes(app.process.pid), {inode})

    def test_listener_is_held_once_and_stdin_is_null(self) -> None:
        app = self.app().start().healthy()
        links = {}
        for entry in Path(f"/proc/{app.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                links[int(entry.name)] = str(entry.readlink())
        ours = link_of(app.listener.fileno())
        self.assertEqual(list(links.values()).count(ours), 1, links)
        self.assertEqual(links[0], "/dev/null")

    def test_request_sent_before_the_start_is_answered(self) -> None:
        app = self.app()
        with socket.create_connection(("127.0.0.1", app.port), timeout=240) as early:
            early.sendall(f"GET {BASE}/_stcore/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            app.start()
            answer = b""
            while chunk := early.recv(4096):
                answer += chunk
        self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer)

    def test_keep_alive_requests_do_not_stall(self) -> None:
        app = self.app().start().healthy()
        with contextlib.closing(app.connect()) as connection:

            def spend() -> float:
                begin = time.perf_counter()
                connection.request("GET", f"{BASE}/_stcore/health")
                connection.getresponse().read()
                return time.perf_counter() - begin

            spend()
            # The stall is a fixed 40 ms and more on every request but the first. Without it, even a busy one lets one through.
            wait_until("a request that takes less than a stall", lambda: spend() < 0.03)

    def test_session_runs_and_sees_headers_cookies_and_the_visitors_address(self) -> None:
        script = "\n".join([
            "import streamlit as st",
            "st.write('probe=' + str(st.context.headers.get('X-Probe')))",
            "st.write('cookie=' + str(st.context.cookies.get('flavour')))",
            "st.write('address=' + str(getattr(st.context, 'ip_address', 'unknown')))",
            "st.write('the end')",
        ])  # fmt: skip
        app = self.app(script).start().healthy()
        headers = {"X-Probe": "seen-7", "Cookie": "flavour=lemon", "X-Forwarded-For": "203.0.113.9"}
        with Session(app, headers) as session:
            seen = session.run(until=b"the end")
        self.assertIn(b"probe=seen-7", seen)
        self.assertIn(b"cookie=lemon", seen)
        if b"address=unknown" not in seen:
            self.assertIn(b"address=203.0.113.9", seen)

    def test_sigterm_ends_with_code_0(self) -> None:
        self.assertEqual(self.app().start().healthy().end(), 0)

    def test_sigterm_ends_with_code_0_while_a_script_loops(self) -> None:
        app = self.app("import streamlit as st, time\nst.write('looping')\nwhile True: time.sleep(0.05)\n").start().healthy()
        with Session(app) as session:
            session.run(until=b"looping")
            self.assertEqual(app.end(), 0)

    def test_exit_functions_of_the_app_run_to_their_end(self) -> None:
        script = "\n".join([
            "import atexit, time, streamlit as st",
            "@st.cache_resource",
            "def once(): atexit.register(lambda: (time.sleep(2.5), print('saved everything')))",
            "once(); st.write('armed')",
        ])  # fmt: skip
        app = self.app(script).start().healthy()
        with Session(app) as session:
            session.run(until=b"armed")
        self.assertEqual(app.end(), 0)
        app.printed("saved everything")

    def test_no_child_process_inherits_the_listener(self) -> None:
        script = "\n".join([
            "import os, subprocess, time, streamlit as st",
            "executed = subprocess.Popen(['sleep', '100'], close_fds=False).pid",
            "told, tell = os.pipe()",
            "forked = os.fork()",
            "if forked == 0:",
            "    os.write(tell, b'x'); time.sleep(100); os._exit(0)",
            "os.read(told, 1)  # What is done at a fork, the child has done by now.",
            "print(f'children {executed} {forked} .', flush=True)",
            "st.write('the end')",
        ])  # fmt: skip
        app = self.app(script).start().healthy()
        with Session(app) as session:
            session.run(until=b"the end")
        ours = link_of(app.listener.fileno())
        line = next(line for line in app.printed("children").splitlines() if line.startswith("children"))
        for child in line.split()[1:3]:
            links = [str(entry.readlink()) for entry in Path(f"/proc/{child}/fd").iterdir()]
            self.assertNotIn(ours, links)
        status, body = app.get(f"{BASE}/_stcore/health")
        self.assertEqual((status, body), (200, b"ok"))

    def test_app_that_binds_the_port_itself_is_refused(self) -> None:
        script = "\n".join([
            "import os, socket, streamlit as st",
            "try:",
            "    socket.socket().bind(('127.0.0.1', int(os.environ['PORT'])))",
            "    st.write('bound')",
            "except OSError as error:",
            "    st.write(f'refused {error.errno}')",
            "st.write('the end')",
        ])  # fmt: skip
        app = self.app(script).start().healthy()
        with Session(app) as session:
            self.assertIn(f"refused {errno.EADDRINUSE}".encode(), session.run(until=b"the end"))

    def test_what_must_be_ours_wins_over_the_apps_configuration_and_the_rest_is_respected(self) -> None:
        config = "\n".join([
            "[server]",
            "port = 8999",
            "address = '0.0.0.0'",
            "headless = false",
            "baseUrlPath = 'elsewhere'",
            "fileWatcherType = 'poll'",
            "runOnSave = true",
            "cookieSecret = 'from the file'",
            "sslCertFile = 'cert.pem'",
            "sslKeyFile = 'key.pem'",
            "maxUploadSize = 7",
            "[browser]",
            "gatherUsageStats = true",
            "[theme]",
            "primaryColor = '#123456'",
        ])  # fmt: skip
        names = [
            *("port", "address", "headless", "baseUrlPath", "fileWatcherType", "runOnSave"),
            *("cookieSecret", "sslCertFile", "maxUploadSize"),
        ]
        options = [*(f"server.{name}" for name in names), "browser.gatherUsageStats", "theme.primaryColor"]
        script = f"import streamlit as st\nfor o in {options}: st.write(f'{{o}}={{st.get_option(o)!r}};')\nst.write('the end')"
        app = self.app(script, {".streamlit/config.toml": config}).start().healthy()
        with Session(app) as session:
            seen = session.run(until=b"the end").decode(errors="replace")
        expected = {
            "server.port": app.port,
            "server.address": "127.0.0.1",
            "server.headless": True,
            "server.fileWatcherType": "none",
            "server.runOnSave": False,
            "server.cookieSecret": "0123456789abcdef",
            "server.sslCertFile": "",
            "server.maxUploadSize": 7,
            "browser.gatherUsageStats": False,
            "theme.primaryColor": "#123456",
        }
        for option, value in expected.items():
            self.assertIn(f"{option}={value!r};", seen)
        self.assertRegex(seen, rf"server.baseUrlPath='/?{BASE.strip('/')}';")

    def test_start_and_first_session_connect_to_nobody(self) -> None:
        spy = "\n".join([
            "import sys",
            "def hook(event, arguments):",
            "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname', 'socket.sendto'):",
            "        print('spy:', event, *arguments, file=sys.stderr, flush=True)",
            "sys.addaudithook(hook)",
            "print('spy: watching', file=sys.stderr, flush=True)",
        ])  # fmt: skip
        app = self.app(HELLO, {"spy/sitecustomize.py": spy})
        app._variables = {"PYTHONPATH": str(app.folder / "spy")}
        app.start().healthy()
        with Session(app, {"Origin": f"http://127.0.0.1:{app.port}"}) as session:
            session.run(until=b"hello from the app")
        self.assertEqual(app.end(), 0)
        app._reader.join(240)
        seen = [line for line in app.printed("spy: watching").splitlines() if line.startswith("spy: ")]
        elsewhere = [line for line in seen[1:] if "127.0.0.1" not in line]
        self.assertEqual(elsewhere, [])

    def test_script_sees_what_streamlit_run_gives_it(self) -> None:
        script = "\n".join([
            "import json, os, sys, streamlit as st",
            "facts = {'argv': sys.argv, 'path': sys.path, 'file': __file__, 'cwd': os.getcwd(), 'main': __name__}",
            "print('facts ' + json.dumps(facts) + ' .', flush=True)",
            "st.write('the end')",
        ])  # fmt: skip
        ours = self.app(script).start("--flag", "value").healthy()
        theirs = self.app(script)
        theirs._variables = {"STREAMLIT_SERVER_PORT": str(launch._free_port())}
        plain = subprocess.Popen(
            [str(self.environment / "bin" / "streamlit"), "run", "app.py", "--", "--flag", "value"],
            cwd=theirs.folder,
            env=theirs.variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        theirs._process, theirs.port = plain, int(theirs.variables()["STREAMLIT_SERVER_PORT"])
        theirs._reader = mock.Mock()
        threading.Thread(target=theirs._drain, daemon=True).start()
        theirs.healthy()
        facts = []
        for app in (ours, theirs):
            with Session(app) as session:
                session.run(until=b"the end")
            line = next(line for line in app.printed("facts").splitlines() if line.startswith("facts"))
            facts.append(line.replace(str(app.folder), "<folder>"))
        # The console script's own folder is the one entry of the import path that has no use.
        facts[1] = facts[1].replace(f'"{self.environment}/bin", ', "")
        self.assertEqual(facts[0], facts[1])

    def test_what_the_app_prints_arrives_at_once(self) -> None:
        app = self.app("import streamlit as st, time\nprint('one line')\nst.write('printed')\ntime.sleep(100)").start().healthy()
        with Session(app) as session:
            session.run(until=b"printed")
            app.printed("one line")

    def test_app_without_an_inherited_listener_opens_its_own_and_says_so(self) -> None:
        app = self.app()
        app.listener.close()
        app.start(stdin=subprocess.DEVNULL).healthy()
        app.printed("descriptor 0 is no listening socket")
        self.assertEqual(app.end(), 0)

    def test_streamlit_outside_site_packages_is_not_taken_for_a_development_tree(self) -> None:
        packages = next((self.environment / "lib").glob("python*/site-packages"))
        app = self.app()
        vendored = app.folder / "vendored"
        vendored.symlink_to(packages)
        app._variables = {"PYTHONPATH": str(vendored)}
        app.start().healthy()

    def test_missing_script_ends_at_once_with_the_frameworks_own_message(self) -> None:
        app = self.app()
        (app.folder / "app.py").unlink()
        app.start()
        self.assertNotEqual(app.process.wait(240), 0)
        app._reader.join(240)
        self.assertIn("app.py", app.output.decode())
        self.assertNotIn("relay", app.output.decode())

    def test_unix_listener_is_served_too(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="lithouse-unix-"))
        self.addCleanup(shutil.rmtree, folder)
        app = self.app()
        app.listener.close()
        app.listener = socket.socket(socket.AF_UNIX)
        app.listener.bind(str(folder / "app.sock"))
        app.listener.listen(16)
        app.port = 8501
        app.start()
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(240)
            client.connect(str(folder / "app.sock"))
            client.sendall(f"GET {BASE}/_stcore/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while chunk := client.recv(4096):
                answer += chunk
        self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer)


class OnNewest(OnOldest):
    """The same promises on the newest version, and what only it has."""

    requirement = NEWEST

    def test_streamlit_app_object_is_served(self) -> None:
        script = "from streamlit import App\nlithouse_app = App('page.py')\n"
        app = self.app(script, {"page.py": HELLO}).start()
        app.healthy()
        # Here uvicorn owns the signals, and ends by the one it got.
        self.assertIn(app.end(), (0, -signal.SIGTERM))


FAKE = """
import _socket, http.server, os, socket, sys

def main(prog_name):
    handler = http.server.BaseHTTPRequestHandler
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    handler.do_GET = do_GET
    raw = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)   # past every patch of the Python-level class
    try:
        _socket.socket.bind(raw, ("127.0.0.1", int(os.environ["STREAMLIT_SERVER_PORT"])))
    except OSError:
        print("port is taken"); sys.exit(1)
    raw.listen(16)
    server = http.server.HTTPServer(("127.0.0.1", 0), handler, bind_and_activate=False)
    server.socket = socket.socket(fileno=raw.detach())
    server.serve_forever()
"""


class WithoutHandover(unittest.TestCase):
    """What happens when the framework does not take the listener."""

    def test_framework_that_binds_past_python_is_served_through_a_relay(self) -> None:
        files = {"app.py": "", "fake/streamlit/web/cli.py": FAKE}
        files.update({"fake/streamlit/__init__.py": "", "fake/streamlit/web/__init__.py": ""})
        python = Path(sys.executable).parent.parent
        with App(python, files) as app:
            app._variables = {"PYTHONPATH": str(app.folder / "fake")}
            app.start().healthy()
            app.printed("behind a relay")
            self.assertEqual(app.get("/anything"), (200, b"ok"))

    def test_listener_that_nobody_takes_is_told(self) -> None:
        with (
            mock.patch.object(launch, "_BIND_DEADLINE_SECONDS", 0.05),
            mock.patch.object(launch, "_say") as say,
            socket.socket() as listener,
        ):
            handover = launch.Handover(listener, 8501)
            handover.install()
            self.addCleanup(handover.uninstall)
            wait_until("the report", lambda: say.called)
            self.assertIn("8501", say.call_args.args[0])

    def test_only_a_tcp_bind_of_the_port_takes_the_listener(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            handover = launch.Handover(listener, port)
            handover.install()
            self.addCleanup(handover.uninstall)
            with socket.socket() as other:
                other.bind(("127.0.0.1", 0))
            with socket.socket(type=socket.SOCK_DGRAM) as datagram:
                datagram.bind(("127.0.0.1", port))
            self.assertFalse(handover.taken)
            with socket.socket() as taker:
                taker.settimeout(3)
                taker.bind(("127.0.0.1", port))
                self.assertTrue(handover.taken)
                self.assertEqual(taker.getsockname()[1], port)
                self.assertEqual(taker.proto, socket.IPPROTO_TCP)
                self.assertEqual(taker.gettimeout(), 3)
                taker.set_inheritable(True)
                self.assertFalse(taker.get_inheritable())
                with socket.socket() as late, self.assertRaises(OSError):
                    late.bind(("127.0.0.1", port))

    def test_wrong_use_is_told_with_its_own_exit_code(self) -> None:
        ended = subprocess.run([sys.executable, str(launch.__file__)], capture_output=True, check=False, text=True)
        self.assertEqual(ended.returncode, 64)
        self.assertIn("usage:", ended.stderr)


if __name__ == "__main__":
    unittest.main()
