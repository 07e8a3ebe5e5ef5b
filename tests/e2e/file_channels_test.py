"""Files in and out, where others may write into the same folders: nothing is lost, and nothing is written elsewhere."""

import os
import pathlib
import subprocess
import tempfile
import time
import unittest

from engine import Program, cannula_json

LARGE = 4000  # messages of a file that takes a while


def message(control_id, text="invented"):
    return (f"MSH|^~\\&|LAB|GEN|EHR|GEN|20260101120000+0000||ORU^R01^ORU_R01|{control_id}|P|2.5.1\r"
            f"PID|1||4711^^^GEN^MR||{text}^Ina\rOBX|1|NM|K^Potassium||4.1|mmol/L\r").encode()


class FileChannels(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cannula-files-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.site, self.drop, self.out = (self.folder / name for name in ("site", "drop", "out"))
        self.site.mkdir()
        self.drop.mkdir()
        self.out.mkdir()
        (self.site / "site.toml").touch()
        self.engine = None
        self.write_channel("function main(msg) send('out', msg) end", "{key}.hl7")

    def write_channel(self, script, filename, source="", more=""):
        channel = self.site / "channels" / "lab"
        channel.mkdir(parents=True, exist_ok=True)
        (channel / "main.lua").write_text(script)
        (channel / "channel.toml").write_text(
            f'[source]\ntype = "file"\ndirectory = "{self.drop}"\npattern = "*.hl7"\npoll = "20ms"\nstable_for = "0s"\n{source}\n'
            f'[[destination]]\nname = "out"\ntype = "file"\ndirectory = "{self.out}"\nfilename = "{filename}"\n{more}')

    def start(self):
        self.engine = Program(self.folder / "log", "run", self.site)
        self.addCleanup(self.end)
        self.engine.wait_until_said("ready in")

    def end(self):
        if self.engine.process.poll() is None:
            self.engine.stop()

    def put(self, name, content):
        """As senders do that are careful: another name first."""
        (self.drop / ".coming").write_bytes(content)
        os.rename(self.drop / ".coming", self.drop / name)

    def wait_for(self, condition, what, seconds=60):
        begun = time.monotonic()
        while not condition():
            self.assertLess(time.monotonic() - begun, seconds, f"{what}\n{self.engine.said()[-3000:]}")
            time.sleep(0.002)

    def names(self, folder):
        return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []

    def delivered(self):
        """The control ids in the files of the destination."""
        ids = []
        for path in self.out.glob("*.hl7"):
            ids += [line.split(b"|")[9].decode() for line in path.read_bytes().split(b"\r") if line.startswith(b"MSH")]
        return ids

    # -- in ------------------------------------------------------------------------------------------------------------

    def test_a_file_that_replaces_the_one_being_offered_is_taken_too(self):
        for after in ("move", "delete"):
            with self.subTest(after):
                self.write_channel("function main(msg) if msg['MSH-10']:find('^F') then return skip('many') end "
                                   "send('out', msg) end", "{key}.hl7", f'after = "{after}"')
                self.start()
                self.put("result.hl7", b"".join(message(f"F{i}") for i in range(LARGE)))
                self.wait_for(lambda: (self.drop / ".claimed" / "result.hl7").exists(), "it is not claimed")
                self.put("result.hl7", message(f"SECOND-{after}"))
                self.wait_for(lambda: f"SECOND-{after}" in self.delivered(), "the second is lost")
                self.wait_for(lambda: not self.names(self.drop) and not self.names(self.drop / ".claimed"), "not finished")
                self.engine.stop()
        self.assertEqual(self.names(self.drop / ".done"), ["result.hl7", "result.hl7.1"])

    def test_what_was_claimed_when_the_engine_died_is_worked_at_the_next_start(self):
        self.write_channel("function main(msg) if msg['MSH-10'] ~= 'LAST' then return skip('many') end "
                           "send('out', msg) end", "{key}.hl7")
        self.start()
        self.put("result.hl7", b"".join(message(f"F{i}") for i in range(LARGE)) + message("LAST"))
        self.wait_for(lambda: (self.drop / ".claimed" / "result.hl7").exists(), "it is not claimed")
        self.engine.kill()
        self.assertEqual(self.names(self.drop / ".claimed"), ["result.hl7"])
        self.start()
        self.wait_for(lambda: "LAST" in self.delivered(), "it is not taken again")
        self.wait_for(lambda: self.names(self.drop / ".done") == ["result.hl7"], "not finished")

    def test_links_in_the_drop_lead_nowhere(self):
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        victim = elsewhere / "victim"
        victim.write_text("precious")
        (self.drop / ".errors").symlink_to(elsewhere)
        checked = subprocess.run([os.environ["CANNULA"], "check", self.site], stdout=subprocess.PIPE, encoding="utf-8")
        self.assertEqual(checked.returncode, 78)
        self.assertRegex(checked.stdout, r"error\[F107\].*\.errors is a link(.*\n)*.*move it away")
        (self.site / "partners").mkdir()
        (self.site / "partners" / "lab.toml").write_text('may = ["ADT^*"]\n')
        self.write_channel("function main(msg) send('out', msg) end", "{key}.hl7", 'partner = "lab"')
        self.put("evil.hl7", message("1"))
        self.start()  # and the other channels with it
        self.engine.wait_until_said("[F107]")
        time.sleep(0.2)
        self.assertEqual(self.names(elsewhere), ["victim"])
        self.assertEqual(self.names(self.drop), ["evil.hl7"])
        (self.drop / ".errors").unlink()
        self.wait_for(lambda: self.names(self.drop / ".errors") == ["evil.hl7", "evil.hl7.reason.txt"], "not gone on")
        self.assertEqual((self.drop / ".errors" / "evil.hl7.reason.txt").stat().st_mode & 0o7777, 0o640)
        (self.drop / ".errors" / "b.hl7.reason.txt").symlink_to(victim)
        self.put("b.hl7", message("2"))
        self.wait_for(lambda: "b.hl7" in self.names(self.drop / ".errors"), "not set aside")
        self.wait_for(lambda: "b.hl7.reason.1.txt" in self.names(self.drop / ".errors"), "no reason")
        self.assertEqual(victim.read_text(), "precious")

    def test_a_name_writes_no_line_into_the_log(self):
        (self.site / "partners").mkdir()
        (self.site / "partners" / "lab.toml").write_text('may = ["ADT^*"]\n')
        self.write_channel("function main(msg) end", "{key}.hl7", 'partner = "lab"')
        self.start()
        self.put("a\x1b[31m\n2026-01-01T00:00:00.000Z critical forged.hl7", message("1"))
        self.engine.wait_until_said("[F106]")
        self.assertNotIn("\x1b", self.engine.said())
        self.assertFalse([line for line in self.engine.said().splitlines() if line.startswith("2026-01-01T00:00:00.000Z")])

    def test_no_text_whatever_writes_a_second_line_into_the_log(self):
        self.out = self.folder / "out\\u001b[31m\\n2026-01-01T00:00:00.000Z critical forged"  # as TOML writes it
        self.write_channel("function main(msg) send('out', msg) end", "{key}.hl7")
        self.start()
        self.put("a.hl7", message("1"))
        self.engine.wait_until_said("[F202]")
        entry = next(line for line in self.engine.said().splitlines() if "[F202]" in line)
        self.assertIn("?[31m / 2026-01-01T00:00:00.000Z critical forged", entry)
        self.assertNotIn("\x1b", self.engine.said())

    # -- out -----------------------------------------------------------------------------------------------------------

    def test_two_deliveries_of_one_message_have_two_files_and_a_later_run_replaces_both(self):
        self.write_channel(
            "function main(msg)\n"
            "  msg['PID-5.1'] = 'First' .. (state.runs or 0)  send('out', msg)\n"
            "  msg['PID-5.1'] = 'Second' .. (state.runs or 0) send('out', msg)\n"
            "  state.runs = (state.runs or 0) + 1\n"
            "end\n"
            "function on_response(msg, destination, response)\n"
            "  if destination == 'out' then send('answers', 'an answer') end\n"
            "end\n", "{id}.hl7",
            more=f'\n[[destination]]\nname = "answers"\ntype = "file"\ndirectory = "{self.folder}/answers"\nfilename = "{{id}}.txt"\n')
        (self.folder / "answers").mkdir()
        self.start()
        self.put("a.hl7", message("1"))

        def contents():
            return {path.name: path.read_bytes().split(b"PID|")[1].split(b"|")[4].split(b"^")[0].decode()
                    for path in self.out.glob("*.hl7")}

        self.wait_for(lambda: len(contents()) == 2, "one was overwritten")
        [row] = cannula_json("msg", "list", self.site)["messages"]
        self.assertEqual(contents(), {f"{row['id']}.hl7": "First0", f"{row['id']}-2.hl7": "Second0"})
        self.wait_for(lambda: self.names(self.folder / "answers") == [f"{row['id']}-r3.txt", f"{row['id']}-r4.txt"],
                      "an answer was overwritten")
        subprocess.run([os.environ["CANNULA"], "msg", "resend", row["id"], self.site, "--reason", "test"], check=True,
                       stdout=subprocess.PIPE)
        self.wait_for(lambda: contents() == {f"{row['id']}.hl7": "First1", f"{row['id']}-2.hl7": "Second1"},
                      "the later run does not replace the earlier")


if __name__ == "__main__":
    unittest.main()
