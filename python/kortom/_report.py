"""What came of one article."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """Something that a person should look at, and why."""

    flag: str
    reason: str


@dataclass(frozen=True)
class Segment:
    """One sentence of the article and its translation."""

    source: str
    target: str
    score: float | None
    """How likely the model finds it; none where no model was asked."""
    tokens: int
    """Tokens generated."""
    flags: list[str]
    """What looks wrong, see docs/using/checks.md in the repository."""
    notes: list[Finding] = field(default_factory=list)
    """Why, for each flag."""


@dataclass(frozen=True)
class Report:
    """An article's English, its summary, and what to know about both."""

    translation: str | None
    """The English text, without the date; none where nothing was translated."""
    summary: str | None
    method: str | None
    """How the summary was made: `abstractive` or `extractive`."""
    date: str | None
    """`YYYY-MM` or `YYYY-MM-DD`, where the article begins with one."""
    title: str | None
    """The first heading, where the format marks one."""
    detected: Mapping[str, Any] | None
    """With `src_lang="auto"`, the `language` of the article and the `confidence`."""
    segments: list[Segment]
    summary_flags: list[str]
    summary_notes: list[Finding]
    models: Mapping[str, str | None]
    """Which models made the `translation` and the `summary`."""
    warnings: list[str]
    json: Mapping[str, Any] = field(repr=False)
    """All that the program says, as `kortom digest --format json` prints it."""

    @property
    def flagged(self) -> list[Segment]:
        """The segments that a person should look at."""
        return [segment for segment in self.segments if segment.flags]

    @classmethod
    def of(cls, json: Mapping[str, Any]) -> Report:
        """The report in an object of the program's."""
        return cls(
            translation=json["translation"], summary=json["summary"], method=json["method"], date=json["date"],
            title=json["title"], detected=json["detected"], segments=[segment(one) for one in json["segments"]],
            summary_flags=json["summary_flags"], summary_notes=findings(json["summary_notes"]), models=json["models"],
            warnings=json["warnings"], json=json,
        )


def segment(json: Mapping[str, Any]) -> Segment:
    return Segment(json["source"], json["target"], json["score"], json["tokens"], json["flags"], findings(json.get("notes", [])))


def findings(json: list[Mapping[str, Any]]) -> list[Finding]:
    return [Finding(one["flag"], one["reason"]) for one in json]
