"""Follows millions of messages of a soak in a few bytes each: what the senders were told and what the EHRs got is read
from their logs as these grow, and a log that is full is deleted. Same promises as proof.py, which keeps every text.

The senders go around their files and give each control id a number: `LAB1-00007-23` is the 23rd of its connection.
"""

import json
import zlib
from array import array


class Feed:
    """One connection: the messages of its file, and what became of each of `count` that were sent."""

    def __init__(self, feed, count):
        self.name, self.messages, self.count = feed.name, feed.messages, count
        self.prefix = feed.messages[0].control_id.split("-")[0]
        self.kept = [[segment for segment in message.text.decode("utf-8").split("\r")
                      if segment.startswith(("ZLB", "NTE", "PV1", "EVN"))] for message in feed.messages]
        self.attempts, self.acknowledged, self.refused = bytearray(count + 1), bytearray(count + 1), bytearray(count + 1)
        self.ids, self.content = array("Q", bytes(8 * (count + 1))), array("L", bytes(array("L").itemsize * (count + 1)))
        self.seen = 0

    def message(self, number):
        return self.messages[(number - 1) % len(self.messages)]


class Ledger:
    def __init__(self, feeds, count):
        """`count`: messages of each feed."""
        self.feeds = {feed.prefix: feed for feed in (Feed(feed, count) for feed in feeds)}
        self.broken, self.again, self.last_of_patient = [], {}, {}
        self.arrivals, self.arrived, self.repeated, self.resent = {}, {}, 0, 0

    def sent(self, line):
        entry = json.loads(line)
        feed, number = self._place(entry["control_id"])
        feed.attempts[number] = min(255, feed.attempts[number] + 1)
        feed.acknowledged[number] |= entry["code"] == "AA"
        feed.refused[number] += entry["code"] == "AE"  # after which a sender does not try again

    def arrived_at(self, channel, line):
        entry = json.loads(line)
        control_id, keys, text = entry["control_id"], entry["keys"], entry["message"]
        feed, number = self._place(control_id)
        self.arrivals[channel] = self.arrivals.get(channel, 0) + 1
        self._note(channel, control_id, feed, number, hash_of(keys["ZCN-1"]), zlib.crc32(text.encode("utf-8")))
        patient = keys["PID-3.1"]
        self.promise(self.last_of_patient.get(patient, 0) <= number, f"patient {patient}: {control_id} stepped back")
        self.last_of_patient[patient] = number
        self.promise(feed.message(number).passed_on, f"{control_id} arrived, but the script filters it")
        for segment in feed.kept[(number - 1) % len(feed.messages)]:
            self.promise(segment in text, f"{control_id}: {segment[:3]} was changed")

    def _note(self, channel, control_id, feed, number, message_id, content):
        known = feed.ids[number]
        if known == 0:
            feed.ids[number], feed.content[number] = message_id, content
            self.arrived[channel] = self.arrived.get(channel, 0) + 1
            return
        others = self.again.setdefault(control_id, {known: feed.content[number]})
        if message_id in others:
            self.repeated += 1
            self.promise(others[message_id] == content, f"{control_id} was delivered twice with different content")
        else:
            self.resent += 1
            self.arrived[channel] += 1
            others[message_id] = content

    def acknowledged(self):
        return sum(sum(feed.acknowledged) for feed in self.feeds.values())

    def close(self):
        """After everything was read: what is missing, and what came more often than it was sent."""
        for feed in self.feeds.values():
            for number in range(1, feed.count + 1):
                name = f"{feed.prefix} number {number}"
                self.promise(feed.acknowledged[number] or feed.refused[number], f"{name} was never answered")
                if feed.message(number).passed_on:
                    self.promise(feed.ids[number] or not feed.acknowledged[number], f"{name} was acknowledged and is lost")
                    self.promise(not feed.ids[number] or feed.attempts[number] > feed.refused[number],
                                 f"{name} was refused and arrived")
        for control_id, ids in self.again.items():
            feed, number = self._place(control_id)
            could = feed.attempts[number] - feed.refused[number]
            self.promise(len(ids) <= could, f"{control_id} was taken in {len(ids)} times and sent {could} times")
        return {"messages": sum(feed.count for feed in self.feeds.values()),
                "attempts": sum(sum(feed.attempts) for feed in self.feeds.values()),
                "acknowledged": self.acknowledged(),
                "refused": sum(sum(feed.refused) for feed in self.feeds.values()),
                "arrivals": sum(self.arrivals.values()), "arrived": sum(self.arrived.values()),
                "repeated": self.repeated, "resent": self.resent, "patients": len(self.last_of_patient)}

    def promise(self, holds, sentence):
        if not holds and len(self.broken) < 50:
            self.broken.append(sentence)

    def _place(self, control_id):
        prefix, _, number = control_id.split("-")
        return self.feeds[prefix], int(number)


def hash_of(message_id):
    """Never zero, which stands for "not arrived"."""
    return zlib.crc32(message_id.encode()) << 32 | zlib.adler32(message_id.encode()) | 1


class Tail:
    """Hands over the whole lines that a growing log has got since the last time."""

    def __init__(self, path, take):
        self.path, self._take, self._read = path, take, 0

    def follow(self, most=1 << 26):
        """At most so many bytes. Gives whether there was something."""
        if not self.path.exists():
            return False
        with open(self.path, "rb") as file:
            file.seek(self._read)
            new = file.read(most)
        end = new.rfind(b"\n") + 1
        self._read += end
        for line in new[:end].splitlines():
            self._take(line)
        return end > 0

    def finish(self):
        """Its writer has ended: the rest, then the file goes."""
        while self.follow():
            pass
        self.path.unlink(missing_ok=True)
