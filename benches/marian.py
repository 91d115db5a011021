"""Marian's own engine, as Bergamot and Firefox run it, beside kortom: the same weights on the same lines.

    python3.10 -m venv ~/bergamot && ~/bergamot/bin/pip install bergamot==0.4.5
    python benches/marian.py --kortom target/release/kortom --work ~/kortom-marian --marian ~/bergamot/bin/python \
        --source dev.nl --pairs corpus.tsv
    python benches/marian.py --kortom target/release/kortom --work ~/kortom-marian --marian ~/bergamot/bin/python \
        --shape opus-mt

The first translates a text of yours with the bundled model, the second made-up lines of 30 tokens with random weights of
opus-mt's shape. The checkpoint is copied so that it means the same to both (`marian_model.py` says how) and written as
Marian's files. Marian's int8 is the fastest of its kinds (`int8shiftAlphaAll`: bytes, and scales of activations that were
measured beforehand), with and without a lexical shortlist, which lets it leave most of the vocabulary out. `--pairs` are
sentences and translations, tab separated, that the shortlist is learned from.

Every measurement is a process of its own. In each round every engine runs once, in an order that turns; a ratio is taken
within its round. Loading is not counted: of kortom's whole time its own `load` is taken off, and Marian's workers translate
before they are measured. Marian computes a batch with one thread, so with one line at a time the others rest.
"""

import argparse
import datetime
import importlib.util
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
ENGINES = ("kortom int8", "marian int8", "marian int8 shortlist", "kortom f32", "marian f32")
RATIOS = (("kortom int8", "marian int8"), ("kortom int8", "marian int8 shortlist"), ("kortom f32", "marian f32"))
WARM = 64
"""Lines that Marian's workers translate before they are measured."""
PAIRS = 30_000
"""Pairs that the shortlist is learned from."""
MADE_UP = 997
"""Lines of random weights, as many as FLORES dev has."""
BATCH_WORDS = 1024
"""Marian's usual size of a batch: 32 lines of 30 tokens."""


@dataclass
class Column:
    """A number of lines, and how they are given."""

    name: str
    lines: int | None
    alone: bool
    """One after another."""
    batch_tokens: int | None
    """Of kortom."""


START = Column("start", 1, True, None)
COLUMNS = (Column("one at a time", 48, True, 1), Column("batches of 32", 192, False, BATCH_WORDS),
           Column("all", None, False, None))


def bergamot():
    """The compiled part of Marian's Python package; the package itself asks the network for models when it is imported."""
    (path,) = Path(importlib.util.find_spec("bergamot").submodule_search_locations[0]).glob("_bergamot*.so")
    spec = importlib.util.spec_from_file_location("_bergamot", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def translate(config, source, alone, workers):
    """What Marian's process does: prints seconds, memory, tokens and lines."""
    marian = bergamot()
    begin = time.perf_counter()
    service = marian.Service(marian.ServiceConfig(numWorkers=workers))
    model = service.modelFromConfigPath(config)
    lines = Path(source).read_text(encoding="utf-8").splitlines()

    def run(some):
        responses = service.translate(model, marian.VectorString(some), marian.ResponseOptions(qualityScores=False))
        return [response.target for response in responses]

    # The weights are read for the first line.
    run(lines[:1])
    loaded = time.perf_counter()
    if len(lines) > 1:
        run(lines[:WARM])
    begun, processor = time.perf_counter(), time.process_time()
    made = [text for line in lines for text in run([line])] if alone else run(lines)
    seconds, processor = time.perf_counter() - begun, time.process_time() - processor
    memory = int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))[1]) / 1024
    # Marian counts the end as a word.
    print(json.dumps({"load": loaded - begin, "seconds": seconds, "memory": memory, "processor": processor,
                      "tokens": sum(text.numWords(0) for text in made), "lines": [text.text.strip() for text in made]}))


