"""Makes a folder that loads anywhere out of what train.py wrote: weights in f16 (in files of at most 7.5 MB: what a package of a
registry can hold), generation settings, tokenizer files.

usage: python export.py OUT/hf VOCABULARY FOLDER [--from nl] [--to en]
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

from transformers import GenerationConfig, MarianMTModel

LONGEST = 512
LARGEST_FILE = "7500KB"


def export(trained, vocabulary, folder, source, target):
    """Writes `folder`; `vocabulary` is a folder with source.spm and vocab.json."""
    folder, vocabulary = Path(folder), Path(vocabulary)
    model = MarianMTModel.from_pretrained(trained).half()
    config = model.config
    tokens = json.loads((vocabulary / "vocab.json").read_text(encoding="utf-8"))
    if len(tokens) != config.vocab_size:
        raise ValueError(f"`{vocabulary}` has {len(tokens)} tokens, the model in `{trained}` {config.vocab_size}: they do not belong together")
    config.num_beams, config.dropout = None, 0.1
    model.generation_config = GenerationConfig(
        max_length=LONGEST, num_beams=4, bad_words_ids=[[config.pad_token_id]], pad_token_id=config.pad_token_id,
        eos_token_id=config.eos_token_id, bos_token_id=0, decoder_start_token_id=config.decoder_start_token_id,
        forced_eos_token_id=config.eos_token_id, renormalize_logits=True)
    model.save_pretrained(folder, max_shard_size=LARGEST_FILE)
    for name, stored in (("source.spm", "source.spm"), ("target.spm", "source.spm"), ("vocab.json", "vocab.json")):
        shutil.copy(vocabulary / stored, folder / name)
    settings = {"source_lang": source, "target_lang": target, "separate_vocabs": False, "model_max_length": LONGEST,
                "unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>", "tokenizer_class": "MarianTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trained")
    parser.add_argument("vocabulary")
    parser.add_argument("folder")
    parser.add_argument("--from", dest="source", default="nl")
    parser.add_argument("--to", dest="target", default="en")
    arguments = parser.parse_args()
    try:
        export(arguments.trained, arguments.vocabulary, arguments.folder, arguments.source, arguments.target)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
