# SPDX-License-Identifier: Apache-2.0
"""What the figures rest on: the one who asks, the reading of a session, the counting of memory, and the bounds on all waiting."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import unittest.mock
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import load
import memory
import part_bodies
import processes
import report
import session
import snippet_sides
import snippet_traces


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(500 if self.path == "/fails" else 200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"2\r\nok\r\n0\r\n\r\n")
            return
        body = b"x" * 100_000 if self.path == "/large" else b"ok"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.path == "/closes"

    def do_POST(self) -> None:
        """Answers with what was sent."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Web(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Says nothing: those who ask hang up whenever they have seen enough."""


@contextlib.contextmanager
def web() -> Iterator[str]:
    server = Web(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def for_longer(measure: Callable[[float], load.Load], is_enough: Callable[[load.Load], bool], *, begin: float = 0.2) -> load.Load:
    """What is measured in ever more time, until it is enough: a machine with much else to do comes to less in the same."""
    seconds = begin
    while not is_enough(found := measure(seconds)):
        assert seconds < 60, found
        seconds *= 4
    return found


class Asking(unittest.TestCase):
    def test_answers_are_counted_whatever_their_form(self) -> None:
        with web() as url:
            for path in ("/", "/large", "/chunked"):
                found = for_longer(lambda seconds, path=path: load.ask(url + path, 3, seconds), lambda found: found.requests > 3)
                self.assertEqual(found.errors, 0, path)
                self.assertGreaterEqual(found.p99_ms, found.p50_ms, path)

    def test_what_fails_is_counted_as_an_error(self) -> None:
        with web() as url:
            for path in ("/fails", "/closes"):
                for_longer(lambda seconds, path=path: load.ask(url + path, 2, seconds), lambda found: found.errors > 0)

    def test_a_server_that_answers_nothing_ends_the_measurement_with_words(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            generator = load.Generator("own")
            with self.assertRaisesRegex(processes.BenchError, "not one request"):
                generator.measure(f"http://127.0.0.1:{mute.getsockname()[1]}/", 1, 0)
            self.assertEqual(generator.silent, 3)

    def test_both_generators_tell_the_same_of_what_they_asked(self) -> None:
        with web() as url:
            for wanted in ("own", "auto"):
                generator = load.Generator(wanted)

                def measure(seconds: float, by: load.Generator = generator) -> load.Load:
                    return by.measure(url + "/", 2, int(seconds))

                found = for_longer(measure, lambda found: found.rate > 1, begin=1)
                self.assertEqual(found.errors, 0, wanted)

    def test_what_is_sent_arrives_and_an_answer_without_the_expected_words_is_an_error(self) -> None:
        body = '{"code": "print(\\"[[x]]\\")\\n"}'
        with web() as url:
            for wanted in ("own", "auto"):
                generator = load.Generator(wanted)
                found = generator.measure(url + "/", 2, 1, load.Question(body, '[[x]]\\")\\n'))
                self.assertEqual(found.errors, 0, wanted)
                self.assertGreaterEqual(found.p99_ms, found.p95_ms, wanted)
                wrong = generator.measure(url + "/", 2, 1, load.Question(body, "something else"))
                self.assertEqual(wrong.errors, wrong.requests, wanted)

    def test_a_pause_is_kept_and_counts_for_no_answer(self) -> None:
        with web() as url:
            for wanted in ("own", "auto"):
                generator, question = load.Generator(wanted), load.Question(pause_ms=100)

                def measure(seconds: float, by: load.Generator = generator, asked: load.Question = question) -> load.Load:
                    found = by.measure(url + "/", 1, int(seconds), asked)
                    self.assertLessEqual(found.requests, 10 * seconds + 1, by)
                    return found

                for_longer(measure, lambda found: found.p50_ms < 100, begin=1)


class Commands(unittest.TestCase):
    def command(self, script: str) -> snippet_sides.Command:
        return snippet_sides.Command([sys.executable, "-c", script], processes.clean_environment())

    def test_a_process_is_started_for_every_run_and_given_the_code(self) -> None:
        script = "import sys; code = sys.stdin.read(); print('{\"status\":\"success\"}' if code == 'the code' else code)"
        found = self.command(script).load("the code", 2, 1)
        self.assertGreaterEqual(found.requests, 2)
        self.assertEqual(found.errors, 0)

    def test_a_process_that_fails_is_counted_and_its_words_are_told(self) -> None:
        failing = self.command("raise SystemExit('no such thing')")
        self.assertIn("no such thing", failing.once(""))
        found = failing.load("", 1, 1)
        self.assertEqual(found.errors, found.requests)


class Sessions(unittest.TestCase):
    def test_the_end_of_a_script_is_told_from_other_messages(self) -> None:
        self.assertTrue(session.has_ended(b"\x30\x00"))
        self.assertFalse(session.has_ended(b"\x22\x00"))
        self.assertFalse(session.has_ended(b""))

    def test_a_page_that_shows_an_exception_is_not_measured(self) -> None:
        # ForwardMsg { delta { new_element { exception { } } } }
        with self.assertRaisesRegex(processes.BenchError, "exception"):
            session.has_ended(b"\x2a\x04\x1a\x02\x42\x00")
        with self.assertRaisesRegex(processes.BenchError, "compile"):
            session.has_ended(b"\x30\x01")

    def test_no_bytes_upset_the_reader(self) -> None:
        for content in (b"\xff" * 64, b"\x2a\x7f", b"\x2a", b"\x31\x00", b"\x30"):
            self.assertFalse(session.has_ended(content), content)


class Reports(unittest.TestCase):
    def test_a_figure_has_its_spread_and_three_digits(self) -> None:
        self.assertEqual(report.spread([1.0]), "1.00")
        self.assertEqual(report.spread([12345.6, 0.01234, 1.2345]), "1.23 (0.012–12,346)")
        self.assertEqual(report.spread([]), "–")

    def test_a_ratio_is_taken_round_by_round_where_there_are_rounds(self) -> None:
        self.assertEqual(report.ratio([2, 30], [1, 10]), "2.50 (2.00–3.00)")
        self.assertEqual(report.ratio([2, 4, 6], [2]), "2.00")

    def test_figures_stand_to_the_right(self) -> None:
        section = report.Section("T", "E", ["what", "s"], [["a", "1.00"], ["b", "–"]], ["n"])
        self.assertEqual(
            section.markdown(), "## T\n\nE\n\n| what |    s |\n|------|-----:|\n| a    | 1.00 |\n| b    |    – |\n\n- n\n"
        )


class Processes(unittest.TestCase):
    def test_a_server_that_does_not_end_is_forced(self) -> None:
        script = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
        server = processes.Server([sys.executable, "-c", script], Path.cwd(), processes.clean_environment())
        processes.wait_until("the server to be up", lambda: server.said or None, 20)
        self.assertTrue(server.end(0.1))
        self.assertIsNotNone(server.process.returncode)

    def test_a_server_that_ended_tells_its_last_words(self) -> None:
        server = processes.Server([sys.executable, "-c", "print('last words')"], Path.cwd(), processes.clean_environment())
        server.process.wait(20)
        with self.assertRaisesRegex(processes.BenchError, "last words"):
            server.check_alive()
        server.end(1)

    def test_a_command_that_takes_too_long_is_ended(self) -> None:
        with self.assertRaisesRegex(processes.BenchError, "longer"):
            processes.run([sys.executable, "-c", "import signal; signal.pause()"], processes.clean_environment(), 0.3)

    def test_waiting_fails_with_what_was_seen(self) -> None:
        def refused() -> None:
            raise ConnectionRefusedError("nobody there")

        with self.assertRaisesRegex(processes.BenchError, "nobody there"):
            processes.wait_until("somebody", refused, 0.05)

    def test_settings_that_bend_a_measurement_are_stripped(self) -> None:
        with unittest.mock.patch.dict(os.environ, {"PYTHONDONTWRITEBYTECODE": "1", "STREAMLIT_SERVER_PORT": "1"}):
            environment = processes.clean_environment({"LITHOUSE_X": "kept, as it is asked for"})
        self.assertNotIn("PYTHONDONTWRITEBYTECODE", environment)
        self.assertNotIn("STREAMLIT_SERVER_PORT", environment)
        self.assertIn("LITHOUSE_X", environment)


class Bodies(unittest.TestCase):
    def test_a_body_comes_in_pieces_and_whole(self) -> None:
        self.assertEqual([len(block) for block in part_bodies.blocks(150_000)], [65536, 65536, 18928])

    def test_a_form_holds_the_archive_and_has_the_length_it_tells(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "a.zip"
            part_bodies.pack(archive, 100_000)
            pieces, length, _ = part_bodies.form(archive)
            sent = b"".join(pieces())
            self.assertEqual(len(sent), length)
            self.assertIn(archive.read_bytes(), sent)
            with zipfile.ZipFile(archive) as made:
                self.assertEqual(len(made.read("large")), 100_000)

    def test_the_peak_of_a_process_is_seen_although_it_is_over(self) -> None:
        peak = part_bodies.Peak(os.getpid())
        bytes(bytearray(b"x" * (64 << 20)))
        self.assertGreater(peak.grown(), 32 << 20)

    def test_the_app_gives_and_takes_what_it_is_asked_to(self) -> None:
        port = processes.free_port()
        environment = processes.clean_environment({"PORT": str(port)})
        app = processes.Server([sys.executable, "-S", "-c", part_bodies._APP], Path.cwd(), environment)
        try:
            got = processes.wait_until("the app", lambda: part_bodies.receive(port, "/3000000"), 20)
            self.assertEqual(got, 3_000_000)
            self.assertEqual(part_bodies.send(port, "/taken", part_bodies.blocks(3_000_000), 3_000_000), b"")
        finally:
            app.end(1)

    def test_only_what_goes_both_ways_is_compared(self) -> None:
        transfer = part_bodies.Transfer([2.0], [3 << 20])
        base = part_bodies.Transfer([1.0], [0])
        found = {("up", "Lithouse"): transfer, ("up", "the app's port"): base, ("file", "Lithouse"): transfer}
        rows = part_bodies.section(found, part_bodies.Amount(1, 10 << 20), []).rows
        self.assertEqual([row[4:] for row in rows], [["3.00", "2.00"], ["–", "–"], ["3.00", "–"]])


class Counting(unittest.TestCase):
    def test_a_server_without_snippets_has_no_parked_children(self) -> None:
        found = snippet_traces.Traces.of(os.getpid())
        self.assertEqual((found.parked, found.cgroups), (0, 0))
        self.assertGreater(found.descriptors, 2)
        self.assertGreater(found.mounts, 0)

    def test_a_process_is_counted_with_everything_below_it(self) -> None:
        script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
        with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as child:

            def both() -> list[int] | None:
                found = memory.family(child.pid)
                return found if len(found) == 2 else None

            members = processes.wait_until("the child of the child", both, 20)
            self.assertEqual(members[0], child.pid)
            found = memory.of_processes(members)
            self.assertGreater(found.rss, found.private)
            self.assertGreaterEqual(found.rss, found.pss)
            self.assertGreater(found.private, 1 << 20)
            child.communicate(b"\n")


if __name__ == "__main__":
    unittest.main()
