# SPDX-License-Identifier: Apache-2.0
"""Starts one app in its own environment, on the listener it inherited.

Owns: taking the listening socket from descriptor 0, handing it to the framework without touching the framework's private
names, and ending with the framework's exit code. Does not own: the environment variables (README.md lists what the server
sets), confinement, health, restarts.

    launch.py streamlit app.py [arguments of the app]

Descriptor 0 is a listening socket, the working folder is the app's, `$PORT` is the port that the framework is told to
bind. Only the standard library is imported before the framework takes over.
"""

from __future__ import annotations

import atexit
import errno
import fcntl
import os
import socket
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

# Descriptors from here up are out of the way of everything the app opens and of the 0 to 9 that scripts use by number.
_HIGH_DESCRIPTOR = 200
# Nobody needs this long to bind on a machine where the app would be of any use.
_BIND_DEADLINE_SECONDS = 60.0
# What threads of the app that ignore the end get, well inside the server's own grace of 10 s.
_THREAD_GRACE_SECONDS = 2.0
_RELAY_VARIABLE = "LITHOUSE_LAUNCH_RELAY_FD"
_ANY_LOCAL = frozenset({"127.0.0.1", "localhost", "0.0.0.0", "::1", "::", ""})


def _say(message: str) -> None:
    """Tells the app's log, which is where a person looks when an app does not start."""
    print(f"lithouse: {message}", file=sys.stderr, flush=True)


class InheritedListener(socket.socket):
    """The framework's own socket object after it was given our listener: listening already, and for this process only."""

    __slots__ = ()

    def listen(self, backlog: int = 0, /) -> None:
        """Does nothing: the socket listens since before this process existed, with a backlog chosen by the server."""

    def set_inheritable(self, inheritable: bool) -> None:
        """Does nothing: a child process that held the listener would answer nobody and swallow visitors."""


class Handover:
    """Gives the listener to whoever binds `$PORT` first, then gets out of the way."""

    def __init__(self, listener: socket.socket, port: int) -> None:
        self.taken = False
        self._listener = listener
        self._port = port
        self._bind = socket.socket.bind
        self._timer = threading.Timer(_BIND_DEADLINE_SECONDS, self._report_nobody)
        self._timer.daemon = True

    def install(self) -> None:
        """Watches every `bind` of this process until the listener is taken."""
        handover, bind = self, self._bind

        def bind_or_take(sock: socket.socket, address: object, /) -> None:
            if handover._wants(sock, address):
                handover._give_to(sock)
            else:
                bind(sock, address)  # type: ignore[arg-type]

        socket.socket.bind = bind_or_take  # type: ignore[method-assign, assignment]
        self._timer.start()

    def uninstall(self) -> None:
        """Puts the real `bind` back, so that a second binder of the port fails as it would anywhere."""
        socket.socket.bind = self._bind  # type: ignore[method-assign]
        self._timer.cancel()

    def _wants(self, sock: socket.socket, address: object) -> bool:
        return (
            type(sock) is socket.socket
            and sock.type == socket.SOCK_STREAM
            and isinstance(address, tuple)
            and len(address) >= 2
            and address[0] in _ANY_LOCAL
            and address[1] == self._port
        )

    def _give_to(self, sock: socket.socket) -> None:
        self.uninstall()
        timeout = sock.gettimeout()
        # The number stays the same, for whoever remembered it; what lies behind it is ours from here on.
        os.dup2(self._listener.fileno(), sock.fileno(), inheritable=False)
        self._listener.close()
        # Family and protocol are read from the socket again: asyncio turns Nagle's algorithm off only where it knows TCP.
        socket.socket.__init__(sock, fileno=sock.detach())
        sock.settimeout(timeout)
        sock.__class__ = InheritedListener
        self.taken = True
        _withhold_from_forks(sock.fileno())

    def _report_nobody(self) -> None:
        _say(
            f"nothing has bound port {self._port} within {_BIND_DEADLINE_SECONDS:.0f} s: "
            "visitors wait in vain if the app listens elsewhere"
        )


def _withhold_from_forks(descriptor: int) -> None:
    """Blinds the descriptor in forked children, `exec`ed ones lose it by its flag."""

    def blind() -> None:
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(null, descriptor, inheritable=False)
        os.close(null)

    os.register_at_fork(after_in_child=blind)


def _take_listener() -> socket.socket | None:
    """Moves the listener from descriptor 0 to a high one that no child inherits, and puts `/dev/null` in its place."""
    relayed = os.environ.pop(_RELAY_VARIABLE, None)
    descriptor = int(relayed) if relayed else fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, _HIGH_DESCRIPTOR)
    os.set_inheritable(descriptor, False)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    try:
        listener = socket.socket(fileno=descriptor)
        if listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return listener
        listener.close()
    except OSError:
        os.close(descriptor)
    return None


