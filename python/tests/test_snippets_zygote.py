# SPDX-License-Identifier: Apache-2.0
"""The warm parent forks, confines, reaps and ends as its contract says, with and without libraries."""

from __future__ import annotations

import base64
import os
import platform
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.snippets_lab import PROGRAM, Ended, InLab, Zygote
from tests.support import wait_until

# prctl, seccomp, prlimit64, mkdirat, getppid: the numbers of the system calls of the test plans.
NUMBERS = {"x86_64": (157, 317, 302, 258, 110), "aarch64": (167, 277, 261, 34, 173)}
PRCTL, SECCOMP, PRLIMIT, MKDIRAT, GETPPID = NUMBERS.get(platform.machine(), NUMBERS["x86_64"])
NO_NEW_PRIVILEGES, NAME = 38, 15
AT_FDCWD = -100
RLIMIT_DATA = 2


def step(name: str, number: int, *args: dict[str, Any], may_fail: bool = False) -> dict[str, Any]:
    return {"name": name, "number": number, "args": list(args), "may_fail": may_fail}


def number(value: int) -> dict[str, int]:
    return {"int": value}


def refusing(call: int) -> str:
    """A filter that answers EPERM to one system call and lets all others pass."""
    load, jump_if_equal, answer = 0x20, 0x15, 0x06
    instructions = ((load, 0, 0, 0), (jump_if_equal, 0, 1, call), (answer, 0, 0, 0x0005_0001), (answer, 0, 0, 0x7FFF_0000))
    return base64.b64encode(b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)).decode()


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def bare_python(folder: str, libraries: dict[str, str]) -> Path:
    """An environment with nothing in it but these modules."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = Path(folder).glob("lib/python*/site-packages")
    for name, text in libraries.items():
        (site / f"{name}.py").write_text(text)
    return Path(folder) / "bin" / "python"


class Parent(InLab):
    def test_ready_names_python_and_libraries(self) -> None:
        self.assertEqual(self.zygote.ready["python"], ".".join(map(str, sys.version_info[:3])))
        self.assertEqual(list(self.zygote.ready["libraries"]), ["numpy", "pandas", "matplotlib", "plotly"])
        self.assertEqual(self.zygote.stderr(), "")

    def test_children_wait_side_by_side_and_serve_one_run_each(self) -> None:
        runs = [self.zygote.fork() for _ in range(3)]
        for place, run in reversed(list(enumerate(runs))):
            run.begin(f"x = {place}")
            self.assertEqual(run.outcome(30).value("x"), place)
            run.close()

    def test_endings_are_told_with_status_and_usage(self) -> None:
        run = self.zygote.fork()
        run.begin("import os\nx = bytearray(50_000_000)\nos._exit(3)")
        self.assertIsNone(run.outcome(30).result)
        self.assertEqual(os.WEXITSTATUS(run.ended["status"]), 3)
        self.assertGreater(run.ended["max_rss"], 50_000_000)
        self.assertTrue(0 < run.ended["cpu"] < 30)
        run.close()

    def test_child_ends_when_nobody_wants_it(self) -> None:
        run = self.zygote.fork()
        run.channel.close()
        self.assertEqual(self.zygote.hear("ended", run.number)["status"], 0)
        run.close()

    def test_child_holds_its_own_descriptors_and_no_other(self) -> None:
        others = [self.zygote.fork() for _ in range(2)]
        out = self.prints("import os\nprint(sorted(os.listdir('/proc/self/fd'), key=int))")
        # The last one is the listing itself.
        self.assertEqual(out, "['0', '1', '2', '3', '4']\n")
        for run in others:
            run.kill()
            run.close()

    def test_child_sees_only_its_own_settings(self) -> None:
        code = """
            import os
            print(os.environ["HOME"] + "/work" == os.getcwd(), os.path.isdir(os.environ["TMPDIR"]), os.getsid(0) == os.getpid())
            """
        self.assertEqual(self.prints(code), "True True True\n")

    def test_objects_of_the_parent_lie_together(self) -> None:
        # In many pieces they would be 4 KiB pages, each of which a fork has to copy an entry for.
        pieces, size = [], 0
        for line in Path(f"/proc/{self.zygote.process.pid}/smaps").read_text().splitlines():
            name, _, value = line.partition(":")
            if "-" in name.split()[0]:
                size = 0 if len(line.split()) > 5 else 1
            elif name == "Rss" and size:
                pieces.append(int(value.split()[0]))
        self.assertGreater(max(pieces), sum(pieces) / 2, sorted(pieces))

    def test_typical_runs_import_nothing(self) -> None:
        out = self.prints("""
            import sys
            import matplotlib.pyplot as plt
            import numpy as np
            import pandas as pd
            import plotly.express as px
            before = set(sys.modules)
            frame = pd.DataFrame({"region": np.arange(99) % 7, "amount": np.arange(99) * 0.5})
            totals = frame.groupby("region")[["amount"]].agg(["sum", "mean"])
            str(totals), display(totals)
            plt.plot(np.linspace(0, 1), label="$x^2$")
            plt.title("title")
            plt.legend()
            plt.show()
            px.line(frame, x="region", y="amount").show()
            print(sorted(set(sys.modules) - before))
            """)
        self.assertEqual(out, "[]\n")

    def test_a_runs_own_forks_forget_threads_that_are_gone(self) -> None:
        out = self.prints("""
            import os
            import threading
            end = threading.Event()
            thread = threading.Thread(target=end.wait)
            thread.start()
            read, write = os.pipe()
            if os.fork() == 0:
                os.write(write, str(threading.active_count()).encode())
                os._exit(0)
            os.wait()
            end.set()
            print(threading.active_count(), os.read(read, 9).decode())
            """)
        self.assertEqual(out, "2 1\n")


class ForkHooks(unittest.TestCase):
    def told(self, has_another_number: bool) -> str:
        """What a library that has needless wishes hears in a child, once they are granted, and in that one's child."""
        code = f"""
import os
hooks = {{}}
exec(open({str(PROGRAM.parent / "fork_hooks.py")!r}).read(), hooks)
hooks["_NEEDLESS"].add("needless")
hooks["put_off"]()
told = []
library = {{"__name__": "needless", "os": os, "told": told}}
exec("os.register_at_fork(before=lambda: told.append('before'), after_in_child=lambda: told.append('child'))", library)
hooks["restore"]()
def child(work):
    if os.fork() == 0:
        told.append("|")
        work()
        print(*told, flush=True)
        os._exit(0)
    os.wait()
child(lambda: (hooks["grant"]({has_another_number}), child(lambda: None)))
"""
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()[0]

    def test_wishes_are_put_off_until_a_child_forks(self) -> None:
        self.assertEqual(self.told(False), "| before child |")

    def test_wishes_are_granted_at_once_where_the_process_id_has_changed(self) -> None:
        self.assertEqual(self.told(True), "| before child before child |")


