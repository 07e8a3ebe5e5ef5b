"""The ledger sees every kind of broken promise: each test breaks one."""

import json
import pathlib
import tempfile
import unittest

from feed import feeds
from soak_ledger import Ledger, Tail


class Books(unittest.TestCase):
    def setUp(self):
        self.feeds = feeds(total=80, laboratories=2, registrations=1, patients=3)
        self.count = 45  # more than each feed's file has, so that they go around
        self.ledger = Ledger(self.feeds, self.count)
        self.sent, self.arrivals = [], []
        for feed in self.feeds:
            for number in range(1, self.count + 1):
                message = feed.messages[(number - 1) % len(feed.messages)]
                name = f"{message.control_id}-{number}"
                self.sent.append({"control_id": name, "code": "AA"})
                if message.passed_on:
                    self.arrivals.append({"control_id": name, "message": message.text.decode("utf-8"),
                                          "keys": {"PID-3.1": message.patient, "ZCN-1": f"id-{name}"}})

    def broken(self):
        for entry in self.sent:
            self.ledger.sent(json.dumps(entry))
        for entry in self.arrivals:
            self.ledger.arrived_at("lab-results", json.dumps(entry))
        self.counts = self.ledger.close()
        return self.ledger.broken

    def test_all_is_well(self):
        self.assertEqual(self.broken(), [])
        self.assertEqual(self.counts["acknowledged"], 3 * self.count)
        self.assertEqual(self.counts["arrived"], len(self.arrivals))

    def test_an_acknowledged_message_that_never_arrived_is_lost(self):
        self.arrivals.pop(10)
        self.assertEqual(len(self.broken()), 1)
        self.assertIn("is lost", self.ledger.broken[0])

    def test_a_message_without_acknowledgement_is_told(self):
        self.sent[5]["code"] = ""
        self.assertIn("never answered", self.broken()[0])

    def refuse(self, arrival):
        sent = next(one for one in self.sent if one["control_id"] == self.arrivals[arrival]["control_id"])
        sent["code"] = "AE"
        return sent

    def test_what_was_refused_is_not_lost(self):
        self.refuse(3)
        self.arrivals.pop(3)
        self.assertEqual(self.broken(), [])
        self.assertEqual((self.counts["acknowledged"], self.counts["refused"]), (3 * self.count - 1, 1))

    def test_what_was_refused_and_arrived_is_told(self):
        self.refuse(3)
        self.assertIn("was refused and arrived", self.broken()[0])

    def test_what_was_refused_may_have_been_taken_in_before_its_connection_was_lost(self):
        self.sent.append({**self.refuse(3), "code": ""})
        self.assertEqual(self.broken(), [])

    def test_a_delivery_may_be_repeated_with_the_same_bytes(self):
        self.arrivals.insert(4, self.arrivals[3])
        self.assertEqual(self.broken(), [])
        self.assertEqual((self.counts["repeated"], self.counts["resent"]), (1, 0))

    def test_a_delivery_repeated_with_other_bytes_is_told(self):
        self.arrivals.insert(4, {**self.arrivals[3], "message": self.arrivals[3]["message"] + "ZXX|1\r"})
        self.assertIn("different content", self.broken()[0])

    def test_a_message_taken_in_more_often_than_it_was_sent_is_told(self):
        again = self.arrivals[3]
        self.arrivals.insert(4, {**again, "keys": {**again["keys"], "ZCN-1": "another"}})
        self.assertIn("was taken in 2 times and sent 1 times", self.broken()[0])

    def test_a_patient_that_steps_back_is_told(self):
        patient = self.arrivals[0]["keys"]["PID-3.1"]
        second = next(n for n, one in enumerate(self.arrivals) if n and one["keys"]["PID-3.1"] == patient)
        self.arrivals[0], self.arrivals[second] = self.arrivals[second], self.arrivals[0]
        self.assertIn("stepped back", self.broken()[0])

    def test_a_segment_that_was_changed_is_told(self):
        self.arrivals[0]["message"] = self.arrivals[0]["message"].replace("kept as it is", "kept")
        self.assertIn("was changed", self.broken()[0])

    def test_a_log_is_read_by_whole_lines_and_goes_when_it_is_finished(self):
        with tempfile.TemporaryDirectory() as folder:
            path, lines = pathlib.Path(folder) / "log", []
            tail = Tail(path, lines.append)
            self.assertFalse(tail.follow())
            path.write_bytes(b"one\ntw")
            self.assertTrue(tail.follow())
            path.write_bytes(b"one\ntwo\nthr")
            tail.finish()
            self.assertEqual(lines, [b"one", b"two"])
            self.assertFalse(path.exists())


if __name__ == "__main__":
    unittest.main()
