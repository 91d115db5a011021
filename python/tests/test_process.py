"""What happens when the program is missing, is killed, or cannot write."""

import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

import kortom
from settings import TEXTS, fixtures

MARIAN = fixtures / "tiny-marian"
POSIX = unittest.skipIf(os.name == "nt", "signals")


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1] if Path("/proc").is_dir() else True


def asked_in_a_fork(pipe, results):
    results.put(pipe(TEXTS[0]))


class Programs(unittest.TestCase):
    def with_program(self, path):
        return mock.patch.dict(os.environ, {"KORTOM_PROGRAM": str(path)})

    def test_a_missing_program_is_named(self):
        with self.with_program("/nowhere/kortom"), self.assertRaisesRegex(kortom.ProgramNotFound, "/nowhere/kortom"):
            kortom.translate("Ja.", threads=1)

    @POSIX
    def test_a_program_for_another_machine_is_named_so(self):
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "kortom")
            # The head of an executable for IBM's S/390.
            program.write_bytes(b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16" + bytes(100))
            program.chmod(0o755)
            article = Path(folder, "artikel.txt")
            article.write_text("De brug is dicht.", encoding="utf-8")
            calls = [
                lambda: kortom.pipeline("translation", model=MARIAN), lambda: kortom.pipeline("summarization"), kortom.version,
                lambda: kortom.translate("Ja.", threads=1), lambda: kortom.digest(article),
            ]
            for call in calls:
                with self.with_program(program), self.assertRaisesRegex(kortom.ProgramNotFound, "no program for this machine"):
                    call()
            with self.with_program(program):
                run = subprocess.run([sys.executable, "-m", "kortom", "--version"], capture_output=True, text=True)
            self.assertEqual(run.returncode, 2)
            self.assertIn("no program for this machine", run.stderr)

    @POSIX
    def test_a_program_that_may_not_be_run_is_named_so(self):
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "kortom")
            program.write_text("#!/bin/sh\n")
            program.chmod(stat.S_IRUSR)
            with self.with_program(program), self.assertRaisesRegex(kortom.ProgramNotFound, "may not be run"):
                kortom.pipeline("translation", model=MARIAN)

    @POSIX
    def test_what_a_program_last_said_is_in_the_error(self):
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "kortom")
            program.write_text("#!/bin/sh\necho 'thread panicked' >&2\nexit 101\n")
            program.chmod(0o755)
            with self.with_program(program), self.assertRaisesRegex(kortom.ProcessDied, "code 101 .*thread panicked"):
                kortom.pipeline("translation", model=MARIAN)

    def test_the_module_is_the_program(self):
        run = subprocess.run([sys.executable, "-m", "kortom", "--version"], capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout), (0, f"kortom {kortom.version()}\n"))


