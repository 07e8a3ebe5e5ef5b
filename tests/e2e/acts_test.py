"""What a person asks for while the store cannot do all of it: done whole, or not at all, and nothing is left lying."""

import os
import pathlib
import socket
import sqlite3
import subprocess
import tempfile
import time
import unittest

from engine import Program, cannula, cannula_json, free_port

SCRIPT = """
function main(msg)
  local patient = msg["PID-3.1"]
  if patient == "LOOKED" then
    state.looked_at = "yes"  -- what a run writes that parks or skips would not stay
    return
  end
  if patient == "PARK" and not state.looked_at then return park("look at it") end
  send("out", msg)
end
"""
MESSAGE = ("MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|{control_id}|P|2.5.1\r"
           "PID|1||{patient}^^^NORTH^MR||Muster^Maria\rOBX|1|NM|K^Invented||4.1|mmol/L\r")


class ActsWhenTheStoreFails(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cannula-acts-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site, self.out, self.port = self.folder / "site", self.folder / "out", free_port()
        self.out.mkdir()
        channel = self.site / "channels/lab"
        channel.mkdir(parents=True)
        (self.site / "site.toml").write_text("")
        (channel / "main.lua").write_text(SCRIPT)
        (channel / "channel.toml").write_text(f"""
[source]
type   = "mllp"
listen = "127.0.0.1:{self.port}"
[[destination]]
name      = "out"
type      = "file"
directory = "{self.out}"
filename  = "{{id}}.hl7"
""")
        engine = Program(self.folder / "log", "run", self.site)
        self.addCleanup(engine.stop)
        engine.wait_until_said("ready in")

    def send(self, control_id, patient):
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as wire:
            wire.sendall(b"\x0b" + MESSAGE.format(control_id=control_id, patient=patient).encode() + b"\x1c\r")
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                answer += wire.recv(4096)
        self.assertIn(b"MSA|AA", answer)

    def wait_for(self, control_id, state):
        while True:
            for message in cannula_json("msg", "list", self.site)["messages"]:
                if message["control_id"] == control_id and message["state"] == state:
                    return message["id"]
            time.sleep(0.05)

    def delivered(self):
        return sorted(path.read_text().split("|")[9] for path in self.out.iterdir())

    def test_what_is_sent_again_goes_though_the_index_cannot_follow(self):
        self.send("A1", "PARK")
        message = self.wait_for("A1", "parked")
        self.send("A2", "LOOKED")
        self.wait_for("A2", "done")
        index = sqlite3.connect(self.site / "state/index.db", isolation_level=None, timeout=60)
        index.execute("BEGIN IMMEDIATE")
        cannula("msg", "resend", message, self.site, "--reason", "looked at")
        while self.delivered() != ["A1"]:
            time.sleep(0.05)
        index.execute("ROLLBACK")
        index.close()
        self.wait_for("A1", "done")

    def test_a_discard_that_cannot_be_stored_leaves_the_message_to_its_script(self):
        self.send("A0", "P0")
        self.wait_for("A0", "done")
        cannula("channel", "pause", "lab", self.site, "--work", "--reason", "a look")
        self.send("A1", "P1")
        message = self.wait_for("A1", "accepted")
        segment = sorted((self.site / "state/journal").glob("*.seg"))[-1]
        segment.rename(self.folder / "away")
        time.sleep(1.5)  # it is looked once a second whether the file is in its place
        refused = subprocess.run([os.environ["CANNULA"], "msg", "discard", message, str(self.site), "--reason", "not wanted"],
                                 capture_output=True, text=True)
        self.assertEqual(refused.returncode, 1, refused.stdout)
        self.assertIn("J120", refused.stderr)
        (self.folder / "away").rename(segment)
        cannula("channel", "resume", "lab", self.site, "--work", "--reason", "looked at")
        self.wait_for("A1", "done")
        self.send("A2", "P2")
        self.wait_for("A2", "done")
        self.assertEqual(self.delivered(), ["A0", "A1", "A2"])


if __name__ == "__main__":
    unittest.main()
