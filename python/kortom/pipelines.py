"""The pipelines that transformers 4 had for translations, summaries and texts to texts, with kortom in their place.

What they give is what those of transformers 4.57 give, with the same model and arguments: kortom's tests compare them. Different are:
output drawn by chance (`do_sample`), which comes of other random numbers and always of one beam; and what is refused by name,
because it would otherwise be ignored: arguments that kortom does not have.
"""

from __future__ import annotations

import json
import logging
import os
import random
import re
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, cast

from . import _options as options_of
from ._errors import ArgumentError, KortomError
from ._process import SENT_AHEAD, Process, Record, text
from ._program import program, refused

logger = logging.getLogger("kortom")

KEYS = {"translation": "translation_text", "summarization": "summary_text", "text2text-generation": "generated_text"}
"""The tasks, and what their results are called."""

SETTINGS = {
    "num_beams", "num_return_sequences", "max_length", "max_new_tokens", "min_length", "min_new_tokens", "length_penalty",
    "early_stopping", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "repetition_penalty", "do_sample", "temperature",
    "top_k", "top_p", "seed", "bad_words_ids", "suppress_tokens", "begin_suppress_tokens", "forced_bos_token_id",
    "forced_eos_token_id", "decoder_start_token_id", "eos_token_id", "pad_token_id", "bos_token_id", "renormalize_logits",
}
"""Arguments of `generate` that kortom has."""

CALL = {"truncation", "clean_up_tokenization_spaces", "prefix", "src_lang", "tgt_lang"}
"""Arguments of a call that say how its texts are read and written."""

IDLE = {"return_text", "batch_size", "num_workers", "use_cache", "padding"}
"""Arguments that change no result. `batch_size` is how many items of a generator are asked for at once."""

CHANCE = {"temperature", "top_k", "top_p"}

chance = random.Random()
chance_lock = threading.Lock()


def set_seed(seed: int) -> None:
    """Makes what pipelines draw by chance the same every time, as `transformers.set_seed` does."""
    with chance_lock:
        chance.seed(seed)


def pipeline(
    task: str | None = None,
    model: str | os.PathLike[str] | None = None,
    *,
    tokenizer: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    framework: str | None = None,
    device: object = None,
    device_map: object = None,
    torch_dtype: object = None,
    dtype: object = None,
    trust_remote_code: bool = False,
    use_fast: bool = True,
    compute_type: str | None = None,
    threads: int | None = None,
    offline: bool | None = None,
    **defaults: Any,
) -> Pipeline:
    """A pipeline of transformers 4: `"translation"`, `"translation_nl_to_en"` and the like, `"summarization"`, `"text2text-generation"`.

    `model` is a folder, an alias (`kortom models list`), or `owner/name` on the Hugging Face hub; without one, the best one
    installed for that task. `device` is transformers' number or name, or kortom's (`auto`, `cpu`, `cuda:1`, `metal`). `dtype`
    or `compute_type` is the number format: `float32`, `float16`, `bfloat16`, or `int8`, which is the fastest on a CPU. What else is
    given are defaults of the calls, see `Pipeline.__call__`.

    Returns as soon as the model is loaded. Raises `KortomError` where it cannot be."""
    kind = _kind(task)
    if tokenizer is not None and (not isinstance(tokenizer, (str, os.PathLike)) or os.fspath(tokenizer) != str(model)):
        raise ArgumentError("`tokenizer` is not that of `model`", "leave it out: a model's own tokenizer is used")
    if model is not None and not isinstance(model, (str, os.PathLike)):
        raise ArgumentError(f"`model` is a `{type(model).__name__}`", "give a folder, an alias, or owner/name")
    if trust_remote_code:
        raise ArgumentError("`trust_remote_code` is not possible: kortom runs no code of models", "leave it out")
    if framework not in (None, "pt"):
        raise ArgumentError(f"`framework` is {framework!r}", "leave it out: kortom computes by itself")
    if device_map not in (None, "auto"):
        raise ArgumentError("`device_map` is not possible", "name one `device`, or leave it out")
    number_format = compute_type or dtype or torch_dtype
    arguments = options_of.arguments({
        "model": _name(task or kind, kind, model, revision), "device": device, "threads": threads, "offline": offline,
        "compute_type": None if number_format == "auto" else number_format,
    }, options_of.MACHINE, "pipeline")
    return Pipeline(task or kind, kind, arguments, defaults)


