"""What `cannula send`, `cannula listen` and `cannula status` write, in the proof's terms."""

import json

from proof import Arrival, Sent

FINISHED = {"done", "filtered", "parked", "rejected", "dead"}


def lines(path):
    return LineCount(path)()


class LineCount:
    """How many lines a growing file has; reads only what is new."""

    def __init__(self, path):
        self.path, self._read, self._lines = path, 0, 0

    def __call__(self):
        if self.path.exists():
            with open(self.path, "rb") as file:
                file.seek(self._read)
                new = file.read()
            self._read += len(new)
            self._lines += new.count(b"\n")
        return self._lines


def read_sent(path):
    return [Sent(entry["control_id"], entry["code"]) for entry in _entries(path)]


def read_arrivals(path):
    return [Arrival.read(entry["message"]) for entry in _entries(path)]


def finished_messages(status):
    """How many messages of a site nothing more will happen to."""
    return sum(count for channel in status["channels"].values()
               for state, count in channel.get("messages", {}).items() if state in FINISHED)


def _entries(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
