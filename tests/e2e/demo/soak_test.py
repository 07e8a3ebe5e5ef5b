"""Hours of bad luck in short: messages at a steady rate while every few seconds something fails. What was acknowledged
arrives in order, all counts agree, memory stays flat and no descriptor is left open.

CANNULA_SOAK says how many seconds (20), CANNULA_SOAK_RATE how many messages a second (400), CANNULA_SEED repeats a run.
In the first third the engine is killed too; afterwards the same process has to bear the rest, and is measured.
"""

import os
import pathlib
import random
import signal
import statistics
import tempfile
import time
import unittest

import logs
import proof
from feed import feeds
from relay import EHRS, LISTENERS, Program, Relay

SECONDS = int(os.environ.get("CANNULA_SOAK", "20"))
RATE = int(os.environ.get("CANNULA_SOAK_RATE", "400"))
SEED = int(os.environ.get("CANNULA_SEED", random.randrange(1_000_000)))
MEGABYTE = 1 << 20


class Soaked(Relay):
    """A relay whose senders keep a rate and whose EHRs go and come, each time with a log of their own."""

    def __init__(self, folder, feeds):
        super().__init__(folder, feeds)
        self.ehr_logs = {channel: [] for channel in EHRS}

    def start_ehr(self, channel):
        log = self.folder / f"ehr-{channel}-{len(self.ehr_logs[channel])}.log"
        self.ehr_logs[channel].append(log)
        self.ehrs[channel] = Program(self.folder / f"ehr-{channel}.out", "listen", self.addresses[EHRS[channel]],
                                     "--log", log)

    def start_senders(self):
        for feed in self.feeds:
            self.senders[feed.name] = Program(
                self.folder / f"{feed.name}.out", "send", self.addresses[LISTENERS[feed.channel]],
                self.folder / f"{feed.name}.hl7", "--retry", "2m", "--quiet", "--rate", max(1, RATE // len(self.feeds)),
                "--log", self.folder / f"{feed.name}.log")

    def arrivals_at(self, channel):
        # One that was killed at once has no log yet.
        return [arrival for log in self.ehr_logs[channel] if log.exists() for arrival in logs.read_arrivals(log)]


class Soak(unittest.TestCase):
    def test_faults_every_few_seconds_under_load(self):
        print(f"{SECONDS} s at {RATE}/s, CANNULA_SEED={SEED}", flush=True)
        self.chance, self.samples, self.faults = random.Random(SEED), [], {}
        with tempfile.TemporaryDirectory(prefix="cannula-soak-") as folder:
            with Soaked(pathlib.Path(folder) / "run", feeds(total=SECONDS * RATE)) as self.relay:
                for channel in EHRS:
                    self.relay.start_ehr(channel)
                self.relay.start_engine()
                self.relay.start_senders()
                self.torment()
                self.relay.wait_until_sent()
                self.relay.wait_until_drained()
                time.sleep(2)  # connections that are idle may still close
                self.sample()
                verdict, found = self.judge()
        print(f"faults {self.faults}\n{verdict.counts}\n{found}", flush=True)
        self.assertEqual(verdict.broken, [])

    def torment(self):
        begun = time.monotonic()
        while self.relay.sending() and (past := time.monotonic() - begun) < SECONDS:
            time.sleep(self.chance.uniform(1, 4))
            faults = [self.kill_an_ehr, self.flap, self.reload]
            if past < SECONDS / 3:
                faults.append(self.kill_the_engine)
            fault = self.chance.choice(faults)
            fault()
            self.faults[fault.__name__] = self.faults.get(fault.__name__, 0) + 1
            if past >= SECONDS / 3:
                self.sample()

    def kill_an_ehr(self):
        channel = self.chance.choice(list(EHRS))
        self.relay.ehrs[channel].kill()
        time.sleep(self.chance.uniform(0.2, 2))
        self.relay.start_ehr(channel)

    def flap(self):
        channel = self.chance.choice(list(EHRS))
        for _ in range(4):
            self.relay.ehrs[channel].kill()
            time.sleep(self.chance.uniform(0, 0.2))
            self.relay.start_ehr(channel)
            time.sleep(self.chance.uniform(0, 0.3))

    def reload(self):
        script = self.relay.site / "channels" / self.chance.choice(list(EHRS)) / "main.lua"
        script.write_text(script.read_text() + "-- touched\n")
        self.relay.engine.process.send_signal(signal.SIGHUP)

    def kill_the_engine(self):
        self.relay.engine.kill()
        self.relay.start_engine()

    def sample(self):
        """Memory and descriptors of the engine now."""
        process = pathlib.Path("/proc") / str(self.relay.engine.process.pid)
        resident = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        self.samples.append((resident, len(list((process / "fd").iterdir()))))

    def judge(self):
        relay = self.relay
        sent = [attempt for feed in relay.feeds for attempt in logs.read_sent(relay.folder / f"{feed.name}.log")]
        arrivals = {channel: relay.arrivals_at(channel) for channel in EHRS}
        verdict = proof.examine(relay.feeds, sent, [arrival for channel in EHRS for arrival in arrivals[channel]])
        verdict.counts["taken in"] = self.judge_counts(verdict, arrivals, len(sent))
        quarter = max(1, len(self.samples) // 4)
        early, late = self.samples[:quarter], self.samples[-quarter:]
        memory = [statistics.median(resident for resident, _ in part) / MEGABYTE for part in (early, late)]
        descriptors = [statistics.median(count for _, count in part) for part in (early, late)]
        verdict.promise(memory[1] <= memory[0] * 1.25 + 32, f"memory grew from {memory[0]:.0f} to {memory[1]:.0f} MB")
        verdict.promise(descriptors[1] <= descriptors[0] + 20, f"descriptors grew from {descriptors[0]} to {descriptors[1]}")
        return verdict, (f"{len(self.samples)} samples; memory early and late {memory[0]:.1f} and {memory[1]:.1f} MB, "
                         f"descriptors {descriptors[0]} and {descriptors[1]}, at the end {self.samples[-1][1]}")

    def judge_counts(self, verdict, arrivals, attempts):
        """What the engine counts is what arrived. Gives how many messages it has taken in."""
        taken_in = 0
        for channel, counted in self.relay.status()["channels"].items():
            ids = {arrival.message_id for arrival in arrivals[channel]}
            states = counted["messages"]
            taken_in += sum(states.values())
            verdict.promise(set(states) <= {"done", "filtered"}, f"{channel}: messages are {states}")
            verdict.promise(states["done"] == len(ids), f"{channel}: {states['done']} are done and {len(ids)} arrived")
            for name, deliveries in counted["destinations"].items():
                verdict.promise(deliveries == {"delivered": len(ids)}, f"{channel}: {name} has {deliveries} of {len(ids)}")
        verdict.promise(verdict.counts["acknowledged"] <= taken_in <= attempts,
                        f"{taken_in} were taken in of {attempts} that were sent")
        return taken_in


if __name__ == "__main__":
    unittest.main()
