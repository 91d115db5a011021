"""How often `low-score` is right: `python benches/low_score.py --translations dev.jsonl --reference dev.en`.

dev.jsonl is what `kortom translate --input-format lines --format jsonl` wrote. A line counts as bad when its chrF (sacreBLEU) is below
that of half of all lines. For every bound on the mean log-probability of a token:

    flagged   = lines below the bound, in percent of all
    precision = bad lines among those flagged
    recall    = lines flagged among the worst tenth

A bound is chosen on every second line (`--half tune`) and reported on the others (`--half report`).
"""

import argparse
import json
from pathlib import Path

from sacrebleu.metrics import CHRF

BOUNDS = [-1.2, -1.1, -1.0, -0.9, -0.8, -0.75, -0.7, -0.65, -0.6, -0.55, -0.5]


def measured(path, references, half):
    """(mean log-probability, chrF) of each line of one half."""
    chrf, lines = CHRF(), [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if len(lines) != len(references):
        raise SystemExit(f"error: `{path}` has {len(lines)} lines, the reference {len(references)}")
    pairs = [(line["score"], chrf.sentence_score(line["target"], [reference]).score) for line, reference in zip(lines, references)]
    return pairs[0::2] if half == "tune" else pairs[1::2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--translations", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--half", choices=["tune", "report"], default="report")
    arguments = parser.parse_args()
    pairs = measured(arguments.translations, arguments.reference.read_text(encoding="utf-8").splitlines(), arguments.half)
    by_quality = sorted(quality for _, quality in pairs)
    middle, worst = by_quality[len(pairs) // 2], by_quality[len(pairs) // 10]
    print(f"{len(pairs)} lines, median chrF {middle:.1f}, the worst tenth is below {worst:.1f}")
    print("bound | flagged | precision | recall | mean chrF of flagged, of the others")
    for bound in BOUNDS:
        flagged = [quality for score, quality in pairs if score < bound]
        others = [quality for score, quality in pairs if score >= bound]
        if not flagged or not others:
            continue
        precision = sum(quality < middle for quality in flagged) / len(flagged)
        recall = sum(quality < worst for quality in flagged) / max(1, sum(quality < worst for _, quality in pairs))
        print(f"{bound} | {100 * len(flagged) / len(pairs):.1f} % | {precision:.2f} | {recall:.2f} | "
              f"{sum(flagged) / len(flagged):.1f}, {sum(others) / len(others):.1f}")


if __name__ == "__main__":
    main()
