"""How often the checks are right: `python benches/checks.py --checker target/release/examples/check_pairs PAIRS.tsv`.

PAIRS.tsv holds Dutch, a tab, and its English by a person, one pair a line (further columns are ignored). Every pair that a
kind of damage can be done to is checked twice, as it is and damaged: so in the mix of a kind one of two is damaged. A flag
is right on a damaged pair and wrong on one that is as a person left it.

    precision = damaged pairs with the flag / all pairs of the mix with the flag
    recall    = damaged pairs with the flag / damaged pairs

Pairs are parted in two halves by a hash of their text: the checks were tuned on `--half tune`, the figures in README.md are
of `--half report`. What is wrong in the pairs themselves (and some of it is) counts against the checks.

`--summaries LANGUAGE ARTICLES.jsonl` measures the checks of summaries instead: of objects with that `language`, a `text` and a
`summary` by a person, every sentence of a summary is checked against its article. Nothing was tuned on them: all are used.
"""

import argparse
import collections
import hashlib
import json
import random
import re
import subprocess
import sys

MONTHS = "January February March April June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
WORDS = "two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand million".split()
NAMES = "Hendricks Okonkwo Valmont Tarsila Brunswick Delacroix Ferreira Nakamura".split()
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}(?=[ ,.;])")


def numbers(text):
    dates = re.compile("|".join(MONTHS + ["May"] + [":"]))
    return [] if dates.search(text) else list(NUMBER.finditer(text))


def put(text, match, new):
    return text[: match.start()] + new + text[match.end() :]


def number_dropped(nl, en, rng):
    found = numbers(en)
    if found:
        match = rng.choice(found)
        return re.sub(r"\s+", " ", put(en, match, ""))


def number_changed(nl, en, rng):
    found = numbers(en)
    if found:
        match = rng.choice(found)
        at = rng.randrange(len(match[0]))
        if match[0][at].isdigit():
            digit = rng.choice([d for d in "123456789" if d != match[0][at]])
            return put(en, match, match[0][:at] + digit + match[0][at + 1 :])


def separator_kept(nl, en, rng):
    """30,000 becomes 30.000, and 12.5 becomes 12,5."""
    found = [m for m in numbers(en) if re.fullmatch(r"\d{1,3},\d{3}|[1-9]\d*\.\d", m[0])]
    if found:
        match = rng.choice(found)
        return put(en, match, match[0].translate(str.maketrans(",.", ".,")))


def word_changed(nl, en, rng):
    found = [m for m in re.finditer(r"\b[a-z]+\b", en) if m[0] in WORDS]
    if found:
        match = rng.choice(found)
        return put(en, match, rng.choice([w for w in WORDS if w != match[0]]))


def unit_changed(nl, en, rng):
    swaps = {"kilometers": "miles", "kilometres": "miles", "km": "miles", "miles": "kilometers", "weeks": "months",
             "months": "years", "years": "months", "hours": "minutes", "minutes": "hours", "days": "weeks",
             "percent": "", "%": "", "dollars": "euros", "euros": "dollars", "€": "$", "$": "€", "meters": "feet"}
    found = list(re.finditer(r"(?<=\d )[a-z]+\b|(?<=\d)%|[€$](?=\d)", en))
    found = [m for m in found if m[0] in swaps]
    if found:
        match = rng.choice(found)
        return put(en, match, swaps[match[0]])


def calendar_changed(nl, en, rng):
    found = [m for m in re.finditer(r"\b[A-Z][a-z]+\b", en) if m[0] in MONTHS + DAYS]
    if found:
        match = rng.choice(found)
        kind = MONTHS if match[0] in MONTHS else DAYS
        return put(en, match, rng.choice([w for w in kind if w != match[0]]))


def day_changed(nl, en, rng):
    months = "|".join(MONTHS + ["May"])
    found = list(re.finditer(rf"(?<=\b)(?:(?:{months}) (?P<after>\d\d?)|(?P<before>\d\d?) (?:{months}))\b", en))
    if found:
        match = rng.choice(found)
        group = "after" if match["after"] else "before"
        day = rng.choice([d for d in range(1, 29) if d != int(match[group])])
        return en[: match.start(group)] + str(day) + en[match.end(group) :]


def time_changed(nl, en, rng):
    found = list(re.finditer(r"\b(\d\d?):([0-5]\d)\b", en))
    if found:
        match = rng.choice(found)
        return put(en, match, f"{(int(match[1]) + rng.randint(1, 10)) % 12 + 1}:{match[2]}")


def shared_names(nl, en):
    return [m for m in NAME.finditer(en) if m[0] in nl and m[0] not in MONTHS + DAYS + ["May"]]


def name_dropped(nl, en, rng):
    found = shared_names(nl, en)
    if found:
        return re.sub(r"\s+", " ", put(en, rng.choice(found), ""))


def name_replaced(nl, en, rng):
    found = shared_names(nl, en)
    if found:
        return put(en, rng.choice(found), rng.choice(NAMES))


def name_invented(nl, en, rng):
    found = list(re.finditer(r"(?<=[a-z] )(?=[a-z]{3,} )", en))
    if found and shared_names(nl, en):
        return put(en, rng.choice(found), rng.choice(NAMES) + " ")


def quote_unclosed(nl, en, rng):
    found = re.search(r"^[^\"“”]*[\"“][^\"“”]+[\"”][^\"“”]*$", en)
    if found:
        at = max(en.rfind('"'), en.rfind("”"))
        return en[:at] + en[at + 1 :]


def quotes_lost(nl, en, rng):
    found = re.search(r"^[^\"“”]*[\"“][^\"“”]+[\"”][^\"“”]*$", en)
    if found and re.search(r"[\"“”„‘']", nl):
        return re.sub(r"[\"“”]", "", en)


