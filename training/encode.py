"""Turns parallel text into token ids with a model's vocabulary.

usage: python encode.py OUT MODEL CORPUS... [--held-out FILE...] [--validation N] [--american]
MODEL is a folder with source.spm and vocab.json. OUT gets train.npz and valid.npz: ids of all sources and targets in a row
(`src`, `tgt`, uint16, each sentence with its end), where each begins (`src_off`, `tgt_off`), which origin it is of (`origin`), and
the origins' names (`names`).
"""

import argparse
import json
import random
import sys
from pathlib import Path

import numpy
import sentencepiece

from american import american
from corpus import CorpusError, distinct_pairs

END = 0
LONGEST = 120


class Encoder:
    """SentencePiece's pieces as ids of vocab.json."""

    def __init__(self, model):
        self.pieces = sentencepiece.SentencePieceProcessor(model_file=str(Path(model) / "source.spm"))
        vocabulary = json.loads((Path(model) / "vocab.json").read_text(encoding="utf-8"))
        ids = [vocabulary[self.pieces.id_to_piece(piece)] for piece in range(self.pieces.get_piece_size())]
        self.ids = numpy.array(ids, numpy.uint16)

    def encode(self, texts):
        """One array of ids per text, with the end of a sentence."""
        return [numpy.append(self.ids[numpy.array(pieces, int)], END) for pieces in self.pieces.encode(texts, num_threads=2)]


def write(path, rows, encoder, names):
    """Encodes rows of (source, target, origin), leaves out those longer than `LONGEST` tokens, writes one .npz; gives target tokens."""
    sources, targets = (encoder.encode([row[side] for row in rows]) for side in (0, 1))
    kept = [at for at in range(len(rows)) if len(sources[at]) <= LONGEST + 1 and len(targets[at]) <= LONGEST + 1]
    starts = lambda sentences: numpy.cumsum([0] + [len(sentences[at]) for at in kept])
    joined = lambda sentences: numpy.concatenate([sentences[at] for at in kept]).astype(numpy.uint16)
    numpy.savez(path, src=joined(sources), src_off=starts(sources), tgt=joined(targets), tgt_off=starts(targets),
                origin=numpy.array([names.index(rows[at][2]) for at in kept], numpy.int16), names=numpy.array(names))
    return sum(len(targets[at]) for at in kept)


def encode_corpus(out, model, paths, held_out=(), validation=1200, respelled=lambda text: text):
    """Writes train.npz and valid.npz, with the targets as `respelled` has them; the validation set is drawn with a fixed seed."""
    Path(out).mkdir(parents=True, exist_ok=True)
    rows = [(source, respelled(target), origin) for source, target, origin in distinct_pairs(paths, held_out)]
    if len(rows) <= validation:
        raise CorpusError(f"{len(rows)} pairs are too few to hold {validation} out; give more text, or a smaller --validation")
    random.Random(7).shuffle(rows)
    names = sorted({row[2] for row in rows})
    encoder = Encoder(model)
    for name, part in (("valid", rows[:validation]), ("train", rows[validation:])):
        print(f"{name}: {len(part)} pairs, {write(Path(out) / f'{name}.npz', part, encoder, names)} target tokens", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("model")
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--held-out", nargs="*", default=[], help="plain text files; no pair that shares a line with them is used")
    parser.add_argument("--validation", type=int, default=1200, help="pairs held out to watch the loss")
    parser.add_argument("--american", action="store_true", help="the target side is English: give it American spellings")
    arguments = parser.parse_args()
    try:
        spelling = [american] if arguments.american else []
        encode_corpus(arguments.out, arguments.model, arguments.corpus, arguments.held_out, arguments.validation, *spelling)
    except (CorpusError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
