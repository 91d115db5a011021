"""A random checkpoint of opus-mt-nl-en's shape, and sources of a known number of tokens, to measure speed with.

Width 512, six encoder and six decoder layers of eight heads, feed-forward 2048 (swish), 67,028 words, all
embeddings tied: 79 M parameters. What it says means nothing; how long it takes does not depend on that.
"""

import json
import random

import torch
from sentencepiece import sentencepiece_model_pb2 as spm
from transformers import MarianConfig, MarianMTModel

WORDS = 67_028
TOKENS = 30
"""Source tokens with eos, and generated tokens."""


def word(number):
    """The only spelling of one entry of the vocabulary."""
    return f"w{number:05}"


def write_tokenizer(folder):
    """source.spm, target.spm and vocab.json in which every word `wNNNNN` is one piece."""
    model = spm.ModelProto()
    model.trainer_spec.model_type = spm.TrainerSpec.UNIGRAM
    model.trainer_spec.vocab_size = WORDS
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = True
    model.normalizer_spec.escape_whitespaces = True
    kinds = spm.ModelProto.SentencePiece
    for piece, kind in (("<unk>", kinds.UNKNOWN), ("<s>", kinds.CONTROL), ("</s>", kinds.CONTROL)):
        model.pieces.add(piece=piece, score=0.0, type=kind)
    # `</s>`, `<unk>` and `<pad>` are entries of the vocabulary too.
    words = ["▁" + word(number) for number in range(WORDS - 3)]
    for piece in words:
        model.pieces.add(piece=piece, score=-10.0, type=kinds.NORMAL)
    for side in ("source", "target"):
        (folder / f"{side}.spm").write_bytes(model.SerializeToString())
    vocabulary = {name: index for index, name in enumerate(["</s>", "<unk>", *words, "<pad>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "source_lang": "nl", "target_lang": "en", "separate_vocabs": False, "model_max_length": 512,
        "unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>", "tokenizer_class": "MarianTokenizer"}))


def write_checkpoint(folder):
    """The whole folder, unless it is there."""
    if (folder / "model.safetensors").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    pad = WORDS - 1
    config = MarianConfig(
        vocab_size=WORDS, d_model=512, encoder_layers=6, decoder_layers=6, encoder_attention_heads=8,
        decoder_attention_heads=8, encoder_ffn_dim=2048, decoder_ffn_dim=2048, max_position_embeddings=512,
        activation_function="swish", scale_embedding=True, pad_token_id=pad, decoder_start_token_id=pad,
        eos_token_id=0, forced_eos_token_id=None)
    torch.manual_seed(1)
    model = MarianMTModel(config)
    model.generation_config.update(bad_words_ids=[[pad]], num_beams=1, max_length=512)
    model.save_pretrained(folder)


def sources(count):
    """Lines that become exactly `TOKENS` tokens, the last of them eos."""
    draw = random.Random(2)
    return [" ".join(word(draw.randrange(WORDS - 3)) for _ in range(TOKENS - 1)) for _ in range(count)]