@POSIX
class Deaths(unittest.TestCase):
    def setUp(self):
        self.pipe = kortom.pipeline("translation", model=MARIAN, device="cpu")
        self.addCleanup(self.pipe.close)

    def pid(self):
        return self.pipe._process.children[0].process.pid

    def test_a_killed_program_is_told_and_started_again(self):
        expected = self.pipe(TEXTS[0])
        killed = self.pid()
        threading.Timer(0.3, os.kill, (killed, signal.SIGKILL)).start()
        with self.assertRaisesRegex(kortom.ProcessDied, "was killed .SIGKILL."):
            for _ in range(100):
                self.pipe(TEXTS * 200, num_beams=4, min_new_tokens=100, max_new_tokens=120)
        self.assertEqual(self.pipe(TEXTS[0]), expected)
        self.assertNotEqual(self.pid(), killed)

    def test_a_program_killed_between_two_calls_is_told_or_replaced(self):
        expected = self.pipe(TEXTS[0])
        os.kill(self.pid(), signal.SIGKILL)
        try:
            self.assertEqual(self.pipe(TEXTS[0]), expected)
        except kortom.ProcessDied:
            self.assertEqual(self.pipe(TEXTS[0]), expected)

    def test_a_pipe_that_breaks_while_much_is_sent_is_told(self):
        os.kill(self.pid(), signal.SIGSTOP)
        threading.Timer(0.3, os.kill, (self.pid(), signal.SIGKILL)).start()
        with self.assertRaises(kortom.ProcessDied):
            self.pipe(["De brug is dicht. " * 1000] * 200)
        self.assertEqual(len(self.pipe(TEXTS)), 2)

    def test_all_threads_learn_of_a_death(self):
        outcomes = []

        def ask():
            try:
                self.pipe(TEXTS * 50, num_beams=4, min_new_tokens=100, max_new_tokens=120)
            except kortom.ProcessDied as error:
                outcomes.append(error)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        os.kill(self.pid(), signal.SIGKILL)
        for thread in threads:
            thread.join(60)
        self.assertFalse(any(thread.is_alive() for thread in threads))
        self.assertGreater(len(outcomes), 0)

    def test_a_fork_has_a_program_of_its_own(self):
        expected, pid = self.pipe(TEXTS[0]), self.pid()
        fork = multiprocessing.get_context("fork")
        results = fork.Queue()
        children = [fork.Process(target=asked_in_a_fork, args=(self.pipe, results)) for _ in range(2)]
        for child in children:
            child.start()
        self.assertEqual([results.get(timeout=60) for _ in children], [expected, expected])
        for child in children:
            child.join(60)
        self.assertEqual((self.pipe(TEXTS[0]), self.pid()), (expected, pid))

    def test_nothing_is_left_of_a_closed_or_forgotten_pipeline(self):
        other = kortom.pipeline("translation", model=MARIAN, device="cpu")
        pids = [self.pid(), other._process.children[0].process.pid]
        del other
        self.pipe.close()
        self.assertEqual([alive(pid) for pid in pids], [False, False])


SCRIPT = """
import sys
import kortom
pipe = kortom.pipeline("translation", model=sys.argv[1], device="cpu")
print(pipe._process.children[0].process.pid, flush=True)
try:
    while True:
        pipe(["De brug is dicht."] * int(sys.argv[2]), num_beams=4, min_new_tokens=100, max_new_tokens=120)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    print(len(pipe("De brug is dicht.", max_new_tokens=5)), flush=True)
"""


@POSIX
class Interrupts(unittest.TestCase):
    def test_ctrl_c_ends_the_call_and_the_program(self):
        command = [sys.executable, "-c", SCRIPT, str(MARIAN), "500"]
        script = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        pid = int(script.stdout.readline())
        time.sleep(0.5)
        script.send_signal(signal.SIGINT)
        said, errors = script.communicate(timeout=30)
        self.assertEqual((said, errors, script.returncode), ("interrupted\n1\n", "", 0))
        self.assertFalse(alive(pid))

    def test_a_killed_python_leaves_no_program(self):
        script = subprocess.Popen([sys.executable, "-c", SCRIPT, str(MARIAN), "8"], stdout=subprocess.PIPE, text=True)
        pid = int(script.stdout.readline())
        time.sleep(0.3)
        script.kill()
        script.communicate()
        until = time.monotonic() + 60
        while alive(pid) and time.monotonic() < until:
            time.sleep(0.1)
        self.assertFalse(alive(pid))


class Places(unittest.TestCase):
    """Homes and disks that nothing can be written to."""

    def python(self, code, **environment):
        code = textwrap.dedent(code)
        environment = {**os.environ, **environment}
        return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)

    @POSIX
    def test_a_home_that_cannot_be_written_is_no_hindrance(self):
        nowhere = "/proc/nowhere" if Path("/proc").is_dir() else "/dev/null/nowhere"
        homes = dict.fromkeys(["HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "HF_HOME"], nowhere)
        run = self.python("import kortom; print(kortom.translate('Het regent vandaag.', offline=True))", **homes)
        self.assertEqual((run.returncode, "rain" in run.stdout), (0, True), run.stderr)

    @unittest.skipUnless(Path("/dev/full").exists(), "no /dev/full")
    def test_a_full_disk_is_told_by_the_program(self):
        with open("/dev/full", "wb") as full:
            run = subprocess.run([kortom.program(), "translate", "--offline"], input=b"Het regent.", stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"cannot write the output", run.stderr)


if __name__ == "__main__":
    unittest.main()
