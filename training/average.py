"""average.py OUT CHECKPOINT...: the plain average of checkpoints, folders as train.py writes them (OUT/hf), as one such folder for export.py.

Checkpoints of one run that lie half an hour apart have each learnt other things; their average is better than any of them (TRAINING.md, run 8).
"""
import argparse
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

WEIGHTS = "model.safetensors"


def average(out, folders):
    """Writes the average of the weights in `folders` to the new folder `out`; everything else comes from the first of them."""
    checkpoints = [load_file(Path(folder) / WEIGHTS) for folder in folders]
    shapes = [{name: tensor.shape for name, tensor in checkpoint.items()} for checkpoint in checkpoints]
    for folder, other in zip(folders, shapes):
        if other != shapes[0]:
            sys.exit(f"error: {folder} is a checkpoint of another size than {folders[0]}")
    shutil.copytree(folders[0], out)
    mean = {}
    for name, first in checkpoints[0].items():
        total = sum(checkpoint[name].to(torch.float32) for checkpoint in checkpoints)
        mean[name] = (total / len(checkpoints)).to(first.dtype)
    save_file(mean, Path(out) / WEIGHTS, metadata={"format": "pt"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.out.exists():
        sys.exit(f"error: {arguments.out} exists already\nhint: name a new folder")
    average(arguments.out, arguments.checkpoints)
