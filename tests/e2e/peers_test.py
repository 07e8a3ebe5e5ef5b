"""Messages exchanged with MLLP implementations that others wrote, in both directions: Debian's python3-hl7 and npm's
node-hl7-client and node-hl7-server."""

import asyncio
import json
import pathlib
import subprocess
import tempfile
import threading
import unittest

import hl7
import hl7.client
import hl7.mllp

from engine import Program, cannula, cannula_json, free_port

PEERS = pathlib.Path(__file__).parent / "peers"

CHANNEL = """
[source]
type   = "mllp"
listen = "127.0.0.1:{listen}"
{source}
[[destination]]
name    = "out"
type    = "mllp"
address = "127.0.0.1:{out}"
connections = 1
[destination.retry]
first = "50ms"
max   = "200ms"
"""


def message(control_id, more=""):
    return (f"MSH|^~\\&|LAB|NORTH|CANNULA|HOSP|20260101120000||ORU^R01^ORU_R01|{control_id}|P|2.5.1{more}\r"
            "PID|1||4711^^^NORTH^MR||Muster^Mona\rOBR|1|||K^Potassium\rOBX|1|NM|K^Potassium||4.1|mmol/L|||||F\r")


class PeersTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        self.listen, self.out = free_port(), free_port()

    def start_engine(self, script="function main(msg) send('out', msg) end", source=""):
        channel = self.path / "site" / "channels" / "relay"
        channel.mkdir(parents=True)
        (self.path / "site" / "site.toml").write_text("")
        (channel / "main.lua").write_text(script)
        (channel / "channel.toml").write_text(CHANNEL.format(listen=self.listen, out=self.out, source=source))
        engine = Program(self.path / "engine.log", "run", self.path / "site")
        self.addCleanup(engine.stop)
        engine.wait_until_said("ready in")
        return engine

    def control_ids(self):
        """MSH-10 of what the engine has on record, oldest first."""
        rows = cannula_json("msg", "list", self.path / "site", "--oldest-first")
        return [row["control_id"] for row in (rows if isinstance(rows, list) else rows["messages"])]


class PythonHl7(PeersTest):
    def test_its_client_sends_and_is_acknowledged(self):
        self.start_engine("function main(msg) end")
        with hl7.client.MLLPClient("127.0.0.1", self.listen) as client:
            for control_id in ("P1", "P2", "P3"):
                answer = hl7.parse(client.send_message(message(control_id)).strip(b"\x0b\x1c\r").decode() + "\r")
                self.assertEqual(str(answer.segment("MSA")[1]), "AA")
                self.assertEqual(str(answer.segment("MSA")[2]), control_id)
                self.assertEqual(str(answer.segment("MSH")[5]), "LAB")

    def test_its_asyncio_client_is_acknowledged_when_it_pipelines(self):
        self.start_engine("function main(msg) end")

        async def exchange():
            reader, writer = await hl7.mllp.open_hl7_connection("127.0.0.1", self.listen)
            for control_id in ("A1", "A2", "A3"):
                writer.writemessage(hl7.parse(message(control_id)))
            await writer.drain()
            answers = [await asyncio.wait_for(reader.readmessage(), 30) for _ in range(3)]
            writer.close()
            return [str(answer.segment("MSA")[2]) for answer in answers]

        self.assertEqual(asyncio.run(exchange()), ["A1", "A2", "A3"])

    def test_its_asyncio_server_takes_what_a_destination_sends(self):
        received = []

        async def serve(reader, writer):
            try:
                while not writer.is_closing():
                    arrived = await reader.readmessage()
                    received.append(str(arrived.segment("MSH")[10]))
                    writer.writemessage(arrived.create_ack())
                    await writer.drain()
            except asyncio.IncompleteReadError:
                pass

        loop = asyncio.new_event_loop()

        async def listen():
            self.server = await hl7.mllp.start_hl7_server(serve, "127.0.0.1", self.out)

        loop.run_until_complete(listen())
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        self.addCleanup(lambda: loop.call_soon_threadsafe(loop.stop))
        self.start_engine()
        sent = self.path / "sent.hl7"
        sent.write_text("\n".join(message(f"S{i}").replace("\r", "\n") for i in range(20)))
        cannula("send", f"127.0.0.1:{self.listen}", sent)
        wait_until_delivered(self, 20)
        self.assertEqual(received, [f"S{i}" for i in range(20)])


def wait_until_delivered(test, count, seconds=60):
    import time
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        counts = json.dumps(cannula_json("status", test.path / "site"))
        if f'"delivered": {count}' in counts:
            return
        time.sleep(0.1)
    test.fail(f"not {count} delivered: {counts}")


@unittest.skipUnless((PEERS / "node_modules" / "node-hl7-client").is_dir(),
                     "SKIPPED LOUDLY: tests/e2e/peers/node_modules is not there; `./dev test` installs it where npm is")
class NodeHl7(PeersTest):
    def client(self, texts, how):
        listed = self.path / "messages.json"
        listed.write_text(json.dumps(texts))
        done = subprocess.run(["node", PEERS / "client.js", str(self.listen), listed, how], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_its_client_sends_and_is_acknowledged(self):
        self.start_engine("function main(msg) end")
        answers = self.client([message(f"N{i}") for i in range(10)], "single")
        self.assertEqual(answers, [{"code": "AA", "id": f"N{i}"} for i in range(10)])

    def test_its_client_reads_the_errors_that_a_script_tells(self):
        self.start_engine("""function main(msg)
            ack{ code = "AE", text = "no such patient", errors = { { code = "204", location = "PID^1^3" } } }
        end""", 'ack = "processed"')
        self.assertEqual(self.client([message("E1")], "single"), [{"code": "AE", "id": "E1"}])

    def test_its_client_sends_a_batch_whose_messages_are_each_taken(self):
        self.start_engine("function main(msg) end", 'batch_ack = "each"')  # it reads no batches of acknowledgements
        answers = self.client([message(f"B{i}") for i in range(3)], "batch")
        self.assertEqual(answers, [{"code": "AA", "id": "B0"}])
        self.assertEqual(self.control_ids(), ["B0", "B1", "B2"])

    def test_its_server_takes_what_a_destination_sends(self):
        server = subprocess.Popen(["node", PEERS / "server.js", str(self.out)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, encoding="utf-8")
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.assertEqual(server.stdout.readline().strip(), "listening")
        self.start_engine()
        sent = self.path / "sent.hl7"
        sent.write_text("\n".join(message(i).replace("\r", "\n") for i in ("T1", "T2", "T3AE")))
        cannula("send", f"127.0.0.1:{self.listen}", sent)
        wait_until_delivered(self, 2)
        arrived = []
        while "T3AE" not in arrived:
            arrived.append(json.loads(server.stdout.readline())["id"])
        # It answers everything that came by a connection anew with each message: MSA-2 says which answer counts
        # (medplum#7115: a client took the first frame for its answer).
        self.assertEqual(list(dict.fromkeys(arrived)), ["T1", "T2", "T3AE"])
        self.assertIn('"dead": 1', json.dumps(cannula_json("status", self.path / "site")))


if __name__ == "__main__":
    unittest.main()
