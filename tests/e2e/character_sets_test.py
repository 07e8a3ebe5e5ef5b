"""Messages in character sets of their own, through a running engine: UTF-16, and sets switched by escape sequences.

What a script does not touch leaves byte for byte; what it writes leaves in the set of the message.
"""

import pathlib
import socket
import tempfile
import time
import unittest

from engine import Program, cannula, cannula_json, free_port

SCRIPT = """function main(msg)
  log.info("name", { family = msg["PID-5.1"] })
  msg["PID-6"] = msg["PID-5.1"]
  send("out", msg)
  send("text", tostring(msg))
end
"""
UTF16 = "MSH|^~\\&|LAB|NORTH|||20260115||ADT^A08|U{n}|P|2.5.1\rPID|1||4711||Wżor^Ina||\r"
SWITCHED = (b"MSH|^~\\&|LAB|NORTH|||20260115||ADT^A08|S1|P|2.5.1||||||ASCII~ISO IR87\r"
            b"PID|1||4711||\\M2442\\;3ED\\C2842\\^\\M2442\\B@O:\\C2842\\||\r")


class CharacterSetsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site = self.folder / "site"
        self.port = free_port()
        for name in ("in", "out", "text"):
            (self.site / name).mkdir(parents=True)
        (self.site / "site.toml").write_text("")
        self.channel("files", 'type = "file"\ndirectory = "in"\npattern = "*.hl7"')
        self.channel("feed", f'type = "mllp"\nlisten = "127.0.0.1:{self.port}"')
        self.engine = Program(self.folder / "log", "run", self.site)
        self.addCleanup(self.engine.stop)
        self.engine.wait_until_said("ready in")

    def channel(self, name, source):
        folder = self.site / "channels" / name
        folder.mkdir(parents=True)
        (folder / "main.lua").write_text(SCRIPT)
        (folder / "channel.toml").write_text(
            f"[source]\n{source}\n" + "".join(
                f'[[destination]]\nname = "{to}"\ntype = "file"\ndirectory = "{to}"\nfilename = "{{id}}.hl7"\n'
                for to in ("out", "text")))

    def sent(self, folder):
        """The one file that comes into a folder, taken out of it."""
        for _ in range(6000):
            for path in (self.site / folder).glob("[!.]*"):
                content = path.read_bytes()
                path.unlink()
                return content
            time.sleep(0.01)
        self.fail(f"nothing came into {folder}:\n{self.engine.said()}")

    def over_mllp(self, message):
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as sender:
            sender.sendall(b"\x0b" + message + b"\x1c\r")
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                answer += sender.recv(4096)
            return answer

    def test_utf16_from_a_file_and_over_mllp(self):
        for n, coding in enumerate(("utf-16-le", "utf-16-be", "utf-16")):
            message = UTF16.format(n=n).encode(coding)
            if n == 1:
                self.assertIn(b"MSA|AA|U1", self.over_mllp(message))
            else:
                (self.site / "in" / f"{n}.part").write_bytes(message)
                (self.site / "in" / f"{n}.part").rename(self.site / "in" / f"{n}.hl7")
            edited = UTF16.format(n=n).replace("|Wżor^Ina||", "|Wżor^Ina|Wżor|")
            self.assertEqual(self.sent("out"), edited.encode(coding), coding)
            self.assertEqual(self.sent("text").decode().lstrip("\ufeff"), edited, coding)

    def test_switched_sets_are_read_written_and_shown(self):
        self.assertIn(b"MSA|AA|S1", self.over_mllp(SWITCHED))
        self.assertEqual(self.sent("out"), SWITCHED[:-2] + b"\\M2442\\;3ED\\C2842\\|\r")
        self.assertIn("|山田^太郎|山田|", self.sent("text").decode())
        shown = cannula("msg", "show", cannula_json("msg", "list", self.site)["messages"][0]["id"], self.site)
        self.assertIn("山田", shown)

    def test_a_name_is_found_as_it_is_typed_whatever_set_it_came_in(self):
        for n, (name, coding, label) in enumerate((("Müller^Zoë", "latin-1", "8859/1"), ("MÜLLER^ZOË", "utf-8", "UNICODE UTF-8"),
                                                   ("Mu\u0308ller^Zoe\u0308", "utf-8", ""), ("Łukasiewicz^Ina", "iso8859-2", "8859/2"))):
            message = f"MSH|^~\\&|LAB|NORTH|||20260115||ADT^A08|N{n}|P|2.5.1||||||{label}\rPID|1||47{n}||{name}||\r"
            self.assertIn(b"MSA|AA", self.over_mllp(message.encode(coding)))
            self.sent("out")
        for typed, found in (("Müller", ["N2", "N1", "N0"]), ("müller,  zoë", ["N2", "N1", "N0"]), ("MU\u0308LLER", ["N2", "N1", "N0"]),
                             ("łukasiewicz", ["N3"]), ("Muller", [])):
            rows = cannula_json("msg", "list", self.site, "--name", typed)["messages"]
            self.assertEqual([row["control_id"] for row in rows], found, typed)
        held = cannula("store", "hold", self.site, "--name", "müller", "--reason", "case 12")
        self.assertIn("it covers 3 messages now", held)


if __name__ == "__main__":
    unittest.main()
