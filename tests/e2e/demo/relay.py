"""The sample site under load: a copy of it on free ports, with `cannula listen` as the EHRs behind it and a
`cannula send` for every feed. The demo and the crash test are stories told with it."""

import pathlib
import re
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import logs
import proof
from engine import Program, cannula, cannula_json, free_port

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
LISTENERS = {"lab-results": "127.0.0.1:2575", "admissions": "127.0.0.1:2576"}
EHRS = {"lab-results": "127.0.0.1:2585", "admissions": "127.0.0.1:2586"}
SECONDS_OF_PATIENCE = 300


class Relay:
    """Lives in `folder`, which is emptied first. Use as a context: everything it started has ended after it."""

    def __init__(self, folder, feeds):
        self.folder, self.site, self.feeds = folder, folder / "relay", feeds
        self.addresses, self.ehrs, self.senders, self.engine = {}, {}, {}, None
        self._arrivals = [logs.LineCount(self._ehr_log(channel)) for channel in EHRS]

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(REPOSITORY / "samples" / "relay", self.site, ignore=shutil.ignore_patterns("state"))
        for file in self.site.rglob("*.toml"):
            file.write_text(re.sub(r"127\.0\.0\.1:\d+", self._free_address, file.read_text()))
        for feed in self.feeds:
            (self.folder / f"{feed.name}.hl7").write_bytes(b"".join(message.text for message in feed.messages))
        cannula("check", self.site)
        return self

    def __exit__(self, *_):
        for program in [*self.senders.values(), self.engine, *self.ehrs.values()]:
            if program:
                program.stop()

    def _free_address(self, found):
        return self.addresses.setdefault(found[0], f"127.0.0.1:{free_port()}")

    def start_ehrs(self):
        for channel, address in EHRS.items():
            self.ehrs[channel] = Program(self.folder / f"ehr-{channel}.out", "listen", self.addresses[address],
                                         "--log", self._ehr_log(channel))

    def start_engine(self):
        """Milliseconds until it was ready."""
        begun = time.monotonic()
        self.engine = Program(self.folder / "engine.log", "run", self.site)
        self.engine.wait_until_said("ready in")
        return (time.monotonic() - begun) * 1000

    def start_senders(self):
        for feed in self.feeds:
            self.senders[feed.name] = Program(
                self.folder / f"{feed.name}.out", "send", self.addresses[LISTENERS[feed.channel]],
                self.folder / f"{feed.name}.hl7", "--retry", "2m", "--quiet",
                "--log", self.folder / f"{feed.name}.log")

    def arrived(self):
        """How many messages the EHRs have got up to now."""
        return sum(count() for count in self._arrivals)

    def sending(self):
        return any(sender.process.poll() is None for sender in self.senders.values())

    def wait_for_arrivals(self, count):
        """Until so many have arrived, or nothing more is sent."""
        self._wait(lambda: self.arrived() >= count or not self.sending(), lambda: f"only {self.arrived()} arrived")

    def wait_until_sent(self):
        self._wait(lambda: not self.sending(), lambda: f"senders still at work; {self.arrived()} messages arrived")
        for name, sender in self.senders.items():
            if code := sender.process.returncode:
                raise RuntimeError(f"the sender {name} ended with {code}:\n{sender.said()[-2000:]}")

    def wait_until_drained(self):
        total = sum(len(feed.messages) for feed in self.feeds)
        self._wait(lambda: logs.finished_messages(self.status()) >= total,
                   lambda: f"not all {total} messages are finished: {self.status()}", pause=0.1)

    def status(self):
        return cannula_json("status", self.site)

    def archived(self):
        """How many files the channel for admissions has written."""
        return len(list((self.site / "archive").glob("*.hl7")))

    def examine(self):
        sent = [attempt for feed in self.feeds for attempt in logs.read_sent(self.folder / f"{feed.name}.log")]
        arrivals = [arrival for channel in EHRS for arrival in logs.read_arrivals(self._ehr_log(channel))]
        verdict = proof.examine(self.feeds, sent, arrivals)
        # Deliveries repeated under the same key overwrite their file, so there is one for each message taken in.
        taken_in = {arrival.message_id for arrival in logs.read_arrivals(self._ehr_log("admissions"))}
        verdict.counts["archived"] = self.archived()
        verdict.promise(self.archived() == len(taken_in),
                        f"the archive holds {self.archived()} files of {len(taken_in)} admissions")
        return verdict

    def _ehr_log(self, channel):
        return self.folder / f"ehr-{channel}.log"

    def _wait(self, holds, otherwise, pause=0.005):
        begun = time.monotonic()
        while not holds():
            if time.monotonic() - begun > SECONDS_OF_PATIENCE:
                raise RuntimeError(f"after {SECONDS_OF_PATIENCE} s: {otherwise()}; "
                                   f"the engine said:\n{self.engine.said()[-2000:]}")
            time.sleep(pause)
