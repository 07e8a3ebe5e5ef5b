"""A channel or a destination is taken out of the configuration while senders go on sending. What they were told is on record
is delivered, or the reload is refused and says how many messages wait; nothing is left behind unsaid.
"""

import pathlib
import re
import shutil
import signal
import socket
import socketserver
import tempfile
import threading
import time
import unittest

from engine import Program, cannula, cannula_json, free_port

SENDERS = 4
IN_USE = "reload: the new configuration is in use"
REFUSED = "stays in use"


def frame(text):
    return b"\x0b" + text.encode() + b"\x1c\r"


def read_frame(wire, pending):
    """The next frame that comes; nothing when the other side has closed."""
    while b"\x1c\r" not in pending:
        some = wire.recv(65536)
        if not some:
            return None
        pending += some
    content, _, rest = bytes(pending).partition(b"\x1c\r")
    pending[:] = rest
    return content.lstrip(b"\x0b").decode()


class Ehr(socketserver.ThreadingTCPServer):
    """Takes everything, and remembers the control ids in the order they came."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        self.took, self.lock = [], threading.Lock()
        super().__init__(("127.0.0.1", 0), Ehr.Connection)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Connection(socketserver.BaseRequestHandler):
        def handle(self):
            pending = bytearray()
            while (text := read_frame(self.request, pending)) is not None:
                control = text.split("|")[9]
                with self.server.lock:
                    self.server.took.append(control)
                self.request.sendall(frame(f"MSH|^~\\&|EHR||CANNULA||20260115||ACK|A{control}|P|2.5.1\rMSA|AA|{control}\r"))


class Sender(threading.Thread):
    """Sends messages of one patient, each until it is acknowledged, over one connection after the other."""

    def __init__(self, number, port):
        super().__init__(daemon=True)
        self.patient, self.port = number, port
        self.acknowledged, self.later = [], 0  # control ids; how often it was told to try again
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=30) as wire:
                    self.send_over(wire)
            except OSError:
                time.sleep(0.01)

    def send_over(self, wire):
        pending = bytearray()
        while not self.ended.is_set():
            control = f"S{self.patient}-{len(self.acknowledged) + 1:06}"
            wire.sendall(frame(f"MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|{control}|P|2.5.1\r"
                               f"PID|1||{self.patient}^^^NORTH^MR||Invented^Ina\rOBX|1|NM|K^Potassium||4.1|mmol/L\r"))
            answer = read_frame(wire, pending)
            if answer is None:
                return
            if "MSA|AA|" in answer:
                self.acknowledged.append(control)
            else:
                self.later += 1
            time.sleep(0.01)


class Removal(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cannula-removal-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site = self.folder / "site"
        self.port = free_port()
        self.ehr = Ehr()
        self.addCleanup(self.ehr.server_close)
        self.addCleanup(self.ehr.shutdown)
        (self.folder / "archive").mkdir()
        self.write("site.toml", "")
        self.write("channels/other/main.lua", "function main(msg) return skip('not looked at') end\n")
        self.write("channels/other/channel.toml", f'source = {{ type = "mllp", listen = "127.0.0.1:{free_port()}" }}\n')
        self.write_lab()
        self.engine, self.senders = None, []
        self.start()

    def write(self, name, text):
        path = self.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def write_lab(self, archive=False):
        self.write("channels/lab/main.lua", "function main(msg)\n  send('ehr', msg)\n"
                   + ("  send('archive', msg)\n" if archive else "") + "end\n")
        self.write("channels/lab/channel.toml", f"""
