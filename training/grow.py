"""Adds encoder layers to a trained model, so that training goes on from where it stood and not from the beginning.

usage: python grow.py MODEL DATA OUT LAYERS
A new layer gives back what it is given: both its branches end in zeros, and its two norms (Marian's stand after the branches) take
the mean gain and bias that undo them. OUT is a checkpoint for train.py.
"""

import argparse
import copy
import sys
from pathlib import Path

import torch
from transformers import MarianMTModel

from batches import Encoded

SENTENCES = 200


@torch.no_grad()
def encoder_states(model, data):
    """Encoder states (n, d) of the first held-out sentences."""
    sentences = [data.source[data.source_starts[at]:data.source_starts[at + 1]] for at in range(min(SENTENCES, len(data)))]
    return torch.cat([model.model.encoder(torch.from_numpy(ids)[None]).last_hidden_state[0] for ids in sentences])


@torch.no_grad()
def new_layer(last, states):
    """A layer like the `last` one of the stack that changes `states` as little as a norm allows."""
    layer = copy.deepcopy(last)
    for linear in (layer.self_attn.out_proj, layer.fc2):
        linear.weight.zero_()
        linear.bias.zero_()
    for norm in (layer.self_attn_layer_norm, layer.final_layer_norm):
        norm.weight.fill_(states.std(-1, unbiased=False).mean())
        norm.bias.fill_(states.mean(-1).mean())
    return layer


def grow(folder, data, out, layers):
    """Writes the grown checkpoint; gives how much the encoder's states changed, relative to their norm."""
    model = MarianMTModel.from_pretrained(folder, dtype=torch.float32).eval()
    encoder = model.model.encoder
    if len(encoder.layers) >= layers:
        raise ValueError(f"`{folder}` has {len(encoder.layers)} encoder layers already; ask for more than that")
    before = encoder_states(model, data)
    added = [new_layer(encoder.layers[-1], before) for _ in range(layers - len(encoder.layers))]
    encoder.layers.extend(added)
    model.config.encoder_layers = model.config.num_hidden_layers = layers
    model.save_pretrained(out)
    return float((encoder_states(model, data) - before).norm() / before.norm())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("layers", type=int)
    arguments = parser.parse_args()
    try:
        change = grow(arguments.model, Encoded(Path(arguments.data) / "valid.npz"), arguments.out, arguments.layers)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    print(f"encoder states changed by {change:.1%}")


if __name__ == "__main__":
    main()