def end_dropped(nl, en, rng):
    """The last sentence, or the last clause that is at least three tenths of it all."""
    cuts = [m.start() for m in re.finditer(r"[,;:] |[.!?] (?=[A-Z])", en) if 0.3 <= m.start() / len(en) <= 0.7]
    if len(en) > 60 and cuts:
        return en[: rng.choice(cuts)] + "."


def said_twice(nl, en, rng):
    words = en.split()
    if len(words) >= 8:
        start, length = rng.randrange(len(words) - 5), rng.randint(2, 5)
        run = words[start : start + length]
        return " ".join(words[:start] + run * rng.randint(2, 6) + words[start + length :])


def end_invented(nl, en, rng):
    if len(en) > 60:
        return en + " This was said by people who know more about it than all of us do together, as far as we can tell."[: len(en) // 2 + 20]


def copied_whole(nl, en, rng):
    if len(nl.split()) >= 6:
        return nl


def copied_half(nl, en, rng):
    dutch, english = nl.split(), en.split()
    if min(len(dutch), len(english)) >= 14:
        return " ".join(english[: len(english) // 2] + dutch[len(dutch) // 2 :])


DAMAGE = {
    "number": [number_dropped, number_changed, separator_kept, word_changed, unit_changed],
    "date": [calendar_changed, day_changed, time_changed],
    "name": [name_dropped, name_replaced, name_invented],
    "quote": [quote_unclosed, quotes_lost],
    "length": [end_dropped, end_invented],
    "repetition": [said_twice],
    "untranslated": [copied_whole, copied_half],
}

SUMMARY_DAMAGE = {
    "unsupported-number": [number_changed, word_changed],
    "unsupported-name": [name_replaced, name_invented],
}


def check(checker, mode, pairs):
    lines = "".join(f"{source}\t{target}\n" for source, target in pairs)
    done = subprocess.run([*checker.split(), *mode], input=lines, capture_output=True, text=True, check=True)
    found = [{finding["flag"] for finding in json.loads(line)} for line in done.stdout.splitlines()]
    assert len(found) == len(pairs), "the checker must print one line for each pair"
    return found


def share(part, whole):
    return f"{part / whole:.2f}" if whole else "-"


def read_pairs(names, half):
    """The pairs of one half."""
    pairs = []
    for name in names:
        for line in open(name, encoding="utf-8"):
            nl, en = line.rstrip("\n").split("\t")[:2]
            odd = hashlib.sha256((nl + en).encode()).digest()[0] % 2
            if odd == (half == "tune"):
                pairs.append((nl, en))
    return pairs


def read_summaries(names, language):
    """Each sentence of a summary, with its article on one line."""
    articles = [json.loads(line) for name in names for line in open(name, encoding="utf-8")]
    return [(" ".join(article["text"].split()), sentence) for article in articles if article["language"] == language
            for sentence in re.split(r"(?<=[.!?]) (?=[A-Z])", " ".join(article["summary"].split()))]


def measure(damage, pairs, run, show):
    """Prints the table of all kinds of damage; `run` checks pairs."""
    rng = random.Random(1)
    clean = run(pairs)
    print("| flag | damage | pairs | recall | clean pairs flagged | precision |\n|---|---|---|---|---|---|")
    for flag, kinds in damage.items():
        total = collections.Counter()
        for kind in kinds:
            damaged = [(at, kind(*pair, rng)) for at, pair in enumerate(pairs)]
            damaged = [(at, target) for at, target in damaged if target is not None and target != pairs[at][1]]
            found = run([(pairs[at][0], target) for at, target in damaged])
            right = sum(flag in flags for flags in found)
            wrong = sum(flag in clean[at] for at, _ in damaged)
            total.update(right=right, wrong=wrong, all=len(damaged))
            print_row(flag, kind.__name__.replace("_", " "), right, wrong, len(damaged))
            missed = [(pairs[at][0], target) for (at, target), flags in zip(damaged, found) if flag not in flags]
            alarms = [pairs[at] for at, _ in damaged if flag in clean[at]]
            for title, some in (("missed", missed), ("false alarm", alarms)):
                for source, target in rng.sample(some, min(show, len(some))):
                    print(f"  {title}: {source}\n    {target}", file=sys.stderr)
        print_row(f"**{flag}**", "all", total["right"], total["wrong"], total["all"])
    alarms = collections.Counter(flag for flags in clean for flag in flags)
    print("\nclean pairs flagged, of all:", ", ".join(f"{flag} {count / len(pairs):.3f}" for flag, count in sorted(alarms.items())))


def print_row(flag, kind, right, wrong, count):
    row = [flag, kind, count, share(right, count), share(wrong, count), share(right, right + wrong)]
    print("|", " | ".join(map(str, row)), "|")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", help="files of pairs, or of articles")
    parser.add_argument("--checker", required=True, help="the example `check_pairs`, built")
    parser.add_argument("--half", choices=["tune", "report"], default="report")
    parser.add_argument("--summaries", metavar="LANGUAGE", help="the files hold articles with summaries")
    parser.add_argument("--show", type=int, default=0, help="print so many misses and false alarms of each flag")
    arguments = parser.parse_args()
    if arguments.summaries:
        pairs, mode, damage = read_summaries(arguments.pairs, arguments.summaries), ["--summary", arguments.summaries], SUMMARY_DAMAGE
        print(f"{len(pairs)} sentences of summaries\n")
    else:
        pairs, mode, damage = read_pairs(arguments.pairs, arguments.half), ["nl", "en"], DAMAGE
        print(f"{len(pairs)} pairs, half `{arguments.half}`\n")
    measure(damage, pairs, lambda pairs: check(arguments.checker, mode, pairs), arguments.show)


if __name__ == "__main__":
    main()
