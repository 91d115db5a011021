"""Writes pipelines.json: what the pipelines of transformers 4.57 make of the tiny checkpoints in tests/fixtures.

    python -m venv reference && reference/bin/pip install -r python/tests/requirements-reference.txt
    reference/bin/python python/tests/reference.py

The tests compare kortom's pipelines with that file and need neither transformers nor torch.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch
import transformers
from settings import CHECKPOINTS, EXAMPLE, EXAMPLE_MODELS, MADE_WITH, NAMES, SETTINGS, TEXTS, fixtures
from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES

here = Path(__file__).parent


def pipeline(checkpoint, **made_with):
    with tempfile.TemporaryDirectory() as folder:
        model = complete(fixtures / checkpoint.name, Path(folder, "model"))
        return transformers.pipeline(checkpoint.task, model=str(model), device=-1, **made_with)


def complete(model, copy):
    """A checkpoint as it is on the hub: there those of M2M100 list their language tokens, without which transformers 4 prints them."""
    settings = json.loads((model / "tokenizer_config.json").read_text())
    if settings["tokenizer_class"] != "M2M100Tokenizer":
        return model
    shutil.copytree(model, copy)
    codes = FAIRSEQ_LANGUAGE_CODES[settings["language_codes"]]
    settings["additional_special_tokens"] = [f"__{code}__" for code in codes]
    (copy / "tokenizer_config.json").write_text(json.dumps(settings))
    return copy


def texts(checkpoint):
    return [checkpoint.before + text for text in TEXTS]


def by_setting(checkpoint):
    """The outputs of each setting, given with the call."""
    pipe = pipeline(checkpoint)
    return {name: pipe(texts(checkpoint), **checkpoint.languages, **SETTINGS[name]) for name in NAMES[checkpoint.name]}


def made(checkpoint):
    """The outputs where the settings are given when the pipeline is made."""
    return {name: pipeline(checkpoint, **options)(texts(checkpoint), **checkpoint.languages)
            for name, options in MADE_WITH.items()}


def example():
    """What the example prints with the import that it had."""
    script = EXAMPLE.read_text(encoding="utf-8").replace("from kortom import", "from transformers import")
    arguments = [sys.executable, "-", *EXAMPLE_MODELS]
    run = subprocess.run(arguments, input=script, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    return run.stdout.splitlines()


def main():
    assert transformers.__version__.startswith("4.57."), transformers.__version__
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    outputs = {}
    for checkpoint in CHECKPOINTS:
        outputs[f"{checkpoint.name} {checkpoint.task}"] = {"call": by_setting(checkpoint), "made": made(checkpoint)}
        print(checkpoint.name, checkpoint.task, flush=True)
    made_by = f"transformers {transformers.__version__}"
    document = {"made by": made_by, "example": example(), "outputs": outputs}
    (here / "pipelines.json").write_text(json.dumps(document, ensure_ascii=False, indent=0) + "\n")


if __name__ == "__main__":
    main()
