"""Hours of bad luck in short: messages at a steady rate while every few seconds something fails. What was acknowledged
arrives in order, what was refused does not, all counts agree, memory stays flat and no descriptor is left open.

CANNULA_SOAK says how many seconds (20), CANNULA_SOAK_RATE how many messages a second (400), CANNULA_SEED repeats a run.
In the first third the engine is killed too; afterwards the same process has to bear the rest, and is measured. Half an
hour at 4000 a second is 7 million messages: they are followed while they come (soak_ledger.py), and logs are deleted.
The store has a disk of its own, a file that is mounted, which another program fills up now and then; that needs root, and
without it this one fault is left out.
"""

import contextlib
import os
import pathlib
import random
import signal
import statistics
import subprocess
import tempfile
import time
import unittest
from dataclasses import dataclass

import logs
from feed import feeds
from relay import EHRS, LISTENERS, Program, Relay
from soak_ledger import Ledger, Tail

SECONDS = int(os.environ.get("CANNULA_SOAK", "20"))
RATE = int(os.environ.get("CANNULA_SOAK_RATE", "400"))
SANITIZED = "CANNULA_SANITIZED" in os.environ  # then memory is the sanitizer's
FAULTS_FOR_A_FULL_DISK = 5  # every so many-th is one
SEED = int(os.environ.get("CANNULA_SEED", random.randrange(1_000_000)))
MEGABYTE = 1 << 20
INDEX_CACHE = 70 * MEGABYTE  # engine/store/index.cpp keeps 64 MB of pages, and what SQLite needs for them
MARGIN = 32 * MEGABYTE       # queues fill and drain with every fault
DISK = 256 << 30             # bytes: the file that stands for it is sparse
OPEN_SEGMENTS = 32 + 2       # engine/store/journal.cpp keeps that many open to read; the last one is open twice more


