"""A site whose master key lies in a token (SoftHSM): its store opens with the token only, a token that goes away stops
nothing that runs, and the key moves from a file into the token and back.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

from engine import Program, cannula, cannula_json, free_port

MODULE = pathlib.Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "87654321"
MESSAGE = ("MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|{control}|P|2.5.1\r"
           "PID|1||4711^^^NORTH^MR||MUSTER^ANNA\r")


@unittest.skipUnless(MODULE.exists() and shutil.which("pkcs11-tool"), "softhsm2 and opensc are not installed")
class Token(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cannula-token-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site, self.log = self.folder / "site", self.folder / "run.log"
        self.tokens = self.folder / "tokens"
        self.tokens.mkdir()
        (self.folder / "softhsm2.conf").write_text(f"directories.tokendir = {self.tokens}\n", encoding="utf-8")
        os.environ["SOFTHSM2_CONF"] = str(self.folder / "softhsm2.conf")
        self.tool("softhsm2-util", "--init-token", "--free", "--label", "clinic", "--so-pin", "12345678", "--pin", PIN)
        self.tool("pkcs11-tool", "--module", MODULE, "--token-label", "clinic", "--login", "--pin", PIN, "--keygen",
                  "--key-type", "AES:32", "--sensitive", "--label", "cannula", "--id", "01")
        self.write("pin", PIN + "\n")
        self.ports = {channel: free_port() for channel in ("lab", "adt")}
        for channel, port in self.ports.items():
            self.write(f"site/channels/{channel}/main.lua", "function main(msg) return park('look') end\n")
            self.write(f"site/channels/{channel}/channel.toml",
                       f'[source]\ntype = "mllp"\nlisten = "127.0.0.1:{port}"\n')

    @staticmethod
    def tool(*arguments):
        subprocess.run(list(map(str, arguments)), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=60)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
        path.chmod(0o600)

    def keys(self, master, former=None):
        places = {"token": f"pkcs11:token=clinic;object=cannula?module-path={MODULE}", "file": "file:../master.key"}
        self.write("site/site.toml", f'[keys]\nmaster = "{places[master]}"\npin = "file:../pin"\n' +
                   (f'former = ["{places[former]}"]\n' if former else ""))

    def run_site(self):
        running = Program(self.log, "run", self.site)
        self.addCleanup(lambda: running.process.poll() is None and running.kill())
        running.wait_until_said("ready in")
        return running

    def send(self, channel, control):
        self.write(f"{control}.hl7", MESSAGE.format(control=control))
        return subprocess.run([os.environ["CANNULA"], "send", f"127.0.0.1:{self.ports[channel]}",
                               self.folder / f"{control}.hl7"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding="utf-8", timeout=120, check=False)

    def parked(self):
        return [row["id"] for row in cannula_json("msg", "list", self.site, "--state", "parked")["messages"]]

    def wait_for_parked(self, count):
        end = time.monotonic() + 60
        while len(self.parked()) < count:
            self.assertLess(time.monotonic(), end, "the message was not worked")
            time.sleep(0.05)

    def take_token_away(self):
        self.tokens.rename(self.folder / "elsewhere")
        self.tokens.mkdir()

    def put_token_back(self):
        self.tokens.rmdir()
        (self.folder / "elsewhere").rename(self.tokens)

    def refused(self):
        done = subprocess.run([os.environ["CANNULA"], "run", self.site], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=60, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn(PIN, done.stdout)
        return done.stdout

    def masters(self):
        listed = cannula_json("keys", "list", self.site)
        return {key["master"] for key in listed["keys"]} | {listed["master"]}

    def test_the_store_opens_with_the_token_only(self):
        self.keys("token")
        self.assertEqual(cannula("check", self.site), "")
        running = self.run_site()
        self.assertEqual(self.send("lab", "C1").returncode, 0)
        self.wait_for_parked(1)

        # While it is away, what has its key goes on; what needs a new one is not acknowledged.
        self.take_token_away()
        self.assertEqual(self.send("lab", "C2").returncode, 0)
        self.assertNotEqual(self.send("adt", "C3").returncode, 0)
        self.put_token_back()
        self.assertEqual(self.send("adt", "C4").returncode, 0)
        self.wait_for_parked(3)
        running.kill()

        self.take_token_away()
        self.assertIn("K112", self.refused())
        self.put_token_back()
        self.write("pin", "11111111\n")
        self.assertIn("K113", self.refused())
        self.write("pin", PIN + "\n")
        running = self.run_site()
        self.assertIn("MUSTER", cannula("msg", "show", self.parked()[0], self.site))
        self.assertEqual(running.stop(), 0)
        self.assertNotIn(PIN, self.log.read_text(encoding="utf-8"))

    def test_the_key_moves_from_a_file_into_the_token_and_back(self):
        self.write("master.key", "7" * 64 + "\n")
        self.keys("file")
        running = self.run_site()
        self.assertEqual(self.send("lab", "C1").returncode, 0)
        self.wait_for_parked(1)
        before = self.masters()

        self.keys("token", former="file")
        cannula("keys", "rotate", self.site)  # while the engine runs
        self.assertEqual(running.stop(), 0)
        inside = self.masters()
        self.assertEqual(len(inside), 1)
        self.assertNotEqual(inside, before)
        (self.folder / "master.key").rename(self.folder / "old.key")
        self.keys("token")
        running = self.run_site()
        self.assertIn("MUSTER", cannula("msg", "show", self.parked()[0], self.site))
        self.assertEqual(running.stop(), 0)

        (self.folder / "old.key").rename(self.folder / "master.key")
        self.keys("file", former="token")
        running = self.run_site()  # a start does it too
        self.assertEqual(self.masters(), before)
        self.assertEqual(running.stop(), 0)
        self.take_token_away()
        self.keys("file")
        running = self.run_site()
        self.assertIn("MUSTER", cannula("msg", "show", self.parked()[0], self.site))
        self.assertEqual(running.stop(), 0)


if __name__ == "__main__":
    unittest.main()
