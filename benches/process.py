"""Whole processes beside CTranslate2 on a text of your own, loading included: seconds, and BLEU where there is a reference.

    python benches/process.py --kortom target/release/kortom --work ~/kortom-bench --source dev.nl --reference dev.en

Both translate every line as one segment with the bundled model (`--model` for another of Marian), with one beam and with four, from a file to
standard output. CTranslate2's process is a Python that imports it and SentencePiece, loads, cuts, translates and prints, in batches of 32
lines of like length (`--batch`). The two take turns; the table shows medians of `--pairs` rounds, and the ratio of the times with
the smallest and the largest. `--lines 1` measures how soon the first line is there.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
TYPES = {"int8": "int8", "f32": "float32"}


def convert(model, work, compute):
    """CTranslate2's conversion of the model by its own converter."""
    folder = work / f"ctranslate2-{compute}"
    if not folder.exists():
        converter = Path(sys.executable).parent / "ct2-transformers-converter"
        subprocess.run([converter, "--model", model, "--output_dir", folder, "--quantization", TYPES[compute]], check=True)
    return folder


def translate(folder, model, source, beams, batch, threads):
    """What CTranslate2's process does."""
    import ctranslate2
    import sentencepiece

    translator = ctranslate2.Translator(folder, device="cpu", inter_threads=1, intra_threads=int(threads))
    cut, join = (sentencepiece.SentencePieceProcessor(f"{model}/{side}.spm") for side in ("source", "target"))
    lines = Path(source).read_text(encoding="utf-8").splitlines()
    tokens = [pieces + ["</s>"] for pieces in cut.encode(lines, out_type=str)]
    results = translator.translate_batch(tokens, beam_size=int(beams), max_batch_size=int(batch))
    print("\n".join(join.decode(result.hypotheses[0]) for result in results))


def run(engine, compute, beams, source, arguments):
    """Seconds of one process, and its lines."""
    if engine == "kortom":
        command = [arguments.kortom, "translate", "--model", arguments.model, "--input-format", "lines", "--compute-type", compute,
                   "--beam-size", str(beams), "--threads", str(arguments.threads), "--device", "cpu", "--quiet", "--offline",
                   source]
    else:
        command = [sys.executable, __file__, "--translate", convert(arguments.model, arguments.work, compute), arguments.model,
                   source, str(beams), str(arguments.batch), str(arguments.threads)]
    begin = time.monotonic()
    made = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, check=True).stdout
    return time.monotonic() - begin, made.splitlines()


def bleu(lines, arguments):
    """By `kortom score`, which gives sacreBLEU's numbers."""
    if arguments.reference is None:
        return "-"
    references = arguments.reference.read_text(encoding="utf-8").splitlines()[:len(lines)]
    files = [arguments.work / "reference.txt", arguments.work / "hypotheses.txt"]
    for file, texts in zip(files, (references, lines)):
        file.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    command = [arguments.kortom, "score", "--format", "json", "--reference", *files]
    (system,) = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return f"{system['metrics'][0]['score']:.2f}"


def compare(compute, beams, source, arguments):
    """A row of the table."""
    seconds, lines = {"kortom": [], "ctranslate2": []}, {}
    convert(arguments.model, arguments.work, compute)
    for number in range(arguments.pairs):
        for engine in sorted(seconds, reverse=number % 2 == 1):
            took, lines[engine] = run(engine, compute, beams, source, arguments)
            seconds[engine].append(took)
    ratios = [theirs / ours for ours, theirs in zip(seconds["kortom"], seconds["ctranslate2"])]
    times = " | ".join(f"{statistics.median(took):.2f} s" for took in seconds.values())
    scores = " | ".join(bleu(lines[engine], arguments) for engine in seconds)
    ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
    print(f"| {compute}, {beams} beam{'s' if beams > 1 else ''} | {times} | {ratio} | {scores} |", flush=True)


def main():
    """Reads the command line, measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kortom", required=True, help="the binary, built with --release")
    parser.add_argument("--work", required=True, type=Path, help="scratch folder; the conversions are made there once")
    parser.add_argument("--model", type=Path, default=ROOT / "models/kortom-nl-en")
    parser.add_argument("--source", required=True, type=Path, help="one segment a line")
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--lines", type=int, help="only so many")
    parser.add_argument("--pairs", type=int, default=5, help="rounds")
    parser.add_argument("--batch", type=int, default=32, help="lines per batch in CTranslate2")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    source = arguments.work / "source.txt"
    lines = arguments.source.read_text(encoding="utf-8").splitlines()[:arguments.lines]
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} lines, {arguments.pairs} rounds\n")
    print("| | kortom | CTranslate2 | CTranslate2 / kortom | BLEU of kortom | of CTranslate2 |\n|---|---|---|---|---|---|")
    for compute in TYPES:
        for beams in (1, 4):
            compare(compute, beams, source, arguments)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--translate"]:
        translate(*sys.argv[2:])
    else:
        main()
