"""Random checkpoints of known shapes, and sources of a known number of tokens, to measure speed with.

`opus-mt` has the shape of opus-mt-nl-en: width 512, six encoder and six decoder layers of eight heads, feed-forward
2048 (swish), 67,028 words, all embeddings tied: 79 M parameters. `bart-large` has the sizes of bart-large-cnn, as a
Marian checkpoint, whose layers are the same. What they say means nothing; how long it takes does not depend on that.
"""

import json
import random

import torch
from sentencepiece import sentencepiece_model_pb2 as spm
from transformers import MarianConfig, MarianMTModel

SHAPES = {
    "opus-mt": {"words": 67_028, "width": 512, "layers": 6, "heads": 8, "inner": 2048, "activation": "swish"},
    "bart-large": {"words": 50_264, "width": 1024, "layers": 12, "heads": 16, "inner": 4096, "activation": "gelu"},
}
WORDS = min(shape["words"] for shape in SHAPES.values())
"""Words that every shape has."""
TOKENS = 30
"""Source tokens with eos, and generated tokens."""


def word(number):
    """The only spelling of one entry of the vocabulary."""
    return f"w{number:05}"


def write_tokenizer(folder, words):
    """source.spm, target.spm and vocab.json in which every word `wNNNNN` is one piece."""
    model = spm.ModelProto()
    model.trainer_spec.model_type = spm.TrainerSpec.UNIGRAM
    model.trainer_spec.vocab_size = words
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = True
    model.normalizer_spec.escape_whitespaces = True
    kinds = spm.ModelProto.SentencePiece
    for piece, kind in (("<unk>", kinds.UNKNOWN), ("<s>", kinds.CONTROL), ("</s>", kinds.CONTROL)):
        model.pieces.add(piece=piece, score=0.0, type=kind)
    # `</s>`, `<unk>` and `<pad>` are entries of the vocabulary too.
    pieces = ["▁" + word(number) for number in range(words - 3)]
    for piece in pieces:
        model.pieces.add(piece=piece, score=-10.0, type=kinds.NORMAL)
    for side in ("source", "target"):
        (folder / f"{side}.spm").write_bytes(model.SerializeToString())
    vocabulary = {name: index for index, name in enumerate(["</s>", "<unk>", *pieces, "<pad>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "source_lang": "nl", "target_lang": "en", "separate_vocabs": False, "model_max_length": 512,
        "unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>", "tokenizer_class": "MarianTokenizer"}))


def write_checkpoint(folder, name="opus-mt"):
    """The whole folder, unless it is there."""
    if (folder / "model.safetensors").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    shape = SHAPES[name]
    write_tokenizer(folder, shape["words"])
    pad = shape["words"] - 1
    config = MarianConfig(
        vocab_size=shape["words"], d_model=shape["width"], encoder_layers=shape["layers"],
        decoder_layers=shape["layers"], encoder_attention_heads=shape["heads"],
        decoder_attention_heads=shape["heads"], encoder_ffn_dim=shape["inner"], decoder_ffn_dim=shape["inner"],
        max_position_embeddings=512, activation_function=shape["activation"], scale_embedding=True, pad_token_id=pad,
        decoder_start_token_id=pad, eos_token_id=0, forced_eos_token_id=None)
    torch.manual_seed(1)
    model = MarianMTModel(config)
    model.generation_config.update(bad_words_ids=[[pad]], num_beams=1, max_length=512)
    model.save_pretrained(folder)


def sources(count):
    """Lines that become exactly `TOKENS` tokens, the last of them eos."""
    draw = random.Random(2)
    return [" ".join(word(draw.randrange(WORDS - 3)) for _ in range(TOKENS - 1)) for _ in range(count)]
