"""Makes pairs with other numbers of pairs that have the same numbers on both sides, so that a model learns to carry numbers over.

usage: python vary_numbers.py CORPUS... > numbers.tsv
Dutch `30.000`, `2,5` and `10.15 uur` are English `30,000`, `2.5` and `10.15` or `10:15`. A pair is used when every number of one side is
on the other side once, and each gets another of the same kind: the day of a month stays one, a year is a year,
a time of day is any of 24 hours, where English does not name half of the day. The origin of all is `numbers`.
"""

import random
import re
import sys

from corpus import CorpusError, distinct_pairs

NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
CLOCK = re.compile(r"(\d{1,2})[.:]([0-5]\d)")
GROUPED = re.compile(r"\d{1,3}(?:[.,]\d{3})+")
HALF_DAY = re.compile(r"\b(?:[ap]\.?m\b|in the (?:morning|afternoon|evening)|at night)")
DECIMAL = re.compile(r"(\d+)[.,](\d{1,2})")


def kind_and_value(text, after, dutch):
    """What a number is, and its digits in the same form for both languages: None where that cannot be told."""
    thousand, comma = (".", ",") if dutch else (",", ".")
    if after[:1].isalpha():
        return None, text
    clock = CLOCK.fullmatch(text)
    if clock and (":" in text or re.match(r" (?:uur|[ap]\.?m\b|hours)", after)):
        return "half-day clock" if HALF_DAY.search(after) else "clock", f"{int(clock[1])}:{clock[2]}"
    if GROUPED.fullmatch(text) and comma not in text:
        return "whole", text.replace(thousand, "")
    if DECIMAL.fullmatch(text) and comma in text:
        return "decimal", text.replace(comma, ".")
    return ("whole", text) if text.isdigit() and not text.startswith("0") else (None, text)


def another(kind, value, draw):
    """Another value of this kind, as long as this one."""
    if kind.endswith("clock"):
        # Where English names half of the day, the hour stays: it must fit.
        hour = draw.randrange(24) if kind == "clock" else value.split(":")[0]
        return f"{hour}:{draw.randrange(0, 60, 5):02}"
    if kind == "decimal":
        whole, part = value.split(".")
        return f"{another('whole', whole, draw)}.{draw.randrange(1, 10 ** len(part)):0{len(part)}}"
    number = int(value)
    if number < 2:
        return value
    for largest, low, high in ((31, 2, 28), (99, 32, 99), (999, 100, 999), (2099, 1700, 2029)):
        if number <= largest:
            return str(draw.randint(low, high))
    return str(draw.randint(10 ** (len(value) - 1), 10 ** len(value) - 1))


def written(value, old, dutch):
    """A value in the form that a number had."""
    if ":" in value:
        return value if ":" in old else value.replace(":", ".")
    whole, _, part = value.partition(".")
    if GROUPED.fullmatch(old):
        whole = f"{int(whole):,}".replace(",", "." if dutch else ",")
    return whole + ("," if dutch else ".") * bool(part) + part


def with_other_numbers(source, target, draw):
    """The pair with other numbers; None where it has none, or not the same on both sides."""
    sides = []
    for text, dutch in ((source, True), (target, False)):
        sides.append([(match, *kind_and_value(match[0], text[match.end():], dutch)) for match in NUMBER.finditer(text)])
    values = [[value for _, _, value in side] for side in sides]
    alike = sorted(values[0]) == sorted(values[1]) and len(set(values[0])) == len(values[0])
    if not alike or any(kind is None for side in sides for _, kind, _ in side):
        return None
    # The English side is the one that tells a half day.
    new = {value: another(kind, value, draw) for _, kind, value in sides[1]}
    texts = []
    for text, side, dutch in ((source, sides[0], True), (target, sides[1], False)):
        for match, _, value in reversed(side):
            text = text[:match.start()] + written(new[value], match[0], dutch) + text[match.end():]
        texts.append(text)
    return tuple(texts) if texts[0] != source else None


def main():
    draw = random.Random(11)
    try:
        for source, target, _ in distinct_pairs(sys.argv[1:]):
            pair = with_other_numbers(source, target, draw)
            if pair:
                print(*pair, "numbers", sep="\t")
    except (CorpusError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
