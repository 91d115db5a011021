"""`translate`, `summarize` and `digest`."""

import tempfile
import unittest
from pathlib import Path

import kortom

ARTICLE = """date 2021-03 Het regent vandaag in de stad. De zon schijnt morgen.

Brug

De gemeente bouwt een nieuwe brug. De brug is in mei klaar."""


class Articles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(kortom.close)

    def test_a_text_becomes_a_text_and_a_list_a_list(self):
        one = kortom.translate("Het regent vandaag.")
        self.assertIn("rain", one)
        self.assertEqual(kortom.translate(["Het regent vandaag.", "", " "]), [one, "", ""])
        self.assertEqual(kortom.translate(iter(["Het regent vandaag."])), [one])
        self.assertEqual(kortom.translate([]), [])

    def test_a_summary_has_the_length_that_is_asked_for(self):
        text = "The town builds a bridge. It costs two million euros. The mayor is glad. The old bridge was built in 1902."
        self.assertEqual(kortom.summarize(text, summary_length=1).count("."), 1)
        self.assertEqual(kortom.summarize([text], summary_length="100%"), [text])

    def test_a_report_has_all_that_the_program_says(self):
        report = kortom.digest(ARTICLE)
        self.assertEqual(report.date, "2021-03")
        self.assertEqual(len(report.segments), 5)
        self.assertEqual(report.segments[0].source, "Het regent vandaag in de stad.")
        self.assertEqual(report.method, "extractive")
        self.assertIn(report.segments[0].target, report.translation)
        self.assertEqual(report.json["models"], report.models)
        self.assertTrue(all(segment.flags for segment in report.flagged))

    def test_a_path_is_a_file_and_a_text_a_text(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "een artikel.md")
            path.write_text("# De brug\n\nDe brug is dicht.\n", encoding="utf-8")
            report = kortom.digest(path)
            self.assertEqual([segment.source for segment in report.segments], ["De brug", "De brug is dicht."])
            self.assertIsNotNone(report.title)
            plain = Path(folder, "artikel.txt")
            plain.write_text(ARTICLE, encoding="utf-8")
            self.assertEqual(kortom.digest(plain).translation, kortom.digest(ARTICLE).translation)
            with self.assertRaisesRegex(kortom.ArgumentError, "is the name of a file"):
                kortom.digest(str(plain))
            with self.assertRaisesRegex(kortom.ArgumentError, "is a folder"):
                kortom.digest(Path(folder))
            with self.assertRaisesRegex(kortom.KortomError, "no such file"):
                kortom.digest(Path(folder, "nergens.txt"))

    def test_options_are_those_of_the_command_line(self):
        short = kortom.translate("Het regent vandaag in de stad.", max_length=2, beam_size=1, compute_type="float32")
        self.assertLess(len(short), len(kortom.translate("Het regent vandaag in de stad.")))
        with self.assertRaisesRegex(kortom.ArgumentError, "`translate` has no argument `num_beams`"):
            kortom.translate("Ja.", num_beams=2)
        with self.assertRaisesRegex(kortom.KortomError, "unrecognized|invalid value"):
            kortom.translate("Ja.", beam_size="many")
        with self.assertRaises(kortom.ArgumentError):
            kortom.translate(b"Ja.")

    def test_an_article_that_cannot_be_used_is_an_error_and_the_next_one_is_not(self):
        with self.assertRaisesRegex(kortom.KortomError, "the article is empty"):
            kortom.digest(" ")
        with self.assertRaisesRegex(kortom.KortomError, "NUL"):
            kortom.digest("Het regent.\0")
        self.assertEqual(kortom.digest(ARTICLE).date, "2021-03")


if __name__ == "__main__":
    unittest.main()
