"""The disk fails: full, read-only, dead, the index gone. Nothing acknowledged is lost, refusals are clean, and work goes on
when the disk is well again.

The disks are small mounts (tmpfs, ext4 in a file) and need root; without it these tests say that they are skipped.
"""

import concurrent.futures
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

from engine import Program, cannula_json, free_port

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

    def send(self):
        self.number += 1
        control_id = f"{self.letter}{self.number:06}"
        text = (f"MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|{control_id}|P|2.5.1\r"
                f"PID|1||{self.letter}{self.number % 7}^^^NORTH^MR||Muster^M\rOBX|1|ST|X^Invented||{self.filling}\r")
        self.answers[control_id] = self._exchange(text.encode())
        return self.answers[control_id]

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
        return {name for name, answer in self.answers.items() if answer == "AA"}


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
        destination = (f'[[destination]]\nname = "out"\ntype = "file"\ndirectory = "{self.out}"\nfilename = "{{id}}.hl7"\n'
                       '[destination.retry]\nfirst = "100ms"\nmax = "1s"\n')
        for name, source in [("lab", f'type = "mllp"\nlisten = "127.0.0.1:{self.mllp}"\n'),
                             ("hook", f'type = "http"\nlisten = "127.0.0.1:{self.http}"\npath = "/hook"\n')]:
            channel = self.site / "channels" / name
            channel.mkdir(parents=True)
            (channel / "channel.toml").write_text(f"[source]\n{source}{destination}")
            (channel / "main.lua").write_text("function main(msg) send('out', msg) end\n")
        self.sender = Sender(self.mllp)
        self.addCleanup(self.sender.close)
        self.engine = None
        self.addCleanup(lambda: self.engine and self.engine.process.poll() is None and self.engine.stop())

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
        """Until three refusals in a row."""
        refused = 0
        for _ in range(3000):
            refused = 0 if self.sender.send() == "AA" else refused + 1
            if refused == 3:
                return
        self.fail("the disk is never full")

    def test_a_full_disk_refuses_cleanly_and_goes_on_when_space_returns(self):
        self.small_disk("24m")
        self.start()
        self.assertIn(self.sender.send(), ["AA"])
        self.fill()
        self.assertIn("AE", self.sender.answers.values(), "a refusal is an answer, no cut connection")
        status, _ = self.post()
        self.assertEqual(status, 503)
        self.assertIsNone(self.engine.process.poll())
        self.assertTrue(mount("-o", "remount,size=96m", self.state))
        self.wait(lambda: self.sender.send() == "AA", "messages are not taken in again")
        self.assertEqual(self.post()[0], 202)
        self.assert_all_arrive()
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

    def test_the_disk_dies_under_load(self):
        def shut_down():
            folder = os.open(self.state, os.O_RDONLY)
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", WITHOUT_FLUSHING))
            os.close(folder)
        self.fail_under_load(shut_down)

    def test_the_disk_becomes_read_only_under_load(self):
        self.fail_under_load(lambda: self.assertTrue(mount("-o", "remount,abort", self.state)))

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
