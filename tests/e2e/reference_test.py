"""The pages of docs/reference that the program writes are those that it writes today."""

import pathlib
import re
import unittest

from engine import cannula

ROOT = pathlib.Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"


class GeneratedPages(unittest.TestCase):
    def test_each_is_what_the_program_prints(self):
        for page in ("cli", "config", "errors", "lua", "metrics"):
            with self.subTest(page):
                self.assertEqual((REFERENCE / f"{page}.md").read_text(encoding="utf-8"), cannula("reference", page),
                                 f"write it anew: cannula reference {page} > docs/reference/{page}.md")

    def test_every_event_that_is_counted_has_its_meaning_on_the_page_of_metrics(self):
        counted = re.compile(r'(?:report(?:_|\(\))?|transport)\.(?:count|add|turned_away)\(\s*"(\w+_total)"')
        events = {name for room in ("channels", "engine/pipeline") for file in (ROOT / room).rglob("*.cpp")
                  for name in counted.findall(file.read_text(encoding="utf-8"))}
        page = (REFERENCE / "metrics.md").read_text(encoding="utf-8")
        explained = set(re.findall(r"^\| `(\w+)` \|", page.partition("## Events")[2], re.MULTILINE))
        self.assertEqual(events, explained)


if __name__ == "__main__":
    unittest.main()
