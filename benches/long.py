"""Long sources beside transformers: peak memory and time, by the length of the source.

    python benches/long.py --kortom target/release/kortom --work ~/kortom-bench

Random checkpoints with the sizes of led-base-16384, long-t5-tglobal-base and pegasus-x-base read one source of each
length and write 16 tokens, one beam. Every run is a process of its own; memory is the most that it held at once, weights
included, and time is what encoding and decoding took, loading left out. `--layers 2` makes the checkpoints smaller,
`--lengths` and `--families` choose what is measured. What the two have in common is in the weights; what grows with the
length shows from one row to the next.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import shape

FAMILIES = ("led", "longt5", "pegasus_x")
LENGTHS = (1024, 4096, 16_384)
WRITTEN = 16
"""Tokens of every output."""
WORDS = 32_128
"""Entries of every vocabulary."""


def model(family, layers):
    """A random model of a family's base size, with as many layers in each stack as are wanted, or as there are."""
    import transformers

    ids = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "vocab_size": WORDS}
    if family == "longt5":
        count = layers or 12
        config = transformers.LongT5Config(
            **ids, d_model=768, d_kv=64, d_ff=2048, num_layers=count, num_decoder_layers=count, num_heads=12,
            feed_forward_proj="gated-gelu", encoder_attention_type="transient-global")
        return transformers.LongT5ForConditionalGeneration(config)
    count = layers or {"led": 6, "pegasus_x": 12}[family]
    sizes = {"d_model": 768, "encoder_layers": count, "decoder_layers": count, "encoder_attention_heads": 12,
             "decoder_attention_heads": 12, "encoder_ffn_dim": 3072, "decoder_ffn_dim": 3072}
    if family == "led":
        config = transformers.LEDConfig(**ids, **sizes, bos_token_id=None, attention_window=1024,
                                        max_encoder_position_embeddings=max(LENGTHS))
        return transformers.LEDForConditionalGeneration(config)
    config = transformers.PegasusXConfig(**ids, **sizes, block_size=512, num_global_tokens=128, forced_eos_token_id=None)
    return transformers.PegasusXForConditionalGeneration(config)


def write_checkpoint(folder, family, layers):
    """The whole folder, unless it is there."""
    import torch

    if (folder / "model.safetensors").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    made = model(family, layers)
    made.generation_config.update(num_beams=1, forced_eos_token_id=None)
    made.save_pretrained(folder)
    shape.write_pieces(folder / "spiece.model",
                       ["<pad>", "</s>", "<unk>", *("▁" + shape.word(number) for number in range(WORDS - 3))])
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "extra_ids": 0, "model_max_length": max(LENGTHS), "unk_token": "<unk>", "eos_token": "</s>",
        "pad_token": "<pad>", "tokenizer_class": "T5Tokenizer"}))


def run_transformers(folder, tokens, threads):
    """The seconds of one run in this process."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, T5Tokenizer

    torch.set_num_threads(threads)
    reference = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    ids = T5Tokenizer.from_pretrained(folder)(shape.sources(1, tokens), return_tensors="pt").input_ids
    begin = time.perf_counter()
    with torch.no_grad():
        reference.generate(input_ids=ids, min_new_tokens=WRITTEN, max_new_tokens=WRITTEN)
    return time.perf_counter() - begin


def peak_memory():
    """The most memory that this process has held at once, in MiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


def measure_kortom(folder, tokens, arguments):
    """MiB and seconds of encoding and decoding, from the line of `--timings`."""
    command = [arguments.kortom, "generate", "--model", folder, "--device", "cpu", "--compute-type", "f32", "--threads",
               arguments.threads, "--min-length", WRITTEN, "--max-length", WRITTEN, "--timings", "--format", "jsonl"]
    run = subprocess.run([str(part) for part in command], input=shape.sources(1, tokens)[0] + "\n", text=True,
                         capture_output=True, check=True)
    if json.loads(run.stdout)["tokens"] != WRITTEN:
        raise SystemExit(f"kortom wrote {run.stdout}")
    seconds = sum(float(re.search(part + r" ([\d.]+) s", run.stderr)[1]) for part in ("encode", "decode"))
    return float(re.search(r"peak memory (\d+) MiB", run.stderr)[1]), seconds


def measure_transformers(folder, tokens, arguments):
    """MiB and seconds of a process of its own."""
    command = [sys.executable, __file__, "--work", folder, "--transformers", tokens, "--threads", arguments.threads]
    run = subprocess.run([str(part) for part in command], text=True, capture_output=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def main():
    """Reads the command line; runs transformers (`--transformers`, for its own use) or compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kortom", help="the program")
    parser.add_argument("--work", type=Path, required=True, help="folder for the checkpoints")
    parser.add_argument("--families", nargs="*", choices=FAMILIES, default=FAMILIES)
    parser.add_argument("--lengths", nargs="*", type=int, default=LENGTHS)
    parser.add_argument("--layers", type=int, help="of each stack, in place of as many as published ones have")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--transformers", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.transformers:
        seconds = run_transformers(arguments.work, arguments.transformers, arguments.threads)
        print(json.dumps([peak_memory(), seconds]))
        return
    print("| | tokens | kortom MiB | transformers MiB | kortom s | transformers s |\n|---|---:|---:|---:|---:|---:|")
    for family in arguments.families:
        folder = arguments.work / f"long-{family}-{arguments.layers or 'base'}"
        write_checkpoint(folder, family, arguments.layers)
        for tokens in arguments.lengths:
            our_memory, ours = measure_kortom(folder, tokens, arguments)
            memory, theirs = measure_transformers(folder, tokens, arguments)
            print(f"| {family} | {tokens:,} | {our_memory:,.0f} | {memory:,.0f} | {ours:.1f} | {theirs:.1f} |", flush=True)


if __name__ == "__main__":
    main()
