"""Arguments of Python and options of the program: one table.

Invariant: what the program does not know is refused here, by its name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ._errors import ArgumentError

if TYPE_CHECKING:
    from typing import TypedDict

    class Machine(TypedDict, total=False):
        """Where to compute, and with how much."""

        model: str | os.PathLike[str]
        device: object
        compute_type: str
        threads: int
        batch_tokens: int
        no_cache: bool
        offline: bool

    class Decoding(Machine, total=False):
        """How outputs are searched for."""

        prefix: str
        beam_size: int
        length_penalty: float
        early_stopping: bool | str
        no_repeat_ngram: int
        repetition_penalty: float
        min_length: int
        max_length: int

    class Translating(Decoding, total=False):
        """Of a translation."""

        src_lang: str
        tgt_lang: str
        glossary: str | os.PathLike[str]

    class Summarizing(Decoding, total=False):
        """Of a summary."""

        src_lang: str
        summary_length: int | str
        method: str

    class Digesting(Translating, total=False):
        """Of a translation with a summary."""

        summary_model: str | os.PathLike[str]
        summary_length: int | str
        method: str

MACHINE = ["model", "device", "compute_type", "threads", "batch_tokens", "no_cache", "offline"]
DECODING = MACHINE + [
    "prefix", "beam_size", "length_penalty", "early_stopping", "no_repeat_ngram", "repetition_penalty", "min_length", "max_length",
]
TRANSLATING = DECODING + ["src_lang", "tgt_lang", "glossary"]
SUMMARIZING = DECODING + ["src_lang", "summary_length", "method"]
DIGESTING = TRANSLATING + ["summary_model", "summary_length", "method"]

FLAGS = {"src_lang": "from", "tgt_lang": "to"}
"""Options of another name."""

OTHER_DEVICES = {"mps": "metal", "mps:0": "metal", "cpu:0": "cpu"}
"""What torch calls devices."""

TYPES = {"float32": "f32", "float16": "f16", "half": "f16", "bfloat16": "bf16", "float": "f32"}
"""What torch calls number formats."""


def refuse_unknown(given: Iterable[str], known: Iterable[str], function: str) -> None:
    """Names the first argument that the function does not have."""
    known = sorted(known)
    for name in given:
        if name not in known:
            raise ArgumentError(f"`{function}` has no argument `{name}`", f"it has {', '.join(known)}")


def arguments(options: Mapping[str, Any], known: Iterable[str], function: str) -> list[str]:
    """Options as the program takes them."""
    refuse_unknown(options, known, function)
    given = []
    for name, value in options.items():
        if value is None or value is False and name in ("no_cache", "offline"):
            continue
        flag = "--" + FLAGS.get(name, name).replace("_", "-")
        given.append(flag if name in ("no_cache", "offline") else f"{flag}={spelled(name, value)}")
    return given


def spelled(name: str, value: Any) -> str:
    """A value as the program reads it."""
    if name == "device":
        return device(value)
    if name == "compute_type":
        return compute_type(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    raise ArgumentError(f"`{name}` cannot be a `{type(value).__name__}`", "give a text, a number, or a path")


def device(value: Any) -> str:
    """A device as the program calls it: its own names, transformers' numbers, a `torch.device`."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        value = str(value)
    if value == 0:
        # As in transformers: the first card, or the CPU where there is none.
        return "auto"
    if isinstance(value, int):
        return "cpu" if value < 0 else f"cuda:{value}"
    return OTHER_DEVICES.get(value, str(value))


def compute_type(value: Any) -> str:
    """A number format as the program calls it: its own names, or torch's."""
    name = str(value).rsplit(".", 1)[-1]
    return TYPES.get(name, name)
