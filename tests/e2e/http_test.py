"""HTTP from outside: curl as the sender, a running engine behind a listener that two channels share."""

import json
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from engine import Program, cannula_json, free_port

RESULT = ("MSH|^~\\&|LAB|GEN|EHR|GEN|20260101120000+0000||ORU^R01^ORU_R01|H{n}|P|2.5.1\r"
          "PID|1||{n}^^^GEN^MR||Invented^Ina\rOBX|1|NM|K^Potassium||4.1|mmol/L\r")
SLOW = 300  # connections that only sit there
HL7 = "Content-Type: x-application/hl7-v2+er7"


class Ehr(ThreadingHTTPServer):
    """Answers as the test says, and remembers what came."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.daemon_threads = True
        self.came, self.script = [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((self.path, dict(self.headers), body))
        status, headers, text = (*(self.server.script.pop(0) if self.server.script else (201, {})), b"")[:3]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


class Http(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site = self.folder / "site"
        self.port = free_port()
        self.ehr = Ehr()
        self.addCleanup(self.ehr.server_close)
        self.addCleanup(self.ehr.shutdown)

    def write_channel(self, name, path, more="", script="function main(msg) send('ehr', msg.raw) end"):
        folder = self.site / "channels" / name
        folder.mkdir(parents=True)
        (self.site / "site.toml").touch()
        (folder / "main.lua").write_text(script)
        (folder / "channel.toml").write_text(f"""
[source]
type   = "http"
listen = "127.0.0.1:{self.port}"
path   = "{path}"
{more}

[[destination]]
name = "ehr"
type = "fhir"
url  = "http://127.0.0.1:{self.ehr.server_address[1]}/fhir"
retry = {{ first = "20ms", max = "50ms" }}
""")

    def run_site(self):
        self.engine = Program(self.folder / "log", "run", self.site)
        self.addCleanup(self.engine.stop)
        self.engine.wait_until_said("ready in")

    def curl(self, path, *arguments, body=None, scheme="http"):
        """The status and the body."""
        command = ["curl", "-sS", "--max-time", "60", "-w", "\n%{http_code}", *arguments]
        if body is not None:
            command += ["--data-binary", "@-"]
        done = subprocess.run([*command, f"{scheme}://localhost:{self.port}{path}"], input=body or b"",
                              stdout=subprocess.PIPE, timeout=120)
        text, _, status = done.stdout.decode().rpartition("\n")
        return int(status), text

    def status(self):
        """What the engine counts, once its index has followed the journal: it does so within milliseconds."""
        while (status := cannula_json("status", self.site))["index_behind_bytes"]:
            time.sleep(0.01)
        return status

    def messages(self, channel):
        return self.status()["channels"].get(channel, {}).get("messages", {})

    def deliveries(self, channel):
        return self.status()["channels"][channel]["destinations"]["ehr"]

    def test_a_request_is_on_record_and_goes_on_to_the_ehr(self):
        self.write_channel("results", "/hooks/lab")
        self.run_site()
        status, answer = self.curl("/hooks/lab", body=RESULT.format(n=1).encode())
        self.assertEqual(status, 202)
        identifier = json.loads(answer)["id"]
        self.assertTrue(wait_until(lambda: self.ehr.came))
        path, headers, body = self.ehr.came[0]
        self.assertEqual((path, body), ("/fhir", RESULT.format(n=1).encode()))
        self.assertEqual(headers["Idempotency-Key"], f"{identifier}-ehr-1")
        self.assertEqual(headers["Content-Type"], "application/fhir+json")
        self.assertTrue(wait_until(lambda: self.messages("results") == {"done": 1}))

        status, answer = self.curl("/hooks/lab", "-H", HL7, body=RESULT.format(n=2).encode())
        self.assertEqual(status, 200)
        self.assertIn("MSA|AA|H2", answer)

    def test_a_webhook_that_comes_again_is_answered_as_the_first_was(self):
        self.write_channel("hooks", "/hooks", 'dedupe = { key = "header:webhook-id", window = "1h" }\nrespond = "processed"',
                           script="""
function main(msg)
  send("ehr", msg.raw)
  reply{ status = 201, body = "made of " .. msg.raw }
end
""")
        self.write_channel("plain", "/plain")
        self.write_channel("all", "/all/*", "dedupe = {}", script="""
function main(msg)
  if msg.raw:find("poison") then error("it cannot") end
  send("ehr", msg.raw)
