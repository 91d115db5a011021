"""BLEU and chrF of kortom beside transformers, on a source and a reference file of your own.

    python benches/score.py --kortom target/release/kortom --model models/kortom-nl-en \\
        --source flores-dev.nl --reference flores-dev.en

Both translate every line as one segment with the checkpoint's own settings and the given number of beams. In f32
the two columns should be the same; `lines that differ` counts where they are not.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def kortom_lines(arguments, compute):
    """kortom's translation of the source file."""
    command = [arguments.kortom, "translate", "--model", arguments.model, "--input-format", "lines", "--format", "text",
               "--device", arguments.device, "--compute-type", compute, "--beam-size", str(arguments.beams), "--quiet", "--offline",
               str(arguments.source)]
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout.splitlines()


def transformers_lines(arguments, sources):
    """transformers' translation, in batches of lines of like length, put back into their order."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = AutoModelForSeq2SeqLM.from_pretrained(arguments.model, dtype=torch.float32, attn_implementation="eager").eval()
    order = sorted(range(len(sources)), key=lambda line: len(sources[line]))
    targets = [""] * len(sources)
    for at in range(0, len(order), arguments.batch):
        lines = order[at:at + arguments.batch]
        batch = tokenizer([sources[line] for line in lines], return_tensors="pt", padding=True)
        with torch.no_grad():
            ids = model.generate(**batch, num_beams=arguments.beams)
        for line, target in zip(lines, tokenizer.batch_decode(ids, skip_special_tokens=True)):
            targets[line] = target
    return targets


def scores(arguments, rows):
    """BLEU and chrF of each row, by `kortom score`, which gives sacreBLEU's numbers."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(number) for number in range(len(rows))]
        for file, (_, targets) in zip(files, rows):
            file.write_text("".join(target.replace("\n", " ") + "\n" for target in targets), encoding="utf-8")
        command = [arguments.kortom, "score", "--reference", arguments.reference, "--format", "json", *files]
        systems = json.loads(subprocess.run(command, text=True, capture_output=True, check=True).stdout)
    metrics = [{metric["name"]: metric for metric in system["metrics"]} for system in systems]
    return [(found["BLEU"]["score"], found["chrF2"]["score"]) for found in metrics], metrics[0]["BLEU"]["signature"]


def main():
    """Reads the command line, translates and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kortom", required=True, help="the binary, built with --release")
    parser.add_argument("--model", required=True, help="model folder")
    parser.add_argument("--source", required=True, type=Path)
    parser.add_argument("--reference", required=True, type=Path)
    parser.add_argument("--beams", type=int, default=4)
    parser.add_argument("--batch", type=int, default=16, help="lines per batch in transformers")
    parser.add_argument("--device", default="cpu", help="what to run kortom on: cpu, cuda, cuda:N")
    parser.add_argument("--compute-types", nargs="+", default=["f32"], help="what to run kortom in")
    arguments = parser.parse_args()
    sources = arguments.source.read_text(encoding="utf-8").splitlines()
    references = arguments.reference.read_text(encoding="utf-8").splitlines()
    theirs = transformers_lines(arguments, sources)
    rows = [("transformers f32", theirs)]
    rows += [(f"kortom {compute}", kortom_lines(arguments, compute)) for compute in arguments.compute_types]
    for name, targets in rows:
        if len(targets) != len(references):
            sys.exit(f"`{name}` gave {len(targets)} lines for {len(references)}")
    found, signature = scores(arguments, rows)
    print(f"{arguments.source.name}, {len(sources)} lines, beam {arguments.beams}, BLEU {signature}\n")
    print("| | BLEU | chrF | lines that differ |\n|---|---|---|---|")
    for (name, targets), (bleu, chrf) in zip(rows, found):
        differ = sum(a != b for a, b in zip(targets, theirs))
        print(f"| {name} | {bleu:.2f} | {chrf:.2f} | {differ} |")


if __name__ == "__main__":
    main()