def _relay(listener: socket.socket, port: int) -> None:
    """Passes every connection of the listener on to `port`: slower than the handover, and better than no app."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while chunk := source.recv(65536):
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            sink.close()

    def serve(client: socket.socket) -> None:
        try:
            upstream = _connect_when_up(port)
        except OSError:
            client.close()
            return
        upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=pump, args=(client, upstream), daemon=True).start()
        pump(upstream, client)

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    listener.setblocking(True)
    threading.Thread(target=accept, name="lithouse-relay", daemon=True).start()


def _connect_when_up(port: int) -> socket.socket:
    """Connects, waiting for the framework to come up: a request that came early is answered late, not refused."""
    pause, waited = threading.Event(), 0.0
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if waited >= _BIND_DEADLINE_SECONDS:
                raise
            pause.wait(0.05)
            waited += 0.05


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start_again_relayed(listener: socket.socket) -> NoReturn:
    """Replaces this process by one in which the framework listens on a port of its own behind a relay."""
    _say("the framework did not accept the inherited listener: starting it again behind a relay, which is slower")
    os.set_inheritable(listener.fileno(), True)
    os.environ[_RELAY_VARIABLE] = str(listener.fileno())
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _refused_the_port(ending: BaseException) -> bool:
    """Tells an end for want of the port from all others: Streamlit exits with 1 while it handles the error."""
    reason: BaseException | None = ending
    while reason is not None:
        if isinstance(reason, OSError) and reason.errno == errno.EADDRINUSE:
            return True
        reason = reason.__cause__ or reason.__context__
    return False


def _bound_stubborn_threads(code: int) -> None:
    """Ends the process even if a thread of the app does not: Python would wait for it, Streamlit 1.40 leaves such threads."""

    def cut() -> None:
        _say(f"threads of the app still run {_THREAD_GRACE_SECONDS:.0f} s after its end: ending without them")
        sys.stdout.flush()
        os._exit(code)

    timer = threading.Timer(_THREAD_GRACE_SECONDS, cut)
    timer.daemon = True
    timer.start()
    # Runs once the threads are through and before the app's own exit functions, which may take their time.
    atexit.register(timer.cancel)


def _run_streamlit(script: str, arguments: list[str]) -> None:
    """Runs Streamlit by the entry point of its own `streamlit` command."""
    # Everything else that must be ours comes by environment variables, but empty ones do not override an app's configuration.
    no_tls = ["--server.sslCertFile=", "--server.sslKeyFile="]
    sys.argv = ["streamlit", "run", *no_tls, script, *(["--", *arguments] if arguments else [])]
    from streamlit.web.cli import main

    main(prog_name="streamlit")


_FRAMEWORKS: dict[str, Callable[[str, list[str]], None]] = {"streamlit": _run_streamlit}


def _exit_code(code: object) -> int:
    return code if isinstance(code, int) else int(code is not None)


def _hide_own_folder() -> None:
    """Takes the launcher's folder off the import path, as `streamlit run` has only the app's folder and the environment."""
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != own]


def main(argv: list[str]) -> None:
    """Takes the listener, runs the framework, and ends as it ended."""
    if len(argv) < 3 or argv[1] not in _FRAMEWORKS:
        _say(f"usage: `launch.py {'|'.join(_FRAMEWORKS)} SCRIPT [ARGUMENT…]`")
        sys.exit(64)
    relayed = _RELAY_VARIABLE in os.environ
    listener = _take_listener()
    handover = None
    if listener is None:
        _say("descriptor 0 is no listening socket: the framework opens its own")
    elif relayed:
        port = _free_port()
        os.environ["PORT"] = os.environ["STREAMLIT_SERVER_PORT"] = str(port)
        _relay(listener, port)
    else:
        handover = Handover(listener, int(os.environ["PORT"]))
        handover.install()
    _hide_own_folder()
    # A pipe would hold back what the app prints until a block is full.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    code = 1
    try:
        _FRAMEWORKS[argv[1]](argv[2], argv[3:])
        code = 0
    except BaseException as ending:
        if listener is not None and handover is not None and not handover.taken and _refused_the_port(ending):
            handover.uninstall()
            _start_again_relayed(listener)
        if isinstance(ending, SystemExit):
            code = _exit_code(ending.code)
        raise
    finally:
        _bound_stubborn_threads(code)


if __name__ == "__main__":
    main(sys.argv)
