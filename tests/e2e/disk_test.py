"""The disk fails: full, read-only, dead, the index gone. Nothing acknowledged is lost, refusals are clean, and work goes on
when the disk is well again.

The disks are small mounts (tmpfs, ext4 in a file) and need root; without it these tests say that they are skipped.
"""

import concurrent.futures
import errno
import fcntl
import http.client
import os
import pathlib
import random
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import unittest

from engine import Program, cannula, cannula_json, free_port

SECONDS_OF_PATIENCE = 120
FILLING = random.Random(1).randbytes(15_000).hex()  # 15 KB on the disk however well it compresses
EXT4_IOC_SHUTDOWN = 0x8004587D  # from here on every write fails with EIO, and what was not synced is gone
WITHOUT_FLUSHING = 2


def mount(*arguments):
    return subprocess.run(["mount", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          encoding="utf-8").returncode == 0


class Sender:
    """An MLLP client that keeps what was answered to what: AA, AE, … or nothing when the connection ended."""

    def __init__(self, port, letter="D", filling=FILLING):
        self.port, self.letter, self.filling, self.socket, self.number = port, letter, filling, None, 0
        self.answers = {}

    def send(self, enhanced=False):
        """`enhanced`: it asks for the commit acknowledgement of the enhanced mode, which is CA or CE."""
        self.number += 1
        control_id = f"{self.letter}{self.number:06}"
        self.answers[control_id] = self._exchange(self.text(control_id, enhanced).encode())
        return self.answers[control_id]

    def text(self, control_id, enhanced=False):
        return (f"MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|{control_id}|P|2.5.1{'|||AL|NE' if enhanced else ''}\r"
                f"PID|1||{control_id[0]}{int(control_id[1:]) % 7}^^^NORTH^MR||Muster^M\r"
                f"OBX|1|ST|X^Invented||{self.filling}\r")

    def _exchange(self, text):
        try:
            if self.socket is None:
                self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=30)
            self.socket.sendall(b"\x0b" + text + b"\x1c\x0d")
            answer = b""
            while b"\x1c\x0d" not in answer:
                got = self.socket.recv(65536)
                if not got:
                    raise ConnectionError
                answer += got
            return re.search(rb"MSA\|(\w\w)", answer)[1].decode()
        except OSError:
            self.close()
            return None

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def acknowledged(self):
        return {name for name, answer in self.answers.items() if answer in ("AA", "CA")}


