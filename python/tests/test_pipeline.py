"""How pipelines are called, and what they refuse."""

import os
import shutil
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kortom
from settings import TEXTS, fixtures

MARIAN = fixtures / "tiny-marian"


class Column:
    """A column of a data set: numbered, and no list."""

    def __init__(self, texts):
        self.texts = texts

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, place):
        return self.texts[place]


class Shapes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pipe = kortom.pipeline("translation", model=str(MARIAN), device="cpu", max_new_tokens=12)
        cls.addClassCleanup(cls.pipe.close)
        cls.each = [cls.pipe(text)[0] for text in TEXTS]

    def test_a_text_gives_a_list_with_one_result(self):
        result = self.pipe(TEXTS[0])
        self.assertEqual([list(one) for one in result], [["translation_text"]])
        self.assertEqual(self.pipe(TEXTS[0], num_return_sequences=2, num_beams=2)[0], self.pipe(TEXTS[0], num_beams=2)[0])

    def test_a_list_gives_a_result_for_each(self):
        self.assertEqual(self.pipe(TEXTS, batch_size=8, num_workers=2, return_text=True, use_cache=True), self.each)
        self.assertEqual(self.pipe([]), [])
        several = self.pipe(TEXTS, num_beams=3, num_return_sequences=3)
        self.assertEqual([len(results) for results in several], [3, 3])

    def test_a_generator_gives_a_list_for_each_as_it_is_read(self):
        read = []

        def texts():
            for number in range(200):
                read.append(number)
                yield TEXTS[number % 2]

        results = self.pipe(texts())
        self.assertEqual(next(results), [self.each[0]])
        self.assertLess(len(read), 20)
        results.close()
        self.assertEqual(self.pipe(TEXTS), self.each)
        self.assertEqual(list(self.pipe(text for text in TEXTS)), [[one] for one in self.each])

    def test_a_column_is_read_like_a_generator(self):
        self.assertEqual(list(self.pipe(Column(TEXTS))), [[one] for one in self.each])

    def test_threads_share_a_pipeline(self):
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda number: self.pipe(TEXTS[number % 2], num_beams=1 + number % 3), range(60)))
        for number, result in enumerate(results):
            self.assertEqual(result, self.pipe(TEXTS[number % 2], num_beams=1 + number % 3))

    def test_chance_can_be_repeated(self):
        drawn = []
        for _ in range(2):
            kortom.set_seed(7)
            drawn.append(self.pipe([TEXTS[0]] * 4, do_sample=True, num_beams=1, temperature=2.0))
        self.assertEqual(drawn[0], drawn[1])
        texts = [one["translation_text"] for one in drawn[0]]
        self.assertGreater(len(set(texts)), 1)
        self.assertEqual(self.pipe(TEXTS[0], do_sample=True, num_beams=1, temperature=2.0, seed=3),
                         self.pipe(TEXTS[0], do_sample=True, num_beams=1, temperature=2.0, seed=3))

    def test_a_prefix_takes_the_place_of_the_models_own(self):
        with kortom.pipeline("summarization", model=fixtures / "tiny-t5", device="cpu") as summarizer:
            own = summarizer(TEXTS[0])
            self.assertEqual(summarizer(TEXTS[0], prefix="summarize: "), own)
            self.assertNotEqual(summarizer(TEXTS[0], prefix=""), own)
            summarizer.prefix = ""
            self.assertEqual(summarizer("summarize: " + TEXTS[0]), own)

    def test_a_pipeline_can_be_closed(self):
        with kortom.pipeline("translation", model=MARIAN) as pipe:
            pipe(TEXTS[0], num_beams=1)
        with self.assertRaises(kortom.KortomError):
            pipe(TEXTS[0])


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pipe = kortom.pipeline("translation", model=MARIAN, device="cpu")
        cls.addClassCleanup(cls.pipe.close)

    def test_unknown_arguments_are_named(self):
        for options in [{"num_beam": 4}, {"stop_sequence": "."}, {"num_beam_groups": 2}, {"generation_config": object()}]:
            name = next(iter(options))
            with self.subTest(name), self.assertRaisesRegex(kortom.ArgumentError, f"no argument `{name}`"):
                self.pipe(TEXTS[0], **options)
        with self.assertRaisesRegex(TypeError, "no argument `num_beam`"):
            kortom.pipeline("translation", model=MARIAN, num_beam=4)
        with self.assertRaisesRegex(ValueError, "`return_tensors` is not possible"):
            self.pipe(TEXTS[0], return_tensors=True)

    def test_what_is_no_text_is_refused(self):
        for wrong in [None, 7, b"bytes", {"text": "a"}, ["a", None], [["a"]], "half \ud83d"]:
            with self.subTest(repr(wrong)), self.assertRaises(kortom.ArgumentError):
                self.pipe(wrong)
        self.assertEqual(len(self.pipe(TEXTS)), 2)

    def test_impossible_values_have_the_programs_message_and_hint(self):
        with self.assertRaisesRegex(kortom.KortomError, "`num_beams` is 0 .the call.: not possible") as raised:
            self.pipe(TEXTS[0], num_beams=0)
        self.assertEqual(raised.exception.hint, "give a whole number, 1 or more")
        with self.assertRaisesRegex(kortom.KortomError, "more than `num_beams`"):
            self.pipe(TEXTS[0], num_beams=2, num_return_sequences=3)
        self.assertEqual(len(self.pipe(TEXTS)), 2)

    def test_a_text_that_is_too_long_is_an_error_unless_it_may_be_cut(self):
        with self.assertRaisesRegex(kortom.KortomError, "the model takes 192 at most"):
            self.pipe("De brug is dicht. " * 100)

    def test_tasks_and_models_are_named(self):
        with self.assertRaisesRegex(kortom.ArgumentError, "no pipeline for the task 'text-generation'"):
            kortom.pipeline("text-generation", model=MARIAN)
        with self.assertRaises(kortom.KortomError) as raised:
            kortom.pipeline("translation", model=str(fixtures / "nowhere"))
        self.assertTrue(raised.exception.hint)
        with self.assertRaisesRegex(kortom.ArgumentError, "trust_remote_code"):
            kortom.pipeline("translation", model=MARIAN, trust_remote_code=True)

    def test_a_model_for_many_languages_must_be_told_which(self):
        with kortom.pipeline("translation", model=fixtures / "tiny-m2m100", device="cpu") as pipe:
            with self.assertRaisesRegex(kortom.KortomError, "must be told both languages"):
                pipe(TEXTS[0])
            self.assertEqual(len(pipe(TEXTS[0], src_lang="nl", tgt_lang="en")), 1)
            with self.assertRaisesRegex(kortom.KortomError, "does not know the language `tlh`"):
                pipe(TEXTS[0], src_lang="nl", tgt_lang="tlh")

    def test_the_built_in_model_is_for_dutch_to_english(self):
        with kortom.pipeline("translation_nl_to_en", device="cpu", offline=True) as pipe:
            self.assertIn("rain", pipe("Het regent vandaag.")[0]["translation_text"])
        with self.assertRaisesRegex(kortom.KortomError, "no model for the task `translation_en_to_fr`"):
            kortom.pipeline("translation_en_to_fr")

    def test_a_folder_may_have_any_name(self):
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder, "een model, süß 模型")
            shutil.copytree(MARIAN, model, ignore=shutil.ignore_patterns("expected.json"))
            with kortom.pipeline("translation", model=model, device="cpu") as pipe:
                self.assertEqual(pipe(TEXTS[0]), self.pipe(TEXTS[0]))
            here = os.getcwd()
            os.chdir(folder)
            self.addCleanup(os.chdir, here)
            shutil.move(model, "-model")
            with kortom.pipeline("translation", model="./-model", device="cpu") as pipe:
                self.assertEqual(pipe(TEXTS[0]), self.pipe(TEXTS[0]))
            os.chdir(here)


if __name__ == "__main__":
    unittest.main()
