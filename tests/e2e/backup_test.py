"""Backup and restore with the program at work: backups of a store under load, killed in the middle, beside retention and a
legal hold; and a store that is put back has every message that was acknowledged before its backup began.
"""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import string
import subprocess
import tempfile
import threading
import time
import unittest

from engine import Program, cannula, cannula_json, free_port

SECONDS_OF_PATIENCE = 240
LETTERS = string.ascii_letters + string.digits


def filling(control_id):
    """Text that compression cannot make small, so that the messages fill several segments."""
    return "".join(random.Random(control_id).choices(LETTERS, k=2000))


class Sender(threading.Thread):
    """An MLLP client that sends until it is told to stop; the control ids that were acknowledged."""

    def __init__(self, port, name, mrn, pause=0.005):
        super().__init__()
        self.port, self.prefix, self.mrn, self.pause = port, name, mrn, pause
        self.acknowledged, self.failure, self.ended = [], None, threading.Event()

    def run(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=60) as wire:
                number = 0
                while not self.ended.is_set():
                    self.send(wire, f"{self.prefix}{number:05}")
                    number += 1
                    time.sleep(self.pause)
        except OSError as failure:
            self.failure = failure

    def send(self, wire, control_id):
        text = (f"MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|{control_id}|P|2.5.1\r"
                f"PID|1||{self.mrn}^^^NORTH^MR||Erfunden^Mia\rOBX|1|ST|X^Invented||{filling(control_id)}\r")
        wire.sendall(b"\x0b" + text.encode() + b"\x1c\x0d")
        answer = b""
        while b"\x1c\x0d" not in answer:
            got = wire.recv(65536)
            if not got:
                raise ConnectionError("the engine closed the connection")
            answer += got
        if re.search(rb"MSA\|(\w\w)", answer)[1] == b"AA":
            self.acknowledged.append(control_id)

    def stop(self):
        self.ended.set()
        self.join()