def run_marian(engine, beams, column, source, arguments):
    """One measurement of Marian."""
    config = arguments.work / f"{engine.partition(' ')[2].replace(' ', '-')}-{beams}.yml"
    command = [arguments.marian, __file__, "--translate", config, source, str(column.alone), str(arguments.threads)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    begin = time.monotonic()
    run = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise SystemExit(f"`{engine}` failed:\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1]) | {"process": time.monotonic() - begin}


def run_kortom(engine, beams, column, source, arguments):
    """One measurement of kortom."""
    command = [arguments.kortom, "generate", "--model", arguments.work / "checkpoint", "--compute-type", engine.split()[1],
               "--beam-size", beams, "--threads", arguments.threads, "--device", "cpu", "--offline", "--timings",
               "--format", "jsonl", *arguments.lengths]
    if column.batch_tokens:
        command += ["--batch-tokens", column.batch_tokens]
    begin = time.monotonic()
    run = subprocess.run([str(part) for part in [*command, source]], capture_output=True, text=True, check=True)
    process = time.monotonic() - begin
    load, memory = (float(re.search(part, run.stderr)[1]) for part in (r"load ([\d.]+) s", r"memory (\d+) MiB"))
    made = [json.loads(line) for line in run.stdout.splitlines()]
    return {"load": load, "seconds": process - load, "process": process, "memory": memory,
            "tokens": sum(line["tokens"] for line in made), "lines": [line["target"].strip() for line in made]}


def measure(engine, beams, column, arguments):
    """One measurement in a process of its own."""
    lines = arguments.lines[:column.lines]
    source = arguments.work / f"lines-{len(lines)}.txt"
    source.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    found = (run_kortom if engine.startswith("kortom") else run_marian)(engine, beams, column, source, arguments)
    if arguments.shape and found["tokens"] != len(lines) * arguments.tokens:
        raise SystemExit(f"`{engine}` generated {found['tokens']} tokens, not {arguments.tokens} for each line")
    return found | {"rate": len(lines) / found["seconds"]}


def prepare(arguments):
    """The checkpoint that both read, and Marian's files."""
    import marian_model

    work, checkpoint = arguments.work, arguments.work / "checkpoint"
    if not (work / "int8.bin").exists():
        model = arguments.model
        if arguments.shape:
            model = work / "random"
            shape().write_checkpoint(model, arguments.shape)
        marian_model.write_common(model, checkpoint)
        marian_model.write_npz(checkpoint, work / "f32.npz")
        marian_model.write_vocabulary(checkpoint, work / "vocabulary.spm")
        scales = marian_model.activation_scales(checkpoint, arguments.lines[:WARM])
        (work / "scales.json").write_text(json.dumps(scales), encoding="utf-8")
        marian_model.write_bin(checkpoint, work / "int8.bin", scales)
    if any("shortlist" in engine for engine in arguments.engines) and not (work / "shortlist.bin").exists():
        marian_model.write_shortlist(work / "shortlist.bin", lexicon(checkpoint, arguments))
    for engine in arguments.engines:
        for beams in arguments.beams:
            write_config(engine.partition(" ")[2], beams, arguments)


def lexicon(checkpoint, arguments):
    """The target words of each source word."""
    import marian_model

    if arguments.shape:
        return marian_model.made_up_lexicon(marian_model.rows(marian_model.read_config(checkpoint)))
    with arguments.pairs.open(encoding="utf-8") as file:
        pairs = [line.rstrip("\n").split("\t")[:2] for line in itertools.islice(file, PAIRS)]
    return marian_model.lexicon(pairs, arguments.work / "vocabulary.spm")


def shape():
    """What makes random checkpoints, which Marian's process has no packages for."""
    import shape as module

    return module


def write_config(kind, beams, arguments):
    """Marian's settings: YAML, of which JSON is a part."""
    compute, _, shortlist = kind.partition(" ")
    options = {
        "relative-paths": True, "models": ["f32.npz" if compute == "f32" else "int8.bin"],
        "vocabs": ["vocabulary.spm"] * 2, "shortlist": ["shortlist.bin", "false"] if shortlist else [],
        "gemm-precision": "float32" if compute == "f32" else "int8shiftAlphaAll",
        # Without the softmax the scores of several beams could not be compared.
        "beam-size": beams, "skip-cost": beams == 1, "normalize": 1.0, "word-penalty": 0,
        "max-length-factor": 1.0 if arguments.shape else 3.0, "max-length-break": 128, "ssplit-mode": "sentence",
        "mini-batch-words": BATCH_WORDS, "workspace": 128, "cpu-threads": 0, "quiet": True, "quiet-translation": True,
    }
    path = arguments.work / f"{kind.replace(' ', '-')}-{beams}.yml"
    path.write_text(json.dumps(options), encoding="utf-8")


def rounds(beams, columns, arguments):
    """For each column and engine the measurements of each round."""
    found = {(column.name, engine): [] for column in columns for engine in arguments.engines}
    for number in range(arguments.rounds):
        turn = number % len(arguments.engines)
        for engine in arguments.engines[turn:] + arguments.engines[:turn]:
            for column in columns:
                run = measure(engine, beams, column, arguments)
                found[column.name, engine].append(run)
                print(f"{beams} beams, round {number + 1}, {column.name}, {engine}: {run['rate']:.2f} lines/s, "
                      f"{run['memory']:.0f} MiB, {run['process']:.2f} s", file=sys.stderr, flush=True)
    return found


def table(found, beams, names, arguments):
    """The Markdown to put into a README."""
    from compare import machine

    kind = "greedy" if beams == 1 else f"{beams} beams"
    lines = [f"{datetime.date.today()}, {machine('cpu')}; {arguments.work.name}, {arguments.threads} threads, "
             f"{len(arguments.lines)} lines, medians of {arguments.rounds} rounds.", "",
             f"| {kind}, lines/s | {' | '.join(names)} | memory MiB | seconds of one line |", "|---" * (len(names) + 3) + "|"]
    for engine in arguments.engines:
        rates = [f"{statistics.median(run['rate'] for run in found[name, engine]):.1f}" for name in names]
        memory = ", ".join(f"{max(run['memory'] for run in found[name, engine]):.0f}" for name in names)
        lines.append(f"| {engine} | {' | '.join(rates)} | {memory} | {start(engine, found[START.name, engine])} |")
    for ours, theirs in RATIOS:
        if ours in arguments.engines and theirs in arguments.engines:
            cells = [ratio(found[name, ours], found[name, theirs]) for name in names]
            sooner = ratio(found[START.name, theirs], found[START.name, ours], "process")
            lines.append(f"| **{ours} / {theirs}** | {' | '.join(cells)} | | {sooner} |")
    return "\n".join(lines)


def agreement(found, name, arguments):
    """How many lines any two engines agree on."""
    texts = {engine: found[name, engine][-1]["lines"] for engine in arguments.engines}
    for one, other in itertools.combinations(texts, 2):
        equal = sum(a == b for a, b in zip(texts[one], texts[other]))
        print(f"{one} and {other}: {equal} of {len(texts[one])} lines are equal")


def compare(beams, arguments):
    """Measures, prints the table and how far the texts agree, and writes the texts into the work folder."""
    columns = [column for column in COLUMNS if column.name in arguments.columns]
    found = rounds(beams, [START, *columns], arguments)
    print(table(found, beams, [column.name for column in columns], arguments) + "\n", flush=True)
    agreement(found, columns[-1].name, arguments)
    for engine in arguments.engines:
        lines = found[columns[-1].name, engine][-1]["lines"]
        path = arguments.work / f"{engine.replace(' ', '-')}-{beams}.txt"
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def start(engine, runs):
    """Seconds of a whole process for one line, and in brackets without the start of Marian's Python."""
    process = statistics.median(run["process"] for run in runs)
    inside = "" if engine.startswith("kortom") else f" ({statistics.median(run['load'] for run in runs):.2f})"
    return f"{process:.2f}{inside}"


def ratio(ours, theirs, what="rate"):
    """The median of the rounds' ratios with the smallest and the largest."""
    ratios = [one[what] / other[what] for one, other in zip(ours, theirs)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def main():
    """Reads the command line, measures and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kortom", required=True, help="the binary, built with --release")
    parser.add_argument("--marian", required=True, help="a Python that has bergamot")
    parser.add_argument("--work", required=True, type=Path, help="scratch folder; the checkpoints are made there once")
    parser.add_argument("--model", type=Path, default=ROOT / "models/kortom-nl-en")
    parser.add_argument("--shape", choices=("opus-mt",), help="random weights of this shape, in place of the model")
    parser.add_argument("--source", type=Path, help="one segment a line")
    parser.add_argument("--pairs", type=Path, help="sentences and translations, for the shortlist")
    parser.add_argument("--count", type=int, help="lines of the last column, all by default")
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--columns", nargs="+", choices=[column.name for column in COLUMNS],
                        default=[column.name for column in COLUMNS])
    arguments = parser.parse_args()
    learned = any("shortlist" in engine for engine in arguments.engines)
    if not arguments.shape and (not arguments.source or learned and not arguments.pairs):
        parser.error("`--source` is needed, and `--pairs` for a shortlist, unless there is a `--shape`")
    arguments.work /= arguments.shape or arguments.model.name
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.shape:
        arguments.tokens = shape().TOKENS
        arguments.lengths = ["--min-length", arguments.tokens, "--max-length", arguments.tokens]
        arguments.lines = shape().sources(arguments.count or MADE_UP)
    else:
        arguments.lengths = []
        arguments.lines = arguments.source.read_text(encoding="utf-8").splitlines()[:arguments.count]
    prepare(arguments)
    for beams in arguments.beams:
        compare(beams, arguments)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--translate"]:
        translate(sys.argv[2], sys.argv[3], sys.argv[4] == "True", int(sys.argv[5]))
    else:
        main()
