"""What lies on the disk says nothing of a patient: known texts go through everything that keeps something, the engine is
killed, and every file of the store, the log and any core dump is searched for them. Then the keys: lost, wrong, rotated
while the engine runs, shredded.
"""

import base64
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from engine import Program, cannula, cannula_json, free_port

NO_CORE = re.compile(r"Max core file size\s+0\s+0")

# Nothing else in the store or the log has these texts in it.
PATIENT = {"family": "Quenstedtmuster", "number": "MRN77310042", "street": "Xylophonweg", "accession": "ACCZ90817",
           "control": "CTRLQ55", "note": "Zwergpinscherbiss", "missed": "WUNDERTEST", "missed text": "Wunderliche Probe",
           "answer": "Kundenbestandsfehler"}


def allow_core_dumps():
    """As far as this user may: root everything, others what their hard limit says."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))


SCRIPT = """
function main(msg)
  local code = msg["OBX-3.1"]
  log.info("a result came", { who = msg["PID-5.1"], number = msg["PID-3.1"] })
  state[msg["PID-3.1"]] = { last = msg["OBX-5"], name = msg["PID-5.1"] }
  if code == "SKIP" then return skip("not wanted for " .. msg["PID-5.1"]) end
  if code == "PARK" then return park("look at " .. msg["PID-3.1"] .. " " .. msg["OBX-5"]) end
  if code == "REJECT" then return reject("no place for " .. msg["PID-5.1"]) end
  if code == "FAIL" then error("cannot work " .. msg["PID-5.1"] .. " " .. msg["OBX-5"]) end
  if code == "WUNDERTEST" then
    lookup("codes", code, { text = msg["OBX-3.2"] })
    return park("unmapped", { until_mapped = true })
  end
  send("ehr", msg)
  send("gone", msg)
  send("dead", msg)
end
"""


def message(number, code):
    return (f"MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|{PATIENT['control']}-{number}|P|2.5.1\r"
            f"PID|1||{PATIENT['number']}^^^NORTH^MR||{PATIENT['family']}^Erika||19700101|F|||{PATIENT['street']} 4\r"
            f"OBR|1||{PATIENT['accession']}\r"
            f"OBX|1|ST|{code}^{PATIENT['missed text']}||{PATIENT['note']}\r")


def disguises(text):
    """The text as it could stand in a file."""
    found = {text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be"), text.upper().encode(),
             text.encode()[::-1], text.encode().hex().encode()}
    for before in range(3):  # base64 at each offset, without the letters that depend on what stands around
        coded = base64.b64encode(b"\0" * before + text.encode())
        found.add(coded[{0: 0, 1: 2, 2: 3}[before]:len(coded) - 4])
    return found


def plain_segment(identity, base, body):
    """A segment with one message of channel lab, as stores wrote it before they were sealed, and as anybody can."""
    hashes = ctypes.CDLL("libxxhash.so.0")
    hashes.XXH3_64bits_withSeed.restype = ctypes.c_uint64
    hashes.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]

    def hashed(data, seed=0):
        return hashes.XXH3_64bits_withSeed(bytes(data), len(data), seed)

    def number(value):
        out = b""
        while value >= 0x80:
            out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
        return out + bytes([value])

    def text(value):
        return number(len(value)) + value

    now = time.time_ns() // 1000
    header = bytearray(128)
    struct.pack_into("<8sIIQQQQQQQ", header, 0, b"CANNULA\n", 1, 128, identity, base, 0, 0, 0, now, 0)
    struct.pack_into("<Q", header, 120, hashed(header[:120]))
    payload = struct.pack("<Q", (now // 1000 << 20) | 1) + text(b"lab") + number(now * 2)
    payload += b"".join(map(text, (b"127.0.0.1", b"", b"ORU^R01", b"PLAIN-1", b"", b"", b"")))
    payload += number(len(body) + 1) + body
    seed = identity ^ (base * 0x9E3779B97F4A7C15) & (1 << 64) - 1
    frame = bytearray(struct.pack("<IIIBBBB", 0x8BF19EC5, len(payload), 0, 0, 1, 0, 0) + bytes(12))
    struct.pack_into("<I", frame, 16, hashed(frame[:16], seed) & 0xFFFFFFFF)
    struct.pack_into("<Q", frame, 20, hashed(payload, seed))
    return bytes(header + frame) + payload


class Ehr:
    """Answers each message with words about the patient: AA, or AR with `refuse`."""

    def __init__(self, refuse=False):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.code = "AR" if refuse else "AA"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        data = b""
        with connection, contextlib.suppress(OSError):
            while part := connection.recv(65536):
                data += part
                while b"\x1c\r" in data:
                    frame, data = data.split(b"\x1c\r", 1)
                    control = frame.split(b"\r")[0].split(b"|")[9].decode()
                    connection.sendall((f"\x0bMSH|^~\\&|EHR|WEST|LAB|NORTH|20260115||ACK|{control}|P|2.5.1\r"
                                        f"MSA|{self.code}|{control}|{PATIENT['answer']} {PATIENT['family']}\r\x1c\r").encode())


class WebEhr(ThreadingHTTPServer):
    """Answers each request with words about the patient."""

    def __init__(self, status):
        super().__init__(("127.0.0.1", 0), WebAnswers)
        self.daemon_threads = True
        self.status, self.came = status, []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class WebAnswers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.server.came.append(self.rfile.read(int(self.headers["Content-Length"])))
        text = json.dumps({"issue": f"{PATIENT['answer']} {PATIENT['family']}"}).encode()
        self.send_response(self.server.status, f"{PATIENT['answer']} of {PATIENT['family']}")
        self.send_header("Content-Type", "application/json")
        self.send_header("Location", f"/Patient/{PATIENT['number']}")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


WEB_SCRIPT = """
function main(msg)
  local asked = msg.request
  local name = asked.query.name
  log.info("an order came", { who = name, from = asked.headers["x-patient"] })
  state[asked.query.mrn] = { last = msg.raw }
  if asked.query.as == "skip" then return skip("not wanted for " .. name) end
  if asked.query.as == "park" then return park("look at " .. name) end
  if asked.query.as == "reject" then return reject("no place for " .. name) end
  if asked.query.as == "fail" then error("cannot work " .. msg.raw) end
  for _, destination in ipairs({ "ehr", "dead", "busy", "gone" }) do send(destination, msg.raw) end
  reply{ body = "taken for " .. name }
