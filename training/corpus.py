"""Parallel text: one pair a line, `source<TAB>target` or `source<TAB>target<TAB>name of its origin`; .gz and .xz are read too."""

import gzip
import lzma
import re
import unicodedata
from pathlib import Path

OPENERS = {".gz": gzip.open, ".xz": lzma.open}
INVISIBLE = str.maketrans("", "", "\u00ad\u200b\ufeff")


class CorpusError(Exception):
    """Text that cannot be trained on, with the file and line."""


def clean(text):
    """One line of text as the model should see it: composed letters, typewriter's apostrophes, single spaces."""
    text = unicodedata.normalize("NFC", text).translate(INVISIBLE)
    if "‘" in text or "’" in text:
        text = text.replace("‘", "'").replace("’", "'").replace("`", "'")
    return re.sub(r"\s+", " ", text).strip()


def letters_of(text):
    """What two spellings of one sentence have in common: used to find duplicates and held-out sentences."""
    return re.sub(r"\W+", "", text.lower())


def share_of(origin, shares):
    """How often an origin's lines come in one pass: as `shares` says of its name or of a beginning (`ui-*`), 1 where it says nothing."""
    patterns = [name for name in shares if name.endswith("*") and origin.startswith(name[:-1])]
    return shares.get(origin, shares[max(patterns, key=len)] if patterns else 1.0)


def pairs_of(path):
    """Yields (source, target, origin) of one file; the origin of a line without one is the file's name."""
    path = Path(path)
    read = OPENERS.get(path.suffix, open)
    seen = False
    with read(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            columns = line.rstrip("\n").split("\t")
            if len(columns) not in (2, 3):
                raise CorpusError(f"`{path}`, line {number}: {len(columns)} columns where 2 or 3 belong (source, target, origin)")
            source, target = clean(columns[0]), clean(columns[1])
            if not source or not target:
                raise CorpusError(f"`{path}`, line {number}: one side is empty")
            seen = True
            yield source, target, columns[2] if len(columns) == 3 else path.name.split(".")[0]
    if not seen:
        raise CorpusError(f"`{path}` is empty")


def distinct_pairs(paths, held_out=()):
    """All pairs of all files, each once, without those that share a side with a line of a held-out file."""
    banned = {letters_of(line) for path in held_out for line in Path(path).read_text(encoding="utf-8").splitlines()}
    seen = set()
    for path in paths:
        for source, target, origin in pairs_of(path):
            key = letters_of(source), letters_of(target)
            if key not in seen and key[0] not in banned and key[1] not in banned:
                seen.add(key)
                yield source, target, origin
