"""Makes a shared SentencePiece vocabulary, in the files that a Marian tokenizer reads.

usage: python vocabulary.py OUT SIZE CORPUS... [--shares FILE] [--held-out FILE...]
OUT gets source.spm, target.spm (a copy) and vocab.json, whose last entry is `<pad>`. With `--shares`, as train.py takes them, a word
counts as often as training will meet it: pieces are then made for the text that matters, not for the text of which there is most.
"""

import argparse
import json
import random
import shutil
import sys
from pathlib import Path

import sentencepiece

from corpus import CorpusError, distinct_pairs, share_of


def weighted_sides(paths, shares, held_out):
    """Yields both sides of every pair as often as its origin's share says; what a fraction means is drawn with a fixed seed."""
    draw = random.Random(7)
    for source, target, origin in distinct_pairs(paths, held_out):
        for _ in range(int(share_of(origin, shares) + draw.random())):
            yield source
            yield target


def train_vocabulary(out, size, paths, shares, held_out=()):
    """Writes the vocabulary files; `size` counts pieces without `<pad>`."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    sides = weighted_sides(paths, shares, held_out)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=sides, model_prefix=str(out / "source"), vocab_size=size, model_type="unigram",
        character_coverage=0.99995, split_digits=True, normalization_rule_name="nmt_nfkc", num_threads=2,
        eos_id=0, unk_id=1, bos_id=-1, pad_id=-1, minloglevel=2)
    (out / "source.model").replace(out / "source.spm")
    shutil.copy(out / "source.spm", out / "target.spm")
    model = sentencepiece.SentencePieceProcessor(model_file=str(out / "source.spm"))
    pieces = [model.id_to_piece(piece) for piece in range(model.get_piece_size())] + ["<pad>"]
    vocabulary = {piece: token for token, piece in enumerate(pieces)}
    (out / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False, indent=0), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("size", type=int)
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--shares", help="JSON file: origin -> how often its lines count (1 where not named)")
    parser.add_argument("--held-out", nargs="*", default=[], help="plain text files; no pair that shares a line with them is used")
    arguments = parser.parse_args()
    try:
        shares = json.loads(Path(arguments.shares).read_text(encoding="utf-8")) if arguments.shares else {}
        train_vocabulary(arguments.out, arguments.size, arguments.corpus, shares, arguments.held_out)
    except (CorpusError, OSError, ValueError, RuntimeError) as error:  # SentencePiece raises RuntimeError, where the size does not fit the text
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
