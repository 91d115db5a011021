"""Other spellings of encoded sentences: subword regularisation (Kudo 2018, https://arxiv.org/abs/1804.10959).

A sentence that is seen many times is seen in other pieces each time, so that the model learns what its words mean instead of the row of ids.
"""

import json
import random
from pathlib import Path

import numpy
import sentencepiece

WORD = "\u2581"


class Respelling:
    """Draws spellings of token ids from the unigram model of `MODEL/source.spm`.

    `share` of the sentences are spelled anew; the smaller `alpha` is, the further the pieces are from the most probable ones.
    """

    def __init__(self, model, alpha, share):
        self.pieces = sentencepiece.SentencePieceProcessor(model_file=str(Path(model) / "source.spm"))
        self.ids = json.loads((Path(model) / "vocab.json").read_text(encoding="utf-8"))
        self.texts = {token: piece for piece, token in self.ids.items()}
        self.alpha, self.share = alpha, share

    def __call__(self, ids):
        """Token ids of the same text in other pieces; the same ids where they hold a piece without text."""
        if random.random() >= self.share:
            return ids
        pieces = [self.texts[token] for token in ids[:-1]]
        if "<unk>" in pieces:
            return ids
        text = "".join(pieces).replace(WORD, " ").removeprefix(" ")
        drawn = self.pieces.encode(text, out_type=str, enable_sampling=True, alpha=self.alpha, nbest_size=-1)
        return numpy.array([self.ids[piece] for piece in drawn] + [ids[-1]], numpy.int64)
