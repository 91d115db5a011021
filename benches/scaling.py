"""How kortom's speed grows with threads, batches, lengths and beams, beside CTranslate2's, both in int8.

    python benches/scaling.py --kortom target/release/kortom --work ~/kortom-bench

On the checkpoint of `compare.py` (opus-mt-nl-en's shape), measured in the same way: every measurement is a process of its own, the two
take turns, loading is not counted, and the tables show medians of `--pairs` rounds.
"""

import argparse
import statistics
from dataclasses import dataclass
from pathlib import Path

import compare
from compare import Column

ENGINES = ("kortom int8", "ctranslate2 int8")


@dataclass
class Table:
    """Columns of one kind."""

    name: str
    columns: list
    threads: tuple = (2,)


TABLES = [
    Table("sentences at a time, one beam, 30 tokens", [Column(str(n), 1, n, max(n, 12), min(n, 32)) for n in (1, 4, 16, 64, 256)], (1, 2)),
    Table("tokens of source and target, one beam, 16 sentences at a time",
          [Column(str(n), 1, 16, 32, 16, tokens=n) for n in (10, 30, 100, 200, 400)]),
    Table("beams, 16 sentences at a time, 30 tokens", [Column(str(n), n, 16, 32, 16) for n in (1, 2, 4, 8)]),
]


def measured(table, arguments):
    """For each engine and number of threads, and each column, the tokens per second of each round."""
    runs = [(engine, threads) for engine in ENGINES for threads in table.threads]
    found = {run: [[] for _ in table.columns] for run in runs}
    for number in range(arguments.pairs):
        turned = runs[number % len(runs):] + runs[:number % len(runs)]
        for place, column in enumerate(table.columns):
            for engine, threads in turned:
                told = argparse.Namespace(**vars(arguments) | {"threads": threads})
                found[engine, threads][place].append(compare.measure_apart(engine, column, told))
    return found


def print_table(table, found):
    """Markdown: a row for each engine, and their ratio with the smallest and the largest."""
    print(f"| {table.name} | " + " | ".join(column.name for column in table.columns) + " |")
    print("|---" * (len(table.columns) + 1) + "|")
    for (engine, threads), rates in found.items():
        cells = " | ".join(f"{statistics.median(rate):.0f}" for rate in rates)
        print(f"| {engine}, {threads} thread{'s' if threads > 1 else ''} | {cells} |")
    for threads in table.threads:
        pairs = zip(found[ENGINES[0], threads], found[ENGINES[1], threads])
        ratios = [[ours / theirs for ours, theirs in zip(*pair)] for pair in pairs]
        cells = " | ".join(f"{statistics.median(ratio):.2f} ({min(ratio):.2f}-{max(ratio):.2f})" for ratio in ratios)
        print(f"| ratio, {threads} thread{'s' if threads > 1 else ''} | {cells} |")
    print(flush=True)


def main():
    """Reads the command line, measures and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kortom", required=True, help="the binary, built with --release")
    parser.add_argument("--work", required=True, type=Path, help="scratch folder; the checkpoint is made there once")
    parser.add_argument("--pairs", type=int, default=3, help="rounds")
    arguments = parser.parse_args()
    arguments.shape, arguments.device, arguments.work = "opus-mt", "cpu", arguments.work / "opus-mt"
    compare.prepare(arguments.work, arguments.device)
    print(f"{compare.machine('cpu')}, medians of {arguments.pairs} rounds, generated tokens/s\n")
    for table in TABLES:
        print_table(table, measured(table, arguments))


if __name__ == "__main__":
    main()
