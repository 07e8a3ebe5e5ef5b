"""What is seen of a feed that broke in the night: what a receiver answered instead of an acknowledgement, the messages of
an hour.
"""

import contextlib
import datetime
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

from engine import Program, cannula, cannula_json, free_port

RELAY = """
function main(msg)
  if msg["OBX-3.1"] == "PARK" then return park("a person must see it") end
  send("ehr", msg)
end
"""


def message(number, patient=1, code="K"):
    return (f"MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|M{number}|P|2.5.1\r"
            f"PID|1||{patient}^^^NORTH^MR||Muster^Mona\rOBX|1|NM|{code}^Invented||4.1|mmol/L\r")


class Answering:
    """A receiver that answers every frame with the same bytes, and then closes if told to."""

    def __init__(self, answer, closes=False):
        self.answer, self.closes = answer, closes
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.talk, args=(self.server.accept()[0],), daemon=True).start()

    def talk(self, peer):
        with peer, contextlib.suppress(OSError):
            while peer.recv(65536):
                peer.sendall(self.answer)
                if self.closes:
                    return

    def close(self):
        self.server.close()


class BrokenFeed(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cannula-night-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site = self.folder / "site"
        self.port, self.admin = free_port(), free_port()
        self.write("site.toml", f'[admin]\nlisten = "127.0.0.1:{self.admin}"\n')

    def write(self, name, text):
        path = self.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def channel(self, name, source, destination="", more=""):
        self.write(f"channels/{name}/main.lua", RELAY if destination else "function main(msg) end")
        named = f'[[destination]]\nname = "ehr"\n{destination}\n' if destination else ""
        self.write(f"channels/{name}/channel.toml", f"{more}\n[source]\n{source}\n{named}")

    def to_mllp(self, port, more=""):
        self.channel("lab", f'type = "mllp"\nlisten = "127.0.0.1:{self.port}"',
                     f'type = "mllp"\naddress = "127.0.0.1:{port}"\ntimeout = "300ms"\n'
                     '[destination.retry]\nfirst = "1h"\nmax = "2h"\n', more)

    def start(self):
        self.engine = Program(self.folder / "log", "run", self.site)
        self.addCleanup(self.engine.stop)
        self.engine.wait_until_said("ready in")

    def send(self, *texts):
        file = self.folder / "messages.hl7"
        file.write_text("".join(texts), encoding="utf-8")
        cannula("send", f"127.0.0.1:{self.port}", file, "--count", len(texts), "--quiet")

    def status(self):
        return cannula("status", self.site)

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))

    def wait_until(self, holds):
        for _ in range(600):
            if value := holds():
                return value
            time.sleep(0.05)
        self.fail(self.status())

    # -- answers that are none -------------------------------------------------------------------------------------------

    def shown_with(self, answer, closes=False):
        """What `msg show` has of a delivery that was answered so, and its attempt."""
        receiver = Answering(answer, closes)
        self.addCleanup(receiver.close)
        self.to_mllp(receiver.port)
        self.start()
        self.send(message(1))
        identity = self.wait_until(lambda: cannula_json("msg", "list", self.site, "--destination", "ehr")["messages"])[0]["id"]

        def attempts():
            trail = cannula_json("msg", "show", identity, self.site)["trail"]
            return [record for record in trail if record["record"] == "attempt"]

        return self.wait_until(attempts)[0], cannula("msg", "show", identity, self.site)

    def test_an_answer_that_is_no_hl7_is_shown(self):
        attempt, text = self.shown_with(b"HTTP/1.1 400 Bad Request\r\nServer: invented\r\n\r\n")
        self.assertEqual(attempt["code"], "M205")
        self.assertTrue(attempt["response"].startswith("HTTP/1.1 400"))
        self.assertIn("it answered\n    HTTP/1.1 400 Bad Request\n    Server: invented\n", text)
        self.assertIn("look like HTTP", text)
        self.assertNotIn("Server: invented", self.engine.said(), "what others say is not logged")

    def test_an_acknowledgement_of_another_message_is_shown(self):
        attempt, text = self.shown_with(b"\x0bMSH|^~\\&|EHR|WEST|LAB|NORTH|20260115||ACK|9|P|2.5.1\rMSA|AA|M99\r\x1c\r")
        self.assertEqual(attempt["code"], "M203")
        self.assertIn("    <0B>MSH|^~\\&|EHR|WEST|LAB|NORTH|20260115||ACK|9|P|2.5.1\n    MSA|AA|M99\n    <1C>\n", text)

    def test_an_answer_that_is_cut_off_is_shown(self):
        attempt, text = self.shown_with(b"\x0bMSH|^~\\&|EHR|WEST|LAB\rMSA|A", closes=True)
        self.assertEqual(attempt["code"], "M215")
        self.assertIn("    <0B>MSH|^~\\&|EHR|WEST|LAB\n    MSA|A\n", text)

    def test_bytes_of_no_character_set_are_shown_by_number(self):
        attempt, text = self.shown_with(b"\xff\xfeno\x00")
        self.assertIn("response_base64", attempt)
        self.assertIn("    <FF><FE>no<00>\n", text)
        self.assertEqual(self.metrics()['cannula_transport_events_total{channel="lab",destination="ehr",event="bad_answers_total"}'],
                         "1")

    # -- the messages of an hour ------------------------------------------------------------------------------------------

    def listed(self, *arguments, zone=None):
        environment = dict(os.environ, **({"TZ": zone} if zone else {}))
        done = subprocess.run([os.environ["CANNULA"], "msg", "list", self.site, "--json", "--oldest-first", *arguments],
                              env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              encoding="utf-8", timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return re.findall(r'"control_id":"(M\d)"', done.stdout)

    def test_messages_are_listed_by_the_time_they_came(self):
        self.channel("lab", f'type = "mllp"\nlisten = "127.0.0.1:{self.port}"')
        self.start()
        self.send(message(1), message(2))
        time.sleep(1.1)
        middle = datetime.datetime.now(datetime.timezone.utc)
        time.sleep(1.1)
        self.send(message(3))
        self.wait_until(lambda: len(cannula_json("msg", "list", self.site)["messages"]) == 3)
        utc = middle.strftime("%Y-%m-%dT%H:%M:%SZ")

        def check():
            self.assertEqual(self.listed("--since", utc), ["M3"])
            self.assertEqual(self.listed("--until", utc), ["M1", "M2"])
            self.assertEqual(self.listed("--since", "1h"), ["M1", "M2", "M3"])
            self.assertEqual(self.listed("--since", "2h", "--until", "1h"), [])
            self.assertEqual(self.listed("--since", "1h", "--until", utc, "--limit", "1"), ["M1"])
            # The zone is that of who asks, whatever the engine's is.
            east = (middle + datetime.timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M:%S")
            self.assertEqual(self.listed("--since", east, zone="Asia/Tokyo"), ["M3"])
            self.assertEqual(self.listed("--since", east, zone="UTC"), [])
            self.assertEqual(self.listed("--since", east + "+09:00", zone="UTC"), ["M3"])
            day = (middle + datetime.timedelta(hours=9)).strftime("%Y-%m-%d")
            self.assertEqual(self.listed("--since", day, zone="Asia/Tokyo"), ["M1", "M2", "M3"])
            # A time that the list printed can be asked with as it stands.
            last = cannula_json("msg", "list", self.site)["messages"][0]["received_at"]
            self.assertEqual(self.listed("--since", last), ["M3"])

        check()
        self.assertEqual(self.engine.stop(), 0)
        check()

    def test_a_range_that_is_none_is_said(self):
        self.channel("lab", f'type = "mllp"\nlisten = "127.0.0.1:{self.port}"')
        for verb in (("msg", "list"), ("msg", "dead")):
            for arguments, words in ((("--since", "yesterday"), "is not a time"),
                                     (("--since", "1h", "--until", "2h"), "nothing lies between")):
                done = subprocess.run([os.environ["CANNULA"], *verb, self.site, *arguments], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=120)
                self.assertEqual(done.returncode, 2)
                self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main()
