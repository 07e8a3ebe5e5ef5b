"""What [validate] of a channel makes of messages: shown, parked, refused; over MLLP, HTTP and from a folder; by profiles and Z
segments of the site that are read again when they change."""

import pathlib
import socket
import subprocess
import os
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from engine import Program, cannula, cannula_json, free_port

SCRIPT = """
function main(msg)
  for _, finding in ipairs(msg:validate{ profile = "lab" }) do
    if finding.severity == "error" then log.info(finding.code .. " at " .. finding.path) end
  end
  send("out", msg)
end
"""
PROFILE = """profile "Results of the invented laboratory"
messages ORU^R01
PID-8  one of F M U  says "write U where it is not known"
PID-19 forbidden  warning
"""
SEGMENTS = """segment ZPI "Local patient data"
  ZPI-1  "Plan code"  NM  required
"""
MESSAGE = ("MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|{id}|P|2.5.1{enhanced}\r"
           "PID|1||4711^^^NORTH^MR||Muster^Maria||19700101|{sex}|||||||||||{ssn}\r"
           "OBR|1||77|24323-8^Invented^LN\rOBX|1|NM|2345-7^Invented^LN||{value}|mmol/L|||||F\r")


def message(id="M1", sex="F", value="4.1", ssn="", enhanced="", more=""):
    return MESSAGE.format(id=id, sex=sex, value=value, ssn=ssn, enhanced=enhanced) + more


