"""What lies on the disk says nothing of a patient: known texts go through everything that keeps something, the engine is
killed, and every file of the store, the log and any core dump is searched for them. Then the keys: lost, wrong, rotated
while the engine runs, shredded.
"""

import base64
import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

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

        wanted = {name: disguises(text) for name, text in PATIENT.items()}
        files = [path for path in self.state.rglob("*") if path.is_file()]
        self.assertGreaterEqual(len(files), 5)
        files += [self.log, *self.folder.glob("core*"), *self.site.glob("core*")]
        for path in files:
            content = path.read_bytes()
            for name, texts in wanted.items():
                for text in texts:
                    self.assertNotIn(text, content, f"{path.name} has the patient's {name}")
        # The search finds what is there: without sealing, these would have been in the journal.
        self.assertTrue(any(text in message(1, "K").encode() for text in wanted["family"]))

        running = self.run_site()
        self.assertEqual(len(self.listed()), 8)
        unmapped = cannula("table", "unmapped", self.site)
        self.assertIn(PATIENT["missed"], unmapped)
        self.assertEqual(running.stop(), 0)

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
