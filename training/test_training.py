"""The way from text to a model that translates, on a made-up language; a minute. usage: python -m unittest (in this folder)"""

import json
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from safetensors.numpy import load_file

HERE = Path(__file__).parent
WORDS = [first + second for first in ("ba", "do", "ki", "lu", "me", "po") for second in ("nar", "tis", "wel", "zom", "gek")]


def translated(word):
    """The other language: every word is written backwards."""
    return word[::-1]


def run(script, *arguments):
    """One script of this folder."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class Training(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.at = Path(cls.folder.name)
        draw = random.Random(1)
        sentences = [[draw.choice(WORDS) for _ in range(draw.randint(1, 4))] for _ in range(3000)]
        lines = (f"{' '.join(words)}\t{' '.join(map(translated, words))}\tmade-up\n" for words in sentences)
        (cls.at / "text.tsv").write_text("".join(lines), encoding="utf-8")
        cls.must("vocabulary.py", cls.at / "model", 75, cls.at / "text.tsv")
        cls.must("encode.py", cls.at / "data", cls.at / "model", cls.at / "text.tsv", "--validation", 100)
        config = {"model_type": "marian", "architectures": ["MarianMTModel"], "vocab_size": 76, "pad_token_id": 75, "eos_token_id": 0,
                  "decoder_start_token_id": 75, "scale_embedding": True, "activation_function": "swish", "max_position_embeddings": 128}
        (cls.at / "model" / "config.json").write_text(json.dumps(config), encoding="utf-8")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def must(cls, script, *arguments):
        done = run(script, *arguments)
        if done.returncode:
            raise AssertionError(f"{script}: {done.stdout}{done.stderr}")
        return done.stdout

    def refused(self, message, script, *arguments):
        done = run(script, *arguments)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(message, done.stderr)

    def train(self, out, steps, *more):
        return self.must("train.py", self.at / "data", self.at / out, "--from", self.at / "model", "--new", "64,1,1,128", "--minutes", 5,
                         "--steps", steps, "--tokens", 800, "--lr", "4e-3", "--warmup", 30, "--threads", 1, "--average", 0.98, "--dropout", 0, *more)

    def test_the_whole_way(self):
        first = self.train("run", 350, "--cooldown", 0)
        second = self.train("run", 150)
        self.assertIn("resumed", second, "a run goes on from its last checkpoint")
        loss = lambda told: float(told.split("validation loss ")[-1].split()[0])
        self.assertLess(loss(second), 0.7, first + second)
        state = json.loads(second.splitlines()[-1].split(maxsplit=3)[3].replace("'", '"'))
        self.assertEqual(state["step"], 500, "the steps of both sittings count")

        grown = self.must("grow.py", self.at / "run" / "hf", self.at / "data", self.at / "grown", 2)
        self.assertLess(float(grown.split()[-1].rstrip("%")), 15)
        self.must("export.py", self.at / "run" / "hf", self.at / "model", self.at / "exported")
        self.assertTranslates(self.at / "exported")
        self.must("average.py", self.at / "averaged", self.at / "run" / "hf", self.at / "run" / "hf")
        same = [load_file(self.at / at / "model.safetensors") for at in ("run/hf", "averaged")]
        self.assertTrue(all((same[0][name] == same[1][name]).all() for name in same[0]), "the average of a model and itself")
        self.refused("another size", "average.py", self.at / "mixed", self.at / "run" / "hf", self.at / "grown")
        self.refused("another size", "train.py", self.at / "data", self.at / "run", "--from", self.at / "grown", "--minutes", 0.01)

    def assertTranslates(self, folder):
        """transformers loads the exported folder unchanged, and it knows most words."""
        from transformers import MarianMTModel, MarianTokenizer

        tokenizer, model = MarianTokenizer.from_pretrained(folder), MarianMTModel.from_pretrained(folder).float()
        outputs = model.generate(**tokenizer(WORDS, return_tensors="pt", padding=True), max_length=20)
        right = sum(got == translated(word) for got, word in zip(tokenizer.batch_decode(outputs, skip_special_tokens=True), WORDS))
        self.assertGreater(right, len(WORDS) // 2)

    def test_a_trained_model_takes_another_vocabulary(self):
        from transfer import spelling
        from encode import Encoder

        self.train("short", 20)
        for name in ("source.spm", "vocab.json"):
            shutil.copy(self.at / "model" / name, self.at / "short" / "hf" / name)
        told = self.must("transfer.py", self.at / "short" / "hf", self.at / "model", self.at / "transferred")
        self.assertIn("76 of 76 pieces were known", told)
        same = [load_file(self.at / at / "model.safetensors") for at in ("short/hf", "transferred")]
        self.assertEqual(same[0].keys(), same[1].keys())
        self.assertTrue(all((same[0][name] == same[1][name]).all() for name in same[0]), "the same vocabulary changes nothing")

        old = Encoder(self.at / "model").pieces
        ids = json.loads((self.at / "model" / "vocab.json").read_text(encoding="utf-8"))
        words = {token: piece for piece, token in ids.items()}
        spelled = "".join(words[token] for token in spelling("\u2581banarlutis", old, ids))
        self.assertEqual(spelled, "\u2581banarlutis")
        self.assertEqual("".join(words[token] for token in spelling("narlu", old, ids)), "narlu")

        self.must("vocabulary.py", self.at / "smaller", 60, self.at / "text.tsv", "--shares", self.shares({"made-up": 0.5}))
        self.must("transfer.py", self.at / "short" / "hf", self.at / "smaller", self.at / "with-smaller")
        self.assertEqual(json.loads((self.at / "with-smaller" / "config.json").read_text())["vocab_size"], 61)

    def test_other_spellings_are_of_the_same_text(self):
        from batches import Encoded
        from respelling import Respelling

        plain, respell = Encoded(self.at / "data" / "valid.npz"), Respelling(self.at / "model", 0.1, 1.0)
        sentences = [plain.source[first:last] for first, last in zip(plain.source_starts, plain.source_starts[1:])]
        spelled = [respell(ids) for ids in sentences]
        text = lambda ids: "".join(respell.texts[token] for token in ids)
        self.assertEqual([text(ids) for ids in spelled], [text(ids) for ids in sentences])
        self.assertGreater(sum(len(one) != len(other) for one, other in zip(spelled, sentences)), len(sentences) // 10)
        self.assertTrue(all((Respelling(self.at / "model", 0.1, 0.0)(ids) == ids).all() for ids in sentences), "a share of none")
        self.assertIn("validation loss", self.train("respelled", 5, "--from", self.at / "model", "--respelled", 0.5))

    def test_numbers_are_varied_alike_on_both_sides(self):
        import re

        from vary_numbers import with_other_numbers

        draw = random.Random(2)
        for source, target in [("In 1953 kostte het 2,5 miljoen.", "In 1953 it cost 2.5 million."), ("Om 10.15 uur waren er 30.000.", "At 10:15 a.m. there were 30,000.")]:
            new = with_other_numbers(source, target, draw)
            self.assertNotEqual(new[0], source)
            same = lambda text: re.findall(r"\d+", text)
            self.assertEqual(same(new[0]), same(new[1]), new)
            self.assertEqual([re.sub(r"\d+", "#", text) for text in new], [re.sub(r"\d+", "#", text) for text in (source, target)])
        for source, target in [("Hij kwam om 14.10 uur.", "He came at 2.10 p.m."), ("De 22e keer.", "The 22nd time."), ("Niets.", "Nothing."),
                               ("Van 3 tot 3.", "From 3 to 3.")]:
            self.assertIsNone(with_other_numbers(source, target, draw), source)
        new = lambda target: filter(None, (with_other_numbers("Om 8.30 uur.", target, draw) for _ in range(20)))
        hours = lambda target: {source[3:-8] for source, _ in new(target)}
        self.assertEqual(hours("At 8:30 in the morning."), {"8"})
        self.assertGreater(len(hours("At 8:30.")), 5, "any hour of the day")

    def test_names_are_varied_alike_on_both_sides(self):
        from vary_names import names_of, with_other_names

        pair = ("Gisteren sprak Ilse Terpstra in Berlijn, volgens De Gids.", "Yesterday Ilse Terpstra spoke in Berlin, said The Guide.")
        self.assertEqual(names_of(*pair, set()), ["Ilse", "Terpstra"], "what both sides have")
        self.assertEqual(names_of(*pair, {"ilse"}), ["Terpstra"], "no name where a line has it without a capital")
        self.assertEqual(names_of("Terpstra sprak.", "Terpstra spoke.", set()), [], "the beginning of a sentence may be any word")
        new = with_other_names(pair, ["Ilse", "Terpstra"], ["Anouk", "Moreno", "Okafor"], random.Random(3))
        for old, other in zip(pair, new):
            self.assertNotIn("Terpstra", other)
            self.assertEqual(len(old.split()), len(other.split()))
        self.assertEqual(new[0].split()[2:4], new[1].split()[1:3], "the same names")

    def test_one_spelling_of_english(self):
        from american import american

        for british, expected in [("Two colourful neighbours organised it.", "Two colorful neighbors organized it."),
                                  ("The Labour party's labour programme", "The Labour party's labor program"),
                                  ("a theatre centred 12 kilometres away", "a theater centered 12 kilometers away"),
                                  ("Tyres, GREY fibre and jewellery", "Tires, GRAY fiber and jewelry"),
                                  ("She cancelled, realising 5 per cent", "She canceled, realizing 5 percent"),
                                  ("'It's late,' she said.", '"It\'s late," she said.'),
                                  ("'We left.", '"We left.'), ("Click 'OK'", "Click 'OK'"), ("The file '%s' is gone.", "The file '%s' is gone."),
                                  ("our four tonnes, the analyses, a rise, an hour, exercised, acre", "our four tonnes, the analyses, a rise, an hour, exercised, acre")]:
            self.assertEqual(american(british), expected)
            self.assertEqual(american(expected), expected)
        (self.at / "british.tsv").write_text("De kleur.\tThe colour.\nHet centrum.\tThe centre.\n", encoding="utf-8")
        self.must("encode.py", self.at / "spelled", self.at / "model", self.at / "british.tsv", "--american", "--validation", 1)

    def test_a_teacher_takes_part_of_the_place_of_the_labels(self):
        import torch
        from torch.nn.functional import cross_entropy, one_hot

        from loss import OutputLoss

        torch.manual_seed(1)
        states, weight, labels = torch.randn(900, 8, requires_grad=True), torch.randn(30, 8, requires_grad=True), torch.randint(30, (900,))
        taught = torch.randn(900, 4), torch.randn(30, 4)
        loss = OutputLoss.apply(states, weight, labels, 0.1, True, torch.float32, (*taught, 0.4))
        loss.backward()
        gradients = states.grad.clone(), weight.grad.clone()
        states.grad = weight.grad = None
        wanted = 0.6 * (0.9 * one_hot(labels, 30) + 0.1 / 30) + 0.4 * (taught[0] @ taught[1].t()).softmax(-1)
        expected = cross_entropy(states @ weight.t(), wanted)
        expected.backward()
        self.assertAlmostEqual(float(loss), float(expected), places=4)
        for got, right in zip(gradients, (states.grad, weight.grad)):
            self.assertTrue(torch.allclose(got, right, atol=1e-5))

        self.train("teacher", 5)
        self.assertIn("validation loss", self.train("taught", 5, "--teacher", self.at / "teacher" / "hf"))

    def shares(self, shares):
        """A file of shares."""
        path = self.at / "shares.json"
        path.write_text(json.dumps(shares), encoding="utf-8")
        return path

    def test_text_that_cannot_be_trained_on_is_refused(self):
        (self.at / "one-column.tsv").write_text("goed\tgood\nslecht\n", encoding="utf-8")
        self.refused("`", "encode.py", self.at / "x", self.at / "model", self.at / "one-column.tsv")
        self.refused("line 2: 1 columns where 2 or 3 belong", "encode.py", self.at / "x", self.at / "model", self.at / "one-column.tsv")
        (self.at / "half.tsv").write_text("goed\t \n", encoding="utf-8")
        self.refused("line 1: one side is empty", "vocabulary.py", self.at / "x", 50, self.at / "half.tsv")
        (self.at / "empty.tsv").write_text("", encoding="utf-8")
        self.refused("empty.tsv` is empty", "encode.py", self.at / "x", self.at / "model", self.at / "empty.tsv")
        self.refused("are too few to hold 5000 out", "encode.py", self.at / "x", self.at / "model", self.at / "text.tsv", "--validation", 5000)

    def test_held_out_sentences_are_not_trained_on(self):
        from corpus import distinct_pairs

        (self.at / "few.tsv").write_text("Een.\tOne.\nTwee.\tTwo.\nDrie.\tThree.\nEen!\tONE\n", encoding="utf-8")
        (self.at / "held-out.txt").write_text("two\n", encoding="utf-8")
        pairs = list(distinct_pairs([self.at / "few.tsv"], [self.at / "held-out.txt"]))
        self.assertEqual(pairs, [("Een.", "One.", "few"), ("Drie.", "Three.", "few")])

    def test_data_of_another_vocabulary_is_refused(self):
        small = self.at / "small"
        small.mkdir()
        config = json.loads((self.at / "model" / "config.json").read_text()) | {"vocab_size": 50, "pad_token_id": 49, "decoder_start_token_id": 49}
        (small / "config.json").write_text(json.dumps(config))
        self.refused("was encoded with another vocabulary", "train.py", self.at / "data", self.at / "y", "--from", small,
                     "--new", "32,1,1,32", "--minutes", 0.01)


if __name__ == "__main__":
    unittest.main()
