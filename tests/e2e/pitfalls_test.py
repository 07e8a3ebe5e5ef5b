"""docs/contributing/hl7-pitfalls.md: every row names tests, and every test that it names is there."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def tests_in_sources():
    found = set()
    sources = [source for room in ("unit", "faults") for source in (ROOT / "tests" / room).rglob("*_test.cpp")]
    for source in sources:
        for suite, name in re.findall(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", source.read_text(), re.MULTILINE):
            found.add(f"{suite}.{name}")
    return found


class PitfallsTest(unittest.TestCase):
    def test_every_row_names_tests_that_exist(self):
        there = tests_in_sources()
        rows = [line for line in (ROOT / "docs/contributing/hl7-pitfalls.md").read_text().splitlines()
                if line.startswith("| ") and not line.startswith(("| complaint", "| section"))]
        self.assertGreater(len(rows), 30)
        for row in rows:
            named = re.findall(r"`([\w]+\.[\w]+)`", row.rsplit("|", 2)[1])
            self.assertTrue(named, row)
            self.assertEqual([name for name in named if name not in there], [], row)


if __name__ == "__main__":
    unittest.main()