class Backup(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cannula-backup-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.site, self.out, self.backup = self.folder / "site", self.folder / "out", self.folder / "backup"
        self.out.mkdir()
        self.engines = []
        self.addCleanup(lambda: [engine.stop() for engine in self.engines if engine.process.poll() is None])

    def make_site(self, retention=""):
        self.port = free_port()
        channel = self.site / "channels" / "lab"
        channel.mkdir(parents=True)
        (self.site / "site.toml").write_text('[store]\nsegment_size = "128KB"\nkeep_free = "0MB"\n' + retention)
        (channel / "channel.toml").write_text(
            f'[source]\ntype = "mllp"\nlisten = "127.0.0.1:{self.port}"\n'
            f'[[destination]]\nname = "out"\ntype = "file"\ndirectory = "{self.out}"\nfilename = "{{id}}.hl7"\n')
        (channel / "main.lua").write_text('function main(msg) send("out", msg) end\n')

    def start(self, site):
        engine = Program(self.folder / f"log-{len(self.engines)}", "run", site)
        self.engines.append(engine)
        engine.wait_until_said("ready in")
        return engine

    def another_site(self):
        """The same configuration without a store, as from version control, with the master key from where it is kept."""
        other = self.folder / "other"
        shutil.copytree(self.site, other, ignore=shutil.ignore_patterns("state"))
        (other / "state").mkdir(mode=0o700)
        shutil.copy(self.site / "state/master.key", other / "state/master.key")
        return other

    def messages(self, site, *arguments):
        return cannula_json("msg", "list", site, "--limit", 10000, *arguments)["messages"]

    def wait_for(self, what, condition):
        begun = time.monotonic()
        while not condition():
            self.assertLess(time.monotonic() - begun, SECONDS_OF_PATIENCE, f"not so in time: {what}")
            time.sleep(0.2)

    def fails(self, *arguments, code=1):
        done = subprocess.run([os.environ["CANNULA"], *map(str, arguments)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding="utf-8", timeout=120)
        self.assertEqual(done.returncode, code, done.stdout)
        return done.stdout

    def kill_a_backup_in_the_middle(self):
        """True when it was: files were there that no manifest names."""
        before = {path for path in self.backup.rglob("*")}
        program = Program(self.folder / "killed", "store", "backup", self.site, "--to", self.backup)
        while program.process.poll() is None:
            if set(self.backup.rglob("*")) - before:
                program.process.send_signal(signal.SIGKILL)
                break
        program.kill()
        return program.process.returncode == -signal.SIGKILL

    def test_what_was_acknowledged_before_a_backup_is_there_after_a_restore(self):
        self.make_site()
        engine = self.start(self.site)
        senders = [Sender(self.port, name, 12) for name in "AB"]
        for sender in senders:
            sender.start()
        during = killed = 0
        try:
            self.wait_for("some messages", lambda: all(len(sender.acknowledged) > 50 for sender in senders))
            for number in range(1, 9):
                before = [control_id for sender in senders for control_id in list(sender.acknowledged)]
                made = cannula_json("store", "backup", self.site, "--to", self.backup)
                during += sum(len(sender.acknowledged) for sender in senders) - len(before)
                self.assertTrue(made["running"] and made["sealed"], made)
                self.assertEqual(made["findings"], [])
                self.assertIn("master.key", made["left_out"])
                if number > 1:
                    self.assertLess(made["files_copied"], made["files"])
                # It can be read at any time, also after another one was killed on its way.
                self.wait_for("new messages", lambda: len(senders[0].acknowledged) > number * 10)
                killed += self.kill_a_backup_in_the_middle()
                checked = cannula_json("store", "check", self.backup)
                self.assertTrue(checked["sound"], checked)
                self.assertGreaterEqual(checked["number"], made["number"])
                if checked["number"] > made["number"]:  # it was through before it was killed
                    continue
                self.assertEqual(checked["end"], made["end"])
            for _ in range(50):  # where each was through before it could be killed
                if killed:
                    break
                killed += self.kill_a_backup_in_the_middle()
            self.assertTrue(cannula_json("store", "check", self.backup)["sound"])
        finally:
            for sender in senders:
                sender.stop()
        self.assertEqual([sender.failure for sender in senders], [None, None])
        self.assertGreater(during, 0, "nothing was acknowledged while backups were made")
        self.assertGreater(killed, 0, "no backup was killed")
        engine.kill()
        shutil.rmtree(self.out)  # all that was delivered since is lost as well
        self.out.mkdir()

        other = self.another_site()
        restored = cannula_json("store", "restore", self.backup, other)
        self.assertEqual((restored["findings"], restored["keys_trouble"], restored["can_start"]), ([], "", True))
        self.start(other)
        there = {message["control_id"] for message in self.messages(other)}
        self.assertLessEqual(set(before), there)
        self.wait_for("all are delivered", lambda: all(m["state"] == "done" for m in self.messages(other)))
        checked = cannula_json("store", "check", other)
        self.assertTrue(checked["sound"] and checked["index_compared"], checked)
        verified = cannula_json("audit", "verify", other)
        self.assertTrue(verified["sound"], verified)
        entries = [json.loads(line) for line in cannula("audit", "list", other, "--json").splitlines()]
        acts = [(entry["act"], entry["outcome"]) for entry in entries]
        self.assertIn(("store.backup", "begun"), acts)
        self.assertIn(("store.backup", "done"), acts)
        self.assertIn(("store.restore", "done"), acts)
        # It goes on, and so do its backups, into the same folder.
        sender = Sender(self.port, "C", 12)
        sender.start()
        self.wait_for("it takes messages", lambda: len(sender.acknowledged) > 20)
        sender.stop()
        made = cannula_json("store", "backup", other, "--to", self.backup)
        self.assertEqual(made["findings"], [])
        self.assertTrue(cannula_json("store", "check", self.backup)["sound"])

    def test_retention_a_hold_and_backups_beside_each_other(self):
        self.make_site('[retention]\ndone = "1m"\nevery = "1s"\nwithin = "0s"\n')
        self.start(self.site)
        cannula("store", "hold", self.site, "--mrn", 77, "--reason", "case 12/2026")
        senders = [Sender(self.port, "F", 12, 0.02), Sender(self.port, "H", 77, 0.2)]
        for sender in senders:
            sender.start()
        try:
            self.wait_for("some messages", lambda: all(len(sender.acknowledged) > 5 for sender in senders))
            begun = time.monotonic()
            made = None
            while time.monotonic() - begun < 90:
                made = cannula_json("store", "backup", self.site, "--to", self.backup)
                self.assertEqual(made["findings"], [])
                checked = cannula_json("store", "check", self.backup)
                self.assertTrue(checked["sound"], checked)
                time.sleep(0.5)
        finally:
            for sender in senders:
                sender.stop()
        self.assertEqual([sender.failure for sender in senders], [None, None])
        self.assertTrue((self.site / "state/journal/pruned").exists(), "retention has removed nothing")
        made = cannula_json("store", "backup", self.site, "--to", self.backup)
        self.assertEqual(made["findings"], [])
        other = self.another_site()
        cannula("store", "restore", self.backup, other)
        self.assertEqual({message["control_id"] for message in self.messages(other, "--mrn", 77)},
                         set(senders[1].acknowledged))
        self.assertLess(len(self.messages(other, "--mrn", 12)), len(senders[0].acknowledged))
        first = self.messages(other, "--control-id", "H00000")[0]
        self.assertIn("Erfunden", cannula_json("msg", "show", first["id"], other)["trail"][0]["body"])
        holds = cannula_json("store", "holds", other)["holds"]
        self.assertEqual([hold["hold"] for hold in holds], ["H1"])
        checked = cannula_json("store", "check", other)
        self.assertTrue(checked["sound"] and checked["index_compared"], checked)

    def test_what_cannot_be_done_is_refused_and_nothing_is_changed(self):
        self.make_site()
        self.assertIn("U205", self.fails("store", "backup", self.site, "--to", self.backup))
        self.assertIn("U102", self.fails("store", "backup", self.site, code=2))
        engine = self.start(self.site)
        sender = Sender(self.port, "A", 12)
        sender.start()
        self.wait_for("some messages", lambda: len(sender.acknowledged) > 100)
        sender.stop()
        self.wait_for("all are delivered",
                      lambda: len(self.messages(self.site, "--state", "done")) == len(sender.acknowledged))
        cannula("channel", "pause", "lab", self.site, "--reason", "a restore is tried")
        said = subprocess.run([os.environ["CANNULA"], "store", "backup", str(self.site), "--to", str(self.backup)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=120)
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertIn("the master key", said.stderr)
        self.assertIn("is not in it", said.stderr)
        self.assertIn("on the same disk as the store", said.stderr)
        self.assertFalse([path for path in self.backup.rglob("*") if "master" in path.name])
        # At rest it is the same.
        self.assertEqual(engine.stop(), 0)
        made = cannula_json("store", "backup", self.site, "--to", self.backup)
        self.assertFalse(made["running"] or made["master_key_missing"] or made["in_site"], made)
        self.assertTrue(made["same_disk"])
        moved = (self.site / "state/master.key").rename(self.folder / "moved.key")
        self.assertTrue(cannula_json("store", "backup", self.site, "--to", self.backup)["master_key_missing"])
        moved.rename(self.site / "state/master.key")
        acts = [json.loads(line) for line in cannula("audit", "list", self.site, "--act", "store.", "--json").splitlines()]
        self.assertEqual([(act["act"], act["outcome"]) for act in acts][-4:],
                         [("store.backup", "begun"), ("store.backup", "done")] * 2, acts)
        self.assertEqual(acts[-1]["detail"]["to"], str(self.backup))

        # Never over a store; not from what is damaged; not where there is nothing.
        self.assertIn("J115", self.fails("store", "restore", self.backup, self.site))
        other = self.another_site()
        self.assertIn("J209", self.fails("store", "restore", self.out, other))
        self.assertIn("U103", said := self.fails("store", "restore", other, self.backup, code=2))
        self.assertIn("BACKUP comes first", said)
        begun = self.folder / "begun"
        shutil.copytree(self.backup, begun, ignore=shutil.ignore_patterns("manifest"))
        self.assertIn("J209", self.fails("store", "check", begun))
        segment = next(path for path in sorted((self.backup / "journal").iterdir()) if ".seg." in path.name)
        whole = segment.read_bytes()
        segment.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
        said = self.fails("store", "check", self.backup)
        self.assertIn("J208", said)
        self.assertIn("J201", said)
        self.assertIn("at offset", said)
        self.assertIn("J208", self.fails("store", "restore", self.backup, other))
        self.assertEqual({path.name for path in (other / "state").iterdir()} - {"lock"}, {"master.key"})
        segment.write_bytes(whole)

        # Nor where a disk is not mounted, nor in the place of a file.
        self.assertIn("J114", self.fails("store", "backup", self.site, "--to", self.folder / "mnt/not/mounted"))
        self.assertFalse((self.folder / "mnt").exists())
        self.assertIn("J114", self.fails("store", "backup", self.site, "--to", self.site / "site.toml"))

        # What was shredded since stays so with the newer keys, and the next backup has the key no more; a copy has it still.
        monday = self.folder / "monday"
        subprocess.run(["cp", "-al", self.backup, monday], check=True)
        cannula("keys", "shred", "lab", self.site, "--reason", "the agreement ended")
        third = self.folder / "third"
        shutil.copytree(other, third)
        cannula("store", "restore", self.backup, third, "--keys", self.site / "state/keys")
        self.assertEqual(self.messages(third), [])
        cannula("store", "backup", self.site, "--to", self.backup)
        ring = json.loads(next(self.backup.glob("keys.*")).read_text())
        self.assertEqual(([key["channel"] for key in ring["shredded"]], ring["keys"]), (["lab"], []))
        self.assertTrue(cannula_json("store", "check", monday)["sound"])
        self.assertTrue(cannula_json("store", "check", self.backup)["sound"])

        # Without its master key it is restored, and what is missing is said.
        key = (other / "state/master.key").read_bytes()
        (other / "state/master.key").unlink()
        restored = json.loads(self.fails("store", "restore", self.backup, other, "--json"))
        self.assertIn("K101", restored["keys_trouble"])
        self.assertFalse(restored["can_start"])
        (other / "state/master.key").write_bytes(key)
        (other / "state/master.key").chmod(0o600)
        self.start(other)
        paused = cannula_json("status", other)["channels"]["lab"]["pauses"]
        self.assertTrue(paused, "what was paused is paused still")

        # Without the trail no backup.
        trail = self.site / "state/audit"
        shutil.rmtree(trail)
        trail.write_text("in the way")
        self.assertIn("A101", self.fails("store", "backup", self.site, "--to", self.folder / "second"))
        self.assertFalse((self.folder / "second").exists())


if __name__ == "__main__":
    unittest.main()
