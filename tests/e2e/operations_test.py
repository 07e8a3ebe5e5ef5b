"""What operators ask and do: `status`, `msg list|show|resend|discard`, `table unmapped`, with an engine and without, and the
engine's two HTTP faces: the control socket and the admin listener.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import time
import unittest

from engine import Program, cannula_json, free_port

SCRIPT = """
function main(msg)
  local word = msg["OBX-3.1"]
  if word == "SKIP" then return skip("not wanted") end
  if word == "PARK" then return park("a person \\27[2J must see it") end
  if word == "FAIL" then error("a mistake") end
  if word == "MUST" then lookup.must("codes", word) end
  lookup("codes", word, { text = msg["OBX-3.2"] })
  send("out", msg)
end
"""


def message(number, code):
    return (f"MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|M{number}|P|2.5.1\r"
            f"PID|1||{number}^^^NORTH^MR||Muster^M\u00fcge\rOBX|1|NM|{code}^Invented||4.1|mmol/L\r")


def run(*arguments):
    return subprocess.run([os.environ["CANNULA"], *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, encoding="utf-8", timeout=120)


class Operations(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cannula-operations-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site = self.folder / "site"
        self.port, self.admin = free_port(), free_port()
        self.write("site.toml", f'[admin]\nlisten = "127.0.0.1:{self.admin}"\n')
        self.write("tables/codes.csv", "code,text\nK,Kalium\n")
        self.write("channels/lab/main.lua", SCRIPT)
        self.write("channels/lab/channel.toml", f"""
[source]
type   = "mllp"
listen = "127.0.0.1:{self.port}"

