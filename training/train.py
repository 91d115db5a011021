"""Trains a Marian model in the Hugging Face layout, on from a checkpoint or from random weights, on a processor or a CUDA card.

usage: python train.py DATA OUT --from MODEL --minutes M [--new WIDTH,ENCODER,DECODER,FEED_FORWARD] ...
DATA is what encode.py wrote, MODEL a folder with config.json and weights (with --new only config and vocabulary are used).
OUT/last.pt is written every ten minutes and at the end; a run that finds one goes on from it. OUT/hf is the average of the weights
at that time, as a checkpoint for export.py. A run may be cut into sittings: all but the last with `--cooldown 0`.
"""

import argparse
import json
import os
import random
import sys
import time
from pathlib import Path

import numpy
import torch
from transformers import MarianConfig, MarianMTModel

from batches import IGNORED, Encoded
from loss import OutputLoss
from respelling import Respelling

SAVED_EVERY = 600
TOLD_EVERY = 20


class Unusable(Exception):
    """Something given that cannot be trained with."""


def device_and_type():
    """Where to compute and in which type: bfloat16 where there is hardware for it."""
    if torch.cuda.is_available():
        return "cuda", torch.bfloat16
    cpu = Path("/proc/cpuinfo")
    flags = cpu.read_text() if cpu.exists() else ""
    return "cpu", torch.bfloat16 if "avx512_bf16" in flags or "amx_bf16" in flags else torch.float32


def open_model(folder, new, dropout):
    """The checkpoint in `folder`, or a model of another size with its vocabulary; weights in float32."""
    if new:
        width, encoder, decoder, feed_forward = map(int, new.split(","))
        heads = max(4, width // 64)
        config = MarianConfig.from_pretrained(folder)
        config.update({"d_model": width, "encoder_layers": encoder, "decoder_layers": decoder, "num_hidden_layers": encoder,
                       "encoder_ffn_dim": feed_forward, "decoder_ffn_dim": feed_forward,
                       "encoder_attention_heads": heads, "decoder_attention_heads": heads})
        model = MarianMTModel(config).float()
    else:
        model = MarianMTModel.from_pretrained(folder, dtype=torch.float32)
    # On a processor, sentences are too short for the fused kernel: its backward pass takes ten times what plain products take.
    model.set_attn_implementation("sdpa" if torch.cuda.is_available() else "eager")
    model.config.dropout = dropout
    for module in model.modules():
        if isinstance(getattr(module, "dropout", None), float):
            module.dropout = dropout
    return model


class Training:
    """A model with its optimiser, the average of its weights, and how far it has come."""

    def __init__(self, model, device, dtype, arguments, teacher=None):
        self.model, self.device, self.dtype, self.arguments = model.to(device), device, dtype, arguments
        self.teacher = teacher and teacher.to(device).eval().requires_grad_(False)
        self.parameters = [weight for weight in model.parameters() if weight.requires_grad]
        self.average = [weight.detach().clone() for weight in self.parameters]
        self.optimiser = torch.optim.AdamW(self.parameters, lr=arguments.lr, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.0)
        self.state = {"step": 0, "tokens": 0, "minutes": 0.0}
        self.checkpoint = Path(arguments.out) / "last.pt"
        self.first = 0

    def resume(self):
        """Goes on from the last checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return
        try:
            stored = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
            self.model.load_state_dict(stored["model"])
            self.optimiser.load_state_dict(stored["optimiser"])
        except (RuntimeError, KeyError, ValueError) as error:
            raise Unusable(f"`{self.checkpoint}` is of a model of another size, or no checkpoint of this program ({str(error).splitlines()[0]}); "
                           "name another OUT, or the model that it was made from") from error
        self.average, self.state = stored["average"], stored["state"]
        self.first = self.state["step"]
        print("resumed", self.state, flush=True)

    def save(self, minutes):
        """Writes last.pt whole or not at all, then the average of the weights as OUT/hf."""
        state = self.state | {"minutes": self.state["minutes"] + minutes}
        beside = self.checkpoint.with_suffix(".tmp")
        torch.save({"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(), "average": self.average, "state": state}, beside)
        os.replace(beside, self.checkpoint)
        self.swap()
        self.model.save_pretrained(self.checkpoint.parent / "hf")
        self.swap()
        return state

    def swap(self):
        """Exchanges the weights and their average."""
        for weight, average in zip(self.parameters, self.average):
            weight.data, average.data = average.data, weight.data

    def loss(self, tensors, smoothing):
        """Mean loss of a batch, and how many target tokens it has; the teacher has its share only where there are gradients."""
        labels = tensors[-1].view(-1)
        kept = labels != IGNORED
        teacher = None
        if self.teacher and torch.is_grad_enabled():
            with torch.no_grad():
                teacher = self.states(self.teacher, tensors, kept), self.teacher.lm_head.weight, self.arguments.teacher_share
        states = self.states(self.model, tensors, kept)
        loss = OutputLoss.apply(states, self.model.lm_head.weight, labels[kept], smoothing, torch.is_grad_enabled(), self.dtype, teacher)
        return loss, int(kept.sum())

    def states(self, model, tensors, kept):
        """What the decoder of `model` has for each target token that is `kept`: (n, d), in float32."""
        source, mask, inputs, _ = tensors
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            states = model.model(input_ids=source, attention_mask=mask, decoder_input_ids=inputs).last_hidden_state
        return states.reshape(-1, states.size(-1))[kept].float()

    def step(self, tensors, rate):
        """One step of AdamW, and the average of the weights after it; loss and target tokens."""
        self.state["step"] += 1
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss, tokens = self.loss(tensors, self.arguments.smoothing)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        since = self.state["step"] - self.first
        # The average forgets the beginning faster than it would with a fixed weight.
        kept = min(self.arguments.average, (1 + since) / (10 + since))
        torch._foreach_lerp_(self.average, [weight.detach() for weight in self.parameters], 1 - kept)
        self.state["tokens"] += tokens
        return float(loss.detach()), tokens

    @torch.no_grad()
    def validate(self, data, pad):
        """Loss per target token of the averaged weights on held-out pairs, without smoothing."""
        self.model.eval()
        self.swap()
        losses = [self.loss(data.tensors(batch, pad, self.device), 0.0) for batch in data.batches(self.arguments.tokens)]
        self.swap()
        self.model.train()
        return sum(float(loss) * tokens for loss, tokens in losses) / sum(tokens for _, tokens in losses)


def rate_at(arguments, steps, share):
    """The learning rate of step `steps` of a sitting, of which `share` has passed."""
    rate = arguments.lr * min(1.0, steps / arguments.warmup)
    return rate * max(0.02, (1 - share) / arguments.cooldown) if share > 1 - arguments.cooldown else rate


def run(training, train, valid, shares, pad):
    """Trains until the time is over, telling and saving on the way."""
    arguments, limit = training.arguments, training.arguments.minutes * 60
    numpy.random.seed(arguments.seed + training.first)
    random.seed(arguments.seed + training.first)
    print("validation loss", round(training.validate(valid, pad), 4), flush=True)
    begun = told = saved = time.time()
    losses = tokens = 0
    share = 0
    while share < 1:
        for batch in train.batches(arguments.tokens, shares):
            passed, steps = time.time() - begun, training.state["step"] - training.first
            share = max(passed / limit, steps / arguments.steps)
            if share >= 1:
                break
            rate = rate_at(arguments, steps + 1, share)
            loss, counted = training.step(train.tensors(batch, pad, training.device), rate)
            losses, tokens = losses + loss * counted, tokens + counted
            if training.state["step"] % TOLD_EVERY == 0:
                now = time.time()
                print(f"step {training.state['step']} loss {losses / tokens:.3f} rate {rate:.1e} {tokens / (now - told):.0f} tokens/s "
                      f"{passed / 60:.1f} min", flush=True)
                losses, tokens, told = 0, 0, now
            if time.time() - saved > SAVED_EVERY:
                training.save((time.time() - begun) / 60)
                print("validation loss", round(training.validate(valid, pad), 4), flush=True)
                saved = told = time.time()
    state = training.save((time.time() - begun) / 60)
    print("validation loss", round(training.validate(valid, pad), 4), state, flush=True)


def options():
    """What may be given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--from", dest="start", required=True, metavar="MODEL")
    parser.add_argument("--new", help="width, encoder layers, decoder layers, width of the feed-forward layers: begin from random weights")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--steps", type=float, default=float("inf"), help="end after so many, even if there is time left")
    parser.add_argument("--shares", help="JSON file: origin -> how often its lines come in one pass (1 where not named)")
    parser.add_argument("--tokens", type=int, default=4000, help="of a batch, padded, on the longer side")
    parser.add_argument("--lr", type=float, default=6e-4)
    parser.add_argument("--warmup", type=int, default=300, help="steps")
    parser.add_argument("--cooldown", type=float, default=0.3, help="last share of a sitting, in which the rate falls to zero")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--smoothing", type=float, default=0.1)
    parser.add_argument("--respelled", type=float, default=0.0, help="share of the sentences to spell in other pieces each time (respelling.py)")
    parser.add_argument("--alpha", type=float, default=0.3, help="of --respelled: the smaller, the further from the usual pieces")
    parser.add_argument("--teacher", metavar="MODEL", help="a trained model with the same vocabulary, whose probabilities are learnt beside the text")
    parser.add_argument("--teacher-share", type=float, default=0.5, help="how much they count for; the text has the rest")
    parser.add_argument("--average", type=float, default=0.999, help="decay of the exponential average of the weights")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=1)
    return parser


