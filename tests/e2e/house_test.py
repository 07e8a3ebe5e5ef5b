"""The page of the house says which rooms there are, and which libraries stay behind whose doors."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOPS = ("parsers", "rules", "channels", "engine")
HOUSE = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")


def rooms():
    return [name for top in TOPS
            for name in re.findall(r"^cannula_room\((\S+?)[\s)]", (ROOT / top / "CMakeLists.txt").read_text(encoding="utf-8"),
                                   re.MULTILINE)]


def rows(table_head):
    """The cells of the page's table that begins with that row, without their backticks."""
    lines = HOUSE.partition(table_head + "\n")[2].splitlines()[1:]
    for line in lines[: next(at for at, line in enumerate([*lines, ""]) if not line.startswith("|"))]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


class TheHouse(unittest.TestCase):
    def test_its_table_has_every_room(self):
        table = {row[0].strip("`"): row[2] for row in rows("| room | what it is for | read first |")}
        self.assertEqual(set(table), set(rooms()))
        for room, read_first in table.items():
            for name in [*re.findall(r"`([^`]+)`", read_first), "README.md"]:
                self.assertTrue((ROOT / room / name).is_file(), f"{room}/{name}")

    def test_a_heavy_library_stays_behind_its_doors(self):
        for header, doors in rows("| header | behind the doors of |"):
            header = header.strip("`<>").rstrip("…")
            including = re.compile(rf"^#include [<\"]{re.escape(header)}", re.MULTILINE)
            found = {file for top in TOPS for kind in ("*.h", "*.cpp") for file in (ROOT / top).rglob(kind)
                     if including.search(file.read_text(encoding="utf-8"))}
            for door in re.findall(r"`([^`]+)`", doors):
                behind = {file for file in found if file.is_relative_to(ROOT / door)}
                self.assertTrue(behind, f"{door} does not include <{header}…>")
                found -= behind
            self.assertEqual(found, set(), f"<{header}…> is included elsewhere too")


if __name__ == "__main__":
    unittest.main()
