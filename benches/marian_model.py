"""Writes a Hugging Face Marian checkpoint the way Marian itself reads one: the same weights under Marian's own names.

`write_npz` writes the weights in f32, `write_bin` the format of browsers' int8 models: every matrix as bytes with one
scale, and beside it the scale of what it is multiplied by (`_QuantMultA`), which `activation_scales` measures on a
text. `write_vocabulary` writes the vocabulary as a SentencePiece model whose numbers are those of vocab.json, and
`write_shortlist` for every source word the target words that it is translated by. Formats and names are those of
marian-dev (`binary.cpp`, `expression_graph_packable.h`, `transformer.h`, `shortlist.h`).

Two things Marian does otherwise than transformers: every output begins with an embedding of zeros, not with that of
`<pad>`, and the frequencies of positions are divided by d/2 - 1, not by d/2. `write_common` copies a checkpoint with a
`<pad>` of zeros and with Marian's table of positions, so that both compute the same.
"""

import json
import shutil
import struct

import numpy
import torch
from safetensors.torch import load_file, save_file
from sentencepiece import SentencePieceProcessor, sentencepiece_model_pb2 as spm

TYPES = {"float32": 0x0404, "int8": 0x0101, "intgemm8": 0x4101}
"""Numbers of element types (`types.h`)."""
EIGHT = 8
"""Marian's int8 products want a multiple of this many rows and columns."""
ATTENTION = {"q_proj": "q", "k_proj": "k", "v_proj": "v", "out_proj": "o"}
PARTS = {"encoder": {"self_attn": "self"}, "decoder": {"self_attn": "self", "encoder_attn": "context"}}
SHORTLIST_MAGIC = 0xF11A48D5013417F5
LISTED = 100
"""Target words of every source word, and frequent words that are in every shortlist."""


def weights(folder):
    """Every tensor of a checkpoint, of one file or of several."""
    return {name: tensor.float() for path in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(path).items()}


