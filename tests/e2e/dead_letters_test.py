"""What operators do with dead letters by the hundred: count them by cause, send a group again at a rate, stop that, end them,
and edit one; with an engine and without.

  CANNULA_DEAD_LETTERS=100000 python3 tests/e2e/dead_letters_test.py    as many as that (2000 unless told)
"""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from engine import Program, cannula, cannula_json, free_port
from fast_ehr import FastEhr

COUNT = int(os.environ.get("CANNULA_DEAD_LETTERS", "2000"))
SCRIPT = """
function main(msg)
  if msg["OBX-3.1"] == "FAIL" then error("a mistake") end
  send("out", msg)
end
"""
MESSAGE = ("MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|M{number}|P|2.5.1\r"
           "PID|1||{patient}^^^NORTH^MR||Muster^Maria\rOBX|1|NM|{code}^Invented||4.1|mmol/L\r")


def run(*arguments):
    return subprocess.run([os.environ["CANNULA"], *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, encoding="utf-8", timeout=600)


def order_of(body):
    """Patient and number of a message."""
    return body.split(b"PID|1||")[1].split(b"^")[0], int(body.split(b"|M")[1].split(b"|")[0])


class DeadLetters(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cannula-dead-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.ehr = self.enterContext(FastEhr(order_of))
        self.ehr.answers(422)
        self.site, self.port = self.folder / "site", free_port()
        self.write("site.toml", "")
        self.write("channels/lab/main.lua", SCRIPT)
        self.write("channels/lab/channel.toml", f"""
[source]
type       = "mllp"
listen     = "127.0.0.1:{self.port}"
[order]
by = "PID-3.1"
[[destination]]
name      = "out"
type      = "http"
url       = "http://{self.ehr.address}/in"
""")
        self.start()

    def write(self, name, text):
        path = self.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def start(self):
        self.engine = Program(self.folder / "log", "run", self.site)
        self.addCleanup(self.engine.stop)
        self.engine.wait_until_said("ready in")

    def send(self, count, code="K"):
        file = self.folder / "messages.hl7"
        with open(file, "w", encoding="utf-8") as out:
            for number in range(count):
                out.write(MESSAGE.format(number=number, patient=number % 50, code=code))
        done = run("send", f"127.0.0.1:{self.port}", file, "--count", count, "--connections", 8, "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)

    def counts(self):
        return cannula_json("status", self.site)["channels"]["lab"].get("destinations", {}).get("out", {})

    def wait_for(self, state, count):
        for _ in range(3000):
            if self.counts().get(state, 0) == count:
                return
            time.sleep(0.1)
        self.fail(f"{self.counts()}, not {count} {state}")

    def wait_until(self, holds):
        for _ in range(600):
            if holds():
                return
            time.sleep(0.05)
        self.fail(f"{self.counts()}")

    def dead(self):
        return cannula_json("msg", "dead", self.site)

    def mend(self):
        self.ehr.answers(200)

    def test_many_are_counted_sent_again_and_ended_quickly(self):
        self.send(COUNT)
        self.wait_for("dead", COUNT)
        begun = time.monotonic()
        groups = self.dead()["groups"]
        listed = time.monotonic() - begun
        self.assertEqual([(group["channel"], group["destination"], group["count"]) for group in groups],
                         [("lab", "out", COUNT)])
        self.assertEqual((groups[0]["code"], groups[0]["place"]), ("T353", "status 422"))
        rows = cannula_json("msg", "list", self.site, "--oldest-first", "--limit", 1)["messages"]
        self.assertEqual(rows[0]["state"], "dead")

        self.mend()
        begun = time.monotonic()
        summary = cannula_json("msg", "replay", self.site, "--code", groups[0]["code"], "--rate", 0, "--reason", "mended")
        self.assertEqual((summary["state"], summary["done"], summary["passed_over"]), ("done", COUNT, 0))
        queued = time.monotonic() - begun
        self.wait_for("delivered", COUNT)
        delivered = time.monotonic() - begun
        seen = self.ehr.counts()
        self.assertEqual((seen["taken"], seen["disorder"], seen["doubled"]), (COUNT, [], 0))
        self.assertEqual(self.dead()["groups"], [])

        self.ehr.answers(422)
        cannula_json("msg", "replay", self.site, "--state", "delivered", "--destination", "out", "--rate", 0,
                     "--reason", "again")
        self.wait_for("dead", COUNT)
        begun = time.monotonic()
        summary = cannula_json("channel", "discard", "lab", self.site, "--destination", "out", "--state", "dead",
                               "--reason", "not needed")
        self.assertEqual(summary["done"], COUNT)
        ended = time.monotonic() - begun
        self.assertEqual(self.counts(), {"discarded": COUNT})
        print(f"{COUNT} dead: listed by group in {listed:.2f} s, queued again in {queued:.1f} s (delivered after "
              f"{delivered:.1f} s), discarded in {ended:.1f} s")
        self.assertLess(listed, 5, "a group is counted by the index")

    def test_ctrl_c_stops_a_replay_and_says_how_far_it_came(self):
        self.send(200)
        self.wait_for("dead", 200)
        self.mend()
        command = subprocess.Popen([os.environ["CANNULA"], "msg", "replay", self.site, "--channel", "lab", "--rate", "20",
                                    "--reason", "mended"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
        self.wait_until(lambda: self.counts().get("delivered"))
        command.send_signal(signal.SIGINT)
        said, complaint = command.communicate(timeout=60)
        self.assertEqual(command.returncode, 1, complaint)
        self.assertRegex(said, r"^\d+ of 200 sent again, cancelled by ")
        sent = int(said.split()[0])
        self.assertTrue(0 < sent < 200, said)
        self.wait_for("delivered", sent)
        self.assertEqual(self.dead()["total"], 200 - sent)
        self.assertIn("replay 1: dead of lab", run("msg", "replays", self.site).stdout)

    def test_a_replay_that_runs_by_itself_is_cancelled_from_elsewhere(self):
        self.send(200)
        self.wait_for("dead", 200)
        self.mend()
        begun = cannula_json("msg", "replay", self.site, "--all", "--rate", 10, "--detach", "--reason", "mended")
        self.assertEqual(begun["state"], "running")
        ended = cannula_json("msg", "replay-cancel", begun["replay"], self.site, "--reason", "too fast")
        self.assertEqual(ended["state"], "cancelled")
        again = run("msg", "replay-cancel", begun["replay"], self.site, "--reason", "once more")
        self.assertIn("had ended before this was asked", again.stdout)
        self.assertEqual(run("msg", "replay-cancel", "99", self.site, "--reason", "x").returncode, 1)
        acts = [act["what"] for act in cannula_json("channel", "acts", self.site)["acts"]]
        self.assertEqual(acts, ["replay"])
        trail = run("audit", "list", self.site, "--json").stdout
        self.assertIn("message.replay", trail)
        self.assertIn("message.replay_cancel", trail)
        self.assertIn("mended", trail)

    def test_many_need_a_reason_and_something_that_narrows_them(self):
        self.assertEqual(run("msg", "replay", self.site, "--reason", "x").returncode, 2)
        done = run("msg", "replay", self.site, "--all")
        self.assertEqual(done.returncode, 2)
        self.assertIn("`cannula msg replay` needs --reason TEXT", done.stderr)
        done = run("msg", "replay", self.site, "--since", "yesterday", "--reason", "x")
        self.assertEqual(done.returncode, 2)
        self.assertIn("is not a time", done.stderr)

    def test_without_an_engine_acts_are_written_and_done_when_it_starts(self):
        self.send(20)
        self.send(3, "FAIL")
        self.wait_for("dead", 20)
        self.engine.stop()
        groups = {group["place"]: group["count"] for group in self.dead()["groups"] if group["place"]}
        self.assertEqual(groups, {"main.lua:3": 3, "status 422": 20})
        self.mend()
        self.assertIn("20 of 20 sent again", cannula("msg", "replay", self.site, "--destination", "out", "--reason", "x"))
        self.assertIn("3 of 3 discarded", cannula("channel", "discard", "lab", self.site, "--state", "dead", "--reason", "x"))
        self.start()
        self.wait_for("delivered", 20)
        self.assertEqual(self.dead()["groups"], [])

    def test_an_edited_message_is_worked_and_both_name_each_other(self):
        self.mend()
        self.send(1, "FAIL")
        self.wait_until(lambda: self.dead()["total"])
        old = cannula_json("msg", "list", self.site, "--state", "dead")["messages"][0]["id"]
        self.assertEqual(run("msg", "edit", old, self.site, "--reason", "x").returncode, 2)
        self.assertEqual(run("msg", "edit", old, self.site, "--set", "OBX-3.1=K").returncode, 2)
        new = cannula_json("msg", "edit", old, self.site, "--set", "OBX-3.1=K", "--set", "PID-5.2=M\u00fcge", "--reason",
                           "the code was wrong")["as"]
        self.wait_for("delivered", 1)
        text = json.loads(run("msg", "show", new, self.site, "--json").stdout)["trail"][0]["body"]
        self.assertIn("|K^Invented|", text)
        self.assertIn("Muster^M\u00fcge", text)
        self.assertIn(f"edited as {new}", run("msg", "show", old, self.site).stdout)
        self.assertRegex(run("msg", "show", new, self.site).stdout, f"edited from {old} by .*: the code was wrong")
        self.assertEqual(cannula_json("msg", "show", old, self.site)["message"]["state"], "discarded")
        again = run("msg", "edit", old, self.site, "--set", "OBX-3.1=K", "--reason", "did not look")
        self.assertEqual(again.returncode, 1, again.stdout)
        self.assertIn("P340", again.stderr)
        self.assertIn(new, again.stderr, "it names the one that is to be edited now")
        file = self.folder / "whole.hl7"
        file.write_text(text.replace("Muster", "Beispiel"), encoding="utf-8", newline="")
        self.engine.stop()
        third = cannula_json("msg", "edit", new, self.site, "--file", file, "--reason", "the name too")["as"]
        self.start()
        self.wait_for("delivered", 2)
        shown = cannula_json("msg", "show", third, self.site)
        self.assertEqual(shown["message"]["edited_from"], new)
        self.assertIn("Beispiel", json.dumps(shown))
        self.assertEqual(cannula_json("msg", "show", new, self.site)["message"]["state"], "done")

    def audit_entries(self):
        return [json.loads(line) for line in cannula("audit", "list", self.site, "--json").splitlines()]

    def test_a_typing_error_in_an_edited_message_is_not_sent_on(self):
        self.mend()
        self.send(1, "FAIL")
        self.wait_until(lambda: self.dead()["total"])
        old = cannula_json("msg", "list", self.site, "--state", "dead")["messages"][0]["id"]
        text = json.loads(run("msg", "show", old, self.site, "--json").stdout)["trail"][0]["body"]
        file = self.folder / "whole.hl7"
        for wrong, said in ((text.replace("OBX|", "OBXX|"), "OBXX is no segment (did you mean OBX?)"),
                            (text.replace("PID|", "PDI|"), "line 2: PDI is no segment (did you mean PID?)"),
                            (text.replace("MSH|", "MHS|"), "begins with MSH")):
            self.assertNotEqual(wrong, text)
            file.write_text(wrong, encoding="utf-8", newline="")
            refused = run("msg", "edit", old, self.site, "--file", file, "--reason", "x")
            self.assertEqual(refused.returncode, 1, refused.stdout)
            self.assertIn("P338", refused.stderr)
            self.assertIn(said, refused.stderr)
        self.assertIn("did you mean OBX?", run("msg", "edit", old, self.site, "--set", "OBB-3=K", "--reason", "x").stderr)
        self.assertEqual(self.dead()["total"], 1, "nothing was changed")
        entries = self.audit_entries()
        refusals = [entry for entry in entries if entry["act"] == "message.edit" and entry.get("code") == "P338"]
        self.assertEqual(len(refusals), 4, entries)
        self.engine.stop()
        self.assertIn("P338", run("msg", "edit", old, self.site, "--set", "OBB-3=K", "--reason", "x").stderr)
        self.start()
        file.write_text(text.replace("OBX|", "OBXX|"), encoding="utf-8", newline="")
        forced = run("msg", "edit", old, self.site, "--file", file, "--reason", "the receiver calls it so", "--force")
        self.assertEqual(forced.returncode, 0, forced.stderr)
        self.assertIn("OBX less, 1 OBXX more than the original", forced.stdout)
        entries = self.audit_entries()
        self.assertTrue(any(entry["act"] == "message.edit" and entry.get("detail", {}).get("force") for entry in entries), entries)


if __name__ == "__main__":
    unittest.main()
