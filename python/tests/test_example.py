"""The example that was written for transformers 4: it prints what it printed there (`reference.py`)."""

import json
import subprocess
import sys
import unittest
from pathlib import Path

from settings import EXAMPLE, EXAMPLE_MODELS

EXPECTED = json.loads((Path(__file__).parent / "pipelines.json").read_text(encoding="utf-8"))["example"]


class Example(unittest.TestCase):
    def test_a_script_for_transformers_prints_the_same(self):
        run = subprocess.run([sys.executable, str(EXAMPLE), *EXAMPLE_MODELS], capture_output=True, encoding="utf-8")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(run.stdout.splitlines(), EXPECTED)


if __name__ == "__main__":
    unittest.main()
