"""Makes pairs with other names of pairs that have the same names on both sides, so that a model learns to copy names it never saw.

usage: python vary_names.py CORPUS... > names.tsv
A name is a word with a capital, not at the beginning of a sentence, that the other side has too and that no line has without a capital.
Each is replaced by one that other pairs have, or by the beginning of one and the end of another. The origin of all is `names`.
"""

import random
import re
import sys
from collections import Counter

from corpus import CorpusError, distinct_pairs

WORD = re.compile(r"[^\W\d_]+")
INSIDE = re.compile(r"(?<=[^\W_] |[,;] |.[-(\"'])[^\W\d_]+")
MADE_UP = 0.4
MOST_ALIKE = 3


def names_of(source, target, common):
    """The names that both sides have once, in the order of the source."""
    sides = [Counter(WORD.findall(text)) for text in (source, target)]
    return [word for word in dict.fromkeys(INSIDE.findall(source))
            if is_name(word) and word.lower() not in common and sides[0][word] == sides[1][word] == 1]


def is_name(word):
    """Whether a word is written as names are: a capital, then small letters."""
    return len(word) > 2 and word[0].isupper() and word[1:].islower()


def made_up(names, draw):
    """The beginning of one name with the end of another, cut at a vowel."""
    for _ in range(20):
        first, second = draw.choice(names), draw.choice(names)
        cuts = [[at for at in range(2, len(name)) if name[at] in "aeiou"] for name in (first, second)]
        if all(cuts):
            return first[:draw.choice(cuts[0])] + second[draw.choice(cuts[1]):]
    return draw.choice(names)


def with_other_names(pair, own, names, draw):
    """The pair with another name for each of its `own`, the same on both sides."""
    for name in own:
        other = made_up(names, draw) if draw.random() < MADE_UP else draw.choice(names)
        pair = [re.sub(rf"\b{name}\b", other, text) for text in pair]
    return pair


def main():
    draw = random.Random(12)
    try:
        pairs = [pair[:2] for pair in distinct_pairs(sys.argv[1:])]
    except (CorpusError, OSError) as error:
        sys.exit(f"error: {error}")
    common = {word for pair in pairs for text in pair for word in WORD.findall(text) if word[0].islower()}
    found = [(pair, own) for pair in pairs if (own := names_of(*pair, common))]
    times = Counter(name for _, own in found for name in own)
    # A name that many pairs have counts a few times, so that rare ones are drawn too.
    names = [name for name, seen in times.items() for _ in range(min(seen, MOST_ALIKE))]
    for pair, own in found:
        print(*with_other_names(pair, own, names, draw), "names", sep="\t")


if __name__ == "__main__":
    main()
