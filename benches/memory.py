"""What a memory saves, and what it costs: articles of which nine tenths are known, beside a full run, and an empty memory beside none.

    python benches/memory.py --kortom target/release/kortom [--articles 1000] [--rounds 5]

The articles are made here, from a seed: sentences of a few patterns with other names and numbers, no two of which are the same. Every
round runs the same articles four times, in an order that changes: without a memory, with an empty one, with one that knows nine
tenths of the articles, and with one that knows all. The table shows medians of seconds, loading included, and the ratio to the run
without a memory with its smallest and largest. All four must give the same text.
"""

import argparse
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

WHO = ["De burgemeester", "Een woordvoerder van de politie", "De voorzitter van de vereniging", "Een bewoner van de straat", "De rechter"]
SAYS = ["zegt dat", "vindt dat", "legt uit waarom", "hoopt dat", "betwijfelt of"]
WHAT = ["de nieuwe brug {} meter langer moet worden dan de oude", "er {} woningen bij komen op het terrein van de fabriek",
        "het festival dit jaar {} bezoekers heeft getrokken", "de trein {} minuten later vertrekt dan gepland",
        "de gemeente {} bomen wil planten langs de rivier"]
MORE = ["en dat is volgens hem hard nodig", "ook al is daar nog geen geld voor", "hoewel niet iedereen het daarmee eens is",
        "zodra de winter voorbij is", "zoals vorige week al werd gemeld"]


def article(chance, number):
    """Two paragraphs of three to six sentences each."""
    def sentence(place):
        figure = number * 100 + place + 2
        return f"{chance.choice(WHO)} {chance.choice(SAYS)} {chance.choice(WHAT).format(figure)}, {chance.choice(MORE)}."

    counts = [chance.randint(3, 6), chance.randint(3, 6)]
    paragraphs = [" ".join(sentence(10 * part + place) for place in range(count)) for part, count in enumerate(counts)]
    return "\n\n".join(paragraphs) + "\n"


def run(arguments, inputs, output, memory):
    """Seconds of a run over a folder, and what it wrote."""
    shutil.rmtree(output, ignore_errors=True)
    command = [arguments.kortom, "translate", inputs, "--output", output, "--model", arguments.model, "--quiet", "--offline"]
    command += ["--memory", memory] if memory else ["--no-memory"]
    command += ["--threads", arguments.threads] if arguments.threads else []
    begin = time.monotonic()
    subprocess.run([str(part) for part in command], check=True)
    seconds = time.monotonic() - begin
    return seconds, {path.name: path.read_text(encoding="utf-8") for path in Path(output).glob("*.txt")}


def copied(memory, to):
    """A memory as it was, for a run of its own."""
    if memory is not None:
        shutil.copy(memory, to)
    return to


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kortom", default="target/release/kortom")
    parser.add_argument("--model", default="kortom-nl-en")
    parser.add_argument("--articles", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        chance = random.Random(33)
        for part in ("all", "known"):
            (work / part).mkdir()
        for number in range(arguments.articles):
            text = article(chance, number)
            (work / "all" / f"{number:05}.txt").write_text(text, encoding="utf-8")
            if number % 10:
                (work / "known" / f"{number:05}.txt").write_text(text, encoding="utf-8")
        run(arguments, work / "known", work / "out", work / "nine.sqlite")
        run(arguments, work / "all", work / "out", work / "full.sqlite")
        kinds = {"no memory": None, "empty memory": "", "nine tenths known": work / "nine.sqlite", "all known": work / "full.sqlite"}
        seconds, expected = {kind: [] for kind in kinds}, None
        for number in range(arguments.rounds):
            order = list(kinds)
            chance.shuffle(order)
            for kind in order:
                memory = work / f"run-{number}-{order.index(kind)}.sqlite"
                memory = None if kinds[kind] is None else copied(kinds[kind] or None, memory)
                took, made = run(arguments, work / "all", work / "out", memory)
                expected = expected or made
                assert made == expected, f"{kind}: another text"
                seconds[kind].append(took)
    print(f"{arguments.articles} articles, {arguments.rounds} rounds\n\n| | seconds | / no memory |\n|---|---|---|")
    for kind, took in seconds.items():
        ratios = [one / other for one, other in zip(took, seconds["no memory"])]
        print(f"| {kind} | {statistics.median(took):.2f} | {statistics.median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f}) |")


if __name__ == "__main__":
    main()
