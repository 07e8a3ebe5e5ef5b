"""`cannula check` finds every mistake of a site at its place, and is silent on a good one."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SITE = REPOSITORY / "tests" / "e2e" / "sites" / "ten-mistakes"

# The ten mistakes: file, the text that is wrong (its first place in the file), code.
MISTAKES = [
    ("site.toml", "port", "C103"),
    ("site.toml", '"hunter2"', "C123"),
    ("partners/reference-lab.toml", '"10.1.2.3/16"', "C122"),
    ("channels/results/channel.toml", '"refrence-lab"', "C113"),
    ("channels/results/channel.toml", 'her"', "C115"),
    ("channels/results/channel.toml", "x\"", "C116"),
    ("channels/results/channel.toml", '"hold-key"', "C106"),
    ("channels/results/channel.toml", '"ehr.example"', "C108"),
    ("channels/results/main.lua", "them", "L101"),
    ("channels/admissions/channel.toml", '"mlpp"', "C111"),
]
FINDING = re.compile(r"^(?P<file>\S+?):(?P<line>\d+):(?P<column>\d+): error\[(?P<code>[A-Z]\d+)\]: (?P<message>.+)$")


def check(site, *options):
    return subprocess.run([os.environ["CANNULA"], "check", str(site), *options], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=60)


def place_of(file, text):
    """Line and column of a mistake, as editors count."""
    for number, line in enumerate((SITE / file).read_text().splitlines(), 1):
        if text in line:
            return number, line.index(text) + 1
    raise AssertionError(f"{file} does not hold {text}")


class ASiteWithTenMistakes(unittest.TestCase):
    def test_each_is_found_at_its_place_with_line_caret_and_hint(self):
        done = check(SITE)
        self.assertEqual(done.returncode, 78, done.stderr)
        printed = (done.stdout + done.stderr).splitlines()
        found = {}
        for number, line in enumerate(printed):
            if finding := FINDING.match(line):
                file = pathlib.Path(finding["file"])
                name = file.relative_to(SITE) if file.is_absolute() else file
                found[str(name), finding["code"]] = (int(finding["line"]), int(finding["column"]))
                self.assertIn("^", printed[number + 2], f"no caret below: {line}")
                self.assertIn("hint: ", printed[number + 3], f"no hint below: {line}")
        expected = {(file, code): place_of(file, text) for file, text, code in MISTAKES}
        self.assertEqual(found, expected, "\n".join(printed))

    def test_json_lists_the_same_ten(self):
        done = check(SITE, "--json")
        self.assertEqual(done.returncode, 78)
        findings = json.loads(done.stdout)["findings"]
        self.assertEqual(sorted(finding["code"] for finding in findings), sorted(code for *_, code in MISTAKES))


class NamesThatAreNotThere(unittest.TestCase):
    """What reads well and would fail, or do nothing, with the first message."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cannula-check-")
        self.addCleanup(folder.cleanup)
        self.site = pathlib.Path(folder.name)
        (self.site / "channels" / "lab").mkdir(parents=True)
        (self.site / "tables").mkdir()
        (self.site / "site.toml").touch()
        (self.site / "tables" / "codes.csv").write_text("code,text\nK,Kalium\n")
        self.write("out", "PID-3.1", 'function main(msg) lookup("codes", "K") send("out", msg) end\n')
        (self.site / "out").mkdir()

    def write(self, directory, by, script):
        (self.site / "channels" / "lab" / "channel.toml").write_text(
            f'source = {{ type = "mllp", listen = "127.0.0.1:2575" }}\norder = {{ by = "{by}" }}\n[[destination]]\n'
            f'name = "out"\ntype = "file"\ndirectory = "{directory}"\n')
        (self.site / "channels" / "lab" / "main.lua").write_text(script)

    def test_the_right_ones_pass_in_silence(self):
        done = check(self.site)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_names_in_a_script_are_errors_with_a_suggestion(self):
        self.write("out", "PID-3.1", 'function main(msg)\n  lookup("code", "K")\n  send("otu", msg)\nend\n')
        done = check(self.site)
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stdout + done.stderr, r"main\.lua:2:10: error\[L230\].*'code'(\n.*){3}did you mean 'codes'")
        self.assertRegex(done.stdout + done.stderr, r"main\.lua:3:8: error\[L212\].*'otu'(\n.*){3}did you mean 'out'")

    def test_a_table_with_a_mistake_of_its_own_is_there_all_the_same(self):
        (self.site / "tables" / "codes.csv").write_text("code,text\nK,\"Kalium\n")
        done = check(self.site)
        self.assertEqual(done.returncode, 78)
        self.assertNotIn("L230", done.stdout + done.stderr)

    def test_a_misspelled_segment_and_a_missing_folder_are_warnings(self):
        self.write("otu", "PDI-3.1", 'function main(msg) send("out", msg) end\n')
        done = check(self.site)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout + done.stderr, r"channel\.toml:2:17: warning\[C135\](.*\n)*.*did you mean `PID`")
        self.assertRegex(done.stdout + done.stderr, r"channel\.toml:6:13: warning\[C136\].*otu")


class AGoodSite(unittest.TestCase):
    def test_the_sample_sites_pass_in_silence(self):
        for site in ("relay", "riverside", "ehr-stand-in"):
            with self.subTest(site):
                done = check(REPOSITORY / "samples" / site)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_a_folder_that_is_no_site_is_said_to_be_none(self):
        done = check(REPOSITORY / "docs")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"error\[U103\]: .* is not a site: it has no site\.toml")


if __name__ == "__main__":
    unittest.main()
