"""What is seen of a feed that broke in the night: what a receiver answered instead of an acknowledgement, the messages of
an hour, what waits behind a message that stopped, a source that cannot get to its sender, certificates that end.
"""

import contextlib
import datetime
import os
import pathlib
import re
import shutil
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

    # -- what waits behind a message that stopped -------------------------------------------------------------------------

    def test_status_says_what_waits_behind_a_parked_message_and_which_it_is(self):
        receiver = Answering(b"")
        self.addCleanup(receiver.close)
        self.to_mllp(receiver.port, '[order]\nby = "PID-3.1"\non_hold = "hold_key"')
        self.start()
        self.send(message(1, 7, "PARK"))
        parked = self.wait_until(lambda: cannula_json("msg", "list", self.site, "--state", "parked")["messages"])[0]["id"]
        self.assertNotIn("held_back", cannula_json("status", self.site)["channels"]["lab"])
        self.send(message(2, 7), message(3, 7), message(4, 8))
        held = self.wait_until(lambda: cannula_json("status", self.site)["channels"]["lab"].get("held_back"))
        self.wait_until(lambda: cannula_json("status", self.site)["channels"]["lab"]["held_back"]["messages"] == 2)
        held = cannula_json("status", self.site)["channels"]["lab"]["held_back"]
        self.assertEqual(held, {"keys": 1, "messages": 2, "oldest": [{"message": parked, "holds": 2}]})
        self.assertIn(f"HELD BACK: 2 wait behind an earlier message of their order key that is parked, dead or held\n"
                      f"              {parked} holds 2: `cannula msg show {parked} {self.site}`\n", self.status())
        metrics = self.metrics()
        self.assertEqual(metrics['cannula_held_back_messages{channel="lab"}'], "2")
        self.assertEqual(metrics['cannula_held_back_keys{channel="lab"}'], "1")
        cannula("msg", "discard", parked, self.site, "--reason", "not needed")
        self.wait_until(lambda: "held_back" not in cannula_json("status", self.site)["channels"]["lab"])
        self.assertEqual(self.metrics()['cannula_held_back_messages{channel="lab"}'], "0")

    def test_status_says_what_waits_behind_a_dead_delivery(self):
        refusal = b"\x0bMSH|^~\\&|EHR|WEST|LAB|NORTH|20260115||ACK|9|P|2.5.1\rMSA|AR|\r\x1c\r"
        receiver = Answering(refusal)
        self.addCleanup(receiver.close)
        self.to_mllp(receiver.port, '[order]\nby = "PID-3.1"\non_hold = "hold_key"')
        self.start()
        self.send(message(1, 7))
        dead = self.wait_until(lambda: cannula_json("msg", "list", self.site, "--state", "dead")["messages"])[0]["id"]
        self.send(message(2, 7), message(3, 7), message(4, 7))

        def held():
            return cannula_json("status", self.site)["channels"]["lab"]["standing"]["ehr"].get("held_back")

        wanted = {"keys": 1, "messages": 3, "oldest": [{"message": dead, "holds": 3}]}
        self.wait_until(lambda: held() == wanted)
        self.assertRegex(self.status(), rf"to ehr .*\n +HELD BACK: 3 wait behind an earlier message of their order key.*\n +{dead} holds 3")
        self.assertEqual(self.metrics()['cannula_held_back_messages{channel="lab",destination="ehr"}'], "3")
        self.assertEqual(self.engine.stop(), 0)
        self.start()
        self.wait_until(lambda: held() == wanted)

    # -- sources that do not get there ------------------------------------------------------------------------------------

    def test_status_says_that_a_source_cannot_reach_its_sender_since_when_and_why(self):
        sender = free_port()
        self.channel("lab", f'type = "mllp"\nconnect = "127.0.0.1:{sender}"\nreconnect_max = "100ms"')
        self.start()
        self.wait_until(lambda: "source_not_reached" in cannula_json("status", self.site)["channels"]["lab"])
        self.assertRegex(self.status(), rf"SOURCE NOT REACHED since 20\S+Z: .*127\.0\.0\.1:{sender}.*refused.*\[T103\]")
        self.assertEqual(self.metrics()['cannula_source_not_reached{channel="lab"}'], "1")
        since = cannula_json("status", self.site)["channels"]["lab"]["source_not_reached"]["since"]
        time.sleep(0.5)
        self.assertEqual(cannula_json("status", self.site)["channels"]["lab"]["source_not_reached"]["since"], since)
        with socket.create_server(("127.0.0.1", sender)) as server:
            peer = server.accept()[0]
            self.wait_until(lambda: "source_not_reached" not in cannula_json("status", self.site)["channels"]["lab"])
            self.assertEqual(self.metrics()['cannula_source_not_reached{channel="lab"}'], "0")
            peer.close()

    def test_status_says_that_a_drop_folder_is_gone(self):
        drop = self.folder / "drop"
        drop.mkdir()
        self.channel("files", f'type = "file"\ndirectory = "{drop}"\npoll = "50ms"')
        self.start()
        self.assertNotIn("NOT REACHED", self.status())
        shutil.rmtree(drop)
        self.wait_until(lambda: "NOT REACHED" in self.status())
        self.assertRegex(self.status(), rf"SOURCE NOT REACHED since 20\S+Z: there is no folder {drop}.*\[F102\]")
        drop.mkdir()
        self.wait_until(lambda: "NOT REACHED" not in self.status())

    def test_a_drop_folder_that_is_not_there_at_the_start_keeps_its_channel_waiting_and_no_other(self):
        drop = self.folder / "share"
        self.channel("files", f'type = "file"\ndirectory = "{drop}"\npoll = "50ms"')
        self.channel("lab", f'type = "mllp"\nlisten = "127.0.0.1:{self.port}"')
        self.start()
        self.send(message(1))
        self.assertRegex(self.status(), rf"channel files\n  TAKES NOTHING since 20\S+Z: .*there is no folder {drop}.*\[F101\]")
        drop.mkdir()
        self.wait_until(lambda: "TAKES NOTHING" not in self.status())
        (drop / "one.hl7").write_text(message(2), encoding="utf-8")
        self.wait_until(lambda: cannula_json("msg", "list", self.site, "--channel", "files")["messages"])

    # -- certificates -----------------------------------------------------------------------------------------------------

    def certificate(self, name, days):
        """One that ends in so many days and half a day."""
        ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days, hours=12)
        begins = ends - datetime.timedelta(days=400)
        form = "%Y%m%d%H%M%SZ"
        folder = self.site / "tls"
        folder.mkdir(parents=True, exist_ok=True)
        key, request = folder / f"{name}.key", self.folder / f"{name}.csr"
        subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                        f"/CN={name}", "-keyout", key, "-out", request], check=True, capture_output=True)
        database = self.folder / f"{name}-authority"
        database.mkdir()
        (database / "index.txt").write_text("")
        (database / "serial").write_text("01\n")
        (database / "ca.cnf").write_text(f"[ca]\ndefault_ca = own\n[own]\ndatabase = {database}/index.txt\n"
                                         f"serial = {database}/serial\nnew_certs_dir = {database}\n"
                                         "default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n")
        subprocess.run(["openssl", "ca", "-batch", "-selfsign", "-config", database / "ca.cnf", "-keyfile", key, "-in", request,
                        "-startdate", begins.strftime(form), "-enddate", ends.strftime(form), "-notext",
                        "-out", folder / f"{name}.pem"], check=True, capture_output=True)

    def test_status_says_how_long_certificates_are_good_for(self):
        for name, days in (("good", 90), ("soon", 12), ("old", -3)):
            self.certificate(name, days)
        self.channel("good", f'type = "mllp"\nlisten = "127.0.0.1:{free_port()}"\n'
                             'tls = { certificate = "tls/good.pem", key = "tls/good.key" }')
        self.channel("lab", f'type = "mllp"\nlisten = "127.0.0.1:{self.port}"\n'
                            'tls = { certificate = "tls/soon.pem", key = "tls/soon.key" }',
                     f'type = "mllp"\naddress = "127.0.0.1:{free_port()}"\n'
                     'tls = { certificate = "tls/old.pem", key = "tls/old.key" }')
        self.start()
        text = self.status()
        self.assertRegex(text, r"channel good .*\n.*\n  certificate tls/good\.pem is good for 90 days\n")
        self.assertRegex(text, r"certificate tls/soon\.pem EXPIRES IN 12 DAYS, at 20\S+Z")
        self.assertRegex(text, r"to ehr +none\n  certificate tls/old\.pem FAILING: it EXPIRED at 20\S+Z")
        found = {one["file"]: one for one in cannula_json("status", self.site)["certificates"]}
        self.assertEqual({file: one["days_left"] for file, one in found.items()},
                         {"tls/good.pem": 90, "tls/soon.pem": 12, "tls/old.pem": -3})
        self.assertEqual(found["tls/old.pem"]["destination"], "ehr")
        metrics = self.metrics()
        left = float(metrics['cannula_certificate_expiry_seconds{channel="good",file="tls/good.pem"}'])
        self.assertAlmostEqual(left, 90.5 * 86_400, delta=600)
        old = float(metrics['cannula_certificate_expiry_seconds{channel="lab",destination="ehr",file="tls/old.pem"}'])
        self.assertAlmostEqual(old, -2.5 * 86_400, delta=600)
        self.certificate("renewed", 200)
        for end in ("pem", "key"):
            os.replace(self.site / "tls" / f"renewed.{end}", self.site / "tls" / f"soon.{end}")
        self.assertIn("certificate tls/soon.pem is good for 200 days", self.status(), "new connections use it at once")
        self.engine.stop()
        at_rest = self.status()
        self.assertRegex(at_rest, r"^not running.*\n\nchannel good\n  messages    none\n  certificate tls/good\.pem is good")
        self.assertRegex(at_rest, r"to ehr +none\n  certificate tls/old\.pem FAILING")


if __name__ == "__main__":
    unittest.main()