[[destination]]
name      = "out"
type      = "file"
directory = "{self.folder}/out"
filename  = "{{id}}.hl7"
""")
        (self.folder / "out").mkdir()
        self.engine = None
        self.start()

    def write(self, name, text):
        path = self.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def start(self):
        self.engine = Program(self.folder / "log", "run", self.site)
        self.addCleanup(self.engine.stop)
        self.engine.wait_until_said("ready in")

    def send(self, *codes):
        file = self.folder / "messages.hl7"
        file.write_text("".join(message(i, code) for i, code in enumerate(codes, 1)), encoding="utf-8")
        done = run("send", f"127.0.0.1:{self.port}", file, "--count", len(codes), "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)

    def wait_for(self, state, count=1):
        """The messages in a state, the newest first, once there are as many as that."""
        for _ in range(600):
            rows = cannula_json("msg", "list", self.site, "--state", state)["messages"]
            if len(rows) >= count:
                return rows
            time.sleep(0.1)
        self.fail(f"{len(rows)} messages are {state}, not {count}:\n{run('msg', 'list', self.site).stdout}")

    def refused(self, *arguments):
        done = run(*arguments)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        return done.stderr

    def twice(self, check):
        """With the engine that runs, and then on the store that it left."""
        check()
        self.assertEqual(self.engine.stop(), 0)
        check()

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def test_messages_are_listed_and_counted_by_state_with_and_without_an_engine(self):
        self.send("K", "SKIP", "PARK", "FAIL", "K")
        for state, count in (("done", 2), ("filtered", 1), ("parked", 1), ("dead", 1)):
            self.wait_for(state, count)

        def check():
            counted = cannula_json("status", self.site)["channels"]["lab"]
            self.assertEqual(counted["messages"], {"done": 2, "filtered": 1, "parked": 1, "dead": 1})
            self.assertEqual(counted["destinations"]["out"], {"delivered": 2})
            rows = cannula_json("msg", "list", self.site)["messages"]
            self.assertEqual([row["control_id"] for row in rows], ["M5", "M4", "M3", "M2", "M1"])
            rows = cannula_json("msg", "list", self.site, "--oldest-first", "--limit", 2)["messages"]
            self.assertEqual([row["control_id"] for row in rows], ["M1", "M2"])
            older = cannula_json("msg", "list", self.site, "--before", rows[1]["id"])["messages"]
            self.assertEqual([row["control_id"] for row in older], ["M1"])
            self.assertEqual(len(cannula_json("msg", "list", self.site, "--control-id", "M4")["messages"]), 1)
            self.assertEqual(len(cannula_json("msg", "list", self.site, "--destination", "out")["messages"]), 2)

        self.twice(check)

    def test_show_tells_the_whole_way_of_a_message_and_nothing_that_a_terminal_obeys(self):
        self.send("K", "PARK")
        done, parked = self.wait_for("done")[0]["id"], self.wait_for("parked")[0]["id"]

        def check():
            text = run("msg", "show", done, self.site).stdout
            for part in ("message " + done, "received from 127.0.0.1", "Muster^M\u00fcge", "the script ran: queued",
                         "delivery 1 to out, attempt 1: delivered"):
                self.assertIn(part, text)
            self.assertEqual(cannula_json("msg", "show", done, self.site)["message"]["state"], "done")
            for shown in (run("msg", "show", parked, self.site).stdout, run("msg", "list", self.site).stdout):
                self.assertNotIn("\x1b", shown)
                self.assertIn("must see it", shown)

        self.twice(check)

    def test_what_cannot_be_done_is_refused_with_a_reason(self):
        self.send("K")
        done = self.wait_for("done")[0]["id"]

        def check():
            self.assertIn("error[U201]", self.refused("msg", "show", "nonsense", self.site))
            self.assertIn("error[P304]", self.refused("msg", "show", "0000000000001", self.site))
            self.assertIn("error[U201]", self.refused("msg", "list", self.site, "--state", "gone"))
            self.assertIn("error[P311]", self.refused("msg", "discard", done, self.site, "--reason", "x"))
            self.assertIn("error[", self.refused("msg", "resend", done, self.site, "--delivery", 7, "--reason", "x"))
            self.assertEqual(run("msg", "resend", done, self.site).returncode, 2, "not without a reason")
            self.assertEqual(self.wait_for("done")[0]["id"], done)

        self.twice(check)

    def test_a_parked_message_is_resent_and_discarded_by_a_running_engine(self):
        self.send("PARK", "PARK")
        first, second = (row["id"] for row in self.wait_for("parked", 2))
        self.engine.wait_until_said(f"message {second} is parked")
        self.assertIn("cannula table unmapped", run("status", self.site).stdout)
        self.write("channels/lab/main.lua", SCRIPT.replace("PARK", "NEVER"))
        self.engine.process.send_signal(1)  # SIGHUP: reload
        self.engine.wait_until_said("reload")
        done = run("msg", "resend", first, self.site, "--reason", "the script is mended")
        self.assertEqual((done.returncode, done.stdout.split()[:2]), (0, ["resent", first]), done.stderr)
        self.assertEqual(self.wait_for("done")[0]["id"], first)
        done = run("msg", "discard", second, self.site, "--reason", "not needed")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.wait_for("discarded")[0]["id"], second)
        trail = json.dumps(cannula_json("msg", "show", second, self.site)["trail"])
        self.assertIn("not needed", trail)
        forged = "ok\n\n2026-01-01T00:00:00.000000Z  discarded by another\x1b[31m"
        self.assertEqual(run("msg", "resend", first, self.site, "--reason", forged).returncode, 0)
        shown = run("msg", "show", first, self.site).stdout
        self.assertIn("discarded by another", shown)
        self.assertNotRegex(shown, r"(?m)^2026-01-01|\x1b")

    def test_what_is_paused_says_who_and_why_and_goes_on_when_it_is_resumed(self):
        refused = run("channel", "pause", "lab", self.site)
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn("error[U102]: `cannula channel pause` needs --reason TEXT", refused.stderr)
        self.assertIn('--reason "upgrade of the EHR"', refused.stderr)
        self.assertIn("error[P317]", self.refused("channel", "pause", "nobody", self.site, "--work", "--reason", "x"))
        half = self.refused("channel", "pause", "lab", self.site, "--intake", "--destination", "nowhere", "--reason", "x")
        self.assertIn("error[P317]", half)
        self.assertNotIn("paused", run("status", self.site).stdout.lower(), "all of it or nothing")
        self.assertIn("error[P317]", self.refused("msg", "replay", self.site, "--destination", "nowhere", "--reason", "x"))
        self.assertEqual(run("channel", "pause", "lab", self.site, "--work", "--reason", "a look").returncode, 0)
        self.send("K")
        waiting = self.wait_for("accepted")[0]["id"]
        self.assertIn("a look", run("status", self.site).stdout)
        self.assertEqual(self.engine.stop(), 0)
        self.assertIn("a look", run("status", self.site).stdout)
        self.start()
        self.assertEqual(self.wait_for("accepted")[0]["id"], waiting)
        self.assertEqual(run("channel", "resume", "lab", self.site, "--reason", "seen").returncode, 0)
        self.assertEqual(self.wait_for("done")[0]["id"], waiting)
        self.assertIn("seen", run("channel", "acts", self.site).stdout)
        self.assertEqual(run("channel", "resume", "lab", self.site, "--reason", "again").stdout, "nothing was paused\n")
        run("channel", "pause", "lab", self.site, "--destination", "out", "--reason", "a look")
        again = run("msg", "resend", waiting, self.site, "--delivery", "1", "--reason", "again").stdout
        self.assertRegex(again, f"^resent {waiting}: destination out is paused; .*{self.site}")
        self.assertEqual(run("channel", "resume", "lab", self.site, "--reason", "seen").stdout, "resumed to:out\n")

    def test_a_verb_at_work_on_the_store_keeps_no_engine_from_starting_and_no_verb_from_its_answer(self):
        self.assertEqual(self.engine.stop(), 0)
        with open(self.site / "state/lock", "r+", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.engine = Program(self.folder / "log", "run", self.site)
            self.addCleanup(self.engine.stop)
            self.engine.wait_until_said("another process has it; waiting")
            asked = subprocess.Popen([os.environ["CANNULA"], "status", self.site], stdout=subprocess.PIPE, encoding="utf-8")
            time.sleep(0.5)
        self.engine.wait_until_said("ready in")
        self.assertIn("channel lab", asked.communicate(timeout=120)[0])
        self.assertEqual(asked.returncode, 0)
        second = run("run", self.site)
        self.assertIn("error[J101]", second.stderr)

    def test_a_pipe_in_the_place_of_a_file_of_the_store_is_not_waited_for(self):
        self.assertEqual(self.engine.stop(), 0)
        for name in ("audit/000000000500.log", "holds.jsonl", "acts.jsonl", "keys", "audit-head.json", "journal/pruned",
                     "journal/00000000000000009999.pack", "retention-clock", "audit-configuration", "master.key"):
            with self.subTest(name):
                site = self.folder / "piped"
                shutil.copytree(self.site, site)
                (site / "state" / name).unlink(missing_ok=True)
                os.mkfifo(site / "state" / name)
                log = self.folder / "piped.log"
                with open(log, "w", encoding="utf-8") as out:
                    engine = subprocess.Popen([os.environ["CANNULA"], "run", site], stdout=out, stderr=out)
                for _ in range(600):
                    if engine.poll() is not None or "ready in" in log.read_text(encoding="utf-8"):
                        break
                    time.sleep(0.1)
                engine.terminate()
                self.assertIn(engine.wait(60), (0, 1), log.read_text(encoding="utf-8"))
                for verb in (("status",), ("audit", "verify"), ("store", "check"), ("keys", "list")):
                    run(*verb, site)  # ends, however
                shutil.rmtree(site)

    def test_a_disabled_channel_is_shown_as_that(self):
        channel = (self.site / "channels/lab/channel.toml").read_text(encoding="utf-8")
        self.send("K")
        done = self.wait_for("done")[0]["id"]
        run("channel", "pause", "lab", self.site, "--work", "--destination", "out", "--reason", "a look")
        self.send("K")
        waits = self.wait_for("accepted")[0]["id"]
        self.write("channels/lab/channel.toml", "enabled = false\n" + channel)
        self.assertEqual(run("reload", self.site).returncode, 0)
        self.assertIn("disabled", run("channel", "resume", "lab", self.site, "--reason", "seen").stdout)
        self.assertEqual(run("msg", "resend", done, self.site, "--delivery", "1", "--reason", "again").returncode, 0)
        time.sleep(1)
        self.assertEqual(self.wait_for("accepted")[0]["id"], waits, "it is not worked")
        self.assertEqual(self.wait_for("queued")[0]["id"], done, "it is not delivered")
        self.assertIn("is disabled", run("msg", "show", waits, self.site).stdout)
        self.assertIn("channel lab  DISABLED: takes nothing", run("status", self.site).stdout)
        self.assertEqual(self.engine.stop(), 0)
        self.assertIn("channel lab  DISABLED: takes nothing", run("status", self.site).stdout)
        self.write("channels/lab/channel.toml", channel)
        self.start()
        self.wait_for("done", 2)

    def test_without_an_engine_a_resend_is_written_down_and_done_at_the_next_start(self):
        self.send("PARK")
        parked = self.wait_for("parked")[0]["id"]
        self.assertEqual(self.engine.stop(), 0)
        self.assertEqual(run("msg", "resend", parked, self.site, "--reason", "later").returncode, 0)
        self.write("channels/lab/main.lua", SCRIPT.replace("PARK", "NEVER"))
        self.start()
        self.assertEqual(self.wait_for("done")[0]["id"], parked)

    def test_the_worklist_counts_what_lookups_did_not_find(self):
        self.send("K", "MG", "MG", "CA")
        self.wait_for("done", 4)

        def check():
            rows = cannula_json("table", "unmapped", self.site)["unmapped"]
            self.assertEqual([(row["key"], row["count"], row["text"], row["channel"]) for row in rows],
                             [("MG", 2, "Invented", "lab"), ("CA", 1, "Invented", "lab")])
            csv = run("table", "unmapped", self.site, "--table", "codes", "--csv").stdout
            self.assertEqual(csv, "MG,Invented\nCA,Invented\n")
            self.assertEqual(run("table", "unmapped", self.site, "--csv").returncode, 2)
            self.assertEqual(run("table", "unmapped", self.site, "--table", "code").returncode, 2)

        self.twice(check)

    def test_a_channel_that_is_mistyped_is_told_from_one_without_messages(self):
        def check():
            self.assertEqual(cannula_json("msg", "list", self.site, "--channel", "lab")["messages"], [])
            self.assertIn('did you mean "lab"?', self.refused("msg", "list", self.site, "--channel", "lba"))

        self.twice(check)

    def test_what_has_stopped_says_what_to_do_next(self):
        self.send("PARK", "MUST", "FAIL")
        waits, parked = (row["id"] for row in self.wait_for("parked", 2))
        dead = self.wait_for("dead")[0]["id"]

        def check():
            self.assertIn(f"next: `cannula msg resend {parked} {self.site} --reason TEXT`", run("msg", "show", parked, self.site).stdout)
            text = run("msg", "show", waits, self.site).stdout
            self.assertIn(f"waits: a row of table codes for 'MUST'; `cannula table unmapped {self.site}`", text)
            self.assertNotIn("next:", text)
            self.assertIn("next: when the cause below is mended", run("msg", "show", dead, self.site).stdout)

        self.twice(check)

    def test_a_destination_that_is_away_says_since_when_and_why_and_messages_what_they_wait_for(self):
        away, back = free_port(), free_port()
        self.write("channels/relay/main.lua", 'function main(msg) send("ehr", msg) end')
        self.write("channels/relay/channel.toml", f"""
