"""Translates Dutch articles to English and summarises them, on this machine, with any Hugging Face seq2seq model.

Everything is done by the program ``kortom``, which comes with this package; no torch, no transformers. A program that loaded
its model stays for the next call.

>>> import kortom
>>> kortom.translate("Het regent vandaag.")
"It's raining today."
>>> report = kortom.digest(pathlib.Path("article.txt"))
>>> report.summary, report.translation, report.flagged

Programs written for transformers 4, whose pipelines for translation and summaries transformers 5 no longer has, change
one line:

>>> from kortom import pipeline                     # was: from transformers import pipeline
>>> summarizer = pipeline("summarization", model="sshleifer/distilbart-cnn-12-6")
>>> summarizer(article, max_length=130, min_length=30)[0]["summary_text"]

Notices and warnings of the program go to the logger ``kortom``. Every error is a `KortomError` with a message and a hint.
"""

from ._articles import close, digest, summarize, translate
from ._errors import ArgumentError, KortomError, ProcessDied, ProgramNotFound
from ._program import program, version
from ._report import Finding, Report, Segment
from .pipelines import Pipeline, pipeline, set_seed

__all__ = [
    "ArgumentError", "Finding", "KortomError", "Pipeline", "ProcessDied", "ProgramNotFound", "Report", "Segment", "close", "digest",
    "pipeline", "program", "set_seed", "summarize", "translate", "version",
]