end
"""


class Sealing(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cannula-sealing-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site = self.folder / "site"
        self.state = self.site / "state"
        self.log = self.folder / "run.log"
        self.port = free_port()
        self.ehr, self.refusing = Ehr(), Ehr(refuse=True)
        self.write("site.toml", "")
        self.write("tables/codes.csv", "code,text\nK,Kalium\n")
        self.write("channels/lab/main.lua", SCRIPT)
        self.write("channels/lab/channel.toml", f"""
[source]
type   = "mllp"
listen = "127.0.0.1:{self.port}"

[[destination]]
name    = "ehr"
type    = "mllp"
address = "127.0.0.1:{self.ehr.port}"

[[destination]]
name    = "gone"
type    = "mllp"
address = "127.0.0.1:{free_port()}"

[[destination]]
name    = "dead"
type    = "mllp"
address = "127.0.0.1:{self.refusing.port}"
""")

    def write(self, name, text):
        path = self.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run_site(self, **environment):
        os.environ.update(environment)
        running = Program(self.log, "run", self.site)
        self.addCleanup(lambda: running.process.poll() is None and running.kill())
        running.wait_until_said("ready in")
        return running

    def feed(self, codes):
        for number, code in enumerate(codes):
            path = self.folder / f"{number}.hl7"
            path.write_text(message(number, code), encoding="utf-8", newline="")
            # A rejection's AR makes `send` fail; what came of the message is looked at otherwise.
            cannula("send", f"127.0.0.1:{self.port}", path, check=False)

    def wait_for(self, **counts):
        end = time.monotonic() + 60
        while True:
            states = [row["state"] for row in self.listed()]
            if all(states.count(state) == count for state, count in counts.items()):
                return
            self.assertLess(time.monotonic(), end, f"{counts} not reached: {states}")
            time.sleep(0.05)

    def listed(self, *options):
        return cannula_json("msg", "list", self.site, *options)["messages"]

    def failing(self, *arguments):
        done = subprocess.run([os.environ["CANNULA"], *map(str, arguments)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=60)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    @staticmethod
    def limits(process):
        return pathlib.Path(f"/proc/{process}/limits").read_text(encoding="utf-8")

    def test_no_verb_leaves_a_core_dump(self):
        # One that waits, so that it can be looked at; `keys` and `store` are gone too soon.
        waiting = subprocess.Popen([os.environ["CANNULA"], "parse", "-"], stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=allow_core_dumps)
        self.addCleanup(waiting.communicate)
        end = time.monotonic() + 60
        while not re.search(NO_CORE, self.limits(waiting.pid)):
            self.assertIsNone(waiting.poll())
            self.assertLess(time.monotonic(), end, "it may leave a core dump")
            time.sleep(0.05)

    def test_nothing_of_a_patient_is_found_on_the_disk(self):
        running = self.run_site()
        self.feed(["K", "K", "SKIP", "PARK", "REJECT", "FAIL", "WUNDERTEST", "NA"])
        self.wait_for(filtered=1, parked=2, rejected=1, dead=1)
        first = self.listed("--oldest-first")[0]["id"]
        end = time.monotonic() + 60
        while cannula("msg", "show", first, self.site).count(PATIENT["answer"]) < 2:  # one took it, one refused
            self.assertLess(time.monotonic(), end, "the destinations' answers did not come")
            time.sleep(0.05)
        shown = cannula("msg", "show", self.listed("--state", "parked")[0]["id"], self.site)
        self.assertIn(PATIENT["family"], shown)
        self.assertRegex(self.limits(running.process.pid), NO_CORE)
        for path in self.state.rglob("*"):
            self.assertEqual(path.stat().st_mode & 0o077, 0, f"{path.name} is for others too")
        running.kill()

        files = [path for path in self.state.rglob("*") if path.is_file()]
        self.assertGreaterEqual(len(files), 5)
        self.assert_nothing_of_a_patient([*files, self.log, *self.folder.glob("core*"), *self.site.glob("core*")])
        # The search finds what is there: without sealing, these would have been in the journal.
        self.assertTrue(any(text in message(1, "K").encode() for text in disguises(PATIENT["family"])))

        running = self.run_site()
        self.assertEqual(len(self.listed()), 8)
        unmapped = cannula("table", "unmapped", self.site)
        self.assertIn(PATIENT["missed"], unmapped)
        self.assertEqual(running.stop(), 0)

    def assert_nothing_of_a_patient(self, files):
        wanted = {name: disguises(text) for name, text in PATIENT.items()}
        for path in files:
            content = path.read_bytes()
            for name, texts in wanted.items():
                for text in texts:
                    self.assertNotIn(text, content, f"{path.name} has the patient's {name}")

    def test_nothing_of_a_patient_who_came_by_http_is_found_on_the_disk(self):
        taking, refusing, busy = (WebEhr(status) for status in (201, 422, 503))
        for ehr in (taking, refusing, busy):
            self.addCleanup(ehr.server_close)
            self.addCleanup(ehr.shutdown)
        shutil.rmtree(self.site)
        port = free_port()
        destinations = "".join(
            f'[[destination]]\nname = "{name}"\ntype = "http"\nurl = "http://127.0.0.1:{address}/in"\n'
            'retry = { first = "50ms", max = "200ms" }\n'
            for name, address in [("ehr", taking.server_address[1]), ("dead", refusing.server_address[1]),
                                  ("busy", busy.server_address[1]), ("gone", free_port())])
        self.write("site.toml", "")
        self.write("partners/portal.toml", 'name = "Portal"\nfrom = ["127.0.0.1"]\nmay = ["POST"]\n')
        for name, more in [("hook", 'respond = "processed"\ndedupe = { key = "header:webhook-id", window = "1h" }\nmax_size = "20KB"'),
                           ("guarded", 'partner = "portal"')]:
            self.write(f"channels/{name}/channel.toml",
                       f'[source]\ntype = "http"\nlisten = "127.0.0.1:{port}"\npath = "/{name}/*"\n{more}\n{destinations}')
            self.write(f"channels/{name}/main.lua", WEB_SCRIPT)
        temporary = self.folder / "tmp"
        temporary.mkdir()
        self.addCleanup(os.environ.pop, "TMPDIR", None)
        running = self.run_site(TMPDIR=str(temporary))

        body = json.dumps({"name": PATIENT["family"], "mrn": PATIENT["number"], "note": PATIENT["note"]})
        place = f"/hook/{PATIENT['street']}?mrn={PATIENT['number']}&name={PATIENT['family']}"
        about = {"X-Patient": PATIENT["family"], "Webhook-Id": PATIENT["control"], "X-Accession": PATIENT["accession"]}

        def ask(method, place, body=body, **headers):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            with contextlib.closing(connection):
                connection.request(method, place, body, about | headers)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()

        status, answered = ask("POST", place)
        self.assertEqual(status, 200)
        self.assertEqual(answered, f"taken for {PATIENT['family']}")
        self.assertEqual(ask("POST", place), (200, answered), "the same again")
        for outcome, expected in [("skip", 200), ("reject", 422), ("fail", 422), ("park", 200)]:
            self.assertEqual(ask("POST", f"{place}&as={outcome}", **{"Webhook-Id": outcome})[0], expected, outcome)
        self.assertEqual(ask("POST", place, message(1, "K"), **{"Webhook-Id": "v2"})[0], 200)
        # What is turned away has names too.
        self.assertEqual(ask("POST", place.replace("/hook", "/other"))[0], 404)
        self.assertEqual(ask("DELETE", place)[0], 405)
        self.assertEqual(ask("POST", place, body * 400, **{"Webhook-Id": "large"})[0], 413)
        self.assertEqual(ask("POST", place, **{"Content-Encoding": PATIENT["family"]})[0], 415)
        self.assertEqual(ask("POST", place, **{"X-Long": PATIENT["family"] * 2000})[0], 431)
        self.assertEqual(ask("POST", "/guarded/" + PATIENT["family"], message(1, "K"))[0], 403)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as broken:
            broken.sendall(f"POST {place} HTTP/1.1\r\nHost: a\r\n{PATIENT['family']}\r\n\r\n".encode())
            self.assertIn(b" 400 ", broken.recv(65536))

        end = time.monotonic() + 60
        shown = ""
        while not all(text in shown for text in ("201", "422", "503", PATIENT["answer"])):  # what each EHR said is kept
            self.assertLess(time.monotonic(), end, f"the EHRs' answers did not come:\n{shown}")
            shown = cannula("msg", "show", self.listed("--oldest-first")[0]["id"], self.site)
        for text in (PATIENT["family"], PATIENT["note"]):
            self.assertIn(text, shown)
        self.wait_for(dead=1, filtered=2, parked=1, rejected=3)
        running.kill()
        # Site, store, trail, log, temporary files, core dumps.
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        self.assertLessEqual({"run.log", "index.db", "index.db-wal", "keys", "000000000001.log"}, {path.name for path in files})
        self.assert_nothing_of_a_patient(files)
        # What goes out says all of it: in a file the search would have found it.
        (self.folder / "seen").write_bytes(taking.came[0])
        with self.assertRaises(AssertionError):
            self.assert_nothing_of_a_patient([self.folder / "seen"])

    def test_messages_are_found_by_what_the_index_does_not_tell(self):
        running = self.run_site()
        self.feed(["K", "PARK"])
        self.wait_for(parked=1)
        for options in (["--mrn", PATIENT["number"]], ["--accession", PATIENT["accession"].lower()],
                        ["--name", PATIENT["family"]], ["--name", f"{PATIENT['family'].lower()}, erika"]):
            self.assertEqual(len(self.listed(*options)), 2, options)
            self.assertEqual(len(self.listed(*options, "--state", "parked")), 1, options)
        self.assertEqual(len(self.listed("--control-id", PATIENT["control"] + "-1")), 1)
        for options in (["--mrn", "4711"], ["--name", PATIENT["family"][:-1]], ["--control-id", "other"]):
            self.assertEqual(self.listed(*options), [], options)
        self.assertEqual(running.stop(), 0)
        for path in self.state.glob("index.db*"):
            path.unlink()
        self.assertEqual(len(self.listed("--mrn", PATIENT["number"])), 2)

    def test_lost_and_wrong_keys_are_said_clearly_and_nothing_is_made_in_their_place(self):
        running = self.run_site()
        self.assertIn("a master key was made", running.said())
        self.feed(["PARK"])
        self.assertEqual(running.stop(), 0)
        wanted = cannula_json("keys", "list", self.site)["master"]
        right = (self.state / "master.key").read_text(encoding="utf-8")

        (self.state / "master.key").unlink()
        for verb in (["run", self.site], ["msg", "list", self.site]):
            self.assertRegex(self.failing(*verb), r"K101(.|\n)*master\.key")
        self.assertFalse((self.state / "master.key").exists())

        (self.state / "master.key").write_text("00" * 32, encoding="utf-8")
        said = self.failing("run", self.site)
        self.assertIn("K102", said)
        self.assertIn(wanted, said)
        self.assertIn("master.key", said)
        self.assertNotIn(right.strip(), said)
        (self.state / "master.key").write_text(right, encoding="utf-8")

        ring = (self.state / "keys").read_bytes()
        for name in ("keys", "keys.copy"):
            (self.state / name).unlink()
        self.assertIn("K105", self.failing("run", self.site))
        self.assertFalse((self.state / "keys").exists())
        (self.state / "keys").write_bytes(ring)
        self.assertEqual(len(self.listed()), 1)

    def put_plain_journal(self, identity=0x1234, base=1):
        (self.state / "journal").mkdir(parents=True, exist_ok=True)
        for path in (*self.state.glob("journal/*"), *self.state.glob("keys*"), *self.state.glob("index.db*")):
            path.unlink()
        segment = plain_segment(identity, base, message(0, "PARK").encode())
        (self.state / f"journal/{base:020}.seg").write_bytes(segment)

    def test_a_plain_journal_in_the_place_of_a_sealed_one_is_not_believed(self):
        running = self.run_site()
        self.feed(["PARK"])
        self.assertEqual(running.stop(), 0)
        segment = next(self.state.glob("journal/*.seg")).read_bytes()
        identity, = struct.unpack_from("<Q", segment, 16)
        self.put_plain_journal(identity, len(segment) + 4096)
        for verb in ("run", "msg list", "store check"):
            self.assertIn("K118", self.failing(*verb.split(), self.site))
        said = self.failing("keys", "begin", self.site, "--reason", "it is an old store")
        self.assertRegex(said, r"K105(.|\n)*the audit trail tells that the store is sealed")
        self.assertFalse((self.state / "keys").exists())
        entries = [json.loads(line) for path in self.state.glob("audit/*.log") for line in path.read_text().splitlines()]
        self.assertEqual([entry["outcome"] for entry in entries if entry["act"] == "key.begin"], ["begun", "failed"])

    def test_a_store_from_before_stores_were_sealed_begins_when_a_person_says_so(self):
        self.put_plain_journal()
        self.assertIn("K118", self.failing("run", self.site))
        begun = cannula_json("keys", "begin", self.site, "--reason", "from the version of 2025")
        self.assertGreater(int(begun["up_to"]), 1)
        self.assertIn("K119", self.failing("keys", "begin", self.site, "--reason", "again"))
        running = self.run_site()
        self.wait_for(parked=1)
        self.feed(["PARK"])
        self.wait_for(parked=2)
        self.assertEqual(running.stop(), 0)
        cannula("store", "check", self.site)
        entries = self.trail("key.begin")
        self.assertEqual([entry["outcome"] for entry in entries], ["begun", "done", "begun", "failed"])
        self.assertEqual(entries[1]["detail"]["keys"], begun["keys"])
        self.assertEqual(self.trail("engine.start")[0]["detail"]["keys"], begun["keys"])

    def test_a_backup_without_keys_is_not_restored_unless_a_person_says_so(self):
        self.put_plain_journal()
        cannula("store", "backup", self.site, "--to", self.folder / "backup")
        shutil.rmtree(self.state)
        restore = ["store", "restore", self.folder / "backup", self.site]
        self.assertIn("K118", self.failing(*restore))
        self.assertIn("keys begin", self.failing(*restore, "--even-plain"))
        self.assertIn("K118", self.failing("run", self.site))
        cannula("keys", "begin", self.site, "--reason", "from the version of 2025")
        self.assertEqual(self.trail("store.restore")[0]["detail"]["even_plain"], "true")
        self.assertEqual(len(self.listed()), 1)

    def trail(self, act):
        lines = cannula("audit", "list", self.site, "--json", "--act", act).splitlines()
        return [json.loads(line) for line in lines]

    def test_the_master_key_changes_while_the_engine_runs(self):
        self.write("site.toml", f'[keys]\nmaster = "file:{self.folder}/elsewhere.key"\n')
        key = self.folder / "elsewhere.key"
        key.write_text("5a" * 32 + "\n", encoding="utf-8")
        key.chmod(0o600)
        running = self.run_site()
        self.feed(["PARK"])
        rotated = cannula_json("keys", "rotate", self.site)
        self.assertEqual(rotated["wrapped"], 2)
        self.assertNotEqual(rotated["from"], rotated["to"])
        self.feed(["PARK", "PARK"])
        self.assertEqual(cannula_json("keys", "drop-old", self.site)["dropped"], [rotated["from"]])
        self.assertNotIn("5a" * 32, key.read_text(encoding="utf-8"))
        running.kill()
        running = self.run_site()
        self.wait_for(parked=3)
        self.assertEqual(running.stop(), 0)
        self.assertFalse((self.state / "master.key").exists())
        begun, ended = self.trail("key.rotate")
        self.assertEqual((begun["outcome"], ended["outcome"], ended["actor"]["uid"]), ("begun", "done", os.getuid()))
        self.assertEqual((ended["detail"]["from"], ended["detail"]["to"]), (rotated["from"], rotated["to"]))
        begun, ended = self.trail("key.drop_old")
        self.assertEqual((begun["outcome"], ended["outcome"], ended["detail"]["dropped"]), ("begun", "done", rotated["from"]))

    def test_a_half_finished_rotation_goes_on_at_the_next_start(self):
        self.write("site.toml", '[keys]\nmaster = "env:CANNULA_TEST_MASTER"\n')
        old, new = "11" * 32, "22" * 32
        running = self.run_site(CANNULA_TEST_MASTER=old)
        self.feed(["PARK"])
        before = cannula_json("keys", "list", self.site)["master"]
        self.assertIn("K108", self.failing("keys", "rotate", self.site))
        running.kill()
        running = self.run_site(CANNULA_TEST_MASTER=f"{new} {old}")
        self.assertNotEqual(cannula_json("keys", "list", self.site)["master"], before)
        self.assertEqual(running.stop(), 0)
        running = self.run_site(CANNULA_TEST_MASTER=new)
        self.wait_for(parked=1)
        self.assertEqual(running.stop(), 0)

    def test_a_shredded_channel_is_forgotten_and_the_others_stay(self):
        other = free_port()
        shutil.copytree(self.site / "channels/lab", self.site / "channels/other")
        path = self.site / "channels/other/channel.toml"
        path.write_text(path.read_text(encoding="utf-8").replace(str(self.port), str(other)), encoding="utf-8")
        running = self.run_site()
        self.feed(["SKIP", "PARK"])
        self.port = other
        self.feed(["SKIP"])
        self.wait_for(parked=1, filtered=2)
        shred = ["keys", "shred", "lab", self.site, "--reason", "the contract ended"]
        self.assertIn("J101", self.failing(*shred))
        self.assertEqual(running.stop(), 0)
        self.assertIn("J113", self.failing(*shred))
        cannula(*shred, "--even-open")
        self.assertEqual([row["channel"] for row in self.listed()], ["other"])
        gone = cannula_json("keys", "list", self.site)["shredded"]
        self.assertEqual([(key["channel"], key["reason"]) for key in gone], [("lab", "the contract ended")])
        self.assertEqual([(entry["outcome"], entry.get("code"), entry["object"]["channel"]) for entry in self.trail("key.shred")],
                         [("begun", None, "lab"), ("failed", "J101", "lab"), ("begun", None, "lab"), ("failed", "J113", "lab"),
                          ("begun", None, "lab"), ("done", None, "lab")], "also what was refused")
        self.assertEqual({entry["reason"] for entry in self.trail("key.shred")}, {"the contract ended"})
        running_still, still_open = (entry["detail"]["error"] for entry in self.trail("key.shred") if entry["outcome"] == "failed")
        self.assertIn("in use by process", running_still)
        self.assertIn("lab", still_open)
        running = self.run_site()  # and goes on, with another key
        self.assertEqual(running.stop(), 0)

    def test_keys_do_not_change_without_an_entry(self):
        running = self.run_site()
        self.feed(["PARK"])
        self.assertEqual(running.stop(), 0)
        ring, trail = (self.state / "keys").read_bytes(), self.state / "audit"
        shutil.rmtree(trail)
        trail.write_text("in the way")
        for act in (["rotate"], ["drop-old"], ["shred", "lab"]):
            reason = ["--reason", "a test", "--even-open"] if act[0] == "shred" else []
            self.assertIn("A101", self.failing("keys", *act, self.site, *reason))
        self.assertEqual((self.state / "keys").read_bytes(), ring)


if __name__ == "__main__":
    unittest.main()
