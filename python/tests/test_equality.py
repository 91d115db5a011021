"""Pipelines beside those of transformers 4.57 (`reference.py`)."""

import json
import unittest
from collections import Counter
from pathlib import Path

import kortom
from settings import CHECKPOINTS, MADE_WITH, NAMES, SETTINGS, TEXTS, fixtures

EXPECTED = json.loads((Path(__file__).parent / "pipelines.json").read_text(encoding="utf-8"))["outputs"]


class Equality(unittest.TestCase):
    def test_every_setting_gives_what_transformers_gives(self):
        compared = Counter()
        for checkpoint in CHECKPOINTS:
            expected = EXPECTED[f"{checkpoint.name} {checkpoint.task}"]["call"]
            self.assertEqual(list(expected), NAMES[checkpoint.name])
            texts = [checkpoint.before + text for text in TEXTS]
            with kortom.pipeline(checkpoint.task, model=fixtures / checkpoint.name, device=-1) as pipe:
                for name, results in expected.items():
                    with self.subTest(checkpoint=checkpoint.name, task=checkpoint.task, setting=name):
                        options = {**checkpoint.languages, **SETTINGS[name]}
                        with self.quiet():
                            self.assertEqual(pipe(texts, **options), results)
                        compared[checkpoint.name] += len(results)
        self.assertEqual(sum(compared.values()), 2 * sum(len(NAMES[checkpoint.name]) for checkpoint in CHECKPOINTS))

    def test_what_a_pipeline_is_made_with_counts_as_in_transformers(self):
        for checkpoint in CHECKPOINTS:
            for name, options in MADE_WITH.items():
                expected = EXPECTED[f"{checkpoint.name} {checkpoint.task}"]["made"][name]
                texts = [checkpoint.before + text for text in TEXTS]
                with (self.subTest(checkpoint=checkpoint.name, task=checkpoint.task, made_with=name),
                      kortom.pipeline(checkpoint.task, fixtures / checkpoint.name, device=-1, **options) as pipe):
                    self.assertEqual(pipe(texts, **checkpoint.languages), expected)

    def quiet(self):
        """What has no effect is said once for each call; here that is expected."""
        import logging
        from contextlib import contextmanager

        @contextmanager
        def muted():
            logger = logging.getLogger("kortom")
            level = logger.level
            logger.setLevel(logging.ERROR)
            try:
                yield
            finally:
                logger.setLevel(level)

        return muted()


if __name__ == "__main__":
    unittest.main()