class Pipeline:
    """A task with a model, made by `pipeline`. Call it with texts.

    It keeps a program with the model until it is closed, deleted, or left as a context manager. Several threads may call it."""

    def __init__(self, task: str, kind: str, arguments: Sequence[str], defaults: Mapping[str, Any]) -> None:
        self.task = task
        self.prefix: str | None = None
        """Text put before each source, in place of what the model says; it is left out where this is none."""
        self._kind = kind
        self._defaults = self._checked(defaults, "pipeline")
        self._process = Process(["generate", "--input-format=jsonl", *arguments])
        # As soon as this is answered, the model is there.
        self._process.ask([{"text": "", "generate": {"settings": {"max_new_tokens": 1, "num_beams": 1}}}])

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """What the model makes of a text, of a list of texts, or, one after the other, of what a generator or a data set yields.

        A result is `{"translation_text": …}`, `{"summary_text": …}` or `{"generated_text": …}`: of a text a list with one of them,
        of a list of texts a list with one for each, and of a generator an iterator with a list for each item. With
        `num_return_sequences` above 1, each is a list of that many.

        Options are those of transformers 4.57: `max_length`, `max_new_tokens`, `min_length`, `min_new_tokens`, `num_beams`,
        `num_return_sequences`, `length_penalty`, `early_stopping`, `no_repeat_ngram_size`, `encoder_no_repeat_ngram_size`,
        `repetition_penalty`, `do_sample`, `temperature`, `top_k`, `top_p`, `bad_words_ids`, `suppress_tokens`,
        `begin_suppress_tokens`, `forced_bos_token_id`, `forced_eos_token_id`, `decoder_start_token_id`, `eos_token_id`, `pad_token_id`,
        `renormalize_logits`, `src_lang`, `tgt_lang`, `truncation`, `clean_up_tokenization_spaces`, `return_text`, `batch_size`; and besides
        `seed`, for `do_sample`, and `prefix`, in place of the model's own. As there, `max_new_tokens` wins over `max_length`, and
        is 256 unless the model sets a `max_length` or it is set here.

        Raises `KortomError` where the model cannot take a text, and `ArgumentError` for an option that there is not."""
        given = {**self._defaults, **self._checked(options, "the pipeline")}
        call = self._call(options)
        ahead = max(SENT_AHEAD, int(given.get("batch_size") or 1))
        if isinstance(inputs, str):
            return self._results(self._process.ask(self._records([inputs], call))[0])
        if isinstance(inputs, (list, tuple)):
            results = [self._results(answer) for answer in self._process.ask(self._records(inputs, call))]
            single = all(len(result) == 1 for result in results)
            return [result[0] for result in results] if single else results
        if isinstance(inputs, (bytes, Mapping)) or not _is_iterable(inputs):
            text(inputs, "the input")
        return self._stream(inputs, call, ahead)

    transform = predict = __call__

    def close(self) -> None:
        """Ends the program. A call that waits for it gets a `ProcessDied`."""
        self._process.close()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<kortom.Pipeline {self.task!r}: kortom {' '.join(self._process.arguments)}>"

    def _checked(self, options: Mapping[str, Any], function: str) -> dict[str, Any]:
        """Options without those that say nothing."""
        known = SETTINGS | IDLE | CALL
        if options.get("return_tensors"):
            raise ArgumentError("`return_tensors` is not possible: there are no tensors here", "leave it out")
        given = {name: value for name, value in options.items() if name != "return_tensors"}
        options_of.refuse_unknown(given, known, function)
        return {name: value for name, value in given.items() if value is not None}

    def _call(self, options: Mapping[str, Any]) -> Record:
        """How the texts of a call are decoded, as the program reads it."""
        given = self._checked(options, "the pipeline")
        both = {**self._defaults, **given}
        call: Record = {"task": self.task, "settings": {name: given[name] for name in given if name in SETTINGS},
                        "defaults": {name: value for name, value in self._defaults.items() if name in SETTINGS}}
        names = {"src_lang": "from", "tgt_lang": "to"}
        call.update((names.get(name, name), both[name]) for name in CALL if name in both)
        pair = re.fullmatch("translation_([^_]+)_to_([^_]+)", self.task)
        if pair and "from" not in call and "to" not in call:
            call["from"], call["to"] = pair.groups()
        if self.prefix is not None:
            call.setdefault("prefix", self.prefix)
        call["truncation"] = truncates(call.get("truncation"))
        if not both.get("do_sample") and CHANCE & given.keys():
            logger.warning("%s: without effect, because `do_sample` is not true", ", ".join(sorted(CHANCE & given.keys())))
        return call

    def _records(self, texts: Iterable[object], call: Record) -> Iterator[Record]:
        settings = call["settings"]
        sampled = {**call["defaults"], **settings}
        seed = sampled.get("seed")
        if sampled.get("do_sample") and seed is None:
            with chance_lock:
                seed = chance.getrandbits(48)
        for place, one in enumerate(texts):
            source = text(one, "the input" if place == 0 else f"item {place} of the input")
            # Every text has its own chance.
            own = call if seed is None else {**call, "settings": {**settings, "seed": seed + place}}
            yield {"text": source, "generate": own}

    def _results(self, answer: Record) -> list[dict[str, str]]:
        hypotheses = answer.get("hypotheses") or [answer]
        return [{KEYS[self._kind]: hypothesis["target"]} for hypothesis in hypotheses]

    def _stream(self, inputs: Iterable[object], call: Record, ahead: int) -> Iterator[list[dict[str, str]]]:
        for answer in self._process.stream(self._records(inputs, call), ahead):
            yield self._results(answer)


