"""The page of the house has every room, and a room's README every file of it; heavy libraries stay behind their doors."""

import fnmatch
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

    def test_every_file_of_a_room_is_named_in_its_readme(self):
        for room in rooms():
            readme = (ROOT / room / "README.md").read_text(encoding="utf-8")
            named = {re.sub(r"\.(h|cpp)$", "", name) for name in re.findall(r"`([\w*]+(?:\.h|\.cpp)?)`", readme)}
            stems = {file.stem for kind in ("*.h", "*.cpp") for file in (ROOT / room).glob(kind)} - {"error_codes"}
            with self.subTest(room):
                self.assertEqual(sorted(stem for stem in stems if not any(fnmatch.fnmatch(stem, name) for name in named)), [],
                                 f"{room}/README.md does not name them")

    def test_a_heavy_library_stays_behind_its_doors(self):
        table = list(rows("| header | behind the doors of |"))
        self.assertTrue(table)
        for header, doors in table:
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
