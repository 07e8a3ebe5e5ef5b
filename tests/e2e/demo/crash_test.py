"""SIGKILL at random moments under load: every acknowledged message arrives, in the order of its patient, and
what arrives twice carries the same message id, so the same delivery key, or was sent twice.

CANNULA_KILLS says how often (50), CANNULA_SEED repeats a run.
"""

import os
import pathlib
import random
import tempfile
import time
import unittest

from feed import feeds
from relay import Relay

KILLS = int(os.environ.get("CANNULA_KILLS", "50"))
SEED = int(os.environ.get("CANNULA_SEED", random.randrange(1_000_000)))
MESSAGES_FOR_A_KILL = 550


class KilledAtRandomMoments(unittest.TestCase):
    def test_nothing_acknowledged_is_lost_and_order_holds(self):
        print(f"{KILLS} kills, CANNULA_SEED={SEED}", flush=True)
        chance = random.Random(SEED)
        with tempfile.TemporaryDirectory(prefix="cannula-crash-") as folder:
            with Relay(pathlib.Path(folder) / "run", feeds(total=KILLS * MESSAGES_FOR_A_KILL)) as relay:
                relay.start_ehrs()
                relay.start_engine()
                relay.start_senders()
                killed = self.kill_again_and_again(relay, chance)
                relay.wait_until_sent()
                relay.wait_until_drained()
                verdict = relay.examine()
        print(f"killed {killed} times under load: {verdict.counts}", flush=True)
        self.assertEqual(verdict.broken, [])
        self.assertEqual(killed, KILLS, "the load was over before the last kill; raise MESSAGES_FOR_A_KILL")

    def kill_again_and_again(self, relay, chance):
        killed = 0
        while killed < KILLS and relay.sending():
            relay.wait_for_arrivals(relay.arrived() + chance.randrange(200))
            time.sleep(chance.uniform(0, 0.02))
            if relay.sending():
                killed += 1
            relay.engine.kill()
            relay.start_engine()
        return killed


if __name__ == "__main__":
    unittest.main()