class Soaked(Relay):
    """A relay whose senders keep a rate, going around their files, and whose EHRs go and come, each time with a log
    of their own."""

    def __init__(self, folder):
        super().__init__(folder, feeds(total=12_000, laboratories=15, registrations=9))
        self.each = max(1, SECONDS * RATE // len(self.feeds))
        self.ledger = Ledger(self.feeds, self.each)
        self.ehr_tails = {}
        self.sender_tails = [Tail(folder / f"{feed.name}.log", self.ledger.sent) for feed in self.feeds]
        self.ehrs_started = 0

    def __enter__(self):
        super().__enter__()
        self.state = self.site / "state"
        self.state.mkdir()
        self.has_a_disk = self._mount_disk()
        return self

    def __exit__(self, *failure):
        super().__exit__(*failure)
        if self.has_a_disk:
            subprocess.run(["umount", "-l", self.state], check=True)

    def _mount_disk(self):
        """Without a journal of its own: no power goes here, and it would only be measured as well."""
        image = self.folder / "disk.img"
        with open(image, "wb") as file:
            file.truncate(DISK)
        make = ["/sbin/mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", str(image)]
        return os.geteuid() == 0 and all(
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
            for command in (make, ["mount", "-o", "loop", str(image), str(self.state)]))

    def start_ehr(self, channel):
        if channel in self.ehr_tails:  # it was killed, or stopped
            self.ehr_tails[channel].finish()
        self.ehrs_started += 1
        log = self.folder / f"ehr-{channel}-{self.ehrs_started}.log"
        self.ehr_tails[channel] = Tail(log, lambda line: self.ledger.arrived_at(channel, line))
        self.ehrs[channel] = Program(self.folder / f"ehr-{channel}.out", "listen", self.addresses[EHRS[channel]],
                                     "--key", "PID-3.1", "--key", "ZCN-1", "--log", log)

    def start_senders(self):
        for feed in self.feeds:
            self.senders[feed.name] = Program(
                self.folder / f"{feed.name}.out", "send", self.addresses[LISTENERS[feed.channel]],
                self.folder / f"{feed.name}.hl7", "--unique", "--count", self.each, "--retry", "2m", "--quiet",
                "--rate", max(1, RATE // len(self.feeds)), "--log", self.folder / f"{feed.name}.log")

    def arrived(self):
        return sum(self.ledger.arrived.values())

    def wait_until_sent(self):
        self._wait(lambda: not self.sending(), lambda: f"senders still at work; {self.arrived()} messages arrived")
        for tail in self.sender_tails:
            tail.finish()

    def wait_until_drained(self):
        total = self.ledger.acknowledged()
        self._wait(lambda: logs.finished_messages(self.status()) >= total,
                   lambda: f"not all {total} messages are finished: {self.status()}", pause=1)

    def follow(self, seconds):
        """Reads the logs for so long."""
        until = time.monotonic() + seconds
        while True:
            for tail in [*self.ehr_tails.values(), *self.sender_tails]:
                tail.follow()
            if (rest := until - time.monotonic()) <= 0:
                return
            time.sleep(min(rest, 0.5))

    def close(self):
        """Counts, when everything has been sent and delivered."""
        for tail in self.ehr_tails.values():
            tail.finish()
        return self.ledger.close()


@dataclass(frozen=True)
class Sample:
    """The engine at one time. `past`: of the run, from 0 to 1. Bytes."""

    past: float
    resident: int
    descriptors: int  # without those of journal segments
    segments: int     # descriptors of journal segments
    index: int        # size of the index's file


def target_of(descriptor):
    try:
        return os.readlink(descriptor)
    except FileNotFoundError:  # closed meanwhile
        return ""


class Soak(unittest.TestCase):
    def test_faults_every_few_seconds_under_load(self):
        print(f"{SECONDS} s at {RATE}/s, CANNULA_SEED={SEED}", flush=True)
        self.chance, self.samples, self.faults, self.broken = random.Random(SEED), [], {}, []
        with tempfile.TemporaryDirectory(prefix="cannula-soak-") as folder:
            with Soaked(pathlib.Path(folder) / "run") as self.relay:
                for channel in EHRS:
                    self.relay.start_ehr(channel)
                self.relay.start_engine()
                self.relay.start_senders()
                begun = time.monotonic()
                self.torment(begun)
                self.relay.wait_until_sent()
                sent = time.monotonic() - begun
                self.relay.wait_until_drained()
                self.relay.follow(2)  # connections that are idle may still close
                self.sample(1)
                counts = self.relay.close()
                self.judge_counts(counts)
        print(f"sent in {sent:.0f} s, faults {self.faults}\n{counts}\n{self.judge_resources()}", flush=True)
        self.assertEqual(self.broken + self.relay.ledger.broken, [])

    def torment(self, begun):
        while self.relay.sending() and (past := time.monotonic() - begun) < SECONDS:
            self.relay.follow(self.chance.uniform(1, 4))
            faults = [self.kill_an_ehr, self.flap, self.reload]
            if past < SECONDS / 3:
                faults.append(self.kill_the_engine)
            fault = self.chance.choice(faults)
            if self.relay.has_a_disk and len(self.samples) % FAULTS_FOR_A_FULL_DISK == 1:
                fault = self.fill_the_disk
            fault()
            self.faults[fault.__name__] = self.faults.get(fault.__name__, 0) + 1
            self.sample(min(1, (time.monotonic() - begun) / SECONDS))

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

    def fill_the_disk(self):
        """With the file of another program, which is gone again after a moment."""
        other = self.relay.state / "of-another-program"
        disk = os.statvfs(self.relay.state)
        with open(other, "wb") as file, contextlib.suppress(OSError):  # while messages take of the same room
            os.posix_fallocate(file.fileno(), 0, disk.f_bavail * disk.f_frsize)
        time.sleep(self.chance.uniform(0.2, 2))
        other.unlink()

    def sample(self, past):
        process = pathlib.Path("/proc") / str(self.relay.engine.process.pid)
        resident = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        index = self.relay.site / "state" / "index.db"
        opened = [target_of(one) for one in (process / "fd").iterdir()]
        segments = sum(one.endswith(".seg") for one in opened)
        sample = Sample(past, resident, len(opened) - segments, segments, index.stat().st_size)
        self.samples.append(sample)
        print(f"{past:4.0%} {resident / MEGABYTE:.0f} MB, index {sample.index / MEGABYTE:.0f} MB, "
              f"{sample.descriptors} descriptors and {segments} of segments, {self.relay.arrived()} arrived", flush=True)

    def judge_resources(self):
        """From two fifths of the run to its end, in medians of a tenth of it. The cache of the index is allowed to
        fill; nothing else may grow with the number of messages. Descriptors come and go with the connections, which a
        fault closes: late ones are held against the most that there were before."""
        early = [one for one in self.samples if 0.4 <= one.past < 0.55]
        late = [one for one in self.samples if one.past >= 0.85]
        if not early:
            return "too short to judge memory"
        memory = [statistics.median(one.resident for one in part) for part in (early, late)]
        descriptors = [max(one.descriptors for one in self.samples if one.past < 0.55),
                       statistics.median(one.descriptors for one in late)]
        filling = max(0, INDEX_CACHE - early[0].index)
        found = (f"{len(self.samples)} samples; memory {memory[0] / MEGABYTE:.1f} MB early and "
                 f"{memory[1] / MEGABYTE:.1f} MB late, of which the index's cache may be {filling / MEGABYTE:.0f}; "
                 f"descriptors at most {descriptors[0]:.0f} early and {descriptors[1]:.0f} late, at the end {self.samples[-1].descriptors}; "
                 f"of segments at most {max(one.segments for one in self.samples)}")
        self.promise(SANITIZED or memory[1] <= memory[0] + filling + MARGIN, found)
        self.promise(descriptors[1] <= descriptors[0] + 8, found)
        self.promise(all(one.segments <= OPEN_SEGMENTS for one in self.samples), found)
        return found

    def judge_counts(self, counts):
        """What the engine counts is what arrived."""
        taken_in = 0
        ledger = self.relay.ledger
        for channel, counted in self.relay.status()["channels"].items():
            ids, states = ledger.arrived[channel], counted["messages"]
            taken_in += sum(states.values())
            self.promise(set(states) <= {"done", "filtered"}, f"{channel}: messages are {states}")
            self.promise(states["done"] == ids, f"{channel}: {states['done']} are done and {ids} arrived")
            for name, deliveries in counted["destinations"].items():
                self.promise(deliveries == {"delivered": ids}, f"{channel}: {name} has {deliveries} of {ids}")
        self.promise(counts["acknowledged"] <= taken_in <= counts["attempts"],
                     f"{taken_in} were taken in of {counts['attempts']} that were sent")
        counts["taken in"] = taken_in
        self.promise(counts["refused"] == 0 or "fill_the_disk" in self.faults, f"{counts['refused']} were refused, and why?")

    def promise(self, holds, sentence):
        if not holds:
            self.broken.append(sentence)


if __name__ == "__main__":
    unittest.main()