class Ending(unittest.TestCase):
    def test_parent_and_children_end_with_the_control_socket(self) -> None:
        with Zygote() as zygote:
            run = zygote.fork()
            run.begin("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)")
            pid = int(wait_until("the child's number", lambda: run.stdout.text().strip()))
            zygote.control.close()
            self.assertEqual(zygote.process.wait(240), 0)
            wait_until("the child's end", lambda: not is_alive(pid))
            run.close()

    def test_killed_parent_is_noticed(self) -> None:
        with Zygote() as zygote:
            zygote.process.kill()
            with self.assertRaises(Ended):
                zygote.hear("forked")

    def test_interrupt_of_a_terminal_is_not_for_us(self) -> None:
        with Zygote() as zygote:
            zygote.process.send_signal(signal.SIGINT)
            self.assertEqual(zygote.run("x = 1").value("x"), 1)
            self.assertEqual(
                zygote.run("import os, signal\nos.kill(os.getpid(), signal.SIGINT)").error["type"], "KeyboardInterrupt"
            )


class Confinement(unittest.TestCase):
    def test_plan_is_carried_out_with_the_slots_values(self) -> None:
        plan = [
            step("name", PRCTL, number(NAME), {"text": "confined"}),
            step("home", MKDIRAT, number(AT_FDCWD), {"format": "MARK-{slot}-{uid}-{gid}-{data_limit}"}, number(0o700)),
            step("none", 9999, may_fail=True),
            step("data", PRLIMIT, number(0), number(RLIMIT_DATA), {"limit": {"soft": 2**31, "hard": "data_limit"}}, number(0)),
            step("no new privileges", PRCTL, number(NO_NEW_PRIVILEGES), number(1), number(0), number(0), number(0)),
            step("filter", SECCOMP, number(1), number(0), {"filter": refusing(GETPPID)}),
        ]
        with tempfile.TemporaryDirectory() as folder:
            plan[1]["args"][1]["format"] = f"{folder}/{plan[1]['args'][1]['format']}"
            code = """
import ctypes, resource
libc = ctypes.CDLL(None, use_errno=True)
parent = libc.syscall(GETPPID)
errno = ctypes.get_errno()
name, limits = open("/proc/self/comm").read(), resource.getrlimit(resource.RLIMIT_DATA)
"""
            with Zygote(confine=plan) as zygote:
                outcome = zygote.run(code.replace("GETPPID", str(GETPPID)))
                self.assertEqual((outcome.value("parent"), outcome.value("errno")), (-1, 1))
                self.assertEqual((outcome.value("name"), outcome.value("limits")), ("confined\n", [2**31, str(2**62)]))
                zygote.run("x = 1")
            uid = os.getuid()
            self.assertEqual(
                sorted(path.name for path in Path(folder).iterdir()), [f"MARK-{slot}-{uid}-{uid}-{2**62}" for slot in (0, 1)]
            )

    def test_step_that_fails_is_told_and_nothing_runs(self) -> None:
        plan = [step("impossible thing", 9999), step("never", MKDIRAT, number(AT_FDCWD), {"text": "/never-made"}, number(0))]
        with Zygote(confine=plan) as zygote:
            run = zygote.fork()
            message = "the step `impossible thing` failed: Function not implemented"
            self.assertEqual(run.first, {"refused": {"step": "impossible thing", "errno": 38, "message": message}})
            self.assertEqual(os.WEXITSTATUS(zygote.hear("ended", run.number)["status"]), 70)
            run.close()
        self.assertFalse(Path("/never-made").exists())

    def test_seal_that_fails_ends_the_parent_with_its_step(self) -> None:
        with self.assertRaisesRegex(Ended, "the step `impossible thing` failed"), Zygote(seal=[step("impossible thing", 9999)]):
            pass

    def test_every_child_is_the_first_of_a_process_namespace(self) -> None:
        if subprocess.run(["unshare", "--pid", "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("this user may make no process namespace; the sandbox's own tests say what that means")
        with (
            Path("/proc/self/ns/pid").open("rb") as namespace,
            Zygote(pid_namespace=namespace.fileno(), steps_before_fork=True) as zygote,
        ):
            for _ in range(3):
                self.assertEqual(zygote.run("import os\npid = os.getpid()").value("pid"), 1)
            code = "import tempfile\nname = tempfile.mktemp()"
            names = {zygote.run(code).value("name").rpartition("/")[2] for _ in range(3)}
            self.assertEqual(len(names), 3, "the parent's process id is not the child's, though both may be 1")


class Libraries(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_everything_works_without_libraries(self) -> None:
        with Zygote(bare_python(self.folder, {})) as zygote:
            self.assertEqual((zygote.ready["libraries"], zygote.stderr()), ({}, ""))
            self.assertEqual(zygote.run("import math\nx = math.pi\n[1, 2]").stdout, "[1, 2]\n")

    def test_broken_library_is_told_and_the_others_work(self) -> None:
        modules = {
            "numpy": "raise ImportError('half installed')",
            "pandas": "__version__ = '9'",
            "plotly": "import missing_thing",
        }
        with Zygote(bare_python(self.folder, modules)) as zygote:
            self.assertEqual(zygote.ready["libraries"], {"pandas": "9"})
            self.assertIn("`numpy` could not be made ready", zygote.stderr())
            self.assertIn("ImportError: half installed", zygote.stderr())
            self.assertIn("No module named 'missing_thing'", zygote.stderr())
            self.assertEqual(zygote.run("x = 1").value("x"), 1)

    def test_library_that_leaves_a_thread_is_refused(self) -> None:
        code = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
        python = bare_python(self.folder, {"numpy": code})
        with self.assertRaisesRegex(Ended, "a process with threads cannot be forked safely"), Zygote(python):
            pass
