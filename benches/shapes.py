"""Load time, peak memory and generated tokens per second on the true shapes of published checkpoints.

    python benches/shapes.py --kortom target/release/kortom --work ~/kortom-shapes

Random weights in the shapes of bart-large-cnn, t5-small, flan-t5-base, m2m100_418M and pegasus-xsum, 7 GB in the
`--work` folder, each with a tiny tokenizer of its kind and with its own decode settings. What they say means
nothing; how long it takes and how much memory it needs does not depend on that. Every measurement is a process of
its own; kortom and transformers take turns. Measurements are kept in `--work`, so that a run can be divided
(`--models`, `--rounds`); `--table` prints what there is. See README.md beside this file.
"""

import argparse
import datetime
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fixtures"))

SENTENCES = 8
SOURCE_TOKENS = 64
"""With special tokens."""
NEW_TOKENS = 32
ENGINES = ("kortom", "transformers")
LARGE = {"d_model": 1024, "encoder_attention_heads": 16, "decoder_attention_heads": 16, "encoder_ffn_dim": 4096,
         "decoder_ffn_dim": 4096}


@dataclass
class Shape:
    """A published checkpoint: its class, its config.json, and how it decodes."""

    family: str
    config: dict
    generation: dict
    own_head: bool = False
    languages: tuple | None = None


SHAPES = {
    "bart-large-cnn": Shape(
        "Bart", LARGE | {"vocab_size": 50264, "encoder_layers": 12, "decoder_layers": 12, "max_position_embeddings": 1024,
                         "activation_function": "gelu", "decoder_start_token_id": 2},
        {"num_beams": 4, "length_penalty": 2.0, "no_repeat_ngram_size": 3, "early_stopping": True,
         "forced_bos_token_id": 0, "forced_eos_token_id": 2}),
    "t5-small": Shape(
        "T5", {"vocab_size": 32128, "d_model": 512, "d_ff": 2048, "d_kv": 64, "num_heads": 8, "num_layers": 6,
               "feed_forward_proj": "relu", "decoder_start_token_id": 0}, {"num_beams": 1}),
    "flan-t5-base": Shape(
        "T5", {"vocab_size": 32128, "d_model": 768, "d_ff": 2048, "d_kv": 64, "num_heads": 12, "num_layers": 12,
               "feed_forward_proj": "gated-gelu", "decoder_start_token_id": 0}, {"num_beams": 1}, own_head=True),
    "m2m100_418M": Shape(
        "M2M100", LARGE | {"vocab_size": 128112, "encoder_layers": 12, "decoder_layers": 12, "scale_embedding": True,
                           "max_position_embeddings": 1024, "activation_function": "relu", "decoder_start_token_id": 2},
        {"num_beams": 5, "early_stopping": True}, languages=("nl", "en")),
    "pegasus-xsum": Shape(
        "Pegasus", LARGE | {"vocab_size": 96103, "encoder_layers": 16, "decoder_layers": 16, "scale_embedding": True,
                            "max_position_embeddings": 512, "activation_function": "relu", "decoder_start_token_id": 0},
        {"num_beams": 8, "length_penalty": 0.6}),
}


def write_checkpoint(name, folder):
    """Random weights of a shape with a tiny tokenizer, unless they are there."""
    if (folder / "sources.txt").exists():
        return
    import make_tokenizers
    import torch
    import transformers

    shape = SHAPES[name]
    folder.mkdir(parents=True, exist_ok=True)
    pieces = 600 if shape.family == "Bart" else 400
    getattr(make_tokenizers, f"train_{shape.family.lower()}")(folder, pieces)
    torch.manual_seed(1)
    config = getattr(transformers, f"{shape.family}Config")(**shape.config)
    model = getattr(transformers, f"{shape.family}ForConditionalGeneration")(config)
    if shape.own_head:
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight) * 0.02)
    model.generation_config.update(
        decoder_start_token_id=shape.config["decoder_start_token_id"], max_length=200, **shape.generation)
    model.save_pretrained(folder)
    if shape.own_head:
        # As published: without this word transformers scales the output.
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {
            "tie_word_embeddings": False, "scale_decoder_outputs": False}))
    (folder / "sources.txt").write_text("\n".join(sources(open_tokenizer(name, folder))) + "\n", encoding="utf-8")


def open_tokenizer(name, folder):
    """The tokenizer, set to its languages."""
    import make_tokenizers

    tokenizer = make_tokenizers.load(folder)
    if SHAPES[name].languages:
        tokenizer.src_lang, tokenizer.tgt_lang = SHAPES[name].languages
    return tokenizer


def sources(tokenizer):
    """Texts of exactly `SOURCE_TOKENS` tokens."""
    from make_tokenizers import DUTCH, ENGLISH

    draw = random.Random(2)
    words = [word for text in DUTCH + ENGLISH for word in text.split()]
    found = []
    while len(found) < SENTENCES:
        text = []
        while len(tokenizer(" ".join(text)).input_ids) < SOURCE_TOKENS:
            text.append(draw.choice(words))
        if len(tokenizer(" ".join(text)).input_ids) == SOURCE_TOKENS:
            found.append(" ".join(text))
    return found


