"""Generated tokens per second: kortom beside CTranslate2 and transformers, on the same weights, sources and counts.

    python benches/compare.py --kortom target/release/kortom --work ~/kortom-bench
    python benches/compare.py --kortom target/release/kortom --work ~/kortom-bench --device cuda --shape bart-large

Every measurement is a process of its own, so that no engine's threads disturb another's. In each round every
engine runs once, in an order that turns; a ratio is taken within its round, and the table shows the median of
the rounds with the smallest and the largest. Loading is not counted. CTranslate2 and transformers decode one
batch to warm up before they are measured; kortom's first sentences are measured apart and taken off. `matmuls` is no
translator: it does the weights' matrix products and nothing else, with NumPy's OpenBLAS. See README.md beside this file.
"""

import argparse
import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import shape

ENGINES = {
    "cpu": ("kortom int8", "kortom f32", "ctranslate2 int8", "ctranslate2 f32", "transformers f32", "matmuls f32"),
    "cuda": ("kortom f16", "ctranslate2 f16", "transformers f16"),
}
RATIOS = (("kortom int8", "ctranslate2 int8"), ("kortom f32", "ctranslate2 f32"), ("kortom f32", "transformers f32"),
          ("kortom f32", "matmuls f32"),
          ("kortom f16", "ctranslate2 f16"), ("kortom f16", "transformers f16"))


@dataclass
class Column:
    """One way to decode."""

    name: str
    beams: int
    batch: int
    sentences: int
    first: int = 0
    """Sentences that kortom decodes before, to be warm; they are taken off."""
    tokens: int = shape.TOKENS
    """Source tokens, and generated tokens."""


COLUMNS = {
    "cpu": [Column("greedy, batch 1", 1, 1, 12, 4), Column("greedy, batch 32", 1, 32, 96, 32),
            Column("beam 4, batch 16", 4, 16, 32, 32)],
    # kortom begins with small batches, to answer soon: the first 4,096 sentences are beyond that.
    "cuda": [Column("greedy, batch 1", 1, 1, 32, 8), Column("beam 4, batch 1", 4, 1, 32, 8),
             Column("greedy, batch 512", 1, 512, 8192, 4096), Column("beam 4, batch 512", 4, 512, 4096, 4096)],
}


def measure_ctranslate2(folder, column, compute, device, threads):
    """Tokens per second of CTranslate2, warm."""
    import ctranslate2

    translator = ctranslate2.Translator(str(folder), device=device, compute_type=compute, inter_threads=1,
                                        intra_threads=threads)
    sources = [["▁" + word for word in line.split()] + ["</s>"] for line in shape.sources(column.sentences, column.tokens)]
    options = {"beam_size": column.beams, "min_decoding_length": column.tokens, "max_decoding_length": column.tokens,
               "max_batch_size": column.batch, "batch_type": "examples"}
    translator.translate_batch(sources[:column.batch], **options)
    begin = time.perf_counter()
    results = translator.translate_batch(sources, **options)
    seconds = time.perf_counter() - begin
    return sum(len(result.hypotheses[0]) for result in results), seconds


