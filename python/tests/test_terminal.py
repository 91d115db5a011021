"""What a new user sees at a terminal."""

import os
import re
import select
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import kortom

if os.name == "posix":
    import pty

PATIENCE = 120
ARTICLE = "Het regent vandaag. De brug is dicht.\n\nMorgen schijnt de zon in de hele stad."


class Terminal:
    """The program at a terminal, in a home of its own."""

    def __init__(self, home, *arguments):
        command = [kortom.program(), *arguments]
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "xterm", "LANG": "C.UTF-8"}
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, cwd=home, env=environment, start_new_session=True)
        os.close(slave)
        self.shown = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self.master)

    def type(self, text):
        os.write(self.master, text.encode())

    def read(self):
        """More of what is shown; false at the end."""
        if not select.select([self.master], [], [], PATIENCE)[0]:
            raise AssertionError(f"nothing comes any more after: {self.shown}")
        try:
            more = os.read(self.master, 65536)
        except OSError:
            # What Linux answers when no program has the terminal any more.
            return False
        # Without the colours and the moves of the cursor.
        self.shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", more.decode("utf-8", "replace")).replace("\r\n", "\n")
        return bool(more)

    def until(self, text):
        """Reads up to a text, and forgets that."""
        end = time.monotonic() + PATIENCE
        while text not in self.shown:
            if time.monotonic() > end or not self.read():
                raise AssertionError(f"`{text}` was not shown: {self.shown}")
        self.shown = self.shown[self.shown.index(text) + len(text):]

    def rest(self):
        """All that is shown until the program ends, and its exit code."""
        while self.read():
            pass
        return self.shown, self.process.wait(PATIENCE)


@unittest.skipIf(os.name == "nt", "there are no pseudo-terminals")
class FirstMinute(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        (self.home / "artikel.txt").write_text(ARTICLE, encoding="utf-8")

    def run_at_terminal(self, *arguments):
        with Terminal(self.home, *arguments) as terminal:
            return terminal.rest()

    def test_the_program_alone_says_in_five_lines_what_it_can_do(self):
        shown, code = self.run_at_terminal()
        self.assertEqual((len(shown.splitlines()), code), (5, 0), shown)
        self.assertIn("kortom setup", shown)

    def test_how_to_get_a_better_model_stands_once_below_a_digest(self):
        shown, code = self.run_at_terminal("digest", "artikel.txt")
        self.assertEqual((shown.count("kortom models pull nl-en"), code), (1, 0), shown)
        self.assertLess(shown.index("Summary"), shown.index("kortom models pull nl-en"), shown)

    def test_a_pipe_gets_the_article_alone(self):
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"]}
        run = subprocess.run(
            [kortom.program(), "digest", "artikel.txt"], cwd=self.home, env=environment, capture_output=True, text=True,
            encoding="utf-8", check=True)
        self.assertNotIn("note: ", run.stdout)
        self.assertEqual(run.stderr.count("kortom models pull nl-en"), 1, run.stderr)

    def test_each_line_that_is_typed_is_translated_at_once(self):
        for leave in (":q\n", "\x04"):
            with Terminal(self.home, "translate") as terminal:
                terminal.until("type a line and press Enter")
                terminal.until("leaves\n")
                terminal.type("Goedemorgen.\n")
                # The terminal shows what was typed, then comes the translation.
                terminal.until("Goedemorgen.\n")
                terminal.until("\n")
                terminal.type("Het regent vandaag.\n")
                terminal.until("Het regent vandaag.\n")
                terminal.until("rain")
                terminal.type(leave)
                self.assertEqual(terminal.rest()[1], 0)

    def test_ctrl_c_leaves_too(self):
        with Terminal(self.home, "translate") as terminal:
            terminal.until("leaves\n")
            terminal.process.send_signal(signal.SIGINT)
            self.assertEqual(terminal.rest()[1], 130)

    def test_without_a_network_setup_says_what_to_do(self):
        shown, code = self.run_at_terminal("setup", "--offline")
        self.assertEqual(code, 2, shown)
        self.assertIn("kortom models add FOLDER nl-en", shown.replace("\n", " "))


if __name__ == "__main__":
    unittest.main()
