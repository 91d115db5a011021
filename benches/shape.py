"""Random checkpoints of known shapes, and sources of a known number of tokens, to measure speed with.

`opus-mt` has the shape of opus-mt-nl-en: width 512, six encoder and six decoder layers of eight heads, feed-forward
2048 (swish), 67,028 words, all embeddings tied: 79 M parameters. `bart-large` has the sizes of bart-large-cnn, as a
Marian checkpoint, whose layers are the same; `bart-large-1024` reads 1,024 tokens as that does, the others 512. `t5-small` is a T5 of t5-small's sizes. What they say means nothing; how
long it takes does not depend on that.
"""

import json
import random
import string

import torch
from sentencepiece import sentencepiece_model_pb2 as spm
from transformers import MarianConfig, MarianMTModel, T5Config, T5ForConditionalGeneration

SHAPES = {
    "opus-mt": {"words": 67_028, "width": 512, "layers": 6, "heads": 8, "inner": 2048, "activation": "swish"},
    "bart-large": {"words": 50_264, "width": 1024, "layers": 12, "heads": 16, "inner": 4096, "activation": "gelu"},
    "bart-large-1024": {"words": 50_264, "width": 1024, "layers": 12, "heads": 16, "inner": 4096, "activation": "gelu",
                        "positions": 1024},
    "t5-small": {"words": 32_128, "width": 512, "layers": 6, "heads": 8, "inner": 2048, "activation": "relu"},
}
WORDS = min(shape["words"] for shape in SHAPES.values())
"""Words that every shape has."""
TOKENS = 30
"""Source tokens with eos, and generated tokens."""
LINE = 127
"""Bytes of a source, filled up with spaces that are no tokens: 32 lines are the first window that kortom reads."""
DIGITS = string.digits + string.ascii_letters


def word(number):
    """The only spelling of one entry of the vocabulary."""
    return "".join(DIGITS[number // 62**place % 62] for place in (2, 1, 0))


def write_pieces(path, names):
    """A sentencepiece model of these pieces: `<unk>` and the special ones, and whole words."""
    model = spm.ModelProto()
    model.trainer_spec.model_type = spm.TrainerSpec.UNIGRAM
    model.trainer_spec.vocab_size = len(names)
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = True
    model.normalizer_spec.escape_whitespaces = True
    kinds = spm.ModelProto.SentencePiece
    special = {"<unk>": kinds.UNKNOWN, "<s>": kinds.CONTROL, "</s>": kinds.CONTROL, "<pad>": kinds.CONTROL}
    for name in names:
        kind = special.get(name, kinds.NORMAL)
        model.pieces.add(piece=name, score=-10.0 if kind == kinds.NORMAL else 0.0, type=kind)
    path.write_bytes(model.SerializeToString())


def write_marian(folder, shape):
    """source.spm, target.spm, vocab.json, and the model."""
    words, positions = shape["words"], shape.get("positions", 512)
    # `</s>`, `<unk>` and `<pad>` are entries of the vocabulary too.
    pieces = ["▁" + word(number) for number in range(words - 3)]
    for side in ("source", "target"):
        write_pieces(folder / f"{side}.spm", ["<unk>", "<s>", "</s>", *pieces])
    vocabulary = {name: index for index, name in enumerate(["</s>", "<unk>", *pieces, "<pad>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "source_lang": "nl", "target_lang": "en", "separate_vocabs": False, "model_max_length": positions,
        "unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>", "tokenizer_class": "MarianTokenizer"}))
    pad = words - 1
    model = MarianMTModel(MarianConfig(
        vocab_size=words, d_model=shape["width"], encoder_layers=shape["layers"], decoder_layers=shape["layers"],
        encoder_attention_heads=shape["heads"], decoder_attention_heads=shape["heads"],
        encoder_ffn_dim=shape["inner"], decoder_ffn_dim=shape["inner"], max_position_embeddings=positions,
        activation_function=shape["activation"], scale_embedding=True, pad_token_id=pad, decoder_start_token_id=pad,
        eos_token_id=0, forced_eos_token_id=None))
    model.generation_config.update(bad_words_ids=[[pad]], num_beams=1, max_length=512)
    model.save_pretrained(folder)


def write_t5(folder, shape):
    """spiece.model, and the model."""
    words = shape["words"]
    write_pieces(folder / "spiece.model",
                 ["<pad>", "</s>", "<unk>", *("▁" + word(number) for number in range(words - 3))])
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "extra_ids": 0, "model_max_length": 512, "unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>",
        "tokenizer_class": "T5Tokenizer"}))
    model = T5ForConditionalGeneration(T5Config(
        vocab_size=words, d_model=shape["width"], d_kv=shape["width"] // shape["heads"], d_ff=shape["inner"],
        num_layers=shape["layers"], num_heads=shape["heads"], feed_forward_proj=shape["activation"],
        decoder_start_token_id=0))
    model.generation_config.update(num_beams=1, max_length=512)
    model.save_pretrained(folder)


def write_checkpoint(folder, name="opus-mt"):
    """The whole folder, unless it is there."""
    if (folder / "model.safetensors").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    (write_t5 if name.startswith("t5") else write_marian)(folder, SHAPES[name])


def sources(count, tokens=TOKENS):
    """Lines that become exactly so many tokens, the last of them eos."""
    draw = random.Random(2)
    lines = (" ".join(word(draw.randrange(WORDS - 3)) for _ in range(tokens - 1)) for _ in range(count))
    return [line.ljust(LINE) for line in lines]
