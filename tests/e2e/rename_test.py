"""A channel and its destination get other names while messages wait and a person has paused them: all of it goes over to the
new names, and can be asked for by either.
"""

import os
import pathlib
import socket
import subprocess
import tempfile
import time
import unittest

from engine import Program, cannula, cannula_json, free_port

MESSAGE = ("MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|{0}|P|2.5.1\r"
           "PID|1||{0}^^^NORTH^MR||Muster^Maria\rOBX|1|NM|K^Invented||4.1|mmol/L\r")


def run(*arguments):
    return subprocess.run([os.environ["CANNULA"], *map(str, arguments)], capture_output=True, text=True)


class Rename(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cannula-rename-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site, self.out, self.port = self.folder / "site", self.folder / "out", free_port()
        self.out.mkdir()
        (self.site / "channels").mkdir(parents=True)
        (self.site / "site.toml").write_text("")
        self.write("results", "his")
        self.engine = None
        self.start()

    def write(self, channel, destination, channel_before="", destination_before=""):
        folder = self.site / "channels" / channel
        folder.mkdir(exist_ok=True)
        (folder / "main.lua").write_text(f"function main(msg) send('{destination}', msg) end\n")
        (folder / "channel.toml").write_text(f"""
{channel_before}
[source]
type   = "mllp"
listen = "127.0.0.1:{self.port}"
[[destination]]
name      = "{destination}"
type      = "file"
directory = "{self.out}"
filename  = "{{id}}.hl7"
{destination_before}
""")

    def start(self):
        self.engine = Program(self.folder / "log", "run", self.site)
        self.addCleanup(self.engine.stop)
        self.engine.wait_until_said("ready in")

    def rename(self):
        (self.site / "channels/results").rename(self.site / "channels/lab")
        self.write("lab", "ehr", 'renamed_from = "results"', 'renamed_from = "his"')

    def send(self, control_id):
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as wire:
            wire.sendall(b"\x0b" + MESSAGE.format(control_id).encode() + b"\x1c\r")
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                answer += wire.recv(4096)
        self.assertIn(b"MSA|AA", answer)

    def wait_for(self, *states):
        """Until the messages are in these states, in the order in which they came."""
        while True:
            rows = cannula_json("msg", "list", self.site, "--channel", "lab", "--oldest-first")["messages"]
            if [row["state"] for row in rows] == list(states):
                return [row["id"] for row in rows]
            time.sleep(0.05)

    def delivered(self):
        return sorted(path.read_text().split("|")[9] for path in self.out.iterdir())

    def parts_paused(self):
        return sorted(one["part"] for one in cannula_json("status", self.site)["channels"]["lab"].get("pauses", []))

    def test_what_a_person_paused_stays_paused_under_the_new_names(self):
        for restarted in (False, True):
            with self.subTest(restarted=restarted):
                if restarted:  # once more, from the start
                    self.doCleanups()
                    self.setUp()
                cannula("channel", "pause", "results", self.site, "--destination", "his", "--reason", "the disk is full")
                self.send("A1")
                cannula("channel", "pause", "results", self.site, "--work", "--reason", "a look")
                self.send("A2")
                if restarted:
                    self.engine.stop()
                self.rename()
                if restarted:
                    self.start()
                else:
                    cannula("reload", self.site)
                self.send("A3")
                self.wait_for("queued", "accepted", "accepted")
                channels = cannula_json("status", self.site)["channels"]
                self.assertEqual(list(channels), ["lab"], "all of it is counted under the new name")
                self.assertEqual(channels["lab"]["messages"], {"accepted": 2, "queued": 1})
                self.assertEqual(channels["lab"]["destinations"], {"ehr": {"queued": 1}})
                self.assertEqual(self.parts_paused(), ["to:ehr", "work"])
                time.sleep(1)
                self.assertEqual(self.delivered(), [])
                cannula("channel", "resume", "results", self.site, "--work", "--reason", "looked at")  # by the old name
                self.wait_for("queued", "queued", "queued")
                self.assertEqual(self.parts_paused(), ["to:ehr"])
                self.assertEqual(self.delivered(), [])
                cannula("channel", "resume", "lab", self.site, "--reason", "there is room")
                self.wait_for("done", "done", "done")
                self.assertEqual(self.parts_paused(), [])
                self.assertEqual(self.delivered(), ["A1", "A2", "A3"])

    def test_it_is_paused_whole_and_asked_for_by_either_name_also_when_no_engine_runs(self):
        cannula("channel", "pause", "results", self.site, "--reason", "a look")
        self.engine.stop()
        self.rename()
        self.assertEqual(self.parts_paused(), ["intake", "to:ehr", "work"])
        self.assertIn("to:ehr paused at", cannula("status", self.site))
        cannula("channel", "resume", "lab", self.site, "--reason", "looked at")
        self.assertEqual(self.parts_paused(), [])
        cannula("channel", "pause", "results", self.site, "--reason", "once more")
        self.assertEqual(self.parts_paused(), ["intake", "to:ehr", "work"])
        self.start()
        cannula("channel", "resume", "results", self.site, "--reason", "looked at")
        self.assertEqual(self.parts_paused(), [])
        self.send("A1")
        self.wait_for("done")
        refused = run("channel", "pause", "reslts", self.site, "--reason", "mistyped")
        self.assertEqual(refused.returncode, 1, refused.stdout)
        self.assertIn("P317", refused.stderr)

    def test_what_is_discarded_and_sent_again_is_found_by_either_name(self):
        cannula("channel", "pause", "results", self.site, "--destination", "his", "--reason", "gather")
        for number in range(3):
            self.send(f"A{number}")
        cannula("channel", "discard", "results", self.site, "--destination", "his", "--reason", "not wanted")
        self.rename()
        cannula("reload", self.site)
        cannula("channel", "resume", "lab", self.site, "--reason", "go on")
        self.wait_for("discarded", "discarded", "discarded")
        self.send("A3")
        self.wait_for("discarded", "discarded", "discarded", "done")
        cannula("msg", "replay", self.site, "--channel", "results", "--state", "delivered", "--reason", "once more")
        while cannula_json("msg", "replays", self.site)["replays"][0]["state"] == "running":
            time.sleep(0.05)
        replay = cannula_json("msg", "replays", self.site)["replays"][0]
        self.assertEqual((replay["total"], replay["done"]), (1, 1), "asked for by the old name, sent by the new one")

    def test_a_name_that_is_not_taken_over_is_told_with_what_to_do(self):
        cannula("channel", "pause", "results", self.site, "--work", "--reason", "a look")
        self.send("A1")
        (self.site / "channels/results").rename(self.site / "channels/lab")
        refused = run("reload", self.site)
        self.assertNotEqual(refused.returncode, 0)
        said = refused.stdout + refused.stderr
        self.assertIn('renamed_from = "results" at the top of the channel.toml', said)
        self.assertIn(f"`cannula channel discard results {self.site} --reason TEXT`", said)
        cannula("channel", "discard", "results", self.site, "--reason", "an invented patient")
        cannula("reload", self.site)
        self.assertIn("lab", cannula_json("status", self.site)["channels"])


if __name__ == "__main__":
    unittest.main()
