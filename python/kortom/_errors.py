"""What can go wrong, with what to do about it."""

from __future__ import annotations


class KortomError(Exception):
    """Something that could not be done: `message` says what, `hint` what to do about it, where something can be done."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class ArgumentError(KortomError, TypeError, ValueError):
    """An argument that is unknown, or of a type or value that cannot be."""


class ProgramNotFound(KortomError):
    """The program `kortom` is not there, or cannot run on this machine."""


class ProcessDied(KortomError):
    """The program ended before it answered, for instance because it was killed. The next call starts it again."""


def parse(text: str) -> KortomError | None:
    """The last error that the program wrote, with its hint."""
    error: KortomError | None = None
    for line in text.splitlines():
        if line.startswith("error: "):
            error = KortomError(line[len("error: "):])
        elif line.startswith("hint: ") and error is not None and error.hint is None:
            error = KortomError(error.message, line[len("hint: "):])
    return error