[source]
type   = "mllp"
listen = "127.0.0.1:{back}"
[order]
by = "PID-3.1"
[[destination]]
name    = "ehr"
type    = "mllp"
address = "127.0.0.1:{away}"
[destination.retry]
first = "50ms"
max   = "100ms"
""")
        self.engine.process.send_signal(1)
        self.engine.wait_until_said("reload: the new configuration is in use")
        file = self.folder / "same-patient.hl7"
        file.write_text(message(1, "K") + message(2, "K").replace("|2^^^", "|1^^^"), encoding="utf-8")
        done = run("send", f"127.0.0.1:{back}", file, "--count", 2, "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.engine.wait_until_said("destination ehr is away")
        text = run("status", self.site).stdout
        self.assertRegex(text, r"to ehr .*AWAY since \d{4}-\d\d-\d\dT.*failures in a row.*\n +.*127\.0\.0\.1:\d+.*\[T\d+\]")
        rows = cannula_json("msg", "list", self.site, "--channel", "relay", "--oldest-first")["messages"]
        first, second = (row["id"] for row in rows)
        self.assertRegex(run("msg", "show", first, self.site).stdout, r"waits: destination ehr is away since .*: .*\[T\d+\]")
        self.assertIn(f"waits: message {first} of the same order key goes to ehr first",
                      run("msg", "show", second, self.site).stdout)
        self.assertEqual(self.engine.stop(), 0)
        self.assertIn("waits: no engine runs", run("msg", "show", second, self.site).stdout)

    def test_with_hold_key_a_message_names_the_one_that_holds_it(self):
        self.write("channels/adt/main.lua", SCRIPT)
        port = free_port()
        self.write("channels/adt/channel.toml", f"""
