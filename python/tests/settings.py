"""What is compared with transformers' pipelines: checkpoints, texts, settings."""

from dataclasses import dataclass, field
from pathlib import Path

fixtures = Path(__file__).parents[2] / "tests" / "fixtures"

TEXTS = [
    "De brug over de rivier is dicht. In mei gaat zij weer open.",
    "Wie heeft gisteren in het zwembad een rode tas laten staan?",
]


@dataclass
class Checkpoint:
    """A folder of tests/fixtures, and how its pipeline is called."""

    name: str
    task: str
    languages: dict = field(default_factory=dict)
    before: str = ""
    """What stands before each text, for models that read their task there."""


CHECKPOINTS = [
    Checkpoint("tiny-marian", "translation"),
    Checkpoint("tiny-marian", "translation_nl_to_en"),
    Checkpoint("tiny-marian-bin", "translation"),
    Checkpoint("tiny-bart", "summarization"),
    Checkpoint("tiny-bart-old", "summarization"),
    Checkpoint("tiny-bart-old", "text2text-generation"),
    Checkpoint("tiny-pegasus", "summarization"),
    Checkpoint("tiny-mbart50", "translation", {"src_lang": "nl_XX", "tgt_lang": "en_XX"}),
    Checkpoint("tiny-mbart25", "translation", {"src_lang": "nl_XX", "tgt_lang": "en_XX"}),
    Checkpoint("tiny-m2m100", "translation_nl_to_en"),
    Checkpoint("tiny-nllb", "translation", {"src_lang": "nld_Latn", "tgt_lang": "eng_Latn"}),
    Checkpoint("tiny-t5", "summarization"),
    Checkpoint("tiny-t5", "text2text-generation"),
    Checkpoint("tiny-madlad", "translation", before="<2en> "),
]

SETTINGS = {
    "nothing": {},
    "greedy": {"num_beams": 1},
    "two beams": {"num_beams": 2},
    "early stopping": {"num_beams": 5, "early_stopping": True},
    "never early": {"num_beams": 3, "early_stopping": "never", "length_penalty": 1.5},
    "max_length": {"max_length": 14},
    "max_new_tokens": {"max_new_tokens": 9},
    "both maximums": {"max_new_tokens": 12, "max_length": 9},
    "min_length": {"min_length": 30, "max_length": 45},
    "min_new_tokens": {"min_new_tokens": 25, "max_new_tokens": 40},
    "long": {"length_penalty": 3.0},
    "short": {"length_penalty": -1.0},
    "no repeat": {"no_repeat_ngram_size": 2},
    "no repeat, greedy": {"num_beams": 1, "do_sample": False, "no_repeat_ngram_size": 3},
    "repetition": {"repetition_penalty": 1.4},
    "repetition, greedy": {"num_beams": 1, "repetition_penalty": 1.3},
    "several": {"num_beams": 4, "num_return_sequences": 3},
    "source n-grams": {"encoder_no_repeat_ngram_size": 2, "num_beams": 2},
    "likeliest by chance": {"do_sample": True, "num_beams": 1, "top_k": 1},
    "bad words": {"bad_words_ids": [[20], [31, 32]]},
    "suppressed": {"suppress_tokens": [20, 21], "num_beams": 2},
    "renormalized": {"renormalize_logits": True, "no_repeat_ngram_size": 2},
    "truncated": {"truncation": True},
    "cleaned up": {"clean_up_tokenization_spaces": True},
    "temperature without chance": {"temperature": 0.7, "do_sample": False},
}
"""Arguments of a call."""

FEW = ["nothing", "greedy", "max_length", "several", "no repeat", "cleaned up"]
NAMES = {checkpoint.name: list(SETTINGS) for checkpoint in CHECKPOINTS}
NAMES |= dict.fromkeys(["tiny-marian-bin", "tiny-mbart25", "tiny-bart-old"], FEW)

MADE_WITH = {
    "beams": {"num_beams": 2},
    "length": {"max_length": 16},
    "more": {"num_beams": 3, "no_repeat_ngram_size": 2, "length_penalty": 2.0, "max_new_tokens": 30},
}
"""Arguments of `pipeline` itself."""

EXAMPLE = Path(__file__).parents[2] / "examples" / "python" / "news.py"
EXAMPLE_MODELS = [str(fixtures / "tiny-marian"), str(fixtures / "tiny-bart")]
