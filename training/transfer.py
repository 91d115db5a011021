"""Gives a trained model another vocabulary, so that training goes on with what it has learnt.

usage: python transfer.py MODEL VOCABULARY OUT
MODEL is a folder with config.json, weights, source.spm and vocab.json; VOCABULARY one that vocabulary.py wrote. A piece that both have
keeps its embedding; a new piece begins as the mean of the old pieces that spell it. OUT is a checkpoint for train.py.
"""

import argparse
import json
import sys
from pathlib import Path

import sentencepiece
import torch
from transformers import MarianMTModel

WORD = "\u2581"


def spelling(piece, old, ids):
    """Ids of the old pieces that spell a new one."""
    if piece in ids:
        return [ids[piece]]
    # SentencePiece puts the mark of a word's beginning before whatever it encodes: it is taken off again where the piece has none.
    pieces = old.encode(piece.removeprefix(WORD), out_type=str)
    if not piece.startswith(WORD) and pieces:
        pieces[0] = pieces[0].removeprefix(WORD)
    return [ids.get(part, ids["<unk>"]) for part in pieces if part] or [ids["<unk>"]]


@torch.no_grad()
def transfer(folder, vocabulary, out):
    """Writes the checkpoint; gives how many pieces were kept, and how many there are."""
    model = MarianMTModel.from_pretrained(folder, dtype=torch.float32)
    old = sentencepiece.SentencePieceProcessor(model_file=str(Path(folder) / "source.spm"))
    ids, tokens = (json.loads((Path(at) / "vocab.json").read_text(encoding="utf-8")) for at in (folder, vocabulary))
    rows = [spelling(piece, old, ids) for piece in sorted(tokens, key=tokens.get)]
    embedding, bias = model.get_input_embeddings().weight, model.final_logits_bias[0]
    embedding = torch.stack([embedding[row].mean(0) for row in rows])
    bias = torch.stack([bias[row].mean() for row in rows])
    model.resize_token_embeddings(len(tokens))
    model.get_input_embeddings().weight.copy_(embedding)
    model.final_logits_bias.copy_(bias[None])
    config = model.config
    config.decoder_vocab_size = len(tokens)
    config.pad_token_id = config.decoder_start_token_id = tokens["<pad>"]
    config.eos_token_id = config.forced_eos_token_id = tokens["</s>"]
    model.save_pretrained(out)
    return sum(piece in ids for piece in tokens), len(tokens)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("vocabulary")
    parser.add_argument("out")
    arguments = parser.parse_args()
    try:
        kept, total = transfer(arguments.model, arguments.vocabulary, arguments.out)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"error: {error}")
    print(f"{kept} of {total} pieces were known")


if __name__ == "__main__":
    main()
