"""Summaries of long articles: kortom beside CTranslate2 and transformers, on the same weights, sources and counts.

    python benches/summaries.py --kortom target/release/kortom --work ~/kortom-bench

Sources of 1,024 tokens, four beams, exactly 142 new tokens, one article and eight, with random weights of
bart-large-cnn's sizes (1.6 GB in the `--work` folder, and a quarter to the whole of it again for each conversion).
Every measurement is a process of its own. Tokens per second are those of encoding and decoding; loading is not
counted. The first summary is counted from the start of the process in kortom, and from the call that loads in the
others, loading included. Memory is the kernel's `VmHWM`, mapped files and Python included. See README.md beside
this file.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import compare
import shape

SHAPE = "bart-large-1024"
ENGINES = ("kortom int8", "kortom f32", "ctranslate2 int8", "ctranslate2 f32", "transformers f32")
RATIOS = (("kortom int8", "ctranslate2 int8"), ("kortom f32", "ctranslate2 f32"), ("kortom f32", "transformers f32"))
SOURCE, TOKENS, BEAMS = 1024, 142, 4
WHAT = {"rate": "generated tokens/s", "first": "seconds to the first summary", "memory": "peak memory, MiB"}


def peak():
    """Peak memory of this process in MiB."""
    return next(int(line.split()[1]) >> 10 for line in open("/proc/self/status") if line.startswith("VmHWM:"))


def measure_ctranslate2(folder, compute, articles, arguments):
    """One measurement of CTranslate2, in a process of its own; a few tokens of another source warm it up."""
    import ctranslate2

    sources = [["▁" + word for word in line.split()] + ["</s>"] for line in shape.sources(articles + 1, SOURCE)]
    options = {"beam_size": BEAMS, "max_batch_size": articles, "batch_type": "examples"}
    begin = time.perf_counter()
    translator = ctranslate2.Translator(str(folder), device="cpu", compute_type=compute, inter_threads=1,
                                        intra_threads=arguments.threads)
    load = time.perf_counter() - begin
    translator.translate_batch(sources[-1:], min_decoding_length=2, max_decoding_length=2, **options)
    begin = time.perf_counter()
    results = translator.translate_batch(sources[:articles], min_decoding_length=TOKENS, max_decoding_length=TOKENS, **options)
    return sum(len(result.hypotheses[0]) for result in results), time.perf_counter() - begin, load


def measure_transformers(folder, articles, arguments):
    """One measurement of transformers, in a process of its own; a few tokens of another source warm it up."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    torch.set_num_threads(arguments.threads)
    begin = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()
    load = time.perf_counter() - begin
    lines = shape.sources(articles + 1, SOURCE)
    other, batch = (tokenizer(part, return_tensors="pt") for part in (lines[-1:], lines[:articles]))
    with torch.no_grad():
        model.generate(**other, num_beams=BEAMS, min_new_tokens=2, max_new_tokens=2, max_length=None)
        begin = time.perf_counter()
        found = model.generate(**batch, num_beams=BEAMS, min_new_tokens=TOKENS, max_new_tokens=TOKENS, max_length=None)
    return (found.shape[1] - 1) * articles, time.perf_counter() - begin, load


def measure_kortom(compute, articles, arguments):
    """One measurement of kortom: its own seconds of encoding and decoding, and when its first line came."""
    command = [arguments.kortom, "generate", "--model", str(arguments.work / SHAPE / "checkpoint"), "--device", "cpu",
               "--compute-type", compute, "--threads", str(arguments.threads), "--beam-size", str(BEAMS),
               "--min-length", str(TOKENS), "--max-length", str(TOKENS), "--timings", "--format", "jsonl"]
    begin = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        run.stdin.write("\n".join(line.rstrip() for line in shape.sources(articles, SOURCE)) + "\n")
        run.stdin.close()
        lines = [run.stdout.readline()]
        first = time.perf_counter() - begin
        lines += run.stdout.readlines()
        said = run.stderr.read()
    if run.returncode != 0:
        raise SystemExit(said)
    tokens = sum(json.loads(line)["tokens"] for line in lines)
    seconds = sum(compare.timing(said, part) for part in ("encode", "decode"))
    return check(tokens, articles) | {"rate": tokens / seconds, "first": first, "memory": compare.number(said, "peak memory")}


