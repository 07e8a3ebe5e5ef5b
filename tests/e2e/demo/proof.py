"""Compares what the senders were told with what the EHRs got. Knows nothing of the engine but its promises:

everything acknowledged arrives, in the order of its patient, and what arrives twice has a reason.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import hl7


@dataclass(frozen=True)
class Sent:
    """One attempt of a sender: the answer's MSA-1, or nothing when the connection was gone first."""

    control_id: str
    answer: str


@dataclass(frozen=True)
class Arrival:
    """One message as an EHR got it."""

    control_id: str
    patient: str
    message_id: str  # Cannula's own, which the sample scripts write into ZCN-1
    text: str

    @staticmethod
    def read(text):
        """Read by python-hl7, which shares no code and no author with Cannula."""
        message = hl7.parse(text)
        return Arrival(str(message["MSH.F10"]), str(message["PID.F3.R1.C1"]), str(message["ZCN.F1"]), text)


@dataclass
class Verdict:
    """What was counted, and every broken promise in words."""

    counts: dict = field(default_factory=dict)
    broken: list = field(default_factory=list)
    interesting: Arrival = None  # a message whose delivery was repeated, or else one from the middle

    def promise(self, holds, sentence):
        if not holds:
            self.broken.append(sentence)


def examine(feeds, sent, arrivals):
    """`sent` and `arrivals` in the order of their logs."""
    verdict = Verdict()
    messages = {message.control_id: message for feed in feeds for message in feed.messages}
    attempts = Counter(attempt.control_id for attempt in sent)
    acknowledged = {attempt.control_id for attempt in sent if attempt.answer == "AA"}
    arrived = defaultdict(list)
    for arrival in arrivals:
        arrived[arrival.control_id].append(arrival)

    _nothing_lost(verdict, messages, acknowledged, arrived)
    _nothing_unasked(verdict, messages, arrived)
    _doubles_explained(verdict, attempts, arrived)
    _order_held(verdict, feeds, arrivals)
    _content_kept(verdict, messages, arrivals)

    verdict.counts.update(messages=len(messages), attempts=len(sent), acknowledged=len(acknowledged),
                          filtered=sum(not message.passed_on for message in messages.values()),
                          arrivals=len(arrivals), arrived=len(arrived))
    if verdict.interesting is None and arrivals:
        verdict.interesting = arrivals[len(arrivals) // 2]
    return verdict


def _nothing_lost(verdict, messages, acknowledged, arrived):
    for control_id in messages:
        verdict.promise(control_id in acknowledged, f"{control_id} was never acknowledged")
    lost = [name for name in acknowledged if messages[name].passed_on and name not in arrived]
    verdict.counts["lost"] = len(lost)
    for control_id in lost:
        verdict.promise(False, f"{control_id} was acknowledged and never arrived")


def _nothing_unasked(verdict, messages, arrived):
    for control_id in arrived:
        verdict.promise(control_id in messages, f"{control_id} arrived and was never sent")
        if control_id in messages:
            verdict.promise(messages[control_id].passed_on, f"{control_id} arrived, but the script filters it")


def _doubles_explained(verdict, attempts, arrived):
    """A double is a delivery repeated (same id, same bytes) or a sender that lost its ACK and sent again."""
    repeated = resent = 0
    for control_id, copies in arrived.items():
        by_id = defaultdict(list)
        for copy in copies:
            by_id[copy.message_id].append(copy)
        for message_id, same in by_id.items():
            repeated += len(same) - 1
            verdict.promise(len({copy.text for copy in same}) == 1,
                            f"{control_id} was delivered twice as {message_id}, with different content")
            if len(same) > 1:
                verdict.interesting = same[0]
        resent += len(by_id) - 1
        verdict.promise(len(by_id) <= attempts[control_id],
                        f"{control_id} was taken in {len(by_id)} times and sent {attempts[control_id]} times")
    verdict.counts.update(repeated=repeated, resent=resent)


def _order_held(verdict, feeds, arrivals):
    """A patient's messages never step back: a repeated one follows itself, before the next."""
    place = {message.control_id: n for feed in feeds for n, message in enumerate(feed.messages)}
    last, seen = {}, set()
    for arrival in arrivals:
        if arrival.control_id not in place:
            continue
        before = last.get(arrival.patient)
        again = " again, as " + arrival.message_id if arrival in seen else ""
        verdict.promise(before is None or place[before.control_id] <= place[arrival.control_id],
                        f"patient {arrival.patient}: {arrival.control_id} arrived{again} after "
                        f"{before and before.control_id}")
        last[arrival.patient] = arrival
        seen.add(arrival)
    verdict.counts["patients"] = len(last)


def _content_kept(verdict, messages, arrivals):
    """What the script does not touch arrives byte for byte; Z segments are what engines lose first."""
    for arrival in arrivals:
        message = messages.get(arrival.control_id)
        for segment in message.text.decode("utf-8").split("\r") if message else ():
            if segment.startswith(("ZLB", "NTE", "PV1", "EVN")):
                verdict.promise(segment in arrival.text.split("\r"), f"{arrival.control_id}: {segment[:3]} was changed")
