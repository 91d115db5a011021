"""Whole articles: `translate`, `summarize`, `digest`.

Invariant: a program stays for each set of options, the least recently used of more than `KEPT` is closed.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, overload

from . import _options as options_of
from ._errors import ArgumentError, KortomError, parse
from ._process import Process, text
from ._program import program, refused
from ._report import Report

if TYPE_CHECKING:
    from typing_extensions import Unpack

KEPT = 4
"""Programs that stay, each with its models."""

kept: OrderedDict[tuple[str, ...], Process] = OrderedDict()
lock = threading.Lock()


@overload
def translate(text: str, **options: Unpack[options_of.Translating]) -> str: ...  # type: ignore[overload-overlap]
@overload
def translate(text: Iterable[str], **options: Unpack[options_of.Translating]) -> list[str]: ...
def translate(text: str | Iterable[str], **options: Unpack[options_of.Translating]) -> str | list[str]:
    """The English of a Dutch text, or of each of several: articles with their paragraphs and headings, or single sentences.

    `model` names another model (an alias, a folder, or `owner/name[@revision]`), `src_lang` and `tgt_lang` other languages,
    `device` where to compute (`auto`, `cpu`, `cuda`, `cuda:1`, `metal`). All others are those of `kortom translate`, with `_` for `-`:
    compute_type, threads, batch_tokens, no_cache, offline, prefix, beam_size, length_penalty, early_stopping, no_repeat_ngram,
    repetition_penalty, min_length, max_length, glossary.

    Raises `KortomError` where it cannot be done, and `ArgumentError` for an argument that there is not."""
    process = _kept("translate", options_of.arguments(options, options_of.TRANSLATING, "translate"))
    return _each(process, text, "translation")


@overload
def summarize(text: str, **options: Unpack[options_of.Summarizing]) -> str: ...  # type: ignore[overload-overlap]
@overload
def summarize(text: Iterable[str], **options: Unpack[options_of.Summarizing]) -> list[str]: ...
def summarize(text: str | Iterable[str], **options: Unpack[options_of.Summarizing]) -> str | list[str]:
    """A summary of an English article, or of each of several; with `src_lang`, of articles in another language.

    Without a summary model that is named or installed, it consists of the article's own most telling sentences.
    `summary_length` is `"short"`, `"medium"`, `"long"`, a number of sentences, or a share such as `"20%"`; `method` is `"auto"`,
    `"abstractive"` or `"extractive"`. All other options are those of `translate`, but for `tgt_lang` and `glossary`."""
    process = _kept("summarize", options_of.arguments(options, options_of.SUMMARIZING, "summarize"))
    return _each(process, text, "summary")


def digest(article: str | os.PathLike[str], **options: Unpack[options_of.Digesting]) -> Report:
    """An article's English with a summary, and what to look at in both.

    `article` is the text itself, or a `pathlib.Path` of a file: plain text, Markdown, a web page or subtitles. The options are
    those of `translate` and `summarize`; `model` translates, `summary_model` writes the summary."""
    given = options_of.arguments(options, options_of.DIGESTING, "digest")
    if isinstance(article, os.PathLike):
        return Report.of(_digest_file(os.fspath(article), given))
    whole = text(article, "the article")
    if len(whole) < 260 and "\n" not in whole and " " not in whole.strip() and os.path.isfile(whole):
        raise ArgumentError(f"`{whole}` is the name of a file, and a `str` is the article itself", "give it as a `pathlib.Path`")
    return Report.of(_kept("digest", given).ask([{"text": whole}])[0])


def close() -> None:
    """Ends the programs that stay for `translate`, `summarize` and `digest`; the next call starts one again."""
    with lock:
        processes = list(kept.values())
        kept.clear()
    for process in processes:
        process.close()


def _each(process: Process, texts: str | Iterable[str], result: str) -> str | list[str]:
    """What becomes of a text, or of each of several. What is empty stays so."""
    if isinstance(texts, str):
        return _each(process, [texts], result)[0]
    if isinstance(texts, (bytes, dict)) or not isinstance(texts, Iterable):
        text(texts, "the argument")
    sources = [text(one, f"item {place}") for place, one in enumerate(texts)]
    answers = iter(process.ask({"text": source} for source in sources if source.strip()))
    return [next(answers)[result] if source.strip() else "" for source in sources]


def _kept(command: str, given: list[str]) -> Process:
    """The program for a command with these options."""
    arguments = [command, "--input-format=jsonl", "--format=jsonl", *given]
    with lock:
        process = kept.pop(tuple(arguments), None)
        process = process or Process(arguments)
        kept[tuple(arguments)] = process
        over = kept.popitem(last=False)[1] if len(kept) > KEPT else None
    # It ends when nobody asks it any more.
    del over
    return process


def _digest_file(path: str, given: list[str]) -> dict[str, object]:
    """A file's report, by a program that knows the file's format by its name."""
    if os.path.isdir(path):
        raise ArgumentError(f"`{path}` is a folder", "give a file; `kortom digest FOLDER --output FOLDER` digests all in one")
    arguments = [program(), "digest", "--format=json", *given, "--", path]
    try:
        run = subprocess.run(arguments, capture_output=True, encoding="utf-8", errors="replace")
    except OSError as error:
        raise refused(arguments[0], error) from error
    reports: list[dict[str, object]] = json.loads(run.stdout) if run.returncode == 0 else []
    if len(reports) == 1:
        return reports[0]
    if reports:
        raise ArgumentError(f"`{path}` holds {len(reports)} articles", "read its records, and give each one's text")
    raise parse(run.stderr) or KortomError(f"`{path}` could not be digested: {run.stderr.strip()}")