def check(tokens, articles):
    """Nothing, if every article has got as many tokens as it should."""
    if tokens != TOKENS * articles:
        raise SystemExit(f"{tokens} tokens for {articles} articles, not {TOKENS} each")
    return {}


def measure(engine, articles, arguments):
    """One measurement."""
    name, compute = engine.split()
    if name == "kortom":
        return measure_kortom(compute, articles, arguments)
    command = [sys.executable, __file__, "--kortom", arguments.kortom, "--work", str(arguments.work),
               "--threads", str(arguments.threads), "--measure", engine, str(articles)]
    environment = os.environ | {"OMP_NUM_THREADS": str(arguments.threads)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise SystemExit(f"`{engine}` failed:\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


def measure_here(engine, articles, arguments):
    """One measurement of CTranslate2 or transformers in this process."""
    name, compute = engine.split()
    if name == "ctranslate2":
        folder = arguments.work / SHAPE / f"ctranslate2-{compute}"
        done = measure_ctranslate2(folder, {"f32": "float32"}.get(compute, compute), articles, arguments)
    else:
        done = measure_transformers(arguments.work / SHAPE / "checkpoint", articles, arguments)
    tokens, seconds, load = done
    return check(tokens, articles) | {"rate": tokens / seconds, "first": load + seconds, "memory": peak()}


def spread(values):
    """The median of ratios with the smallest and the largest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def table(found, arguments):
    """The Markdown to put into a README."""
    columns = [(articles, what) for articles in arguments.articles for what in WHAT]
    print(f"{datetime.date.today()}, {compare.machine('cpu')}; {SHAPE}, {arguments.threads} threads, "
          f"medians of {arguments.pairs} rounds.\n")
    print("| | " + " | ".join(f"{articles} article{'s' * (articles > 1)}: {WHAT[what]}" for articles, what in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for engine in arguments.engines:
        values = [statistics.median(one[what] for one in found[engine, articles]) for articles, what in columns]
        print(f"| {engine} | " + " | ".join(f"{value:.0f}" if value >= 100 else f"{value:.1f}" for value in values) + " |")
    for ours, theirs in RATIOS:
        if ours in arguments.engines and theirs in arguments.engines:
            pairs = [zip(found[ours, articles], found[theirs, articles]) for articles, _ in columns]
            cells = [spread([a[what] / b[what] for a, b in pair]) for pair, (_, what) in zip(pairs, columns)]
            print(f"| {ours} / {theirs} | " + " | ".join(cells) + " |")


def main():
    """Reads the command line; measures one engine (`--measure`, for its own use) or compares all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kortom", required=True, help="the binary, built with --release")
    parser.add_argument("--work", required=True, type=Path, help="scratch folder; the checkpoint is made there once")
    parser.add_argument("--pairs", type=int, default=3, help="rounds")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--articles", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--measure", nargs=2, metavar=("ENGINE", "ARTICLES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        engine, articles = arguments.measure
        print(json.dumps(measure_here(engine, int(articles), arguments)))
        return
    (arguments.work / SHAPE).mkdir(parents=True, exist_ok=True)
    compare.prepare(arguments.work / SHAPE, "cpu")
    found = {(engine, articles): [] for engine in arguments.engines for articles in arguments.articles}
    for number in range(arguments.pairs):
        turned = arguments.engines[number % len(arguments.engines):] + arguments.engines[:number % len(arguments.engines)]
        for articles in arguments.articles:
            for engine in turned:
                found[engine, articles].append(measure(engine, articles, arguments))
                print(f"round {number + 1}, {articles} articles, {engine}: {found[engine, articles][-1]}", file=sys.stderr, flush=True)
    table(found, arguments)


if __name__ == "__main__":
    main()