order  = {{ by = "PID-3.1" }}
source = {{ type = "mllp", listen = "127.0.0.1:{self.port}" }}
[[destination]]
name    = "ehr"
type    = "mllp"
address = "127.0.0.1:{self.ehr.server_address[1]}"
""" + (f"""
[[destination]]
name      = "archive"
type      = "file"
directory = "{self.folder}/archive"
filename  = "{{id}}.hl7"
""" if archive else ""))

    def start(self):
        self.engine = Program(self.folder / "log", "run", self.site)
        self.addCleanup(self.engine.stop)
        self.engine.wait_until_said("ready in")

    def send(self):
        self.senders = [Sender(number, self.port) for number in range(1, SENDERS + 1)]
        for sender in self.senders:
            sender.start()
        self.addCleanup(self.end_sending)

    def end_sending(self):
        for sender in self.senders:
            sender.ended.set()
        for sender in self.senders:
            sender.join(60)

    def acknowledged(self):
        return [control for sender in self.senders for control in list(sender.acknowledged)]

    def wait_until_acknowledged(self, more):
        wanted = len(self.acknowledged()) + more
        for _ in range(6000):
            if len(self.acknowledged()) >= wanted:
                return
            time.sleep(0.01)
        self.fail(f"{len(self.acknowledged())} messages were acknowledged, not {wanted}")

    def reload(self):
        """Asks for one and gives what it came to, and what was said of it."""
        before = len(self.engine.said())
        self.engine.process.send_signal(signal.SIGHUP)
        for _ in range(6000):
            said = self.engine.said()[before:]
            for end in (IN_USE, REFUSED):
                if end in said:
                    return end, said
            time.sleep(0.005)
        self.fail("the reload did not end:\n" + self.engine.said())

    def remove_lab(self):
        shutil.move(self.site / "channels/lab", self.folder / "lab")

    def bring_lab_back(self):
        shutil.move(self.folder / "lab", self.site / "channels/lab")

    def waiting(self):
        """The messages of the channel that have not come to their end."""
        return [row for state in ("accepted", "queued")
                for row in cannula_json("msg", "list", self.site, "--channel", "lab", "--state", state,
                                        "--limit", 1000)["messages"]]

    def assert_all_came_in_order(self):
        for _ in range(600):
            if not self.waiting():
                break
            time.sleep(0.1)
        self.assertEqual(self.waiting(), [])
        for sender in self.senders:
            took = [control for control in self.ehr.took if control.startswith(f"S{sender.patient}-")]
            first = list(dict.fromkeys(took))  # one whose acknowledgement was lost is sent, and delivered, again
            self.assertEqual(first, sorted(first), "in order")
            self.assertEqual(set(sender.acknowledged) - set(first), set(), "all that was acknowledged came")

    # ------------------------------------------------------------------------------------------------------------------

    def test_a_channel_that_goes_while_it_is_sent_to_leaves_nothing_behind_and_goes_on_when_it_comes_back(self):
        self.send()
        for _ in range(3):
            self.wait_until_acknowledged(300)
            self.remove_lab()
            self.assertEqual(self.reload()[0], IN_USE)
            acknowledged = len(self.acknowledged())
            self.assertEqual(self.waiting(), [], "what was acknowledged has come to its end")
            self.assertGreaterEqual(len(set(self.ehr.took)), acknowledged)
            self.bring_lab_back()
            self.assertEqual(self.reload()[0], IN_USE)
        self.wait_until_acknowledged(300)
        self.end_sending()
        self.assert_all_came_in_order()

    def test_what_waits_is_counted_and_listed_and_its_channel_stays_and_takes_messages(self):
        cannula("channel", "pause", "lab", self.site, "--destination", "ehr", "--reason", "the EHR is upgraded")
        self.send()
        self.wait_until_acknowledged(200)
        self.remove_lab()
        before = len(self.acknowledged())
        end, said = self.reload()
        self.assertEqual(end, REFUSED)
        self.assertIn("P315", said)
        counted = sum(int(count) for count in re.findall(r"(\d+) (?:messages|deliveries) of channel lab ", said))
        self.assertGreater(sum(sender.later for sender in self.senders), 0, "they were told to try again meanwhile")
        self.assertGreaterEqual(counted, before)
        self.wait_until_acknowledged(100)
        self.end_sending()
        self.assertLessEqual(counted, len(self.acknowledged()))
        self.assertEqual({row["control_id"] for row in self.waiting()}, set(self.acknowledged()), "all are found")
        self.assertEqual(self.ehr.took, [])
        self.bring_lab_back()
        self.assertEqual(self.reload()[0], IN_USE)
        cannula("channel", "resume", "lab", self.site, "--destination", "ehr", "--reason", "it is done")
        self.assert_all_came_in_order()

    def test_a_destination_that_goes_while_it_is_sent_to_leaves_nothing_behind(self):
        self.write_lab(archive=True)
        self.assertEqual(self.reload()[0], IN_USE)
        self.send()
        for _ in range(3):
            self.wait_until_acknowledged(200)
            self.write_lab(archive=False)
            self.assertEqual(self.reload()[0], IN_USE)
            lab = cannula_json("status", self.site)["channels"]["lab"]
            self.assertEqual(lab["not_configured"], ["archive"])
            deliveries = lab["destinations"]["archive"]
            self.assertEqual(set(deliveries), {"delivered"})
            self.write_lab(archive=True)
            self.assertEqual(self.reload()[0], IN_USE)
        self.end_sending()
        self.assert_all_came_in_order()

    def test_what_a_start_without_its_channel_leaves_is_said_and_listed_and_goes_on_in_order_when_it_comes_back(self):
        cannula("channel", "pause", "lab", self.site, "--destination", "ehr", "--reason", "the EHR is upgraded")
        self.send()
        self.wait_until_acknowledged(200)
        self.end_sending()
        self.assertEqual(self.engine.stop(), 0)
        self.remove_lab()
        self.start()
        self.assertRegex(self.engine.said(), r"deliveries of channel lab to ehr \(queued\) wait, but are not configured")
        self.assertTrue(set(self.acknowledged()) <= {row["control_id"] for row in self.waiting()})
        self.bring_lab_back()
        self.assertEqual(self.reload()[0], IN_USE)
        cannula("channel", "resume", "lab", self.site, "--destination", "ehr", "--reason", "it is done")
        self.assert_all_came_in_order()


if __name__ == "__main__":
    unittest.main(verbosity=2)
