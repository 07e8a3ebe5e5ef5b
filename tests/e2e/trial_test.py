"""`cannula test` and `cannula try`: channels tried without an engine, exit codes and JSON for CI."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

MESSAGE = """MSH|^~\\&|LAB|NORTH|||20260115||ORU^R01^ORU_R01|1|P|2.5.1||||||8859/1
PID|1||777001||Müller^Zoë
OBX|1|NM|K||7.1
"""
SCRIPT = """
function main(msg)
  if msg.type ~= "ORU^R01" then return skip("not a result") end
  state.count = (state.count or 0) + 1
  msg["PID-5.2"] = "Chloë"
  send("archive", msg, { key = msg["PID-3.1"] })
  log.info("filed", { mrn = phi(msg["PID-3.1"]) })
end
"""
TEST = """
description = "A result is filed"
[message]
file = "result.hl7"
[[expect.send]]
to = "archive"
key = "777001"
file = "expected.hl7"
"""


def cannula(*arguments, folder=None):
    return subprocess.run([os.environ["CANNULA"], *map(str, arguments)], cwd=folder, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=60)


class Trials(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.site = pathlib.Path(holder.name) / "site"
        self.assertEqual(cannula("new", self.site).returncode, 0)
        self.channel = self.site / "channels" / "results"
        self.script = self.channel / "main.lua"
        self.script.write_text(SCRIPT)
        self.tests = self.channel / "tests"
        self.tests.mkdir()

    def write_test(self):
        (self.tests / "result.hl7").write_bytes(MESSAGE.encode("latin-1"))
        (self.tests / "filed.test.toml").write_text(TEST)
        self.assertEqual(cannula("test", self.site, "--update").returncode, 0)

    def test_a_site_without_tests_does_not_pass(self):
        done = cannula("test", self.site)
        self.assertEqual(done.returncode, 1)
        self.assertIn("U108", done.stderr)

    def test_update_writes_what_came_as_utf_8_and_then_all_passes(self):
        self.write_test()
        expected = (self.tests / "expected.hl7").read_text(encoding="utf-8")
        self.assertEqual(expected, MESSAGE.replace("Zoë", "Chloë"))
        done = cannula("test", self.site)
        self.assertEqual((done.returncode, done.stdout), (0, "ok      results/filed\n1 test passed\n"))

    def test_a_broken_script_turns_its_test_red(self):
        self.write_test()
        self.script.write_text(SCRIPT.replace('"PID-5.2"', '"PID-5.3"'))
        done = cannula("test", self.site)
        self.assertEqual(done.returncode, 1)
        self.assertIn('PID-5: expected "Müller^Chloë", got "Müller^Zoë^Chloë"', done.stdout)
        self.assertIn("filed.test.toml:8:8: error[V202]", done.stdout)
        self.script.write_text(SCRIPT.replace("send(", "sendd("))
        self.assertIn("did you mean 'send'?", cannula("test", self.site).stdout)

    def test_json_lists_tests_with_their_findings(self):
        self.write_test()
        self.script.write_text(SCRIPT.replace("key = msg", "key = 'x' .. msg"))
        done = cannula("test", self.site, "--json")
        self.assertEqual(done.returncode, 1)
        report = json.loads(done.stdout)
        self.assertEqual((report["passed"], report["failed"]), (0, 1))
        (finding,) = report["tests"][0]["findings"]
        self.assertEqual((finding["code"], finding["line"]), ("V205", 7))

    def test_channels_are_chosen_from_inside_the_site(self):
        self.write_test()
        self.assertEqual(cannula("test", "results", folder=self.channel).returncode, 0)
        done = cannula("test", "result", folder=self.channel)
        self.assertEqual(done.returncode, 2)
        self.assertIn('did you mean "results"', done.stderr)

    def test_a_site_that_is_not_valid_is_not_tested(self):
        self.write_test()
        (self.site / "site.toml").write_text("[stoer]\n")
        done = cannula("test", self.site)
        self.assertEqual(done.returncode, 78)
        self.assertIn("error[C103]", done.stderr)

    def test_try_shows_what_would_happen_and_touches_nothing(self):
        self.write_test()
        before = sorted(self.site.rglob("*"))
        done = cannula("try", "results", self.tests / "result.hl7", "--site", self.site)
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in ["message   ORU^R01", "outcome   done", 'info filed {"mrn":"***"}',
                     "sends to archive, key 777001", "Müller^Chloë", "count = 1"]:
            self.assertIn(text, done.stdout)
        self.assertEqual(sorted(self.site.rglob("*")), before)

    def test_try_gives_json(self):
        self.write_test()
        done = cannula("try", "results", self.tests / "result.hl7", "--site", self.site, "--json",
                       "--now", "2026-01-15T09:30:00Z")
        report = json.loads(done.stdout)
        self.assertEqual(report["outcome"], "done")
        self.assertEqual(report["sends"][0]["key"], "777001")
        self.assertEqual(report["state"], {"count": 1})
        self.assertTrue(report["trace"][0]["at"].startswith("2026-01-15T09:30:00"))

    def test_try_names_the_line_of_an_error(self):
        self.write_test()
        self.script.write_text(SCRIPT.replace("send(", "sendd("))
        done = cannula("try", "results", self.tests / "result.hl7", "--site", self.site)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stdout + done.stderr, r"main\.lua:6:\d+: error\[L107\]: nothing defines the name 'sendd'")
        self.script.write_text(SCRIPT.replace("send(", "send(nil .. "))
        done = cannula("try", "results", self.tests / "result.hl7", "--site", self.site)
        self.assertEqual(done.returncode, 1)
        self.assertIn("outcome   dead", done.stdout)
        self.assertIn("main.lua:6: attempt to concatenate a nil value", done.stdout)


if __name__ == "__main__":
    unittest.main()