def main():
    arguments = options().parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    try:
        respelling = [Respelling(arguments.start, arguments.alpha, arguments.respelled)] if arguments.respelled else []
        train, valid = Encoded(Path(arguments.data) / "train.npz", *respelling), Encoded(Path(arguments.data) / "valid.npz")
        device, dtype = device_and_type()
        model = open_model(arguments.start, arguments.new, arguments.dropout)
        if train.largest_id() >= model.config.vocab_size:
            raise Unusable(f"`{arguments.data}` was encoded with another vocabulary: it has token {train.largest_id()}, `{arguments.start}` "
                           f"only {model.config.vocab_size}")
        teacher = open_model(arguments.teacher, None, 0.0) if arguments.teacher else None
        if teacher and teacher.config.vocab_size != model.config.vocab_size:
            raise Unusable(f"`{arguments.teacher}` has {teacher.config.vocab_size} tokens, `{arguments.start}` {model.config.vocab_size}: "
                           "a teacher must have the same vocabulary")
        Path(arguments.out).mkdir(parents=True, exist_ok=True)
        training = Training(model, device, dtype, arguments, teacher)
        training.resume()
        shares = json.loads(Path(arguments.shares).read_text()) if arguments.shares else {}
        print(f"{sum(weight.numel() for weight in training.parameters) / 1e6:.2f} M parameters on {device} in {dtype}", flush=True)
        run(training, train, valid, shares, model.config.pad_token_id)
    except (Unusable, OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