class Validation(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cannula-validation-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site = self.folder / "site"
        self.write("site.toml", "")
        self.write("hl7/lab.profile", PROFILE)
        self.write("hl7/local.segments", SEGMENTS)

    def write(self, name, text):
        path = self.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whole at once: the engine reads what it finds, and would take in half of it first.
        (self.folder / "written").write_text(text, encoding="utf-8")
        (self.folder / "written").replace(path)

    def channel(self, validate, source=None):
        if source is None:
            self.port = free_port()
        source = source or f'type = "mllp"\nlisten = "127.0.0.1:{self.port}"'
        self.write("channels/lab/main.lua", SCRIPT)
        self.write("channels/lab/channel.toml", f"""
[source]
{source}
{validate}
[[destination]]
name      = "out"
type      = "file"
directory = "out"
filename  = "{{id}}.hl7"
""")
        (self.site / "out").mkdir(exist_ok=True)

    def start(self):
        self.engine = Program(self.folder / "log", "run", self.site)
        self.addCleanup(self.engine.stop)
        self.engine.wait_until_said("ready in")

    def exchange(self, text):
        """The segments of the acknowledgement."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as link:
            link.sendall(b"\x0b" + text.encode() + b"\x1c\r")
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                answer += link.recv(65536)
        return answer[1:-2].decode().strip("\r").split("\r")

    def wait_for(self, state, count=1):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            rows = [json for json in cannula_json("msg", "list", self.site, "--state", state)["messages"]]
            if len(rows) >= count:
                return rows
            time.sleep(0.05)
        self.fail(f"no {count} messages {state}: {cannula('msg', 'list', self.site)}")

    def test_reject_names_each_place_for_the_senders_staff(self):
        self.channel('[validate]\nerrors = "reject"\nprofile = "lab"')
        self.start()
        answer = self.exchange(message(id="BAD", sex="X", value="high"))
        self.assertEqual(answer[1].split("|")[:3], ["MSA", "AE", "BAD"])
        self.assertIn("PID-8", answer[1].split("|")[3])
        errors = [segment.split("|") for segment in answer if segment.startswith("ERR")]
        self.assertEqual([error[2] for error in errors], ["PID^1^8^1", "OBX^1^5^1"])
        self.assertEqual([error[3].split("^")[0] for error in errors], ["103", "102"])
        self.assertEqual([error[4] for error in errors], ["E", "E"])
        self.assertTrue(errors[0][7].startswith("H7"), errors[0])
        self.assertIn("write U where it is not known", errors[0][8])
        self.assertNotIn("high", "".join(answer))
        rejected = self.wait_for("rejected")[0]
        shown = cannula("msg", "show", rejected["id"], self.site)
        self.assertIn("PID-8", shown)
        self.assertIn("OBX-5", shown)
        # Warnings refuse nothing unless told so.
        self.assertEqual(self.exchange(message(id="GOOD", ssn="123"))[1].split("|")[1], "AA")
        self.wait_for("done")

    def test_what_is_not_taken_at_all_is_rejected_and_the_rest_is_an_error(self):
        self.channel('[validate]\nerrors = "reject"')
        self.start()
        wrong_version = message(id="V").replace("|P|2.5.1", "|P|9.9")
        self.assertEqual(self.exchange(wrong_version)[1].split("|")[1], "AR")
        self.assertEqual(self.exchange(message(id="C", value="x", enhanced="|||AL|NE"))[1].split("|")[1], "CE")
        self.assertEqual(self.exchange(message(id="A", enhanced="|||AL|NE"))[1].split("|")[1], "CA")

    def test_warn_works_the_message_shows_the_findings_and_counts_them(self):
        admin = free_port()
        self.write("site.toml", f'[admin]\nlisten = "127.0.0.1:{admin}"\n')
        self.channel('[validate]\nprofile = "lab"')
        self.start()
        self.assertEqual(self.exchange(message(sex="X", ssn="123"))[1].split("|")[1], "AA")
        done = self.wait_for("done")[0]
        shown = cannula("msg", "show", done["id"], self.site)
        self.assertRegex(shown, r"error\[H7\d\d\] PID-8")
        self.assertRegex(shown, r"warning\[H7\d\d\] PID-19")
        self.assertRegex(shown, r"info H7\d\d at PID-8")  # of msg:validate in the script
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=60) as page:
            metrics = page.read().decode()
        self.assertRegex(metrics, r'validation_findings_total\{channel="lab",severity="error"\} 1\b')
        self.assertRegex(metrics, r'validation_findings_total\{channel="lab",severity="warning"\} 1\b')

    def test_what_is_parked_is_worked_when_a_person_says_so(self):
        self.channel('[validate]\nerrors = "ignore"\nprofile = "lab"\non = { PID-8 = "park", PID-19 = "ignore" }')
        self.start()
        self.assertEqual(self.exchange(message(sex="X", value="high"))[1].split("|")[1], "AA")
        parked = self.wait_for("parked")[0]
        shown = cannula("msg", "show", parked["id"], self.site)
        self.assertIn("[P323]", shown)
        self.assertRegex(shown, r"error\[H7\d\d\] PID-8")
        self.assertNotIn("OBX-5", shown)
        self.assertEqual(list((self.site / "out").iterdir()), [])
        cannula("msg", "resend", parked["id"], self.site, "--reason", "the ward says it is right")
        self.wait_for("done")
        self.assertEqual(len(list((self.site / "out").iterdir())), 1)

    def test_without_a_policy_nothing_is_refused_or_looked_at(self):
        self.channel("")
        self.start()
        self.assertEqual(self.exchange(message(sex="X", value="high"))[1].split("|")[1], "AA")
        done = self.wait_for("done")[0]
        self.assertNotIn("error[", cannula("msg", "show", done["id"], self.site))

    def test_profiles_and_segments_are_taken_in_when_they_change_and_kept_when_they_are_wrong(self):
        self.channel('[validate]\nerrors = "reject"\nprofile = "lab"')
        self.start()
        self.assertEqual(self.exchange(message(id="1", more="ZPI|plan\r"))[1].split("|")[1], "AE")
        self.write("hl7/local.segments", SEGMENTS.replace("NM", "ST"))
        self.engine.wait_until_said("1 profiles are in use now")
        self.assertEqual(self.exchange(message(id="2", more="ZPI|plan\r"))[1].split("|")[1], "AA")
        self.write("hl7/lab.profile", PROFILE.replace("forbidden", "forbiden"))
        self.engine.wait_until_said("as it was before")
        self.assertEqual(self.exchange(message(id="3", sex="X"))[1].split("|")[1], "AE")

    def test_check_shows_mistakes_with_carets(self):
        self.channel('[validate]\nprofile = "labs"\non = { H7 = "park", PID-8 = "parked" }')
        self.write("hl7/lab.profile", PROFILE.replace("forbidden", "forbiden"))
        done = subprocess.run([os.environ["CANNULA"], "check", str(self.site)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding="utf-8", timeout=60)
        self.assertEqual(done.returncode, 78)
        self.assertEqual(done.stdout.count("error[C145]"), 3, done.stdout)
        self.assertRegex(done.stdout, r"lab\.profile:4:\d+: error\[H73\d\]")
        self.assertIn("^", done.stdout)

    def test_over_http_the_answer_says_422_and_the_acknowledgement_the_places(self):
        self.port = free_port()
        self.channel('[validate]\nerrors = "reject"\nprofile = "lab"',
                     f'type = "http"\nlisten = "127.0.0.1:{self.port}"\npath = "/in"\nrespond = "processed"')
        self.start()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/in", message(sex="X").encode(),
                                         {"Content-Type": "x-application/hl7-v2+er7"})
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)
        self.assertEqual(refused.exception.code, 422)
        answer = refused.exception.read().decode()
        self.assertIn("MSA|AE|M1", answer)
        self.assertIn("ERR||PID^1^8^1|103", answer)

    def test_from_a_folder_the_reason_lies_beside_the_file(self):
        (self.site / "in").mkdir()
        self.channel('[validate]\nerrors = "reject"\nprofile = "lab"', 'type = "file"\ndirectory = "in"\npoll = "100ms"')
        self.start()
        (self.site / "in" / "one.tmp").write_text(message(sex="X"), encoding="utf-8")
        (self.site / "in" / "one.tmp").rename(self.site / "in" / "one.hl7")
        self.wait_for("rejected")
        until = time.monotonic() + 60
        said = ""
        while "PID-8" not in said and time.monotonic() < until:
            said = "".join(path.read_text(errors="replace") for path in (self.site / "in").rglob("*")
                           if path.is_file() and not path.name.endswith(".hl7"))
            time.sleep(0.05)
        self.assertIn("PID-8", said)


if __name__ == "__main__":
    unittest.main()
