"""Who did what: acts of people and refusals are entered, tampering is found and located, and without the trail no act."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from engine import Program, cannula, cannula_json, free_port

MESSAGE = "MSH|^~\\&|LAB|X|EHR|Y|20261123120000||{event}|{number}|P|2.5\rPID|1||QX4711||Testperson^Tom\rOBX|1|NM|2823-3^K^LN||4.1\r"


class Audit(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cannula-audit-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.site, self.port = self.folder / "site", free_port()
        (self.site / "channels/lab").mkdir(parents=True)
        (self.site / "partners").mkdir()
        (self.site / "tables").mkdir()
        (self.site / "site.toml").write_text("")
        (self.site / "tables/wards.csv").write_text("code,name\nA,Ward A\n")
        (self.site / "partners/lab.toml").write_text('name = "Lab"\nfrom = ["127.0.0.1"]\nmay = ["ORU^R01"]\n')
        (self.site / "channels/lab/channel.toml").write_text(
            f'[source]\ntype = "mllp"\nlisten = "127.0.0.1:{self.port}"\npartner = "lab"\n'
            '[[destination]]\nname = "out"\ntype = "file"\ndirectory = "out"\nfilename = "{id}.hl7"\n')
        (self.site / "channels/lab/main.lua").write_text("function main(msg) send('out', msg) end\n")
        self.engine = None
        self.addCleanup(lambda: self.engine and self.engine.process.poll() is None and self.engine.stop())

    def start(self):
        self.engine = Program(self.folder / "log", "run", self.site)
        self.engine.wait_until_said("ready in")

    def send(self, number, event="ORU^R01", check=True):
        file = self.folder / f"{number}.hl7"
        file.write_text(MESSAGE.format(event=event, number=number))
        cannula("send", f"127.0.0.1:{self.port}", file, check=check)

    def newest(self):
        return cannula_json("msg", "list", self.site)["messages"][0]["id"]

    def trail(self, *filters):
        lines = cannula("audit", "list", self.site, "--json", *filters).splitlines()
        return [json.loads(line) for line in lines]

    def acts(self, *filters):
        return [entry["act"] for entry in self.trail(*filters)]

    def verify(self, place=False):
        done = subprocess.run([os.environ["CANNULA"], "audit", "verify", str(self.site), "--json"],
                              stdout=subprocess.PIPE, encoding="utf-8", timeout=60)
        answer = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0 if answer["sound"] else 1)
        return [finding["code"] + (f":{finding['line']}" if place else "") for finding in answer["findings"]]

    def test_who_did_what_while_the_engine_runs_and_at_rest(self):
        self.start()
        self.send("N1")
        self.send("N2", event="ADT^A01", check=False)
        refused = self.newest()
        cannula("msg", "show", refused, self.site)
        cannula("msg", "resend", refused, self.site, "--reason", "a test", check=False)
        (self.site / "tables/wards.csv").write_text("code,name\nA,Ward A\nB,Ward B\n")
        self.engine.wait_until_said("tables and rules")
        self.engine.stop()
        cannula("msg", "show", refused, self.site)

        shown = self.trail("--act", "message.show")
        self.assertEqual(len(shown), 2)
        for entry in shown:
            self.assertEqual(entry["actor"]["uid"], os.getuid())
            self.assertEqual(entry["object"]["message"], refused)
        self.assertTrue(self.trail("--act", "message.list"), "a list shows the reasons that scripts gave")
        cannula("table", "unmapped", self.site)
        self.assertTrue(self.trail("--act", "table.unmapped"), "and this the texts of messages")
        resent = self.trail("--act", "message.resend")
        self.assertEqual(resent[0]["outcome"], "begun")
        self.assertEqual(resent[0]["reason"], "a test")
        self.assertEqual(len(resent), 2)
        event = self.trail("--act", "message.refused")[0]
        self.assertEqual((event["actor"]["name"], event["code"], event["detail"]["event"]), ("lab", "P104", "ADT^A01"))
        self.assertIn("changed tables/wards.csv", self.trail("--act", "tables.taken_in")[0]["detail"]["files"])
        self.assertIn("new channels/lab/main.lua", self.trail("--act", "engine.start")[0]["detail"]["files"])
        self.assertIn("engine.stop", self.acts())
        self.assertIn("audit.list", self.acts(), "who reads the trail stands in it")
        self.assertEqual(self.verify(), [])
        text = "".join(file.read_text() for file in (self.site / "state/audit").glob("*.log"))
        self.assertNotIn("Testperson", text)
        self.assertNotIn("QX4711", text)

    def test_tampering_of_each_kind_is_found(self):
        self.start()
        self.send("N1")
        one = self.newest()
        for _ in range(8):
            cannula("msg", "show", one, self.site)
        self.engine.stop()
        file = next((self.site / "state/audit").glob("*.log"))
        whole = file.read_bytes()
        lines = whole.splitlines(keepends=True)
        self.assertEqual(self.verify(), [])
        for kind, tampered, codes in [
                ("changed", [*lines[:3], lines[3].replace(b"message.show", b"message.hide"), *lines[4:]], ["A102:4"]),
                ("removed", [*lines[:3], *lines[5:]], ["A103:4"]),
                ("inserted", [*lines[:5], lines[2], *lines[5:]], ["A104:6"]),
                ("reordered", [*lines[:2], *lines[3:5], lines[2], *lines[5:]], ["A105:5"]),
                ("truncated", lines[:-2], [f"A106:{len(lines) - 2}"])]:
            with self.subTest(kind):
                file.write_bytes(b"".join(tampered))
                self.assertEqual(self.verify(place=True), codes)
        file.write_bytes(whole)
        self.assertEqual(self.verify(), [])

    def test_a_journal_that_was_cut_behind_what_the_trail_tells_is_found(self):
        self.start()
        self.send("N1")
        self.send("N2")
        self.engine.stop()
        self.assertEqual(self.verify(), [])
        state = self.site / "state"
        shutil.copytree(state, self.folder / "whole")
        for kind in ("zeroed", "cut", "gone"):
            with self.subTest(kind):
                shutil.rmtree(state)
                shutil.copytree(self.folder / "whole", state)
                segment = next((state / "journal").glob("*.seg"))
                content = segment.read_bytes()
                if kind == "gone":
                    segment.unlink()
                else:
                    segment.write_bytes(content[:128] + bytes(len(content) - 128 if kind == "zeroed" else 0))
                self.assertEqual(self.verify(), ["A112"])
                if kind != "gone":
                    done = subprocess.run([os.environ["CANNULA"], "store", "check", str(self.site), "--json"],
                                          stdout=subprocess.PIPE, encoding="utf-8", timeout=60)
                    findings = json.loads(done.stdout)["findings"]
                    self.assertIn("A112", [finding["code"] for finding in findings])
                    self.assertTrue(all("keep a copy" in finding["hint"] for finding in findings), findings)
                self.start()
                self.assertIn("A112", self.engine.said())
                self.send("N3")
                self.engine.stop()
                self.assertEqual(self.trail("--act", "journal.short")[0]["code"], "A112")
                self.assertEqual(self.verify(), ["A112"], "what was told is not taken back")

    def test_what_is_put_back_from_a_backup_was_not_cut(self):
        self.start()
        self.send("N1")
        cannula("store", "backup", self.site, "--to", self.folder / "backup")
        self.send("N2")
        cannula("msg", "show", self.newest(), self.site)
        self.engine.stop()
        key = (self.site / "state/master.key").read_bytes()
        shutil.rmtree(self.site / "state")
        (self.site / "state").mkdir(mode=0o700)
        (self.site / "state/master.key").write_bytes(key)
        (self.site / "state/master.key").chmod(0o600)
        cannula("store", "restore", self.folder / "backup", self.site)
        self.assertEqual(self.verify(), [])
        self.start()
        self.assertNotIn("A112", self.engine.said())
        self.engine.stop()
        self.assertEqual(self.verify(), [])

    def test_a_key_seals_and_a_short_one_is_refused(self):
        (self.site / "site.toml").write_text('[audit]\nkey = "file:audit.key"\n')
        key = self.site / "audit.key"
        key.write_text("too short")
        key.chmod(0o600)
        with self.assertRaisesRegex(RuntimeError, "A111"):
            self.start()
        key.write_text("0123456789abcdef0123456789abcdef")
        self.start()
        self.engine.stop()
        self.assertEqual(self.verify(), [])
        self.assertEqual(len(self.trail()[0]["key"]), 8)
        key.write_text("another key, as long as the first one")
        self.assertEqual(set(self.verify()), {"A106", "A107"})  # the head cannot be told to be genuine either

    def with_a_key(self):
        (self.site / "site.toml").write_text('[audit]\nkey = "file:audit.key"\n')
        key = self.site / "audit.key"
        key.write_text("0123456789abcdef0123456789abcdef")
        key.chmod(0o600)

    def run_once(self):
        self.start()
        self.engine.stop()

    def plain(self, lines):
        """What somebody without the key makes of entries."""
        before, anew = "0" * 64, []
        for number, line in enumerate(lines, 1):
            entry = json.loads(line)
            entry.pop("key", None)
            entry.pop("mac")
            entry.update(seq=number, before=before)
            sealed = json.dumps(entry, separators=(",", ":"), ensure_ascii=False)[:-1]
            before = hashlib.sha256(sealed.encode()).hexdigest()
            anew.append(f'{sealed},"mac":"{before}"}}\n'.encode())
        return anew

    def remember(self, line, key):
        entry = json.loads(line)
        head = json.dumps({"seq": entry["seq"], "mac": entry["mac"], "key": key, "seal": "0" * 64}, separators=(",", ":"))
        (self.site / "state/audit-head.json").write_text(head.ljust(255) + "\n")

    def test_a_trail_with_a_key_that_was_cut_or_written_anew_stays_an_error_after_a_restart(self):
        self.with_a_key()
        self.start()
        self.send("N1")
        cannula("msg", "show", self.newest(), self.site)
        self.engine.stop()
        self.assertEqual(self.verify(), [])
        state, trail = self.site / "state", self.site / "state/audit"
        file, head = next(trail.glob("*.log")), state / "audit-head.json"
        lines = file.read_bytes().splitlines(keepends=True)
        cut = lines[:2]
        shutil.copytree(state, self.folder / "whole")
        for kind, code in [("head of another key", "A113"), ("no head", "A113"), ("no trail", "A113"),
                           ("written anew", "A109")]:
            with self.subTest(kind):
                shutil.rmtree(state)
                shutil.copytree(self.folder / "whole", state)
                if kind == "no trail":
                    shutil.rmtree(trail)
                else:
                    left = self.plain([*lines[:2], *lines[3:]]) if kind == "written anew" else cut
                    file.write_bytes(b"".join(left))
                    self.remember(left[-1], "" if kind == "written anew" else "deadbeef")
                if kind in ("no head", "no trail"):
                    head.unlink()
                self.run_once()
                self.assertIn(code, self.verify())
                if code == "A113":
                    self.assertIn("A113", self.engine.said())
                self.run_once()
                self.assertIn(code, self.verify(), "and the one after that")
                accepted = cannula_json("audit", "accept", self.site, "--reason", "the disk was mended")
                self.assertTrue(accepted["sound"])
                self.run_once()
                cannula("audit", "verify", self.site)
                self.assertEqual(self.trail("--act", "audit.accept")[0]["reason"], "the disk was mended")

    def test_a_key_that_is_set_or_changed_damages_nothing(self):
        self.run_once()
        self.with_a_key()
        self.run_once()
        self.assertEqual(self.verify(), ["A109"])
        self.assertTrue(cannula_json("audit", "accept", self.site, "--reason", "the key was set today")["sound"])
        cannula("audit", "verify", self.site)
        (self.folder / "old.key").write_text((self.site / "audit.key").read_text())
        (self.site / "audit.key").write_text("another key, as long as the first one")
        self.run_once()
        cannula("audit", "verify", self.site, "--old-key", f"file:{self.folder}/old.key")
        self.assertEqual(len(self.trail("--act", "audit.key_changed")), 2)
        self.assertEqual(self.trail("--act", "audit.damaged"), [])

    def test_export_as_lines_and_as_audit_events(self):
        self.start()
        self.send("N1")
        cannula("msg", "show", self.newest(), self.site)
        lines = cannula("audit", "export", self.site).splitlines()
        self.assertTrue(all(len(json.loads(line)["mac"]) == 64 for line in lines))
        events = [json.loads(line) for line in cannula("audit", "export", self.site, "--format", "fhir").splitlines()]
        self.assertEqual({event["resourceType"] for event in events}, {"AuditEvent"})
        self.assertEqual([event["action"] for event in events if event["type"]["code"] == "110110"], ["R"])

    def ask(self, verb, body):
        """The status line of the control socket's answer to a request of any form."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(30)
            os.chdir(self.site / "state")  # a socket's path is short
            control.connect("control.sock")
            control.sendall(f"POST /{verb} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
            return control.recv(4096).split(b"\r\n")[0].decode()

    def test_reloads_and_questions_of_any_form_are_entered(self):
        self.addCleanup(os.chdir, os.getcwd())
        self.start()
        (self.site / "channels/lab/main.lua").write_text("function main(msg) return skip('quiet') end\n")
        cannula("reload", self.site, "--reason", "a new script")
        (self.site / "channels/lab/main.lua").write_text("function main(msg) send('out', msg) end\n")
        self.engine.process.send_signal(signal.SIGHUP)
        self.engine.wait_until_said("reload")
        (self.site / "channels/lab/main.lua").write_text("function main(msg) send('out', msg) \n")
        refused = subprocess.run([os.environ["CANNULA"], "reload", str(self.site)], capture_output=True, text=True)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("channels/lab/main.lua", refused.stderr)
        self.assertIn("what was in use stays in use", refused.stderr)
        (self.site / "channels/lab/main.lua").write_text("function main(msg) send('out', msg) end\n")
        for body in ["[]", "7", '{"id": 7, "actor": []}', "no json"]:
            self.assertIn("422", self.ask("show", body))
        asked = self.trail("--act", "configuration.reload")
        self.assertEqual([entry["outcome"] for entry in asked], ["begun", "done", "begun", "refused"])
        self.assertEqual({entry["reason"] for entry in asked[:2]}, {"a new script"})
        in_use = self.trail("--act", "configuration.in_use")
        self.assertEqual(in_use[0]["detail"]["files"], "changed channels/lab/main.lua")
        self.assertEqual({entry["outcome"] for entry in self.trail("--act", "message.show")}, {"refused"})
        self.assertIn("422", self.ask("open-sesame", "{}"))
        self.assertIn("operator.open-sesame", self.acts())
        self.assertEqual(self.verify(), [])

    def test_a_flood_of_refused_connections_is_counted_and_does_not_fill_the_disk(self):
        (self.site / "partners/lab.toml").write_text('name = "Lab"\nfrom = ["10.99.0.0/16"]\nmay = ["ORU^R01"]\n')
        self.start()
        for _ in range(1000):
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as refused:
                refused.settimeout(30)
                try:
                    refused.recv(1)
                except ConnectionError:
                    pass
        self.engine.stop()
        refusals = self.trail("--act", "connection.refused")
        one_by_one = [entry for entry in refusals if "more_of_these" not in entry.get("detail", {})]
        counted = [int(entry["detail"]["more_of_these"]) for entry in refusals if entry not in one_by_one]
        self.assertLessEqual(len(refusals), 130)  # of at most two minutes
        self.assertEqual(len(one_by_one) + sum(counted), 1000)
        self.assertEqual((one_by_one[0]["actor"]["address"].split(":")[0], one_by_one[0]["object"]["channel"]),
                         ("127.0.0.1", "lab"))
        self.assertEqual(self.verify(), [])

    def channel(self, source):
        file = self.site / "channels/lab/channel.toml"
        file.write_text(f'[source]\ntype = "mllp"\npartner = "lab"\n{source}\n[[destination]]\nname = "out"\n'
                        'type = "file"\ndirectory = "out"\nfilename = "{id}.hl7"\n')

    def test_connections_without_tls_and_beyond_the_limit_are_entered(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", "/CN=localhost", "-keyout", self.site / "key.pem", "-out", self.site / "cert.pem"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (self.site / "key.pem").chmod(0o600)
        self.channel(f'listen = "127.0.0.1:{self.port}"\nmax_connections = 1\n'
                     'tls = { certificate = "cert.pem", key = "key.pem" }')
        self.start()
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as plain:
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as one_too_many:
                self.assertEqual(plain.recv(1024), b"", "it has not begun a handshake and goes for the other")
                one_too_many.sendall(b"MSH|^~\\&|LAB\r" * 20)
                while one_too_many.recv(1024):
                    pass
        self.engine.stop()
        failed = self.trail("--act", "connection.failed")[0]
        self.assertEqual(failed["object"]["channel"], "lab")
        self.assertEqual(failed["actor"]["address"].split(":")[0], "127.0.0.1")
        self.assertTrue(failed["code"] and failed["reason"])
        evicted = self.trail("--act", "connection.evicted")[0]
        self.assertEqual((evicted["actor"]["address"].split(":")[0], evicted["code"]), ("127.0.0.1", "M106"))

    def test_a_peer_that_cannot_be_reached_is_no_security_event(self):
        self.channel(f'connect = "127.0.0.1:{self.port}"')
        self.start()
        self.engine.wait_until_said("tried again until it works")
        self.engine.stop()
        self.assertEqual(self.acts("--act", "connection."), [])

    def test_messages_taken_in_make_no_entries(self):
        self.start()
        before = cannula_json("status", self.site)["audit"]["entries"]
        for number in range(20):
            self.send(f"N{number}")
        self.assertEqual(cannula_json("status", self.site)["audit"]["entries"], before)

    def test_without_the_trail_no_act_but_messages_go_on(self):
        self.start()
        self.send("N1")
        one = self.newest()
        trail = self.site / "state/audit"
        self.engine.stop()
        shutil.rmtree(trail)
        trail.write_text("in the way")
        self.start()
        self.engine.wait_until_said("audit: entries cannot be written")
        with self.assertRaisesRegex(RuntimeError, "A101"):
            cannula("msg", "show", one, self.site)
        with self.assertRaisesRegex(RuntimeError, "A101"):
            cannula("msg", "resend", one, self.site, "--reason", "a test")
        self.send("N2")
        self.assertTrue(cannula_json("status", self.site)["audit"]["trouble"])
        trail.unlink()
        cannula("msg", "show", one, self.site)
        self.assertIn("audit.resumed", self.acts())


if __name__ == "__main__":
    unittest.main()
