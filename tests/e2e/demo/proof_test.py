"""The proof sees every kind of broken promise: each test breaks one."""

import unittest

from feed import feeds
from proof import Arrival, Sent, examine


def delivered(message, message_id=None):
    text = message.text.decode("utf-8") + f"ZCN|{message_id or 'ID' + message.control_id}\r"
    return Arrival.read(text)


class Proof(unittest.TestCase):
    def setUp(self):
        self.feeds = feeds(total=80, laboratories=2, registrations=1, patients=3)
        self.messages = [message for feed in self.feeds for message in feed.messages]
        self.sent = [Sent(message.control_id, "AA") for message in self.messages]
        self.arrivals = [delivered(message) for message in self.messages if message.passed_on]

    def broken(self):
        return examine(self.feeds, self.sent, self.arrivals).broken

    def test_all_is_well(self):
        self.assertEqual(self.broken(), [])

    def test_an_acknowledged_message_that_never_arrived_is_lost(self):
        gone = self.arrivals.pop(10)
        self.assertEqual(self.broken(), [f"{gone.control_id} was acknowledged and never arrived"])

    def test_a_message_without_acknowledgement_is_told(self):
        self.sent[5] = Sent(self.sent[5].control_id, "")
        self.assertEqual(self.broken(), [f"{self.sent[5].control_id} was never acknowledged"])

    def test_a_delivery_may_be_repeated_with_the_same_bytes(self):
        self.arrivals.insert(4, self.arrivals[3])
        self.assertEqual(self.broken(), [])

    def test_a_delivery_repeated_with_other_bytes_is_told(self):
        again = self.arrivals[3]
        self.arrivals.insert(4, Arrival(again.control_id, again.patient, again.message_id, again.text + "ZXX|\r"))
        self.assertIn("with different content", self.broken()[0])

    def test_a_message_taken_in_twice_needs_a_sender_that_sent_it_twice(self):
        first = self.messages[0]
        self.arrivals.insert(1, delivered(first, "ANOTHER"))
        self.assertIn("was taken in 2 times and sent 1 times", self.broken()[0])
        self.sent.insert(0, Sent(first.control_id, ""))
        self.assertEqual(self.broken(), [])

    def test_a_patient_s_messages_that_change_places_are_told(self):
        patient = self.arrivals[0].patient
        one, two = [n for n, arrival in enumerate(self.arrivals) if arrival.patient == patient][:2]
        self.arrivals[one], self.arrivals[two] = self.arrivals[two], self.arrivals[one]
        self.assertIn(f"patient {patient}", self.broken()[0])

    def test_a_changed_segment_is_told(self):
        text = self.arrivals[0].text.replace("kept as it is", "not kept")
        self.arrivals[0] = Arrival.read(text)
        self.assertIn("ZLB was changed", self.broken()[0])

    def test_a_filtered_message_that_arrives_is_told(self):
        self.feeds = feeds()[:1]
        filtered = next(message for message in self.feeds[0].messages if not message.passed_on)
        self.sent = [Sent(message.control_id, "AA") for message in self.feeds[0].messages]
        self.arrivals = [delivered(m) for m in self.feeds[0].messages if m.passed_on or m is filtered]
        self.assertEqual(self.broken(), [f"{filtered.control_id} arrived, but the script filters it"])


if __name__ == "__main__":
    unittest.main()