order = {{ by = "PID-3.1", on_hold = "hold_key" }}
[source]
type   = "mllp"
listen = "127.0.0.1:{port}"
[[destination]]
name      = "out"
type      = "file"
directory = "{self.folder}/out"
filename  = "{{id}}.hl7"
""")
        self.engine.process.send_signal(1)
        self.engine.wait_until_said("reload: the new configuration is in use")
        file = self.folder / "same-patient.hl7"
        file.write_text(message(1, "FAIL") + message(2, "K").replace("|2^^^", "|1^^^"), encoding="utf-8")
        self.assertEqual(run("send", f"127.0.0.1:{port}", file, "--count", 2, "--quiet").returncode, 0)
        dead = self.wait_for("dead")[0]["id"]
        waiting = self.wait_for("accepted")[0]["id"]
        self.assertIn(f"waits: message {dead} of the same order key is dead and holds it",
                      run("msg", "show", waiting, self.site).stdout)

    def test_a_reload_that_failed_is_in_the_status_and_on_the_metrics_until_one_succeeds(self):
        self.write("channels/lab/main.lua", SCRIPT.replace("word ==", "wrod ==", 1))
        self.engine.process.send_signal(1)
        self.engine.wait_until_said("reload: the old configuration stays in use")
        text = run("status", self.site).stdout
        self.assertRegex(text, r"THE RELOAD AT \S+ FAILED: an older configuration is in use")
        self.assertIn("nothing defines the name 'wrod'", text)
        self.assertEqual(exposition(self.get("/metrics")[2])["cannula_reload_failed"], 1)
        self.write("channels/lab/main.lua", SCRIPT)
        self.engine.process.send_signal(1)
        self.engine.wait_until_said("reload: the new configuration is in use")
        self.assertNotIn("RELOAD", run("status", self.site).stdout)
        self.assertEqual(exposition(self.get("/metrics")[2])["cannula_reload_failed"], 0)

    def test_a_mistake_in_the_site_keeps_no_one_from_the_engine_or_the_store(self):
        self.write("tables/unused.csv", "code,text\nK,Kalium\n")
        self.send("K", "PARK")
        done = self.wait_for("done")[0]["id"]
        channel = (self.site / "channels/lab/channel.toml").read_text(encoding="utf-8")
        mistakes = {"tables/unused.csv": "code,text\nK,Kalium,more\n", "partners/lab.toml": "nmae = 1\n",
                    "rules/labs.rules": "rul x\n", "channels/lab/channel.toml": channel.replace("listen", "lisen"),
                    "site.toml": f'colour = 1\n[admin]\nlisten = "127.0.0.1:{self.admin}"\n'}
        for name, text in mistakes.items():
            path = self.site / name
            before = path.read_text(encoding="utf-8") if path.exists() else None
            self.write(name, text)
            self.assertEqual(run("check", self.site).returncode, 78, name)

            def check():
                for verb in (("status",), ("msg", "list"), ("msg", "show", done), ("msg", "dead"), ("table", "unmapped"),
                             ("store", "stats"), ("store", "check"), ("channel", "acts"), ("audit", "list"), ("keys", "list"),
                             ("channel", "pause", "lab", "--work", "--reason", "a look"),
                             ("channel", "resume", "lab", "--reason", "seen"), ("store", "holds"), ("msg", "replays")):
                    said = run(*verb, self.site)
                    self.assertEqual(said.returncode, 0, (name, verb, said.stderr))
                    self.assertRegex(said.stderr, r"^cannula: note: the site's files have \d+ mistakes?, .*`cannula check ")
                    self.assertEqual(said.stderr.count("\n"), 1, said.stderr)

            self.twice(check)
            # What is forgotten at rest depends on all files.
            said = run("store", "prune", self.site)
            self.assertEqual((said.returncode, "error[U110]" in said.stderr), (78, True), said.stderr)
            if before is None:
                path.unlink()
            else:
                path.write_text(before, encoding="utf-8")
            self.start()

    def test_a_mistake_about_the_store_is_in_the_way_only_while_no_engine_answers(self):
        self.write("site.toml", f'[store\n[admin]\nlisten = "127.0.0.1:{self.admin}"\n')
        self.assertTrue(cannula_json("status", self.site)["running"])
        self.assertEqual(run("channel", "pause", "lab", self.site, "--reason", "a look").returncode, 0)
        self.assertEqual(self.engine.stop(), 0)
        said = run("status", self.site)
        self.assertEqual((said.returncode, "error[U110]" in said.stderr), (78, True), said.stderr)

    def test_rules_of_which_a_test_fails_are_not_taken_in_and_everybody_is_told(self):
        def rules(limit, version=1):
            self.write("rules/labs.rules", 'term potassium is loinc "2823-3" measured in mmol/L\n'
                       f'rule high version {version} effective 2026-01-01 source "s" on result potassium\n'
                       f'  when value > {limit} mmol/L then critical "K"\n'
                       '  test "7.1" given potassium 7.1 mmol/L expect critical\n')

        def refused():
            return exposition(self.get("/metrics")[2])["cannula_files_refused"]

        rules(6.2)
        self.engine.wait_until_said("1 rule sets")
        self.assertEqual(refused(), 0)
        rules(62)
        self.engine.wait_until_said('error[R230]: test "7.1" of high expects critical, but nothing came')
        self.engine.wait_until_said("in use as it was before")
        text = run("status", self.site).stdout
        self.assertRegex(text, r"TABLES OR RULES READ AT \S+ WERE NOT TAKEN IN: what they said before is in use\n.*R230")
        self.assertEqual(refused(), 1)
        self.assertIn("error[R230]", run("check", self.site).stdout)
        self.assertEqual(run("check", self.site).returncode, 78)
        self.engine.process.send_signal(1)
        self.engine.wait_until_said("reload: the configuration has errors")
        rules(6.5)
        self.engine.wait_until_said("warning[R231]: high says something else than the rule in use")
        for _ in range(600):
            if refused() == 0:
                break
            time.sleep(0.1)
        self.assertNotIn("NOT TAKEN IN", run("status", self.site).stdout)
        # It does not start with such rules, as with any mistake.
        self.assertEqual(self.engine.stop(), 0)
        rules(62)
        self.assertEqual(run("run", self.site).returncode, 78)

    def test_the_first_failure_of_a_destination_is_seen_with_its_reason(self):
        away, back = free_port(), free_port()
        self.write("channels/relay/main.lua", 'function main(msg) send("ehr", msg) end')
        self.write("channels/relay/channel.toml", f"""
