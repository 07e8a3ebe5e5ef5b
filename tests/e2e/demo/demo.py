"""./dev demo: 2,000 messages through the sample site, kill -9 in the middle, and the proof that nothing was lost.

It runs in build/demo; what is there afterwards can be looked at. What the senders were told and what the EHRs got is
written by those, in their logs; proof.py compares the two and asks the engine nothing.
"""

import argparse
import os
import pathlib
import sys
import time

from feed import feeds
from relay import REPOSITORY, Relay, cannula


def say(text):
    print(text, flush=True)


def run(relay):
    """The story; gives the proof's verdict."""
    total = sum(len(feed.messages) for feed in relay.feeds)
    relay.start_ehrs()
    say(f"engine ready after {relay.start_engine():.0f} ms: {relay.site}")
    say(f"sending {total:,} messages over {len(relay.feeds)} connections")
    begun = time.monotonic()
    relay.start_senders()

    relay.wait_for_arrivals(total // 2)
    relay.engine.kill()
    say(f"kill -9 after {relay.arrived():,} had arrived; starting again")
    say(f"engine ready after {relay.start_engine():.0f} ms")

    relay.wait_until_sent()
    relay.wait_until_drained()
    say(f"all sent and delivered {time.monotonic() - begun:.1f} s after the first message")
    return relay.examine()


def report(verdict):
    counts = verdict.counts
    say(f"""
what the senders saw  {counts['messages']:6,} messages, all acknowledged: {counts['acknowledged'] == counts['messages']}
                      {counts['attempts'] - counts['messages']:6,} sent a second time, because the ACK never came
what the EHRs saw     {counts['arrived']:6,} messages ({counts['filtered']} others are filtered by the script)
                      {counts['repeated']:6,} deliveries repeated around the kill: same id, same bytes
                      {counts['resent']:6,} messages twice, because the sender lost the ACK and sent again
what the archive has  {counts['archived']:6,} files, one for each admission taken in
the proof             {counts['lost']:6,} acknowledged messages lost
                      {counts['patients']:6,} patients, each with all messages in order
                      {len(verdict.broken):6,} promises broken""")
    for sentence in verdict.broken[:20]:
        say(f"  BROKEN: {sentence}")


def show_one(relay, verdict):
    message_id = verdict.interesting.message_id
    say(f"\none of them, from the received bytes to the EHR's answer: cannula msg show {message_id}\n")
    say(cannula("msg", "show", message_id, relay.site))


def where_to_look_next(relay):
    folder = relay.folder.relative_to(REPOSITORY)
    say(f"""where to look next
  build/cannula status {folder}/relay             messages and deliveries by state
  build/cannula msg list {folder}/relay           the messages themselves
  {folder}/*.log                                  what the senders were told, what the EHRs got
  docs/tutorials/first-channel.md                    a channel of your own
  docs/explanation/life-of-a-message.md              what happened to each of them""")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cannula", required=True, type=pathlib.Path, help="the program to run")
    parser.add_argument("--stay", action="store_true", help="leave the engine and the EHRs running until Enter")
    options = parser.parse_args()
    os.environ["CANNULA"] = str(options.cannula.resolve())

    with Relay(REPOSITORY / "build" / "demo", feeds()) as relay:
        verdict = run(relay)
        report(verdict)
        if verdict.interesting:
            show_one(relay, verdict)
        where_to_look_next(relay)
        if options.stay:
            say("\nrunning until you press Enter")
            sys.stdin.readline()
    return 1 if verdict.broken else 0


if __name__ == "__main__":
    sys.exit(main())