end
""")
        self.run_site()

        def post(name, body, path="/hooks"):
            named = ["-H", f"Webhook-Id: {name}"] if name else []
            return self.curl(path, *named, body=body)

        first = post("evt-1", b'{"order": 1}')
        self.assertEqual(first, (201, 'made of {"order": 1}'))
        self.assertEqual(post("evt-1", b'{"order": 1}'), first)
        self.assertEqual(post("evt-2", b'{"order": 1}')[0], 201, "another event with the same content")
        self.assertEqual(post("evt-1", b'{"order": 2}'), (201, 'made of {"order": 2}'), "a name used again is no reason to lose it")
        for _ in range(2):  # without a name nobody can tell
            self.assertEqual(post(None, b'{"order": 3}')[0], 201)
        for _ in range(2):  # where it is not asked for
            self.assertEqual(post("evt-1", b'{"order": 1}', "/plain")[0], 202)
        self.assertTrue(wait_until(lambda: self.messages("hooks") == {"done": 5, "filtered": 1}))
        self.assertTrue(wait_until(lambda: self.messages("plain") == {"done": 2}))
        self.assertIn("used the control id of an earlier message", self.engine.said())
        rows = cannula_json("msg", "list", self.site, "--channel", "hooks", "--state", "filtered")["messages"]
        self.assertEqual([row["code"] for row in rows], ["P312"])

        for path in ("/all/a", "/all/a", "/all/b"):
            self.assertEqual(self.curl(path, "-H", "Idempotency-Key: K", body=b"{}")[0], 202)
        self.assertTrue(wait_until(lambda: self.messages("all") == {"done": 2, "filtered": 1}), "another address is another request")
        result = RESULT.format(n=9).encode()
        for path in ("/all/a", "/all/b", "/all/b"):
            self.assertEqual(self.curl(path, "-H", HL7, body=result)[0], 200)
        self.assertTrue(wait_until(lambda: self.messages("all") == {"done": 4, "filtered": 2}), "nor is HL7 v2 of another address")
        for dead in (1, 2):
            self.assertEqual(self.curl("/all/a", "-H", "Idempotency-Key: P", body=b"poison")[0], 202)
            self.assertTrue(wait_until(lambda: self.messages("all").get("dead") == dead), "what failed may come again")

        self.assertEqual(self.engine.stop(), 0)
        self.run_site()
        for path in ("/all/a", "/all/b", "/all/c"):
            self.assertEqual(self.curl(path, "-H", "Idempotency-Key: K", body=b"{}")[0], 202)
        self.assertTrue(wait_until(lambda: self.messages("all") == {"done": 5, "filtered": 4, "dead": 2}))
        self.assertEqual(self.curl("/all/b", "-H", HL7, body=result)[0], 200)
        self.assertTrue(wait_until(lambda: self.messages("all") == {"done": 5, "filtered": 5, "dead": 2}))
        self.assertEqual(post("evt-1", b'{"order": 1}')[0], 200, "known, though not any more what the script had said")
        self.assertEqual(self.messages("hooks")["filtered"], 2)

    def test_a_login_page_and_a_locked_door_are_no_success_and_no_verdict_on_the_message(self):
        self.write_channel("results", "/hooks/lab")
        self.ehr.script = [(200, {}, b"<html>Login please</html>"), (200, {}), (302, {"Location": "/login"}), (401, {}), (403, {})]
        self.run_site()
        identifier = json.loads(self.curl("/hooks/lab", body=RESULT.format(n=1).encode())[1])["id"]
        self.assertTrue(wait_until(lambda: self.messages("results") == {"done": 1}))
        self.assertEqual(len(self.ehr.came), 6, "five attempts that were none, and the one that counts")
        self.assertEqual({headers["Idempotency-Key"] for _, headers, _ in self.ehr.came}, {f"{identifier}-ehr-1"})
        attempts = [record for record in cannula_json("msg", "show", identifier, self.site)["trail"] if record.get("state") == "retrying"]
        self.assertEqual([attempt["code"] for attempt in attempts], ["T359", "T359", "T360", "T360", "T360"])
        self.assertIn("it begins: <html>Login please</html>", attempts[0]["reason"])
        self.assertNotIn("Login please", (self.folder / "log").read_text())

    def test_what_cannot_be_taken_says_why(self):
        self.write_channel("results", "/hooks/lab", 'max_size = "1KB"')
        self.run_site()
        for status, code, path, arguments, body in [
            (404, "T302", "/hooks/other", [], b"x"),
            (405, "T303", "/hooks/lab", [], None),
            (413, "T305", "/hooks/lab", [], b"x" * 5000),
            (413, "T305", "/hooks/lab", ["-H", "Transfer-Encoding: chunked"], b"x" * 5000),
            (415, "T307", "/hooks/lab", ["-H", "Content-Encoding: gzip"], b"x"),
            (400, "T301", "/hooks/../lab", ["--path-as-is"], b"x"),
            (431, "T308", "/hooks/lab", ["-H", "X-Long: " + "x" * 20_000], b"x"),
        ]:
            with self.subTest(status=status, path=path):
                got, answer = self.curl(path, *arguments, body=body)
                self.assertEqual(got, status)
                self.assertEqual(json.loads(answer)["code"], code)
                self.assertTrue(json.loads(answer)["hint"])
        self.assertEqual(self.messages("results"), {"rejected": 2}, "what was too large is on record")

    def test_a_partners_rules_hold(self):
        self.write_channel("results", "/hooks/lab", 'partner = "lab"')
        self.write_channel_partner("lab", 'from = ["127.0.0.1"]\nmay = ["ADT^*"]')
        self.run_site()
        status, answer = self.curl("/hooks/lab", body=RESULT.format(n=1).encode())
        self.assertEqual((status, json.loads(answer)["code"]), (403, "P104"))
        self.assertEqual(self.messages("results"), {"rejected": 1})

    def write_channel_partner(self, name, text):
        (self.site / "partners").mkdir()
        (self.site / "partners" / f"{name}.toml").write_text(f'name = "Laboratory"\n{text}\n')

    def test_the_ehrs_wish_to_wait_is_kept_and_its_refusal_is_final(self):
        self.ehr.script = [(503, {}), (429, {"Retry-After": "1"}), (201, {}), (422, {})]
        self.write_channel("results", "/hooks/lab")
        self.run_site()
        begun = time.monotonic()
        self.curl("/hooks/lab", body=RESULT.format(n=1).encode())
        self.assertTrue(wait_until(lambda: len(self.ehr.came) == 3))
        self.assertGreater(time.monotonic() - begun, 1.0)
        self.assertEqual(len({headers["Idempotency-Key"] for _, headers, _ in self.ehr.came}), 1)
        self.curl("/hooks/lab", body=RESULT.format(n=2).encode())
        self.assertTrue(wait_until(lambda: self.deliveries("results").get("dead") == 1))
        self.assertEqual(len(self.ehr.came), 4)

    def test_slow_and_senseless_senders_do_not_keep_others_out(self):
        self.write_channel("results", "/hooks/lab", "max_connections = 100")
        self.run_site()
        sitting, stop = [], threading.Event()
        garbage = [b"", b"POST /hooks/lab HTTP/1.1\r\nHost: a\r\nX: ", os.urandom(200), b"\x16\x03\x01\x02\x00",
                   b"GET / HTTP/9.9\r\n\r\n", b"POST /hooks/lab HTTP/1.1\r\nHost: a\r\nContent-Length: 90\r\n\r\nx"]

        def flood():
            while not stop.is_set():
                connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
                connection.sendall(garbage[len(sitting) % len(garbage)])
                sitting.append(connection)
                if len(sitting) > SLOW:
                    sitting.pop(0).close()
                time.sleep(0.001)

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            self.assertTrue(wait_until(lambda: len(sitting) == SLOW))
            taken = 0
            for number in range(20):
                status, _ = self.curl("/hooks/lab", "--retry", "5", "--retry-all-errors", "--retry-delay", "0",
                                      body=RESULT.format(n=number).encode())
                taken += status == 202
            self.assertEqual(taken, 20)
            status = pathlib.Path(f"/proc/{self.engine.process.pid}/status").read_text()
            self.assertLess(int(status.split("VmHWM:")[1].split()[0]) / 1024, 400, "megabytes")
        finally:
            stop.set()
            thread.join()
            for connection in sitting:
                connection.close()

    def test_tls(self):
        certificate, key = self.folder / "server.pem", self.folder / "server.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", key, "-out", certificate, "-days", "1", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost"], check=True, stderr=subprocess.DEVNULL)
        self.write_channel("results", "/hooks/lab", f'tls = {{ certificate = "{certificate}", key = "{key}" }}')
        self.run_site()
        status, _ = self.curl("/hooks/lab", "--cacert", str(certificate), body=b"x", scheme="https")
        self.assertEqual(status, 202)
        done = subprocess.run(["curl", "-sS", f"https://localhost:{self.port}/hooks/lab", "-d", "x"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 60, "curl does not trust this certificate by itself")
        status, _ = self.curl("/hooks/lab", body=b"x")
        self.assertEqual(status, 0, "plain HTTP to a TLS port gets nothing")


if __name__ == "__main__":
    unittest.main()