def measure_transformers(name, folder, threads):
    """Run in a process of its own: load seconds, peak bytes, tokens per second."""
    import torch
    import transformers

    torch.set_num_threads(threads)
    shape = SHAPES[name]
    tokenizer = open_tokenizer(name, folder)
    begin = time.perf_counter()
    model = getattr(transformers, f"{shape.family}ForConditionalGeneration").from_pretrained(folder, dtype=torch.float32).eval()
    load = time.perf_counter() - begin
    batch = tokenizer((folder / "sources.txt").read_text(encoding="utf-8").splitlines(), return_tensors="pt")
    assert tuple(batch.input_ids.shape) == (SENTENCES, SOURCE_TOKENS), batch.input_ids.shape
    options = {"forced_bos_token_id": tokenizer.get_lang_id(shape.languages[1])} if shape.languages else {}
    with torch.no_grad():
        model.generate(**batch, min_new_tokens=2, max_new_tokens=2, **options)
        begin = time.perf_counter()
        output = model.generate(**batch, min_new_tokens=NEW_TOKENS, max_new_tokens=NEW_TOKENS, **options)
        seconds = time.perf_counter() - begin
    assert tuple(output.shape) == (SENTENCES, NEW_TOKENS + 1), output.shape
    peak = next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmHWM:"))
    return {"load": load, "peak": peak, "rate": SENTENCES * NEW_TOKENS / seconds}


def measure_kortom(kortom, name, folder, threads):
    """The same from kortom's own `--timings`."""
    languages = SHAPES[name].languages
    pair = ["--from", languages[0], "--to", languages[1]] if languages else []
    command = [kortom, "generate", "--model", str(folder), "--device", "cpu", "--threads", str(threads), "--min-length",
               str(NEW_TOKENS), "--max-length", str(NEW_TOKENS), "--timings", "--format", "jsonl", *pair]
    run = subprocess.run(command, input=(folder / "sources.txt").read_text(encoding="utf-8"), text=True,
                         capture_output=True, check=False)
    if run.returncode != 0:
        raise SystemExit(run.stderr)
    tokens = [json.loads(line)["tokens"] for line in run.stdout.splitlines()]
    assert tokens == [NEW_TOKENS] * SENTENCES, tokens
    line = re.search(r"load ([\d.]+) s, encode ([\d.]+) s, decode ([\d.]+) s, .* peak memory (\d+) MiB", run.stderr)
    load, encode, decode, peak = map(float, line.groups())
    return {"load": load, "peak": int(peak) << 20, "rate": sum(tokens) / (encode + decode)}


def measure(engine, name, arguments):
    """One measurement in a process of its own."""
    folder = arguments.work / name
    if engine == "kortom":
        return measure_kortom(arguments.kortom, name, folder, arguments.threads)
    command = [sys.executable, __file__, "--work", str(arguments.work), "--threads", str(arguments.threads), "--transformers", name]
    environment = os.environ | {"OMP_NUM_THREADS": str(arguments.threads)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise SystemExit(run.stderr)
    return json.loads(run.stdout.splitlines()[-1])


def parameters(folder):
    """Bytes of the weights in f32, each tensor once."""
    header = (folder / "model.safetensors").open("rb")
    tensors = json.loads(header.read(int.from_bytes(header.read(8), "little")))
    ends = [tensor["data_offsets"][1] for name, tensor in tensors.items() if name != "__metadata__"]
    return max(ends)


def table(work):
    """The medians as Markdown, smallest and largest in brackets."""
    lines = [json.loads(line) for line in (work / "shapes.jsonl").read_text().splitlines()]
    print(f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} processors, medians of "
          f"{min(len(values(lines, name, 'kortom', 'rate')) for name in SHAPES)} rounds or more\n")
    print("| shape | weights | | load s | peak memory MiB | of the weights | generated tokens/s |")
    print("|---|---:|---|---:|---:|---:|---:|")
    for name in SHAPES:
        size = parameters(work / name)
        for engine in ENGINES:
            shown = [spread(values(lines, name, engine, what), digits, scale)
                     for what, digits, scale in (("load", 2, 1), ("peak", 0, 2**20), ("peak", 2, size), ("rate", 1, 1))]
            head = (name, f"{size / 2**20:.0f} MiB") if engine == ENGINES[0] else ("", "")
            print(f"| {head[0]} | {head[1]} | {engine} | {' | '.join(shown)} |")


def values(lines, name, engine, what):
    """One kind of measurement of all rounds."""
    return [line[what] for line in lines if line["shape"] == name and line["engine"] == engine]


def spread(found, digits, scale):
    """The median, and in brackets what lies around it."""
    low, middle, high = (f"{value / scale:.{digits}f}" for value in (min(found), statistics.median(found), max(found)))
    return middle if low == high else f"{middle} ({low}-{high})"


def main():
    """Reads the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kortom", help="the program, built with --release")
    parser.add_argument("--work", type=Path, required=True, help="where checkpoints and measurements are kept")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--table", action="store_true", help="print what was measured so far, and measure nothing")
    parser.add_argument("--prepare", action="store_true", help="make the checkpoints, and measure nothing")
    parser.add_argument("--transformers", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.transformers:
        print(json.dumps(measure_transformers(arguments.transformers, arguments.work / arguments.transformers, arguments.threads)))
        return
    if not arguments.table:
        for name in arguments.models:
            write_checkpoint(name, arguments.work / name)
    if not (arguments.table or arguments.prepare):
        for number in range(arguments.rounds):
            for name in arguments.models:
                for engine in ENGINES if number % 2 == 0 else reversed(ENGINES):
                    found = {"shape": name, "engine": engine} | measure(engine, name, arguments)
                    print(found, file=sys.stderr, flush=True)
                    with (arguments.work / "shapes.jsonl").open("a") as file:
                        file.write(json.dumps(found) + "\n")
    if not arguments.prepare and len(arguments.models) == len(SHAPES):
        table(arguments.work)


if __name__ == "__main__":
    main()
