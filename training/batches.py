"""Encoded text as batches of padded tensors."""

import random
from pathlib import Path

import numpy
import torch

from corpus import share_of

SORTED_AT_ONCE = 20_000
IGNORED = -100


class Encoded:
    """One .npz of encode.py: token ids of all sentences in a row, and where each begins; `respell` is applied as they are read."""

    def __init__(self, path, respell=lambda ids: ids):
        if not Path(path).exists():
            raise FileNotFoundError(f"`{path}` is missing: encode.py writes it")
        stored = numpy.load(path)
        self.source, self.source_starts = stored["src"].astype(numpy.int64), stored["src_off"]
        self.target, self.target_starts = stored["tgt"].astype(numpy.int64), stored["tgt_off"]
        self.respell = respell
        self.origin, self.names = stored["origin"], [str(name) for name in stored["names"]]
        if len(self) == 0:
            raise ValueError(f"`{path}` holds no pairs")

    def __len__(self):
        return len(self.source_starts) - 1

    def largest_id(self):
        """The largest token id on either side."""
        return int(max(self.source.max(), self.target.max()))

    def batches(self, tokens, shares=None):
        """Lists of sentence numbers whose padded size is at most `tokens` on each side, sentences of like length together.

        With `shares` (see `share_of`; a fraction is drawn by chance) in random order; without, every sentence once, in order of length.
        """
        chosen = numpy.arange(len(self))
        if shares is not None:
            times = numpy.array([share_of(name, shares) for name in self.names])[self.origin]
            chosen = numpy.repeat(chosen, numpy.floor(times + numpy.random.rand(len(self))).astype(int))
            numpy.random.shuffle(chosen)
        made = [batch for at in range(0, len(chosen), SORTED_AT_ONCE) for batch in self._packed(chosen[at:at + SORTED_AT_ONCE], tokens)]
        if shares is not None:
            random.shuffle(made)
        return made

    def _packed(self, chosen, tokens):
        sources, targets = numpy.diff(self.source_starts)[chosen], numpy.diff(self.target_starts)[chosen]
        order = numpy.lexsort((sources, targets))
        batch, longest = [], 0
        for at in order:
            length = max(sources[at], targets[at])
            if batch and max(longest, length) * (len(batch) + 1) > tokens:
                yield batch
                batch, longest = [], 0
            batch.append(chosen[at])
            longest = max(longest, length)
        yield batch

    def tensors(self, batch, pad, device):
        """Source ids and attention mask (b, s), decoder inputs and labels (b, t) of one batch; labels are `IGNORED` where padded."""
        sources = [self.respell(self.source[self.source_starts[at]:self.source_starts[at + 1]]) for at in batch]
        targets = [self.respell(self.target[self.target_starts[at]:self.target_starts[at + 1]]) for at in batch]
        source = numpy.full((len(batch), max(map(len, sources))), pad, numpy.int64)
        labels = numpy.full((len(batch), max(map(len, targets))), IGNORED, numpy.int64)
        inputs = numpy.full(labels.shape, pad, numpy.int64)
        for row, (ids, wanted) in enumerate(zip(sources, targets)):
            source[row, :len(ids)] = ids
            labels[row, :len(wanted)] = wanted
            inputs[row, 1:len(wanted)] = wanted[:-1]
        source = torch.from_numpy(source)
        return tuple(part.to(device) for part in (source, (source != pad).long(), torch.from_numpy(inputs), torch.from_numpy(labels)))
