"""Sequence numbers (HL7 v2 2.9.1) over two engines that are killed: a sender that follows the protocol, an engine that takes
its messages and numbers them anew, and one that receives them. Whatever is killed, nothing is lost and nothing worked twice."""

import pathlib
import random
import re
import shutil
import socket
import tempfile
import threading
import time
import unittest

from engine import Program, cannula, cannula_json, free_port

MESSAGES = 400
KILLS = 8


def write(site, files):
    for name, text in files.items():
        path = pathlib.Path(site, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


class Link:
    """One message at a time, over connections that may break."""

    def __init__(self, port):
        self.port = port
        self.socket = None

    def exchange(self, text, patience=5):
        """The fields of MSA, or None when no answer came."""
        try:
            if not self.socket:
                self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=patience)
            self.socket.settimeout(patience)
            self.socket.sendall(b"\x0b" + text.encode() + b"\x1c\r")
            got = b""
            while not got.endswith(b"\x1c\r"):
                piece = self.socket.recv(4096)
                if not piece:
                    raise OSError("closed")
                got += piece
            return re.search(r"\rMSA\|([^\r]*)", got.decode())[1].split("|")
        except OSError:
            self.close()
            return None

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None


def message(control_id, number, patient="P1"):
    return (f"MSH|^~\\&|ADT|WARD|LAB|HOSP|20260101120000||ADT^A02^ADT_A02|{control_id}|P|2.5.1|{number}\r"
            f"EVN||20260101120000\rPID|1||{patient}^^^HOSP^MR||Invented^Ina\rPV1|1|I|4E\r")


def rows(site):
    """All messages in the order they came."""
    return cannula_json("msg", "list", site, "--limit", 10000, "--oldest-first")["messages"]


class Killed(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        root = self.folder.name
        self.ports = [free_port(), free_port()]
        self.sites = [f"{root}/relay", f"{root}/lab"]
        write(self.sites[0], {
            "site.toml": "",
            "channels/census/channel.toml":
                f"""
                [source]
                type = "mllp"
                listen = "127.0.0.1:{self.ports[0]}"
                sequence = true
                [order]
                by = "PID-3.1"
                [[destination]]
                name = "lab"
                type = "mllp"
                address = "127.0.0.1:{self.ports[1]}"
                sequence = "restart"
                timeout = "5s"
                [destination.retry]
                first = "20ms"
                max = "100ms"
                """,
            "channels/census/main.lua": 'function main(msg) send("lab", msg) end\n'})
        write(self.sites[1], {
            "site.toml": "",
            "channels/in/channel.toml":
                f"""
                [source]
                type = "mllp"
                listen = "127.0.0.1:{self.ports[1]}"
                sequence = true
                """,
            "channels/in/main.lua": 'function main(msg) return skip("kept") end\n'})
        self.programs = [None, None]
        for i in range(2):
            self.begin(i)

    def tearDown(self):
        for program in self.programs:
            if program and program.process.poll() is None:
                program.kill()
        self.folder.cleanup()

    def begin(self, i):
        self.programs[i] = Program(f"{self.folder.name}/{i}.log", "run", self.sites[i])
        self.programs[i].wait_until_said("ready in")

    def send_all(self):
        """As the standard has it: 0 after each trouble, then the number that is expected."""
        link, number, fresh = Link(self.ports[0]), 1, True
        while number <= MESSAGES:
            if fresh:
                answer = link.exchange(message("S", 0))
                if not answer:
                    time.sleep(0.02)
                    continue
                self.assertEqual(answer[0], "AA")
                expected = int(answer[3])
                number = max(expected, 1)
                fresh = False
                continue
            answer = link.exchange(message(f"C{number}", number, f"P{number % 7}"))
            if not answer or answer[0] != "AA":
                fresh = True
                continue
            self.assertIn(int(answer[3]), (number, number + 1))
            number += 1
        link.close()

    def test_nothing_is_lost_or_worked_twice(self):
        sender = threading.Thread(target=self.send_all)
        sender.start()
        dice = random.Random(4)
        for kill in range(KILLS):
            time.sleep(dice.uniform(0.05, 0.3))
            i = kill % 2
            self.programs[i].kill()
            self.begin(i)
        sender.join(240)
        self.assertFalse(sender.is_alive())
        wanted = [f"C{n}" for n in range(1, MESSAGES + 1)]
        deadline = time.monotonic() + 120
        while True:
            arrived = [row["control_id"] for row in rows(self.sites[1]) if not row.get("code")]
            if len(arrived) >= MESSAGES or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        numbers = [int(control_id[1:]) for control_id in arrived]
        self.assertEqual(sorted(numbers), list(range(1, MESSAGES + 1)), "each once")
        for patient in range(7):  # the order is by patient
            theirs = [number for number in numbers if number % 7 == patient]
            self.assertEqual(theirs, sorted(theirs))
        taken = [row["control_id"] for row in rows(self.sites[0]) if not row.get("code")]
        self.assertEqual(taken, wanted)
        for site in self.sites:
            self.assertEqual([row for row in rows(site) if row["state"] in ("rejected", "dead", "parked")], [])

    def test_a_receiver_that_lost_what_it_acknowledged_freezes_the_link(self):
        link = Link(self.ports[0])
        for n in (1, 2, 3):
            self.assertEqual(link.exchange(message(f"C{n}", n))[0], "AA")
        self.wait_for(lambda: len(rows(self.sites[1])) >= 4)
        self.programs[0].stop()
        self.programs[1].stop()
        shutil.rmtree(f"{self.sites[1]}/state")  # put back to an earlier state: the number 2 is its last
        self.begin(1)
        other = Link(self.ports[1])
        for n in (1, 2):
            self.assertEqual(other.exchange(message(f"C{n}", n))[0], "AA")
        other.close()
        self.begin(0)
        link.close()
        self.assertEqual(link.exchange(message("C4", 4))[0], "AA")
        self.programs[0].wait_until_said("the link is frozen: the receiver expects sequence number 3, and number 4 is to be sent")
        self.assertEqual(link.exchange(message("C5", 5, "P9"))[0], "AA")
        held = [row for row in rows(self.sites[0]) if row["control_id"] in ("C4", "C5")]
        self.assertEqual([row["state"] for row in held], ["queued", "queued"])
        self.assertEqual(other.exchange(message("C3", 3))[0], "AA")  # what was missing is sent by hand
        other.close()
        cannula("msg", "resend", held[0]["id"], self.sites[0], "--delivery", 1, "--reason", "the lab has 3 again")
        self.wait_for(lambda: [row["control_id"] for row in rows(self.sites[1]) if not row.get("code")] ==
                      ["C1", "C2", "C3", "C4", "C5"])
        link.close()

    def wait_for(self, holds, seconds=60):
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                self.fail(f"not within {seconds} s:\n{self.programs[0].said()}\n{rows(self.sites[0])}\n{rows(self.sites[1])}")
            time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