def write_common(folder, copy):
    """A copy of a checkpoint in f32 that means the same to Marian and to transformers."""
    copy.mkdir(parents=True, exist_ok=True)
    for name in ("generation_config.json", "tokenizer_config.json", "vocab.json", "source.spm", "target.spm"):
        shutil.copy(folder / name, copy / name)
    config = read_config(folder) | {"dtype": "float32"}
    (copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
    found = weights(folder)
    found["model.shared.weight"][config["pad_token_id"]] = 0
    for stack in PARTS:
        found[f"model.{stack}.embed_positions.weight"] = positions(config["max_position_embeddings"], config["d_model"])
    save_file(found, copy / "model.safetensors", {"format": "pt"})


def positions(count, width):
    """Marian's table, `[count, width]`: sines in the first half of each row, cosines in the second."""
    frequencies = 10_000 ** -(torch.arange(width // 2, dtype=torch.float64) / (width // 2 - 1))
    angles = torch.arange(count, dtype=torch.float64)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


def read_config(folder):
    """A checkpoint's config.json."""
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))


def rows(config):
    """Rows of Marian's vocabulary: without `<pad>`, filled up to a multiple of eight."""
    return -(-(config["vocab_size"] - 1) // EIGHT) * EIGHT


def parameters(folder, config):
    """Marian's names with f32 arrays, matrices as input × output."""
    found = weights(folder)
    words, width = config["vocab_size"] - 1, config["d_model"]
    embeddings = numpy.zeros((rows(config), width), "f4")
    embeddings[:words] = found["model.shared.weight"][:words].numpy()
    # The rows that fill up must never be chosen.
    bias = numpy.full((1, rows(config)), -1e4, "f4")
    bias[0, :words] = found["final_logits_bias"][0, :words].numpy()
    made = {"Wemb": embeddings, "decoder_ff_logit_out_b": bias}
    for stack, attentions in PARTS.items():
        for layer in range(config[f"{stack}_layers"]):
            theirs, ours = f"model.{stack}.layers.{layer}.", f"{stack}_l{layer + 1}_"
            for attention, part in attentions.items():
                for projection, letter in ATTENTION.items():
                    put(made, f"{ours}{part}_", letter, found, f"{theirs}{attention}.{projection}")
                put_norm(made, f"{ours}{part}_Wo", found, f"{theirs}{attention}_layer_norm")
            for number in "12":
                put(made, f"{ours}ffn_", number, found, f"{theirs}fc{number}")
            put_norm(made, f"{ours}ffn_ffn", found, f"{theirs}final_layer_norm")
    return made


def put(made, prefix, letter, found, name):
    """A linear layer."""
    made[f"{prefix}W{letter}"] = numpy.ascontiguousarray(found[f"{name}.weight"].numpy().T)
    made[f"{prefix}b{letter}"] = found[f"{name}.bias"].numpy()[None]


def put_norm(made, prefix, found, name):
    """A layer norm."""
    made[f"{prefix}_ln_scale"], made[f"{prefix}_ln_bias"] = (found[f"{name}.{part}"].numpy()[None] for part in ("weight", "bias"))


def description(config, **others):
    """The bytes of Marian's own model options, in YAML."""
    options = {
        "type": "transformer", "version": "v1.9.56", "dim-vocabs": [rows(config)] * 2, "dim-emb": config["d_model"],
        "enc-depth": config["encoder_layers"], "dec-depth": config["decoder_layers"],
        "transformer-heads": config["encoder_attention_heads"], "transformer-dim-ffn": config["encoder_ffn_dim"],
        "transformer-ffn-depth": 2, "transformer-ffn-activation": config["activation_function"],
        "transformer-preprocess": "", "transformer-postprocess": "dan", "transformer-postprocess-emb": "d",
        "transformer-postprocess-top": "", "transformer-decoder-autoreg": "self-attention", "transformer-tied-layers": [],
        "transformer-no-projection": False, "transformer-train-position-embeddings": False, "transformer-pool": False,
        "transformer-guided-alignment-layer": "last", "transformer-dim-aan": 2048, "transformer-aan-depth": 2,
        "transformer-aan-activation": "swish", "transformer-aan-nogate": False, "tied-embeddings-all": True,
        "tied-embeddings-src": False, "tied-embeddings": False, "dim-rnn": 1024, "enc-type": "bidirectional",
        "enc-cell": "gru", "enc-cell-depth": 1, "dec-cell": "gru", "dec-cell-base-depth": 2, "dec-cell-high-depth": 1,
        "input-types": [], "layer-normalization": False, "lemma-dim-emb": 0, "right-left": False, "skip": False,
        "ulr": False, "ulr-dim-emb": 0, "ulr-trainable-transformation": False, "factors-combine": "sum",
        "factors-dim-emb": 0, "lemma-dependency": "", "bert-train-type-embeddings": True, "bert-type-vocab-size": 2,
        "bert-mask-symbol": "[MASK]", "bert-sep-symbol": "[SEP]", "bert-class-symbol": "[CLS]", "bert-masking-fraction": 0.15,
    } | others
    lines = (f"{name}: {json.dumps(value)}\n" for name, value in options.items())
    return numpy.frombuffer("".join(lines).encode() + b"\0", "i1")


def write_npz(folder, path):
    """The weights in f32."""
    config = read_config(folder)
    with path.open("wb") as file:
        numpy.savez(file, **parameters(folder, config), **{"special:model.yml": description(config)})


def activation_scales(folder, lines):
    """For every matrix 127 over the mean plus 1.1 deviations of the largest input of each sentence: Marian's own rule."""
    from transformers import MarianMTModel, MarianTokenizer

    model, tokenizer = MarianMTModel.from_pretrained(folder).eval(), MarianTokenizer.from_pretrained(folder)
    largest, letters = {}, ATTENTION | {"fc1": "1", "fc2": "2"}

    def watch(name):
        return lambda _, inputs: largest.setdefault(name, []).append(inputs[0].abs().max().item())

    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_pre_hook(watch(name))
    with torch.no_grad():
        for line in lines:
            model.generate(**tokenizer(line, return_tensors="pt"), num_beams=1, max_new_tokens=64)
    scales = {}
    for name, values in largest.items():
        scale = 127 / (numpy.mean(values) + 1.1 * numpy.std(values))
        if name == "lm_head":
            # With a shortlist the matrix is called `none`.
            scales |= {"Wemb": scale, "none": scale}
            continue
        _, stack, _, layer, *part = name.split(".")
        attention = PARTS[stack].get(part[0], "ffn")
        scales[f"{stack}_l{int(layer) + 1}_{attention}_W{letters[part[-1]]}"] = scale
    return scales


def quantized(matrix, transpose):
    """A matrix as bytes with one scale, followed by it; filled up to 256 bytes."""
    scale = numpy.float32(127 / numpy.abs(matrix).max())
    # To even, as the processor rounds.
    whole = numpy.clip(numpy.rint(matrix * scale), -127, 127).astype("i1")
    data = numpy.ascontiguousarray(whole.T if transpose else whole).tobytes() + scale.tobytes()
    return data.ljust(-(-len(data) // 256) * 256, b"\0")


def items(made, scales, text):
    """Name, type, shape and bytes of each entry of an int8 model."""
    for name, array in sorted(made.items()):
        if name == "Wemb" or name.rpartition("_")[2].startswith("W"):
            yield name, "intgemm8", array.shape, quantized(array, name != "Wemb")
        else:
            yield name, "float32", array.shape, padded(array.astype("f4"))
    for name, scale in sorted(scales.items()):
        yield f"{name}_QuantMultA", "float32", (1, 1), padded(numpy.float32(scale))
    yield "special:model.yml", "int8", text.shape, padded(text)


def padded(array):
    """Bytes that end at a multiple of 256."""
    data = array.tobytes()
    return data.ljust(-(-len(data) // 256) * 256, b"\0")


def recurrent(made, scales):
    """Firefox's decoder from a transformer's weights: an SSRU (Kim et al. 2019) in place of self-attention.

    What it says means nothing, and it never ends.
    """
    for prefix in sorted({name.rpartition("_self_")[0] for name in made if name.startswith("decoder") and "_self_" in name}):
        ours, theirs = f"{prefix}_rnn_", f"{prefix}_self_"
        kept = {"Wq": "W", "Wk": "Wf", "bk": "bf", "Wo_ln_scale": "ffn_ln_scale", "Wo_ln_bias": "ffn_ln_bias"}
        made |= {ours + name: made[theirs + former] for former, name in kept.items()}
        scales |= {ours + "W": scales[theirs + "Wq"], ours + "Wf": scales[theirs + "Wk"]}
        for table in (made, scales):
            for name in [name for name in table if name.startswith(theirs)]:
                del table[name]
    made["decoder_ff_logit_out_b"][0, 0] = -1e4
    return {"transformer-decoder-autoreg": "rnn", "dec-cell": "ssru", "transformer-rnn-projection": False}


def write_bin(folder, path, scales, ssru=False):
    """The weights in int8, with the scales of what they are multiplied by."""
    config, made = read_config(folder), parameters(folder, read_config(folder))
    scales = dict(scales)
    entries = list(items(made, scales, description(config, **(recurrent(made, scales) if ssru else {}))))
    head = struct.pack("<QQ", 1, len(entries))
    for name, kind, shape, data in entries:
        head += struct.pack("<4Q", len(name.encode()) + 1, TYPES[kind], len(shape), len(data))
    head += b"".join(name.encode() + b"\0" for name, *_ in entries)
    head += b"".join(struct.pack(f"<{len(shape)}i", *shape) for _, _, shape, _ in entries)
    offset = 256 - (len(head) + 8) % 256
    path.write_bytes(head + struct.pack("<Q", offset) + bytes(offset) + b"".join(data for *_, data in entries))


def write_vocabulary(folder, path, side="source"):
    """The SentencePiece model of one side, its pieces in the order of vocab.json."""
    config = read_config(folder)
    theirs = spm.ModelProto.FromString((folder / f"{side}.spm").read_bytes())
    pieces = {piece.piece: piece for piece in theirs.pieces}
    numbers = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    names = sorted(numbers, key=numbers.get)[:config["vocab_size"] - 1]
    kinds = spm.ModelProto.SentencePiece
    del theirs.pieces[:]
    for name in names + [f"<filler{number}>" for number in range(rows(config) - len(names))]:
        if name in pieces:
            theirs.pieces.add().CopyFrom(pieces[name])
        else:
            theirs.pieces.add(piece=name, score=0.0, type=kinds.CONTROL if name == "</s>" else kinds.UNUSED)
    trainer = theirs.trainer_spec
    trainer.vocab_size, trainer.eos_id, trainer.unk_id, trainer.bos_id, trainer.pad_id = len(theirs.pieces), 0, 1, -1, -1
    path.write_bytes(theirs.SerializeToString())


def write_shortlist(path, lists):
    """For every source word its target words, in Marian's binary form."""
    offsets = numpy.cumsum([0, *(len(words) for words in lists)], dtype="u8")
    words = numpy.array([word for found in lists for word in sorted(found)], "u4")
    # The checksum is that of Marian's own hash, which it does not check unless asked.
    head = struct.pack("<6Q", SHORTLIST_MAGIC, 0, LISTED, LISTED, len(offsets), len(words))
    path.write_bytes(head + offsets.tobytes() + words.tobytes())


def lexicon(pairs, vocabulary, rounds=4):
    """The likeliest target words of every source word by IBM model 1 (Brown et al. 1993), from pairs of sentences."""
    cut = SentencePieceProcessor(str(vocabulary))
    words = cut.get_piece_size()
    sides = [(numpy.unique(cut.encode(source)), cut.encode(target)) for source, target in pairs]
    sides = [(source, numpy.array(target)) for source, target in sides if len(source) and target]
    # A key for every pair of words that occur together, and where each is needed.
    keys = numpy.concatenate([(source[None] * words + target[:, None]).ravel() for source, target in sides])
    groups = numpy.repeat(numpy.arange(sum(len(target) for _, target in sides)),
                          numpy.concatenate([numpy.full(len(target), len(source)) for source, target in sides]))
    known, places = numpy.unique(keys, return_inverse=True)
    likely = numpy.ones(len(known))
    for _ in range(rounds):
        shares = likely[places] / numpy.bincount(groups, likely[places])[groups]
        counts = numpy.bincount(places, shares)
        likely = counts / numpy.bincount(known // words, counts)[known // words]
    lists = [[] for _ in range(words)]
    for place in numpy.argsort(-likely):
        found = lists[known[place] // words]
        if len(found) < LISTED:
            found.append(known[place] % words)
    return lists


def made_up_lexicon(words):
    """Target words for weights that mean nothing: frequent ones often, as in a real lexicon."""
    draw = numpy.random.default_rng(3)
    return [numpy.unique((words ** draw.random(LISTED)).astype("u4")) for _ in range(words)]
