"""A destination goes at its own pace: one that hangs keeps nobody else waiting, neither the channel's other destinations nor
other channels, and one with a `rate_limit` gets no more than that, however fast messages come."""

import pathlib
import tempfile
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from engine import Program, cannula, cannula_json, free_port

SECONDS_OF_PATIENCE = 120
MESSAGES = 120
PATIENTS = 20
RATE = 20    # a second
BURST = 0.1  # seconds' worth that may go at once after a quiet time: docs/how-to/deliver-at-a-pace.md


class Ehr(ThreadingHTTPServer):
    """Keeps when each request came and which message it has. Answers when `may_answer` is set, as `script` says (201)."""

    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.daemon_threads = True
        self.came, self.answered, self.script = [], set(), []
        self.may_answer = threading.Event()
        self.may_answer.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/in"


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        name = self.rfile.read(int(self.headers["Content-Length"])).split(b"|")[9].decode()
        self.server.came.append((time.monotonic(), name))
        self.server.may_answer.wait()
        status = self.server.script.pop(0) if self.server.script else 201
        if status == 201:
            self.server.answered.add(name)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Pace(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cannula-pace-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site = self.folder / "site"
        self.site.mkdir()
        (self.site / "site.toml").touch()
        self.ports = {}

    def ehr(self):
        ehr = Ehr()
        self.addCleanup(ehr.server_close)
        self.addCleanup(ehr.shutdown)
        self.addCleanup(ehr.may_answer.set)
        return ehr

    def write_channel(self, name, order, **destinations):
        """`destinations`: the lines of each."""
        channel = self.site / "channels" / name
        channel.mkdir(parents=True)
        self.ports[name] = free_port()
        (channel / "channel.toml").write_text(
            f'[source]\ntype = "mllp"\nlisten = "127.0.0.1:{self.ports[name]}"\n[order]\nby = "{order}"\n' +
            "".join(f'[[destination]]\nname = "{one}"\n{lines}\nretry = {{ first = "20ms", max = "50ms" }}\n'
                    for one, lines in destinations.items()))
        sends = " ".join(f"send('{one}', msg)" for one in destinations)
        (channel / "main.lua").write_text(f"function main(msg) {sends} end\n")

    def run_site(self):
        engine = Program(self.folder / "log", "run", self.site)
        self.addCleanup(lambda: engine.process.poll() is None and engine.kill())
        engine.wait_until_said("ready in")
        return engine

    def send(self, channel, count):
        """So many messages, of patient after patient. Gives their control ids."""
        names = [f"{channel}-{number}" for number in range(count)]
        texts = [f"MSH|^~\\&|LAB|GEN|EHR|GEN|20260101120000+0000||ORU^R01^ORU_R01|{name}|P|2.5.1\r"
                 f"PID|1||{number % PATIENTS}^^^GEN^MR||Invented^Ina\rOBX|1|NM|K^Potassium||4.1|mmol/L\r"
                 for number, name in enumerate(names)]
        file = self.folder / f"{channel}.hl7"
        file.write_text("".join(texts), newline="")
        cannula("send", f"127.0.0.1:{self.ports[channel]}", file)
        return names

    def wait_for(self, condition, what):
        begun = time.monotonic()
        while not condition():
            self.assertLess(time.monotonic() - begun, SECONDS_OF_PATIENCE, what())
            time.sleep(0.01)

    def deliveries(self, channel):
        return cannula_json("status", self.site)["channels"][channel]["destinations"]

    def test_a_destination_that_hangs_keeps_no_other_waiting(self):
        hanging, quick, elsewhere = self.ehr(), self.ehr(), self.ehr()
        hanging.may_answer.clear()
        slow = f'type = "http"\nurl = "{hanging.url}"\ntimeout = "1h"'
        for order in ("PID-3.1", "channel"):
            with self.subTest(order=order):
                name = "lab-" + order[:3]
                self.write_channel(name, order, slow=slow, quick=f'type = "http"\nurl = "{quick.url}"')
                self.write_channel(name + "-too", order, quick=f'type = "http"\nurl = "{elsewhere.url}"')
                engine = self.run_site()
                wanted, others = set(self.send(name, MESSAGES)), set(self.send(name + "-too", MESSAGES))
                self.wait_for(lambda: wanted <= quick.answered, lambda: f"{len(quick.answered)} of the quick one's")
                self.wait_for(lambda: others <= elsewhere.answered, lambda: f"{len(elsewhere.answered)} of the other channel's")
                self.wait_for(lambda: self.deliveries(name)["quick"] == {"delivered": MESSAGES},
                              lambda: f"{self.deliveries(name)}")
                self.assertTrue(hanging.came, "it is tried")
                self.assertFalse(wanted & hanging.answered)
                self.assertNotIn("delivered", self.deliveries(name)["slow"])
                hanging.may_answer.set()
                self.wait_for(lambda: wanted <= hanging.answered, lambda: f"{len(hanging.answered)} of the slow one's")
                came = [one for _, one in hanging.came if one in wanted]
                self.assertEqual(len(came), MESSAGES, "each once")
                for patient in range(PATIENTS):
                    numbers = [int(one.rpartition("-")[2]) for one in came]
                    of_one = [number for number in numbers if number % PATIENTS == patient or order == "channel"]
                    self.assertEqual(of_one, sorted(of_one))
                self.assertEqual(engine.stop(), 0)
                hanging.may_answer.clear()

    def test_no_more_than_the_rate_limit_arrives_in_any_time(self):
        # All in order: each goes only when the one before was answered. So what comes late, because this machine stood
        # still, puts off those behind it, and no stop brings two attempts closer together than they were sent.
        limited = self.ehr()
        limited.script = [503 if number % 4 == 1 else 201 for number in range(40)]  # attempts count, also those in vain
        self.write_channel("lab", "channel", limited=f'type = "http"\nurl = "{limited.url}"\nrate_limit = "{RATE}/s"')
        self.run_site()
        wanted = self.send("lab", 60)
        self.wait_for(lambda: set(wanted) <= limited.answered, lambda: f"{len(limited.answered)} of the limited one's")
        times = [at for at, _ in limited.came]
        self.assertEqual(len(times), 70)
        for first, begun in enumerate(times):
            for last in range(first + 1, len(times)):
                attempts = last - first  # those after `begun`
                self.assertLessEqual(attempts, 1 + (times[last] - begun + BURST) * RATE,
                                     f"{attempts} within {times[last] - begun:.3f} s")

    def test_the_rate_limit_is_of_all_connections_together(self):
        limited = self.ehr()
        self.write_channel("lab", "PID-3.1", limited=f'type = "http"\nurl = "{limited.url}"\nrate_limit = "{RATE}/s"\nconnections = 8')
        self.run_site()
        begun = time.monotonic()
        wanted = self.send("lab", 60)
        self.wait_for(lambda: set(wanted) <= limited.answered, lambda: f"{len(limited.answered)} of 60")
        for number, (at, _) in enumerate(limited.came, 1):
            self.assertLessEqual(number, 1 + (at - begun + BURST) * RATE, f"{number} in the first {at - begun:.3f} s")


if __name__ == "__main__":
    unittest.main()