def truncates(value: object) -> bool:
    """What transformers' `truncation` means for a single text."""
    value = getattr(value, "value", value)
    if value in (None, False, "do_not_truncate"):
        return False
    if value in (True, "longest_first", "only_first"):
        return True
    raise ArgumentError(f"`truncation` cannot be {value!r}", "give `True` or `False`")


def _is_iterable(value: object) -> bool:
    """Whether values come out of it: of data sets of torch, by their numbers."""
    return hasattr(value, "__iter__") or hasattr(value, "__getitem__")


def _kind(task: object) -> str:
    """The task without its languages."""
    if isinstance(task, str):
        if task in KEYS:
            return task
        if re.fullmatch("translation_[^_]+_to_[^_]+", task):
            return "translation"
    known = ", ".join(f"`{name}`" for name in [*KEYS, "translation_nl_to_en"])
    raise ArgumentError(f"there is no pipeline for the task {task!r}", f"there is one for {known} and other languages")


def _name(task: str, kind: str, model: str | os.PathLike[str] | None, revision: str | None) -> str:
    """The model as the program takes it."""
    if model is not None:
        return os.fspath(model) if revision is None else f"{os.fspath(model)}@{revision}"
    path = program()
    try:
        run = subprocess.run([path, "models", "list", "--format=json", "--quiet"], capture_output=True, encoding="utf-8")
    except OSError as error:
        raise refused(path, error) from error
    chosen = json.loads(run.stdout)["chosen"] if run.returncode == 0 else {}
    if task in ("translation", "translation_nl_to_en") and chosen.get("translate"):
        return cast(str, chosen["translate"])
    if kind == "summarization" and chosen.get("summarize"):
        return cast(str, chosen["summarize"])
    hint = "kortom models pull cnn-fast" if kind == "summarization" else "name one with `model`"
    raise KortomError(f"no model for the task `{task}` is installed", hint)