class Disk(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cannula-disk-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.site, self.out = self.folder / "site", self.folder / "out"
        self.state = self.site / "state"
        self.out.mkdir()
        self.state.mkdir(parents=True)
        self.mllp, self.http = free_port(), free_port()
        (self.site / "site.toml").write_text('[store]\nsegment_size = "4MB"\nkeep_free = "0MB"\n')
        self.write_channel("lab", f'type = "mllp"\nlisten = "127.0.0.1:{self.mllp}"\n')
        self.write_channel("hook", f'type = "http"\nlisten = "127.0.0.1:{self.http}"\npath = "/hook"\n')
        self.sender = Sender(self.mllp)
        self.addCleanup(self.sender.close)
        self.engine = None
        self.addCleanup(lambda: self.engine and self.engine.process.poll() is None and self.engine.stop())

    def write_channel(self, name, source):
        channel = self.site / "channels" / name
        channel.mkdir(parents=True)
        (channel / "channel.toml").write_text(
            f'[source]\n{source}[[destination]]\nname = "out"\ntype = "file"\ndirectory = "{self.out}"\n'
            'filename = "{id}.hl7"\n[destination.retry]\nfirst = "100ms"\nmax = "1s"\n')
        (channel / "main.lua").write_text("function main(msg) send('out', msg) end\n")

    def small_disk(self, size):
        if os.geteuid() != 0 or not mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.state):
            self.skipTest("a file system cannot be mounted here: needs root")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.state)])

    def real_disk(self):
        self.image = self.folder / "disk.img"
        with open(self.image, "wb") as image:
            image.truncate(64 << 20)
        if os.geteuid() != 0 or subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", str(self.image)]).returncode != 0:
            self.skipTest("a file system cannot be made here: needs root and e2fsprogs")
        if not mount("-o", "loop", self.image, self.state):
            self.skipTest("a file system cannot be mounted here: needs loop devices")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.state)])

    def mount_again(self):
        subprocess.run(["umount", str(self.state)], check=True)
        self.assertTrue(mount("-o", "loop", self.image, self.state))

    def start(self):
        self.engine = Program(self.folder / "log", "run", self.site)
        self.engine.wait_until_said("ready in")

    def post(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=30)
        try:
            connection.request("POST", "/hook", "{}", {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.getheader("Retry-After")
        finally:
            connection.close()

    def wait(self, holds, what):
        begun = time.monotonic()
        while not holds():
            self.assertLess(time.monotonic() - begun, SECONDS_OF_PATIENCE, what)
            time.sleep(0.05)

    def delivered(self):
        found = set()
        for file in self.out.glob("*.hl7"):
            if match := re.search(r"\|([A-Z]\d{6})\|", file.read_text()[:200]):
                found.add(match[1])
        return found

    def assert_all_arrive(self, *others):
        wanted = set().union(*(sender.acknowledged() for sender in [self.sender, *others]))
        self.assertTrue(wanted)
        self.wait(lambda: wanted <= self.delivered(), "what was acknowledged has not arrived")

    def fill(self):
        """Until three refusals in a row. What the index at rest gives back is filled as well."""
        refused = 0
        for _ in range(3000):
            refused = 0 if self.sender.send() == "AA" else refused + 1
            if refused >= 3 and self.post()[0] == 503:
                return
        self.fail("the disk is never full")

    def test_a_full_disk_refuses_cleanly_and_goes_on_when_space_returns(self):
        self.small_disk("24m")
        self.start()
        self.assertIn(self.sender.send(), ["AA"])
        self.fill()
        self.assertIn("AE", self.sender.answers.values(), "a refusal is an answer, no cut connection")
        self.assertIsNone(self.engine.process.poll())
        self.assertTrue(mount("-o", "remount,size=96m", self.state))
        self.wait(lambda: self.sender.send() == "AA", "messages are not taken in again")
        self.assertEqual(self.post()[0], 202)
        self.assert_all_arrive()
        self.assertEqual(self.engine.stop(), 0)

    def free_but(self, free, of):
        """Another program's file on the disk of `of`, so large that `free` bytes are left."""
        other = of / "of-another-program"
        with open(other, "ab") as file:
            while True:
                disk = os.statvfs(of)
                size = os.fstat(file.fileno()).st_size + disk.f_bavail * disk.f_frsize - free
                self.assertGreater(size, 0)
                file.truncate(size)
                try:
                    os.posix_fallocate(file.fileno(), 0, size)
                    return other
                except OSError as failure:  # the engine took of the same room
                    self.assertEqual(failure.errno, errno.ENOSPC)
                    file.truncate(0)

    def test_below_keep_free_nothing_is_taken_and_what_waits_is_delivered(self):
        self.small_disk("64m")
        (self.site / "site.toml").write_text('[store]\nsegment_size = "4MB"\nkeep_free = "30MB"\n')
        drop = self.folder / "drop"
        drop.mkdir()
        self.write_channel("files", f'type = "file"\ndirectory = "{drop}"\npattern = "*.hl7"\npoll = "50ms"\nstable_for = "0s"\n')
        self.start()
        cannula("channel", "pause", "lab", self.site, "--destination", "out", "--reason", "so that something waits")
        for _ in range(200):
            self.assertEqual(self.sender.send(), "AA")
        self.assertEqual(self.delivered(), set())
        other = self.free_but(28 << 20, self.state)
        self.wait(lambda: cannula_json("status", self.site)["disk_low"], "that the disk is low is not seen")

        self.assertEqual([self.sender.send(), self.sender.send(enhanced=True)], ["AE", "CE"])
        status, retry_after = self.post()
        self.assertEqual(status, 503)
        self.assertGreater(int(retry_after), 0)
        (drop / ".coming").write_text(self.sender.text("Z000001"), newline="")
        (drop / ".coming").rename(drop / "result.hl7")
        status = cannula_json("status", self.site)
        self.assertFalse(status["ready"])
        self.assertIn("nearly full", status["not_ready"])
        self.assertIn("THE DISK IS NEARLY FULL", cannula("status", self.site))

        cannula("channel", "resume", "lab", self.site, "--destination", "out", "--reason", "deliver what waits")
        self.wait(lambda: self.sender.acknowledged() <= self.delivered(), "what waits is not delivered on a full disk")
        self.assertTrue((drop / "result.hl7").exists(), "the file was taken")
        log = self.state / "index.db-wal"
        self.wait(lambda: log.stat().st_size <= 1 << 20, "the index at rest keeps the room of its log")
        self.free_but(31 << 20, self.state)  # more than keep_free, and not a tenth more
        time.sleep(1.5)
        self.assertEqual(self.sender.send(), "AE", "with every message that is deleted it would be taken and refused in turns")

        taken = self.sender.acknowledged()
        self.assertEqual(self.delivered(), taken, "what was refused is not to go out")
        other.unlink()
        self.wait(lambda: self.sender.send() == "AA", "messages are not taken in again")
        self.assertEqual(self.post()[0], 202)
        self.wait(lambda: "Z000001" in self.delivered(), "the file is not taken")
        self.assert_all_arrive()
        self.assertTrue(cannula_json("status", self.site)["ready"])
        self.assertEqual(self.engine.said().count("the disk is nearly full ("), 1, "said once")
        self.assertEqual(self.engine.stop(), 0)

    def test_killed_on_a_full_disk(self):
        self.small_disk("24m")
        self.start()
        self.fill()
        self.engine.kill()
        self.sender.close()
        self.assertTrue(mount("-o", "remount,size=96m", self.state))
        self.start()
        self.assertEqual(self.sender.send(), "AA")
        self.assert_all_arrive()

    def test_a_disk_mounted_read_only_is_said_at_the_start_and_loses_nothing(self):
        self.small_disk("64m")
        self.start()
        for _ in range(50):
            self.sender.send()
        self.engine.kill()
        self.sender.close()
        self.assertTrue(mount("-o", "remount,ro", self.state))
        refused = subprocess.run([os.environ["CANNULA"], "run", str(self.site)], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, encoding="utf-8", timeout=60)
        self.assertNotEqual(refused.returncode, 0)
        self.assertRegex(refused.stdout, "[Rr]ead-only")
        self.assertTrue(mount("-o", "remount,rw", self.state))
        self.start()
        self.assert_all_arrive()

    def fail_under_load(self, fail):
        """Four senders at work while `fail` is called. What they get afterwards is never AA, and what they had been
        acknowledged is there when the disk has been mounted again."""
        self.real_disk()
        self.start()
        senders = [Sender(self.mllp, letter, "small") for letter in "EFGH"]
        for sender in senders:
            self.addCleanup(sender.close)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            def work(sender):
                failures = 0
                while failures < 5 and sender.number < 20_000:
                    failures += sender.send() != "AA"
            working = [pool.submit(work, sender) for sender in senders]
            self.wait(lambda: senders[0].number >= 200, "nothing is sent")
            fail()
            for one in working:
                one.result()
        self.assertNotEqual(self.sender.send(), "AA")
        self.assertEqual(self.post()[0], 503)
        self.assertIsNone(self.engine.process.poll())
        self.engine.kill()
        for sender in [self.sender, *senders]:
            sender.close()
        self.mount_again()
        self.start()
        for sender in [self.sender, *senders]:
            self.assertEqual(sender.send(), "AA")
        self.assert_all_arrive(*senders)

    def shut_down(self):
        folder = os.open(self.state, os.O_RDONLY)
        fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", WITHOUT_FLUSHING))
        os.close(folder)

    def test_the_disk_dies_under_load(self):
        self.fail_under_load(self.shut_down)

    def test_the_disk_becomes_read_only_under_load(self):
        self.fail_under_load(lambda: self.assertTrue(mount("-o", "remount,abort", self.state)))

    def failing(self, *arguments):
        """What a verb says that fails."""
        done = subprocess.run([os.environ["CANNULA"], *map(str, arguments)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=120)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        return done.stderr

    def journal_on_another_disk(self):
        """What lies beside it in the store (index, keys, acts, trail) then fails without it."""
        journal = self.folder / "journal"
        journal.mkdir()
        (self.state / "journal").mkdir()
        self.assertTrue(mount("--bind", journal, self.state / "journal"))
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.state / "journal")])

    def assert_taken_and_delivered(self, count):
        for _ in range(count):
            self.assertEqual(self.sender.send(), "AA")
        self.assert_all_arrive()

    def assert_refused(self, code, *arguments):
        """An act of a person, which says why it is not done and what to do next."""
        self.assertRegex(self.failing(*arguments, "--reason", "a test"), rf"error\[({code})\](.|\n)*hint: ")

    def index_trouble(self):
        return cannula_json("status", self.site)["index_trouble"]

    def assert_all_in_the_index(self):
        self.wait(lambda: cannula_json("status", self.site)["index_behind_bytes"] == 0, "the index does not follow")
        listed = cannula_json("msg", "list", self.site, "--channel", "lab", "--limit", "1000")["messages"]
        self.assertEqual({one["control_id"] for one in listed}, self.sender.acknowledged())
        self.assertEqual({one["state"] for one in listed}, {"done"})

    def test_index_keys_acts_and_trail_have_a_full_disk_and_the_journal_has_not(self):
        self.small_disk("16m")
        self.journal_on_another_disk()
        self.start()
        self.assert_taken_and_delivered(20)
        other = self.free_but(0, self.state)

        self.assert_taken_and_delivered(20)
        self.wait(self.index_trouble, "nothing says that the index cannot be written")
        self.assertRegex(cannula("status", self.site), r"THE INDEX CANNOT FOLLOW: .*full.*index\.db")
        self.assertEqual(self.post()[0], 503, "its key cannot be kept: it is the first message of this channel")
        self.assertRegex(self.engine.said(), r"channel hook: what came from 127\.0\.0\.1 could not be put on record: .*\[K104\]")
        self.assert_refused("P316|A101", "channel", "pause", "lab", self.site)
        self.assertIn("K104", self.failing("keys", "rotate", self.site))
        self.assert_taken_and_delivered(1)  # it is not paused

        other.unlink()
        self.wait(lambda: not self.index_trouble(), "the index is not tried again")
        self.assert_all_in_the_index()
        self.assertEqual(self.post()[0], 202)
        cannula("channel", "pause", "lab", self.site, "--work", "--reason", "a test")
        cannula("channel", "resume", "lab", self.site, "--reason", "a test")
        cannula("keys", "rotate", self.site)
        self.assert_taken_and_delivered(1)
        self.engine.wait_until_said("the index can be written again")
        self.assertEqual(self.engine.said().count("the index cannot be written"), 1, "said once")

        other = self.free_but(0, self.state)
        self.assert_taken_and_delivered(20)
        self.engine.kill()
        self.sender.close()
        self.assertRegex(self.failing("run", self.site), r"error\[J301\]: .*full\n.*hint: .*index\.db has room")
        other.unlink()
        self.start()
        self.assert_taken_and_delivered(1)
        self.assert_all_in_the_index()
        self.assertEqual(self.engine.stop(), 0)
        self.assertIn("sound", cannula("store", "check", self.site))
        self.assertIn("as they were written", cannula("audit", "verify", self.site))

    def test_index_keys_acts_and_trail_lie_on_a_disk_that_dies_and_the_journal_does_not(self):
        self.real_disk()
        self.journal_on_another_disk()
        self.start()
        self.assert_taken_and_delivered(20)
        self.shut_down()

        self.assert_taken_and_delivered(20)
        self.assertEqual(self.post()[0], 503)
        self.assert_refused("A101", "channel", "pause", "lab", self.site)
        self.wait(self.index_trouble, "nothing says that the index cannot be written")
        status = cannula("status", self.site)
        self.assertIn("THE INDEX CANNOT FOLLOW", status)
        self.assertRegex(status, "THE AUDIT TRAIL CANNOT BE WRITTEN: .*Input/output error")
        self.assert_taken_and_delivered(1)

        self.engine.kill()
        self.sender.close()
        self.assertRegex(self.failing("run", self.site), r"error\[K104\]: cannot read .*/keys: Input/output error\n.*hint: ")
        subprocess.run(["umount", str(self.state / "journal")], check=True)
        self.mount_again()
        self.assertTrue(mount("--bind", self.folder / "journal", self.state / "journal"))
        self.start()
        self.assert_taken_and_delivered(1)
        self.assertEqual(self.post()[0], 202)
        self.assert_all_in_the_index()
        self.assertEqual(self.engine.stop(), 0)
        self.assertIn("sound", cannula("store", "check", self.site))

    def remove_the_index(self):
        files = [file for file in self.state.rglob("*") if ".sqlite" in file.name or file.name.startswith("index")]
        self.assertTrue(files)
        for file in files:
            if file.is_file():
                file.unlink()

    def test_the_index_is_gone_while_stopped(self):
        self.start()
        for _ in range(50):
            self.assertEqual(self.sender.send(), "AA")
        self.assert_all_arrive()
        self.engine.stop()
        self.sender.close()
        self.remove_the_index()
        self.start()
        self.assertEqual(self.sender.send(), "AA")
        self.assert_all_arrive()
        self.wait(lambda: len(cannula_json("msg", "list", self.site, "--limit", "1000")["messages"]) == 51,
                  "the index does not know all messages again")

    def test_the_index_is_gone_while_running(self):
        self.start()
        for number in range(100):
            self.assertEqual(self.sender.send(), "AA")
            if number == 50:
                self.remove_the_index()
        self.assert_all_arrive()
        self.engine.kill()
        self.sender.close()
        self.start()
        self.assertEqual(self.sender.send(), "AA")
        self.assert_all_arrive()
        self.wait(lambda: len(cannula_json("msg", "list", self.site, "--limit", "1000")["messages"]) == 101,
                  "the index does not know all messages again")


if __name__ == "__main__":
    unittest.main()
