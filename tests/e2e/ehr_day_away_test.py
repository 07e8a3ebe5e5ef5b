"""The EHR is away for a day while messages come in; then it is back: overloaded (429 with Retry-After), slow, and flapping.
What waits is delivered in the order of each patient, each once, without a storm, and in bounded memory.

  CANNULA_EHR_AWAY=100000 python3 tests/e2e/ehr_day_away_test.py     with as many messages (4000 unless told)

The day is one in the measure of the destination: its pauses are a hundredth of what a site would have, so that as many
attempts fall into it as into a day with pauses of five minutes.
"""

import os
import pathlib
import subprocess
import tempfile
import time
import unittest

from engine import Program, cannula_json, free_port
from fast_ehr import FastEhr

SANITIZED = "CANNULA_SANITIZED" in os.environ  # then memory is the sanitizer's
COUNT = int(os.environ.get("CANNULA_EHR_AWAY", "4000"))
PATIENTS = 200
MESSAGE = ("MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|M{number}|P|2.5.1\r"
           "PID|1||{patient}^^^NORTH^MR||Muster^Maria||19700101|F\r"
           "OBR|1|O{number}|A{number}|BMP^Panel^L|||20260115080000+0000\r"
           "OBX|1|NM|K^Potassium^L||4.1|mmol/L|3.5-5.1|N|||F\rNTE|1||{padding}\r")
CONNECTIONS = 8


def order_of(body):
    """Patient and number of a message."""
    return body.split(b"PID|1||")[1].split(b"^")[0], int(body.split(b"|M")[1].split(b"|")[0])


class EhrDayAway(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cannula-away-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site, self.port = self.folder / "site", free_port()
        self.ehr = self.enterContext(FastEhr(order_of))
        channel = self.site / "channels/lab"
        channel.mkdir(parents=True)
        (self.site / "site.toml").write_text("")
        (channel / "main.lua").write_text('function main(msg) send("ehr", msg) end\n')
        (channel / "channel.toml").write_text(f"""
[source]
type   = "mllp"
listen = "127.0.0.1:{self.port}"
[order]
by = "PID-3.1"
[[destination]]
name        = "ehr"
type        = "http"
url         = "http://{self.ehr.address}/in"
connections = {CONNECTIONS}
timeout     = "5s"
[destination.retry]
first         = "10ms"
max           = "3s"
give_up_after = "3d"
""")
        self.engine = Program(self.folder / "log", "run", self.site)
        self.addCleanup(self.engine.stop)
        self.engine.wait_until_said("ready in")

    def rss(self, which="VmRSS"):
        """Of the engine, in MB."""
        with open(f"/proc/{self.engine.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(which)) // 1024

    def send(self, count):
        file = self.folder / "messages.hl7"
        with open(file, "w", encoding="ascii") as out:
            for number in range(count):
                out.write(MESSAGE.format(number=number, patient=number % PATIENTS, padding="x" * 600))
        # One connection: the order in which messages come is the order in which they stand in the file.
        done = subprocess.run([os.environ["CANNULA"], "send", f"127.0.0.1:{self.port}", file, "--count", str(count), "--quiet"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=1200)
        self.assertEqual(done.returncode, 0, done.stderr)

    def deliveries(self):
        return cannula_json("status", self.site)["channels"]["lab"]["destinations"]["ehr"]

    def wait_until_taken(self, count, seconds=1200):
        begun = time.monotonic()
        while (seen := self.ehr.counts())["taken"] < count:
            self.assertLess(time.monotonic() - begun, seconds, f"{seen} {self.deliveries()}")
            time.sleep(0.1)
        return seen

    def test_what_waited_drains_in_order_without_a_storm_and_in_bounded_memory(self):
        # Away: connections are closed at once. In the measure of the test, the day is what the sending takes and ten seconds.
        self.ehr.answers("close")
        begun = time.monotonic()
        self.send(COUNT)
        resting = self.rss()
        time.sleep(10)
        away = time.monotonic() - begun
        seen = self.ehr.counts()
        self.assertEqual(seen["taken"], 0)
        # A probe now and then: after the first few with growing pauses, one every three seconds.
        self.assertLess(seen["connections"], 40 + CONNECTIONS * 5 + away, "while it is away it is only probed")
        waiting = self.deliveries()  # asked once: a probe turns one that is queued into one that is tried again
        self.assertEqual(waiting.get("queued", 0) + waiting.get("retrying", 0), COUNT)

        # Back, and says that it is too much: nothing comes before the time that it named.
        before = self.ehr.answers(429, retry_after=2, times=3)
        while (seen := self.ehr.counts())["attempts"] < before["attempts"] + 3:
            time.sleep(0.05)
        time.sleep(1)
        self.assertLessEqual(self.ehr.counts()["too_early"], CONNECTIONS, "Retry-After is for all of them")

        # Slow, then flapping: away, there, away again, answers lost.
        self.ehr.answers(200, delay=0.05)
        self.wait_until_taken(COUNT // 20)
        flaps = 0
        for how in ("close", 503, "forget") * 2:
            taken = self.ehr.answers(how)["taken"]
            time.sleep(0.5)
            if how != "forget":
                self.assertEqual(self.ehr.counts()["taken"], taken)
            self.ehr.answers(200)
            self.wait_until_taken(min(COUNT, taken + COUNT // 20))
            flaps += 1

        seen = self.wait_until_taken(COUNT)
        for _ in range(600):
            if self.deliveries() == {"delivered": COUNT}:
                break
            time.sleep(0.1)
        drained = time.monotonic() - begun - away
        self.assertEqual(self.deliveries(), {"delivered": COUNT})
        seen = self.ehr.counts()
        self.assertEqual(seen["disorder"], [], "the order of each patient")
        self.assertLessEqual(seen["most_open"], CONNECTIONS, "no more connections than the destination may have")
        # What is attempted without success: probes, and what was under way when it went away or lost its answer.
        wasted = seen["attempts"] - COUNT
        self.assertLess(wasted, 60 + flaps * CONNECTIONS * 4, "no storm")
        self.assertLess(seen["connections"], 300 + away, "connections are kept")
        print(f"{COUNT} messages: away for {away:.0f} s, drained in {drained:.0f} s; {seen['connections']} connections, "
              f"{wasted} attempts in vain, {seen['doubled']} repeated with the same key, at most {seen['most_in_a_second']} "
              f"in a second; memory {resting} MB with all queued, at most {self.rss('VmHWM')} MB")
        if not SANITIZED:
            self.assertLess(self.rss("VmHWM"), 400, "memory does not grow with the queue")


if __name__ == "__main__":
    unittest.main()