def measure_transformers(folder, column, compute, device, threads):
    """Tokens per second of transformers, warm."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    torch.set_num_threads(threads)
    dtype = {"f32": torch.float32, "f16": torch.float16}[compute]
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=dtype).eval().to(device)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    # The slowest by far: fewer sentences, whole batches of them.
    sentences = max(column.batch, column.sentences // 3)
    lines = shape.sources(sentences, column.tokens)
    batches = [tokenizer(lines[at:at + column.batch], return_tensors="pt").to(device)
               for at in range(0, sentences, column.batch)]
    options = {"num_beams": column.beams, "min_new_tokens": column.tokens, "max_new_tokens": column.tokens}
    with torch.no_grad():
        model.generate(**batches[0], **(options | {"min_new_tokens": 4, "max_new_tokens": 4}))
        begin = time.perf_counter()
        tokens = sum((model.generate(**batch, **options).shape[1] - 1) * len(batch.input_ids) for batch in batches)
        if device == "cuda":
            torch.cuda.synchronize()
    return tokens, time.perf_counter() - begin


def measure_matmuls(name, column):
    """Tokens per second of something that only multiplies by the weights, as often as decoding must."""
    import numpy

    sizes = shape.SHAPES[name]
    width, inner = sizes["width"], sizes["inner"]
    attention, cross, ffn = [(3 * width, width), (width, width)], [(2 * width, width)], [(inner, width), (width, inner)]
    layers = {"source": attention + ffn + cross, "step": attention + 2 * [(width, width)] + ffn}
    matrices = {part: layers[part] * sizes["layers"] for part in layers}
    matrices["step"].append((sizes["words"], width))
    # Weights of their own each, so that they come from memory as in a model.
    weights = {part: [numpy.ones(matrix, "f4") for matrix in matrices[part]] for part in matrices}
    inputs = {(rows, columns): numpy.ones((rows, columns), "f4") for columns in (width, inner)
              for rows in (column.batch * column.beams, column.batch * column.tokens)}

    def batch():
        begin = time.perf_counter()
        for part, times, rows in (("source", 1, column.batch * column.tokens),
                                  ("step", column.tokens, column.batch * column.beams)):
            for _ in range(times):
                for weight in weights[part]:
                    inputs[rows, weight.shape[1]] @ weight.T
        return time.perf_counter() - begin

    batch()
    return column.batch * column.tokens, min(batch() for _ in range(3))


def measure_kortom(kortom, folder, column, compute, device, threads):
    """Tokens per second of kortom from its own `--timings`, without those of the column's first sentences."""
    first = run_kortom(kortom, folder, column, column.first, compute, device, threads) if column.first else (0, 0)
    both = run_kortom(kortom, folder, column, column.first + column.sentences, compute, device, threads)
    return both[0] - first[0], both[1] - first[1]


def run_kortom(kortom, folder, column, sentences, compute, device, threads):
    """Tokens and seconds of one run of kortom."""
    command = [kortom, "generate", "--model", str(folder), "--device", device, "--compute-type", compute,
               "--threads", str(threads), "--batch-tokens", str(column.batch * column.tokens),
               "--beam-size", str(column.beams), "--min-length", str(column.tokens), "--max-length", str(column.tokens),
               "--timings", "--format", "jsonl"]
    run = subprocess.run(command, input="\n".join(shape.sources(sentences, column.tokens)) + "\n", text=True,
                         capture_output=True, check=True)
    seconds = sum(timing(run.stderr, part) for part in ("encode", "decode"))
    return sum(json.loads(line)["tokens"] for line in run.stdout.splitlines()), seconds


def timing(stderr, part):
    """The seconds that the line of `--timings` gives for a part of the work."""
    found = re.search(part + r"\s+([\d.]+)\s*(ms|s)\b", stderr)
    if found is None:
        raise SystemExit(f"no `{part}` in what `--timings` printed:\n{stderr}")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


def number(stderr, part):
    """The number that the line of `--timings` gives after these words."""
    return float(re.search(part + r"\s+([\d.]+)", stderr)[1])


def measure(engine, column, arguments):
    """One measurement in this process: tokens and seconds."""
    name, compute = engine.split()
    if name == "ctranslate2":
        kind = {"f32": "float32", "f16": "float16"}.get(compute, compute)
        converted = arguments.work / f"ctranslate2-{compute}"
        return measure_ctranslate2(converted, column, kind, arguments.device, arguments.threads)
    if name == "matmuls":
        return measure_matmuls(arguments.shape, column)
    checkpoint = arguments.work / "checkpoint"
    if name == "transformers":
        return measure_transformers(checkpoint, column, compute, arguments.device, arguments.threads)
    return measure_kortom(arguments.kortom, checkpoint, column, compute, arguments.device, arguments.threads)


def measure_apart(engine, column, arguments):
    """One measurement in a process of its own: tokens per second."""
    # The work folder is that of the shape already.
    command = [sys.executable, __file__, "--kortom", arguments.kortom, "--work", str(arguments.work.parent),
               "--shape", arguments.work.name, "--device", arguments.device, "--threads", str(arguments.threads),
               "--measure", engine, json.dumps(asdict(column))]
    threads = str(arguments.threads)
    environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise SystemExit(f"`{engine}` failed:\n{run.stderr}")
    tokens, seconds = json.loads(run.stdout.splitlines()[-1])
    if tokens % column.tokens != 0:
        raise SystemExit(f"`{engine}` generated {tokens} tokens, not {column.tokens} for each sentence")
    return tokens / seconds