[source]
type   = "mllp"
listen = "127.0.0.1:{back}"
[[destination]]
name    = "ehr"
type    = "mllp"
address = "127.0.0.1:{away}"
[destination.retry]
first = "1h"
max   = "2h"
""")
        self.engine.process.send_signal(1)
        self.engine.wait_until_said("reload: the new configuration is in use")
        file = self.folder / "one.hl7"
        file.write_text(message(1, "K"), encoding="utf-8")
        self.assertEqual(run("send", f"127.0.0.1:{back}", file, "--quiet").returncode, 0)
        self.engine.wait_until_said("destination ehr: an attempt at a delivery failed (")
        text = run("status", self.site).stdout
        self.assertRegex(text, r"to ehr .*1 retrying.*  FAILING since \S+: 1 failure in a row\n +.*127\.0\.0\.1:\d+.*\[T\d+\]")

    def test_a_secret_that_is_not_there_keeps_its_channel_and_destination_waiting_and_nothing_else(self):
        self.assertEqual(self.engine.stop(), 0)
        self.write("channels/web/main.lua", 'function main(msg) send("portal", msg) end')
        self.write("channels/web/channel.toml", f"""
[source]
type   = "file"
directory = "{self.folder}/out"
pattern   = "none"
[[destination]]
name   = "portal"
type   = "http"
url    = "http://127.0.0.1:{free_port()}/in"
bearer = "file:{self.folder}/token"
""")
        checked = run("check", self.site)
        self.assertEqual(checked.returncode, 0)
        self.assertIn("warning[C124]", checked.stdout + checked.stderr)
        self.start()
        self.send("K")
        self.wait_for("done")
        self.engine.wait_until_said("destination portal: the secret file")
        self.assertRegex(run("status", self.site).stdout, r"to portal .*AWAY since .*\n.*\[P122\]")
        samples = exposition(self.get("/metrics")[2])
        self.assertEqual(samples['cannula_destination_away{channel="web",destination="portal"}'], 1)
        self.assertEqual(samples['cannula_destination_away{channel="lab",destination="out"}'], 0)
        self.assertEqual(self.get("/readyz")[0], 200)

    def test_the_state_folder_is_for_its_owner(self):
        self.assertEqual(stat.S_IMODE((self.site / "state").stat().st_mode), 0o700)
        self.assertEqual(self.engine.stop(), 0)
        (self.site / "state").chmod(0o755)
        self.start()
        self.assertEqual(stat.S_IMODE((self.site / "state").stat().st_mode), 0o750)

    def test_a_site_that_never_ran_says_so(self):
        other = self.folder / "other"
        other.mkdir()
        (other / "site.toml").write_text("")
        for verb in (("status",), ("msg", "list"), ("table", "unmapped")):
            self.assertIn("error[U205]", self.refused(*verb, other))

    # -- the control socket ----------------------------------------------------------------------------------------------

    def control(self, bytes_sent):
        """What the engine answers to any bytes on its control socket."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(self.site / "state" / "control.sock"))
            client.sendall(bytes_sent)
            client.shutdown(socket.SHUT_WR)
            received = b""
            while part := client.recv(65536):
                received += part
            return received

    def ask(self, verb, body):
        head = f"POST /{verb} HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        header, _, answer = self.control(head + body).partition(b"\r\n\r\n")
        return int(header.split()[1]), json.loads(answer)

    def test_the_control_socket_is_for_its_owner_and_goes_with_the_engine(self):
        path = self.site / "state" / "control.sock"
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.engine.stop()
        self.assertFalse(path.exists())

    def test_questions_of_any_form_are_answered(self):
        for body in (b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff\xfe", b"[" * 100000,
                     b'{"id": 7, "limit": "x", "delivery": []}', b'{"limit": -1}', b'{"delivery": 99999999999}'):
            for verb in ("list", "show", "resend", "discard", "unmapped", "nonsense"):
                status, answer = self.ask(verb, body)
                self.assertIn(status, (200, 422), (verb, body[:40]))
                if status == 422:
                    self.assertRegex(answer["error"]["code"], r"^[A-Z]\d{3}$", (verb, body[:40]))
        for garbage in (b"\0" * 1000, b"GET", b"MSH|^~\\&|\r", b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"):
            with contextlib.suppress(ConnectionError):  # it may close before it has read all
                self.control(garbage)
        self.assertTrue(cannula_json("status", self.site)["running"])

    # -- the admin listener ----------------------------------------------------------------------------------------------

    def get(self, target, method="GET"):
        with socket.create_connection(("127.0.0.1", self.admin), timeout=60) as client:
            client.sendall(f"{method} {target} HTTP/1.0\r\n\r\n".encode())
            received = b""
            while part := client.recv(65536):
                received += part
        header, _, body = received.decode("utf-8").partition("\r\n\r\n")
        return int(header.split()[1]), header, body

    def test_the_admin_listener_answers_its_three_pages_and_nothing_else(self):
        self.assertEqual(self.get("/livez")[0], 200)
        self.assertEqual(self.get("/readyz")[0], 200)
        self.assertEqual(self.get("/metrics", "HEAD")[2], "")
        self.assertEqual(self.get("/metrics", "POST")[0], 405)
        for target in ("/", "/list", "/show", "/../state", "/metrics/x"):
            self.assertEqual(self.get(target)[0], 404, target)

    def test_the_metrics_are_valid_exposition_text_and_count_what_happened(self):
        self.send("K", "PARK", "K")
        self.wait_for("done", 2)
        status, header, page = self.get("/metrics")
        self.assertEqual(status, 200)
        self.assertIn("text/plain; version=0.0.4", header)
        samples = exposition(page)
        self.assertEqual(samples['cannula_messages_received_total{channel="lab"}'], 3)
        self.assertEqual(samples['cannula_script_outcomes_total{channel="lab",outcome="parked"}'], 1)
        self.assertEqual(samples['cannula_deliveries_total{channel="lab",destination="out",result="delivered"}'], 2)
        self.assertEqual(samples['cannula_messages{channel="lab",state="done"}'], 2)
        self.assertEqual(samples['cannula_acknowledge_seconds_count{channel="lab"}'], 3)
        self.assertNotIn("Muster", page)
        self.assertLess(abs(samples['cannula_last_received_timestamp_seconds{channel="lab"}'] - time.time()), 600)
        self.assertEqual(samples['cannula_oldest_waiting_seconds{channel="lab",destination="out"}'], 0)

    def test_the_age_of_the_last_backup_is_on_the_metrics_also_of_one_made_at_rest(self):
        age = lambda: exposition(self.get("/metrics")[2])["cannula_backup_age_seconds"]
        self.assertEqual(age(), float("inf"))
        backup = ("store", "backup", self.site, "--to", f"{self.folder}/backup")
        self.assertEqual(run(*backup).returncode, 0)
        first, now = age(), time.monotonic()
        self.assertLess(first, 3600)
        time.sleep(0.2)
        self.assertGreater(age(), first)
        self.assertEqual(self.engine.stop(), 0)
        time.sleep(1)
        self.assertEqual(run(*backup).returncode, 0)
        self.start()
        self.assertLess(age(), first + time.monotonic() - now)


def exposition(page):
    """The samples of a page in Prometheus' text format 0.0.4, or an assertion about the line that is none."""
    assert page.endswith("\n"), "the last line has no end"
    types, helped, samples, closed, family = {}, set(), {}, set(), None
    name_form = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
    label_form = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
    for line in page.splitlines():
        if match := re.fullmatch(rf"# HELP ({name_form}) .+", line):
            assert match[1] not in helped, f"a second HELP: {line}"
            helped.add(match[1])
        elif match := re.fullmatch(rf"# TYPE ({name_form}) (counter|gauge|histogram)", line):
            assert match[1] not in types, f"a second TYPE: {line}"
            types[match[1]] = match[2]
        else:
            match = re.fullmatch(rf"({name_form})(?:\{{({label_form}(?:,{label_form})*)\}})? (\S+)", line)
            assert match, f"no sample: {line}"
            base = re.sub(r"_(bucket|sum|count)$", "", match[1]) if match[1] not in types else match[1]
            assert base in types and base in helped, f"neither HELP nor TYPE before {line}"
            if base != family:
                assert base not in closed, f"samples of {base} stand apart: {line}"
                closed.add(family)
                family = base
            assert types[base] != "counter" or base.endswith("_total"), f"a counter is called _total: {line}"
            key = f"{match[1]}{{{match[2]}}}" if match[2] else match[1]
            assert key not in samples, f"twice: {line}"
            samples[key] = float(match[3])
    for key, value in samples.items():
        if "_bucket{" in key and 'le="+Inf"' in key:
            labels = key[key.index("{") + 1:-1]
            name, rest = key.split("_bucket")[0], labels.replace(',le="+Inf"', "")
            assert samples[f"{name}_count{{{rest}}}"] == value, key
            buckets = [v for k, v in samples.items() if k.startswith(f"{name}_bucket{{{rest},le=")]
            assert buckets == sorted(buckets), f"{name} falls"
    return samples


if __name__ == "__main__":
    unittest.main()
