"""What a FHIR server created is remembered: sent again, edited and run again, it is updated and not created twice. The server
of this test knows no idempotency keys, as those of the vendors do not."""

import http.server
import json
import pathlib
import tempfile
import threading
import time
import unittest

from engine import Program, cannula, cannula_json, free_port

MESSAGE = ("MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|M1|P|2.5.1\r"
           "PID|1||90001^^^NORTH^MR||Muster^Maria\rOBX|1|NM|K^Potassium||4.10|mmol/L\r")
SINGLE = """
function main(msg)
  local observation = json.parse('{"resourceType":"Observation","status":"final"}')
  observation["code.text"] = msg["OBX-3.2"]
  send("ehr", observation, { path = "Observation", updates = created("ehr") })
end
"""
BUNDLE = """
function main(msg)
  send("ehr", '{"resourceType":"Bundle","type":"transaction","entry":['
    .. '{"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}},'
    .. '{"resource":{"resourceType":"Observation","value":4.10},"request":{"method":"POST","url":"Observation"}}]}',
    { updates = created("ehr") })
end
"""


class Server(http.server.ThreadingHTTPServer):
    """Creates and updates, one resource or a transaction of them."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.resources, self.lock = {}, threading.Lock()

    def carry_out(self, method, place, resource):
        """The location of what is there now."""
        kind, _, name = place.partition("/")
        if method == "POST":
            name = f"id-{len(self.resources) + 1}"
        elif resource.get("id") != name:
            raise ValueError(f"{resource.get('id')} is not {name}")
        versions = self.resources.setdefault(f"{kind}/{name}", [])
        versions.append(resource)
        return f"{kind}/{name}/_history/{len(versions)}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        place = self.path.removeprefix("/fhir").strip("/")
        with self.server.lock:
            if place:
                location = self.server.carry_out(self.command, place, body)
                return self.answer(201 if self.command == "POST" else 200, None, f"http://{self.headers['host']}/fhir/{location}")
            entries = [{"response": {"status": "200", "location": self.server.carry_out(
                entry["request"]["method"], entry["request"]["url"], entry["resource"])}} for entry in body["entry"]]
            return self.answer(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}, None)

    do_POST = do_PUT = handle_one

    def answer(self, status, document, location):
        text = json.dumps(document).encode() if document else b""
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class CreatedIds(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cannula-created-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site, self.port = self.folder / "site", free_port()
        self.server = Server()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def start(self, script, more=""):
        channel = self.site / "channels/lab"
        channel.mkdir(parents=True)
        (self.site / "site.toml").write_text("")
        (channel / "main.lua").write_text(script)
        (channel / "channel.toml").write_text(f"""
[source]
type   = "mllp"
listen = "127.0.0.1:{self.port}"
[[destination]]
name = "ehr"
type = "fhir"
url  = "http://127.0.0.1:{self.server.server_address[1]}/fhir"
{more}
""")
        self.run_engine()
        (self.folder / "message.hl7").write_text(MESSAGE, newline="")
        cannula("send", f"127.0.0.1:{self.port}", self.folder / "message.hl7")
        self.wait_for_deliveries(1)
        return cannula_json("msg", "list", self.site)["messages"][0]["id"]

    def run_engine(self):
        self.engine = Program(self.folder / "log", "run", self.site)
        self.addCleanup(self.engine.stop)
        self.engine.wait_until_said("ready in")

    def deliveries(self):
        return sum(len(versions) for versions in self.server.resources.values())

    def wait_for_deliveries(self, count):
        for _ in range(300):
            if self.deliveries() >= count and cannula_json("status", self.site)["channels"]["lab"]["messages"].get("queued", 0) == 0:
                return
            time.sleep(0.1)
        self.fail(f"{self.deliveries()} instead of {count}: {self.engine.said()[-2000:]}")

    def versions(self):
        return {name: len(versions) for name, versions in self.server.resources.items()}

    def test_a_delivery_that_is_sent_again_is_an_update_also_after_a_restart(self):
        old = self.start(SINGLE)
        self.assertEqual(self.versions(), {"Observation/id-1": 1})
        cannula("msg", "resend", old, self.site, "--delivery", 1, "--reason", "x")
        self.wait_for_deliveries(2)
        self.assertEqual(self.engine.stop(), 0)
        self.run_engine()
        cannula("msg", "replay", self.site, "--state", "delivered", "--destination", "ehr", "--reason", "x")
        self.wait_for_deliveries(3)
        self.assertEqual(self.versions(), {"Observation/id-1": 3})
        self.assertEqual(self.server.resources["Observation/id-1"][2]["code"], {"text": "Potassium"})

    def test_a_message_that_runs_again_or_is_edited_updates_what_its_script_says(self):
        old = self.start(SINGLE)
        cannula("msg", "resend", old, self.site, "--reason", "the script was changed")
        self.wait_for_deliveries(2)
        new = cannula_json("msg", "edit", old, self.site, "--set", "OBX-3.2=Kalium", "--reason", "x")["as"]
        self.wait_for_deliveries(3)
        self.assertEqual(self.versions(), {"Observation/id-1": 3})
        self.assertEqual(self.server.resources["Observation/id-1"][2]["code"], {"text": "Kalium"})
        self.assertIn("Observation/id-1", cannula("msg", "show", new, self.site, "--json"))

    def test_all_deliveries_of_a_message_or_those_to_one_destination_are_sent_again(self):
        old = self.start(SINGLE)
        cannula("msg", "resend", old, self.site, "--destination", "ehr", "--reason", "x")
        self.wait_for_deliveries(2)
        cannula("msg", "resend", old, self.site, "--destination", "*", "--reason", "x")
        self.wait_for_deliveries(3)
        self.assertEqual(self.versions(), {"Observation/id-1": 3})
        with self.assertRaisesRegex(RuntimeError, "no delivery to archive"):
            cannula("msg", "resend", old, self.site, "--destination", "archive", "--reason", "x")

    def test_each_entry_of_a_transaction_is_updated(self):
        old = self.start(BUNDLE)
        self.assertEqual(self.versions(), {"Patient/id-1": 1, "Observation/id-2": 1})
        cannula("msg", "resend", old, self.site, "--delivery", 1, "--reason", "x")
        self.wait_for_deliveries(4)
        cannula("msg", "resend", old, self.site, "--reason", "x")
        self.wait_for_deliveries(6)
        self.assertEqual(self.versions(), {"Patient/id-1": 3, "Observation/id-2": 3})

    def test_a_destination_that_says_so_creates_again(self):
        old = self.start(SINGLE, 'again = "create"')
        cannula("msg", "resend", old, self.site, "--delivery", 1, "--reason", "x")
        self.wait_for_deliveries(2)
        self.assertEqual(self.versions(), {"Observation/id-1": 1, "Observation/id-2": 1})


if __name__ == "__main__":
    unittest.main()