def prepare(work, device):
    """The checkpoint, and CTranslate2's conversions of it by its own converter."""
    shape.write_checkpoint(work / "checkpoint", work.name)
    conversions = {"cpu": (("f32", "float32"), ("int8", "int8")), "cuda": (("f16", "float16"),)}
    for compute, quantization in conversions[device]:
        folder = work / f"ctranslate2-{compute}"
        if not folder.exists():
            converter = Path(sys.executable).parent / "ct2-transformers-converter"
            subprocess.run([converter, "--model", work / "checkpoint", "--output_dir", folder,
                            "--quantization", quantization], check=True)


def rounds(arguments, engines):
    """For each column and engine the tokens per second of each round."""
    columns = COLUMNS[arguments.device]
    found = {column.name: {engine: [] for engine in engines} for column in columns}
    for number in range(arguments.pairs):
        turned = engines[number % len(engines):] + engines[:number % len(engines)]
        for column in columns:
            for engine in turned:
                speed = measure_apart(engine, column, arguments)
                found[column.name][engine].append(speed)
                print(f"round {number + 1}, {column.name}, {engine}: {speed:.1f} tokens/s", file=sys.stderr, flush=True)
    return found


def measurable(engines, kortom, work, device):
    """The engines without those compute types of kortom that this build refuses."""
    kept = []
    for engine in engines:
        name, compute = engine.split()
        command = [kortom, "generate", "--model", str(work / "checkpoint"), "--device", device, "--compute-type", compute]
        if name == "kortom" and subprocess.run(command, input="", text=True, capture_output=True).returncode == 2:
            print(f"left out: this build of kortom has no {compute}", file=sys.stderr)
        else:
            kept.append(engine)
    return kept


def machine(device):
    """The card and its driver; or the processor, its vector instructions and its cores, in a line."""
    if device == "cuda":
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        return subprocess.run(query, text=True, capture_output=True, check=True).stdout.splitlines()[0]
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    name = re.search(r"model name\s*:\s*(.*)", text)
    flags = set(re.search(r"flags\s*:\s*(.*)", text)[1].split())
    known = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8") if flag in flags]
    return f"{name[1] if name else platform.processor()}, {os.cpu_count()} cores, {' '.join(known)}"


def table(found, engines, arguments):
    """The Markdown to put into a README."""
    names = [column.name for column in COLUMNS[arguments.device]]
    lines = [f"{datetime.date.today()}, {machine(arguments.device)}; {arguments.work.name}, {arguments.threads} threads, "
             f"medians of {arguments.pairs} rounds.", "",
             "| generated tokens/s | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for engine in engines:
        lines.append(f"| {engine} | " + " | ".join(f"{statistics.median(found[name][engine]):.0f}" for name in names) + " |")
    for ours, theirs in RATIOS:
        if ours in engines and theirs in engines:
            ratios = [[a / b for a, b in zip(found[name][ours], found[name][theirs])] for name in names]
            cells = [f"{statistics.median(r):.2f} ({min(r):.2f}-{max(r):.2f})" for r in ratios]
            lines.append(f"| {ours} / {theirs} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    """Reads the command line; measures one engine (`--measure`, for its own use) or compares all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kortom", required=True, help="the binary, built with --release")
    parser.add_argument("--work", required=True, type=Path, help="scratch folder; the checkpoint is made there once")
    parser.add_argument("--pairs", type=int, default=5, help="rounds")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=list(COLUMNS))
    parser.add_argument("--shape", default="opus-mt", choices=list(shape.SHAPES))
    parser.add_argument("--engines", nargs="+", choices=sum(ENGINES.values(), ()), help="all of the device by default")
    parser.add_argument("--measure", nargs=2, metavar=("ENGINE", "COLUMN"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.work = arguments.work / arguments.shape
    if arguments.measure:
        engine, column = arguments.measure[0], Column(**json.loads(arguments.measure[1]))
        print(json.dumps(measure(engine, column, arguments)))
        return
    prepare(arguments.work, arguments.device)
    engines = arguments.engines or list(ENGINES[arguments.device])
    engines = measurable(engines, arguments.kortom, arguments.work, arguments.device)
    print(table(rounds(arguments, engines), engines, arguments))


if __name__ == "__main__":
    main()
