"""What `cannula send`, `cannula listen` and `cannula status` write, in the proof's terms."""

import json

from proof import Arrival, Sent

FINISHED = {"done", "filtered", "parked", "rejected", "dead"}


def lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


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
