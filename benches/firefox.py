"""fxtranslate, a native engine for Firefox's models, beside kortom and Marian: tokens per second, one line at a time.

    pip install fxtranslate==0.5.0
    python benches/marian.py --kortom target/release/kortom --work ~/kortom-marian --marian ~/bergamot/bin/python \\
        --source dev.nl --pairs corpus.tsv
    python benches/firefox.py --kortom target/release/kortom --work ~/kortom-marian --marian ~/bergamot/bin/python \\
        --source dev.nl

fxtranslate runs only decoders with an SSRU in place of self-attention, which kortom has not. So the weights cannot be the
same: it and Marian get the bundled model with the matrices of self-attention in such a cell, of equal size for the rest,
and kortom the model as it is. Nobody's text means anything; all write about as many tokens (2 n + 4 for n source tokens,
where fxtranslate stops). One thread, int8, no shortlist; lines of the one length that is the most frequent. Tokens are for
each second of the processor, which other programs disturb least.
"""

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import marian

ENGINES = ("kortom", "fxtranslate", "marian")
ALONE = marian.Column("one at a time", None, True, 1)


def prepare(arguments, tokens):
    """The model with an SSRU, and Marian's settings for it."""
    # Not at the top: fxtranslate's process would count PyTorch's memory as its own.
    import marian_model

    work = arguments.work
    scales = json.loads((work / "scales.json").read_text(encoding="utf-8"))
    marian_model.write_bin(work / "checkpoint", work / "ssru.bin", scales, ssru=True)
    options = json.loads((work / "int8-1.yml").read_text(encoding="utf-8"))
    factor = (2 * tokens + 4) / tokens
    (work / "ssru-1.yml").write_text(json.dumps(options | {"models": ["ssru.bin"], "max-length-factor": factor}), encoding="utf-8")


def lines_of_one_length(arguments):
    """The lines that have the most frequent number of tokens, and that number with the end."""
    from sentencepiece import SentencePieceProcessor

    cut = SentencePieceProcessor(str(arguments.work / "vocabulary.spm"))
    lines = arguments.source.read_text(encoding="utf-8").splitlines()
    counts = [len(cut.encode(line)) for line in lines]
    ((tokens, _),) = Counter(counts).most_common(1)
    return [line for line, count in zip(lines, counts) if count == tokens], tokens + 1


def run_fxtranslate(work, source):
    """What fxtranslate's process does: prints seconds and memory."""
    import fxtranslate

    model, vocabulary = ((work / name).read_bytes() for name in ("ssru.bin", "vocabulary.spm"))
    translator = fxtranslate.Translator(model, vocabulary, vocabulary)
    lines = source.read_text(encoding="utf-8").splitlines()
    translator.translate(lines[0])
    begin = time.process_time()
    for line in lines:
        translator.translate(line)
    seconds = time.process_time() - begin
    memory = int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))[1]) / 1024
    print(json.dumps({"processor": seconds, "memory": memory}))


def measure(engine, source, count, tokens, arguments):
    """Generated tokens per second of the processor, and MiB."""
    written = 2 * tokens + 4
    if engine == "kortom":
        return measure_kortom(source, written, arguments)
    if engine == "marian":
        found = marian.run_marian("marian ssru", 1, ALONE, source, arguments)
        return found["tokens"] / found["processor"], found["memory"]
    command = [sys.executable, __file__, "--kortom", "", "--marian", "", "--work", arguments.work, "--fxtranslate", source]
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    found = json.loads(run.stdout.splitlines()[-1])
    return count * written / found["processor"], found["memory"]


def measure_kortom(source, written, arguments):
    """kortom's, with what a run of one line takes taken off."""
    arguments.lengths = ["--min-length", written, "--max-length", written]
    one = source.with_name("one-line.txt")
    one.write_text(source.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    found = []
    for lines in (one, source):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = marian.run_kortom("kortom int8", 1, ALONE, lines, arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append((run["tokens"], after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, run["memory"]))
    (first, short, _), (tokens, seconds, memory) = found
    return (tokens - first) / (seconds - short), memory


def main():
    """Reads the command line, measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kortom", required=True, help="the binary, built with --release")
    parser.add_argument("--marian", required=True, help="a Python that has bergamot")
    parser.add_argument("--work", required=True, type=Path, help="the folder of marian.py")
    parser.add_argument("--source", type=Path, help="one segment a line")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fxtranslate", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fxtranslate:
        run_fxtranslate(arguments.work, arguments.fxtranslate)
        return
    arguments.work /= "kortom-nl-en"
    arguments.threads = 1
    lines, tokens = lines_of_one_length(arguments)
    prepare(arguments, tokens)
    source = arguments.work / "one-length.txt"
    source.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    found = {engine: [] for engine in ENGINES}
    for number in range(arguments.rounds):
        turn = number % len(ENGINES)
        for engine in ENGINES[turn:] + ENGINES[:turn]:
            found[engine].append(measure(engine, source, len(lines), tokens, arguments))
    print(f"{len(lines)} lines of {tokens} tokens, {2 * tokens + 4} written, one thread, {arguments.rounds} rounds\n")
    print("| one line at a time, int8 | tokens/s | memory MiB | kortom / it |\n|---|---|---|---|")
    for engine in ENGINES:
        ratios = [ours[0] / theirs[0] for ours, theirs in zip(found["kortom"], found[engine])]
        print(f"| {engine} | {statistics.median(run[0] for run in found[engine]):.0f} | "
              f"{max(run[1] for run in found[engine]):.0f} | {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) |")


if __name__ == "__main__":
    main()
