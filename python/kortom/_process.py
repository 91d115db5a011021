"""A kept program: records go in and come out, one JSON object on each line, in the same order.

Invariant: every record that was sent is answered once, with a record or with an exception; nothing waits for a program that is
no longer there. Several threads may ask at once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from ._errors import ArgumentError, KortomError, ProcessDied, parse
from ._program import program, refused

logger = logging.getLogger("kortom")

Record = dict[str, Any]

SENT_AHEAD = 8
"""Records of a lazy iterable that are asked for before the first of them is taken."""


class Child:
    """One run of the program."""

    def __init__(self, arguments: Sequence[str]) -> None:
        path = program()
        self.owner = os.getpid()
        # Ctrl-C on a terminal is Python's affair; the program is ended by whoever waits for it.
        apart: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        try:
            self.process = subprocess.Popen(
                [path, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **apart)
        except OSError as error:
            raise refused(path, error) from error
        self.lock = threading.Lock()
        self.answers: deque[Future[Record]] = deque()
        self.said: deque[str] = deque(maxlen=200)
        self.ended = False
        self.closing = False
        self.listener = threading.Thread(target=self._listen, name="kortom-stderr", daemon=True)
        self.reader = threading.Thread(target=self._read, name="kortom-stdout", daemon=True)
        self.listener.start()
        self.reader.start()

    def ask(self, records: Sequence[Record]) -> list[Future[Record]]:
        """Sends records; what becomes of them comes later."""
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
        answers: list[Future[Record]] = [Future() for _ in records]
        with self.lock:
            self.answers.extend(answers)
            if self.ended:
                self._fail()
                return answers
            stdin = self.process.stdin
            assert stdin is not None
            try:
                stdin.write(lines)
                stdin.flush()
            except (OSError, ValueError):
                # It has ended, and the reader finds out why.
                pass
            except BaseException:
                # Half a line may have been sent.
                self.kill()
                raise
        return answers

    def _read(self) -> None:
        stdout = self.process.stdout
        assert stdout is not None
        try:
            for line in stdout:
                answer = json.loads(line)
                self.answers.popleft().set_result(answer)
        except (ValueError, OSError, IndexError) as error:
            logger.error("the program wrote what cannot be read: %s", error)
            self.process.kill()
        self.process.wait()
        stdout.close()
        self.listener.join()
        with self.lock:
            self.ended = True
            self._close_stdin()
            self._fail()

    def _fail(self) -> None:
        """Nothing more will come."""
        while self.answers:
            self.answers.popleft().set_exception(self._why())

    def _why(self) -> KortomError:
        if self.closing:
            return ProcessDied("the program was closed while it was asked", "ask before `close`, or outside of `with`")
        code = self.process.returncode
        if code < 0:
            name = signal.Signals(-code).name if -code in list(signal.Signals) else f"signal {-code}"
            hint = "the machine may have too little memory for the model; the next call starts the program again"
            return ProcessDied(f"the program was killed ({name}) before it answered", hint)
        said = "\n".join(self.said)
        error = parse(said) if code == 2 else None
        if error is not None:
            return error
        end = said[-1000:].strip()
        return ProcessDied(f"the program ended with code {code} before it answered" + (f": {end}" if end else ""))

    def _listen(self) -> None:
        """Hands on what the program says besides."""
        stderr = self.process.stderr
        assert stderr is not None
        for line in stderr:
            text = line.decode("utf-8", "replace").rstrip()
            self.said.append(text)
            if text.startswith("warning: ") and not self.closing:
                logger.warning("%s", text[len("warning: "):])
            elif not text.startswith(("error: ", "hint: ", "progress: ")):
                logger.info("%s", text[len("note: "):] if text.startswith("note: ") else text)
        stderr.close()

    def _close_stdin(self) -> None:
        assert self.process.stdin is not None
        # What was not sent yet will not be.
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def forget(self, answers: Iterable[Future[Record]]) -> None:
        """Nobody waits for these any more. If nobody waits for anything else either, the program is ended."""
        given_up = {id(answer) for answer in answers}
        if all(id(answer) in given_up for answer in list(self.answers)):
            self.kill()

    def kill(self) -> None:
        self.closing = True
        self.process.kill()

    def close(self) -> None:
        """Lets the program end, and waits for that; after a fork it is left to the parent."""
        if self.owner != os.getpid():
            return
        self.closing = True
        with self.lock:
            self._close_stdin()
        try:
            # What it was asked for and nobody takes any more is not worth a long wait.
            self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if threading.current_thread() is not self.reader:
            self.reader.join(timeout=1)


def end(child: list[Child]) -> None:
    """Closes what a process left behind."""
    while child:
        child.pop().close()


class Process:
    """The program with these arguments, started when it is first asked, and again after it died."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.arguments = list(arguments)
        self.lock = threading.Lock()
        self.owner = os.getpid()
        self.children: list[Child] = []
        self.closed = False
        self.finalizer = weakref.finalize(self, end, self.children)

    def ask(self, records: Iterable[Record]) -> list[Record]:
        """The answer to each record. Raises the first error among them, once all are known."""
        child, answers = self._send(list(records))
        return self._take(child, answers)

    def stream(self, records: Iterable[Record], ahead: int = SENT_AHEAD) -> Iterator[Record]:
        """The answers, as they come, to records that are read as they are needed."""
        waiting: deque[tuple[Child, list[Future[Record]]]] = deque()
        for record in records:
            waiting.append(self._send([record]))
            if len(waiting) >= ahead:
                yield self._take(*waiting.popleft())[0]
        while waiting:
            yield self._take(*waiting.popleft())[0]

    def _send(self, records: list[Record]) -> tuple[Child, list[Future[Record]]]:
        child = self._child()
        return child, child.ask(records)

    def _child(self) -> Child:
        with self.lock:
            if self.closed:
                raise KortomError("this was closed", "make a new one")
            if self.owner != os.getpid():
                # After a fork the program belongs to the parent, and so do its answers.
                self.owner = os.getpid()
                self.finalizer.detach()
                self.children = []
                self.finalizer = weakref.finalize(self, end, self.children)
            if self.children and (self.children[0].ended or self.children[0].closing):
                self.children.clear()
            if not self.children:
                self.children.append(Child(self.arguments))
            return self.children[0]

    def _take(self, child: Child, answers: list[Future[Record]]) -> list[Record]:
        try:
            return [checked(wait(answer)) for answer in answers]
        except (KeyboardInterrupt, SystemExit):
            child.forget(answers)
            raise

    def close(self) -> None:
        """Ends the program. What waits for it gets a `ProcessDied`."""
        with self.lock:
            self.closed = True
        self.finalizer()


def wait(answer: Future[Record]) -> Record:
    """The answer. In short waits, because on Windows Ctrl-C does not interrupt a long one."""
    while True:
        try:
            return answer.result(timeout=0.2 if os.name == "nt" else None)
        except FutureTimeout:
            continue


def checked(record: Record) -> Record:
    """A record, unless it says that it could not be worked on."""
    if isinstance(record.get("error"), str):
        message, _, hint = record["error"].partition("\nhint: ")
        raise KortomError(message, record.get("hint") or hint or None)
    return record


def text(value: object, what: str) -> str:
    """A text that can be sent."""
    if not isinstance(value, str):
        raise ArgumentError(f"{what} is no text but `{type(value).__name__}`", "give a `str`, or a list of them")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        hint = "decode its bytes with the right encoding, or with `errors=\"replace\"`"
        raise ArgumentError(f"{what} has half a character at {error.start}", hint) from None
    return value
