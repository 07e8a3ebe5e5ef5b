"""Keeping and forgetting, with the program at work: messages go when their time is over while others come in, the disk is
given back, what is under legal hold stays, and nothing of a patient who is forgotten is left.
"""

import json
import pathlib
import random
import re
import shutil
import socket
import string
import tempfile
import threading
import time
import unittest

from engine import Program, cannula, cannula_json, free_port

SECONDS_OF_PATIENCE = 240
FIRST = 150  # messages before the load
LETTERS = string.ascii_letters + string.digits


def filling(control_id):
    """Text that compression cannot make small, so that the messages fill several segments."""
    return "".join(random.Random(control_id).choices(LETTERS, k=3000))


class Sender:
    """An MLLP client; the control ids that were acknowledged."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.acknowledged = []

    def send(self, control_id, mrn, name):
        text = (f"MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|{control_id}|P|2.5.1\r"
                f"PID|1||{mrn}^^^NORTH^MR||{name}^M\rOBX|1|ST|X^Invented||{control_id}{filling(control_id)}\r")
        self.socket.sendall(b"\x0b" + text.encode() + b"\x1c\x0d")
        answer = b""
        while b"\x1c\x0d" not in answer:
            got = self.socket.recv(65536)
            if not got:
                raise ConnectionError("the engine closed the connection")
            answer += got
        if re.search(rb"MSA\|(\w\w)", answer)[1] == b"AA":
            self.acknowledged.append(control_id)

    def close(self):
        self.socket.close()


class Retention(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cannula-retention-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.site, self.out = self.folder / "site", self.folder / "out"
        self.out.mkdir()
        self.port = free_port()
        channel = self.site / "channels" / "lab"
        channel.mkdir(parents=True)
        (self.site / "site.toml").write_text(
            '[store]\nsegment_size = "128KB"\nkeep_free = "0MB"\n'
            '[retention]\ndone = "1m"\nevery = "2s"\nwithin = "0s"\n')
        (channel / "channel.toml").write_text(
            f'[source]\ntype = "mllp"\nlisten = "127.0.0.1:{self.port}"\n'
            f'[[destination]]\nname = "out"\ntype = "file"\ndirectory = "{self.out}"\nfilename = "{{id}}.hl7"\n')
        (channel / "main.lua").write_text('function main(msg) send("out", msg) end\n')
        self.engine = Program(self.folder / "log", "run", self.site)
        self.engine.wait_until_said("ready in")
        self.addCleanup(self.engine.stop)

    def messages(self, *arguments):
        return cannula_json("msg", "list", self.site, "--limit", 10000, *arguments)["messages"]

    def journal_bytes(self):
        return cannula_json("store", "stats", self.site)["journal"]["file_bytes"]

    def wait_for(self, what, condition):
        begun = time.monotonic()
        while not condition():
            self.assertLess(time.monotonic() - begun, SECONDS_OF_PATIENCE, f"not so in time: {what}")
            time.sleep(0.5)

    def test_what_is_due_goes_while_messages_come_in_and_what_is_held_stays(self):
        hold = cannula_json("store", "hold", self.site, "--mrn", 77, "--reason", "case 12/2026")
        self.assertEqual(hold["hold"]["hold"], "H1")
        sender = Sender(self.port)
        for number in range(FIRST):
            held = number % 10 == 0
            sender.send(f"A{number:05}", "77" if held else "12", "Gehalten" if held else "Vergessen")
        self.wait_for("all are delivered", lambda: len(self.messages("--state", "done")) == FIRST)
        full = self.journal_bytes()
        dry = cannula_json("store", "prune", self.site, "--dry-run")
        self.assertEqual(dry["messages"], 0)

        # From here on others come in until the first are gone.
        ended, failures = threading.Event(), []

        def load():
            number = 0
            try:
                while not ended.is_set():
                    sender.send(f"B{number:05}", "55", "Neu")
                    number += 1
                    time.sleep(0.02)
            except OSError as failure:
                failures.append(failure)

        thread = threading.Thread(target=load)
        thread.start()
        try:
            self.wait_for("the first are forgotten", lambda: not self.messages("--mrn", 12))
            self.wait_for("their room is given back",
                          lambda: cannula_json("store", "stats", self.site)["forgotten"]["bytes"] == 0)
            check = cannula_json("store", "check", self.site)
            self.assertTrue(check["sound"], check)
        finally:
            ended.set()
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(len(sender.acknowledged), len(set(sender.acknowledged)))
        sender.close()

        kept = self.messages("--mrn", 77)
        self.assertEqual(len(kept), FIRST // 10)
        shown = cannula_json("msg", "show", kept[0]["id"], self.site)
        self.assertIn("Gehalten", shown["trail"][0]["body"])
        self.assertEqual(self.messages("--control-id", "A00001"), [])

        # What came in under load is due as well now, by and by; then little is left.
        cannula("store", "release", "H1", self.site, "--reason", "case 12/2026 is closed")
        self.wait_for("all are forgotten", lambda: not self.messages())
        done = cannula_json("store", "prune", self.site)
        self.assertEqual(done["state"], "done")
        self.assertLess(self.journal_bytes(), full / 2)
        self.assertEqual(self.engine.stop(), 0)
        check = cannula_json("store", "check", self.site)
        self.assertTrue(check["sound"] and check["index_compared"], check)
        for path in (self.site / "state").rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                self.assertNotIn(b"Vergessen", content, path)
                self.assertNotIn(b"Gehalten", content, path)
        acts = [json.loads(line)["act"] for line in cannula("audit", "list", self.site, "--json").splitlines()]
        for act in ("hold.add", "hold.release", "store.prune", "message.forget"):
            self.assertIn(act, acts)

        # From the journal alone the store is the same.
        (self.site / "state" / "index.db").unlink()
        self.assertEqual(self.messages(), [])

    def test_a_channel_under_hold_is_not_shredded(self):
        sender = Sender(self.port)
        sender.send("C1", "77", "Gehalten")
        sender.close()
        self.wait_for("it is delivered", lambda: len(self.messages("--state", "done")) == 1)
        cannula("store", "hold", self.site, "--channel", "lab", "--reason", "an inquiry")
        self.assertIn("an inquiry", cannula("store", "holds", self.site))
        self.engine.stop()
        with self.assertRaisesRegex(RuntimeError, "P335"):
            cannula("keys", "shred", "lab", self.site, "--reason", "the agreement ended")
        cannula("store", "release", "H1", self.site, "--reason", "it is over")
        cannula("keys", "shred", "lab", self.site, "--reason", "the agreement ended")


if __name__ == "__main__":
    unittest.main()
