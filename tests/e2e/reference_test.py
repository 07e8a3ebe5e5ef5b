"""The pages of docs/reference that the program writes are those that it writes today."""

import pathlib
import unittest

from engine import cannula

REFERENCE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "reference"


class GeneratedPages(unittest.TestCase):
    def test_each_is_what_the_program_prints(self):
        for page in ("cli", "config", "errors", "lua"):
            with self.subTest(page):
                self.assertEqual((REFERENCE / f"{page}.md").read_text(encoding="utf-8"), cannula("reference", page),
                                 f"write it anew: cannula reference {page} > docs/reference/{page}.md")


if __name__ == "__main__":
    unittest.main()
