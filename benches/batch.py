"""A night's work in small: many articles in one run, its throughput and peak memory, and a run that is killed and resumed.

    python benches/batch.py --kortom target/release/kortom --work ~/kortom-batch

Needs Python only. Makes 100 and 1,000 short Dutch articles (`--articles`) from the project's own texts, as a folder of files and as one
file of JSON lines; digests both with the bundled model, one beam and extractive summaries (`--arguments` for others); then digests the
larger folder again, killed with -9 at random moments, and compares what the resumed run ends with byte by byte.
"""

import argparse
import filecmp
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).parent.parent


def pool():
    """Sentences of our own Dutch articles."""
    lines = (ROOT / "tests/fixtures/summaries/articles.jsonl").read_text().splitlines()
    texts = [record["text"] for record in map(json.loads, lines) if record["language"] == "nl"]
    return [s for text in texts for s in re.split(r"(?<=[.!?])\s+(?=[A-Z])", text.replace("\n", " "))]


def make(folder, count):
    """Articles of a date, a heading and five sentences in two paragraphs; no two are alike, and always the same."""
    draw, sentences = random.Random(1), pool()
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "files").mkdir(parents=True)
    with open(folder / "articles.jsonl", "w") as records:
        for number in range(count):
            drawn = draw.sample(sentences, 4)
            text = f"date 2024-{number % 12 + 1:02} Bericht {number} telt vijf zinnen. {drawn[0]} {drawn[1]}\n\nVervolg\n\n{drawn[2]} {drawn[3]}\n"
            (folder / f"files/{number:05}.txt").write_text(text)
            records.write(json.dumps({"id": number, "text": text}) + "\n")


def run(command, kill_after=None):
    """Seconds, peak memory in MiB, and what the run said; or nothing where it was killed."""
    started = time.monotonic()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        if kill_after is not None:
            time.sleep(kill_after)
            child.send_signal(signal.SIGKILL)
        said = child.stderr.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if kill_after is None and child.returncode != 0:
        raise SystemExit(f"{command} ended with {child.returncode}: {said}")
    return time.monotonic() - started, used.ru_maxrss / 1024, said


def same(a, b):
    """Whether two folders have the same files with the same bytes, hidden ones apart."""
    names = [sorted(str(p.relative_to(f)) for p in f.rglob("*") if p.is_file() and not p.name.startswith(".")) for f in (a, b)]
    return names[0] == names[1] and filecmp.cmpfiles(a, b, names[0], shallow=False)[0] == names[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kortom", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--articles", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--arguments", nargs="*", default=["--model", "kortom-nl-en", "--beam-size", "1", "--method", "extractive"])
    arguments = parser.parse_args()
    digest = [arguments.kortom, "digest", "--timings", *arguments.arguments]
    for count in arguments.articles:
        place = arguments.work / str(count)
        make(place, count)
        for source, output in [("files", place / "whole"), ("articles.jsonl", place / "whole.jsonl")]:
            seconds, peak, said = run([*digest, str(place / source), "--output", str(output)])
            timings = next(line for line in said.splitlines() if line.startswith("timings:"))
            print(f"{count} articles, {source}: {seconds:.1f} s, {count / seconds:.1f} articles/s, peak {peak:.0f} MiB; {timings}", flush=True)
    whole, parts = place / "whole", place / "parts"
    resumed = [*digest, str(place / "files"), "--output", str(parts), "--resume", "--quiet"]
    draw = random.Random()
    for kill in range(arguments.kills):
        after = draw.uniform(0.2, seconds / arguments.kills)
        run(resumed, kill_after=after)
        done = sum(1 for p in parts.rglob("*.txt") if not p.name.startswith("."))
        print(f"killed after {after:.1f} s: {done} of {count} done", flush=True)
    run(resumed)
    print("resumed: " + ("the same bytes as the uninterrupted run" if same(whole, parts) else "DIFFERENT"))


if __name__ == "__main__":
    main()
