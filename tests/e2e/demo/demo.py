"""./dev demo: the laboratory workflow of the sample clinic, with an EHR that fails for a while, kill -9 in the middle, a table
that gets a row while it runs, and the proof that nothing was lost or doubled.

It runs in build/demo; what is there afterwards can be looked at. What must be at the EHR is computed from the messages alone
(clinic_feed.py), what is there is asked of the EHR, and clinic_proof.py compares the two.
"""

import argparse
import json
import os
import pathlib
import sys
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import clinic_proof
import logs
from clinic import ADMISSIONS, LAB_PORTAL, LAB_RESULTS, REPOSITORY, Clinic
from clinic_feed import UNMAPPED_ROW, Expected, feeds
from engine import cannula, cannula_json

BEGUN = time.monotonic()
WIDEST = 160  # characters of a line of `msg show` that are printed: payloads of FHIR are one line


def say(text):
    print(f"{time.monotonic() - BEGUN:5.1f} s  {text}", flush=True)


class Senders:
    """Every feed by its own door, at once."""

    def __init__(self, clinic, all_feeds):
        self.clinic, self.feeds, self.programs, self.posting = clinic, all_feeds, {}, None

    def start(self):
        for feed in self.feeds:
            if feed.door == "lab-portal":
                self.posting = threading.Thread(target=self._post, args=(feed,))
                self.posting.start()
            elif feed.door == "lab-files":
                self._drop(feed)
            else:
                self._send(feed, {"lab-results": LAB_RESULTS, "admissions": ADMISSIONS}[feed.door])

    def _send(self, feed, address):
        file = self.clinic.folder / f"{feed.name}.hl7"
        file.write_bytes(feed.bytes())
        expected = ["--expect", "AR"] if feed.messages[0].fate == "refused" else []
        self.programs[feed.name] = self.clinic.start(
            "send", self.clinic.address(address), file, "--retry", "2m", "--quiet", *expected,
            "--log", self.clinic.folder / f"{feed.name}.log", log=f"{feed.name}.out")

    def _drop(self, feed):
        """Files of several messages each, renamed when they are whole."""
        for number in range(0, len(feed.messages), 8):
            file = self.clinic.site / "drop" / f"{feed.name}-{number:04}"
            file.write_bytes(b"".join(message.text for message in feed.messages[number:number + 8]))
            file.rename(file.with_suffix(".hl7"))

    def _post(self, feed):
        """One after the other, and again when no answer came."""
        log = open(self.clinic.folder / f"{feed.name}.log", "w", encoding="utf-8")
        for message in feed.messages:
            request = urllib.request.Request(f"http://{self.clinic.address(LAB_PORTAL)}/results", message.text,
                                             {"content-type": "x-application/hl7-v2+er7"})
            for _ in range(200):
                try:
                    status = urllib.request.urlopen(request, timeout=30).status
                except urllib.error.HTTPError as refused:
                    status = refused.code
                except OSError:
                    status = ""
                print(json.dumps({"control_id": message.control_id, "code": str(status)}), file=log, flush=True)
                if status:
                    break
                time.sleep(0.1)

    def sent(self):
        """How many attempts have got an answer."""
        return sum(logs.lines(self.clinic.folder / f"{feed.name}.log") for feed in self.feeds)

    def sending(self):
        return self.posting.is_alive() or any(program.process.poll() is None for program in self.programs.values())

    def wait_for(self, count):
        self.clinic.wait(lambda: self.sent() >= count or not self.sending(), lambda: f"only {self.sent()} answered", 0.005)

    def wait(self):
        self.clinic.wait(lambda: not self.sending(), lambda: f"{self.sent()} answered, and still sending")
        for name, program in self.programs.items():
            if program.process.returncode:
                raise RuntimeError(f"the sender {name} ended with {program.process.returncode}:\n{program.said()[-2000:]}")


def run(clinic, all_feeds, expected):
    """The story. Returns how many messages were parked."""
    total = expected.counts["received"]
    clinic.start_ehr()
    say(f"the EHR is there; riverside is ready after {clinic.start_engine():.0f} ms")
    senders = Senders(clinic, all_feeds)
    say(f"{total} messages by {len(all_feeds)} ways: MLLP, HTTP and files")
    senders.start()

    senders.wait_for(total // 5)
    clinic.ehr_fails(answer=503, times=40, retry_after=1)
    say("the EHR answers 503 forty times")
    senders.wait_for(total * 2 // 5)
    clinic.ehr_fails(answer=503, times=10, after_storing=True)
    clinic.engine.kill()
    say(f"kill -9 after {senders.sent()} answers, with {ehr_has(clinic)} results filed")
    say(f"riverside is ready again after {clinic.start_engine():.0f} ms; the EHR now files and answers 503 all the same")
    senders.wait_for(total * 7 // 10)
    clinic.ehr_fails(answer=429, times=20, retry_after=1)
    say("the EHR answers 429, twenty times")

    senders.wait()
    say("all sent and answered")
    clinic.wait_until_finished()
    parked = clinic.count("parked")
    say(f"all worked; {parked} messages are parked: their code has no row in tables/lab-to-loinc.csv")
    with open(clinic.site / "tables" / "lab-to-loinc.csv", "a", encoding="utf-8") as table:
        table.write(UNMAPPED_ROW)
    say("the row is added while riverside runs")
    clinic.wait(lambda: clinic.count("parked") == 0, lambda: f"still parked: {clinic.messages()}")
    clinic.wait_until_finished()
    say("all parked messages went their way by themselves")
    return parked


def ehr_has(clinic):
    return clinic.ehr_counts()["resources"]["Observation"]


class Summary:
    """A line for each number: what was seen, what it must be, and whether that is the same."""

    def __init__(self):
        self.broken = []

    def line(self, what, seen, wanted, note=""):
        holds = seen == wanted
        if not holds:
            self.broken.append(f"{what}: {seen}, and it must be {wanted}")
        print(f"  {what:34} {seen:6}   must be {wanted:6}   {'ok' if holds else 'WRONG'}{note and '   ' + note}")


def summarize(clinic, all_feeds, expected, parked):
    """Every number of the story beside what it must be; gives what is broken, in words."""
    summary = Summary()
    counts = expected.counts
    answers = [entry for feed in all_feeds if feed.door != "lab-files"
               for entry in logs.read_sent(clinic.folder / f"{feed.name}.log")]
    answered = {entry.control_id for entry in answers if entry.answer}
    in_files = sum(len(feed.messages) for feed in all_feeds if feed.door == "lab-files")
    by_control_id = every_message(clinic)
    again = sum(len(ids) - 1 for ids in by_control_id.values())
    states = {name: {one["state"] for one in ids} for name, ids in by_control_id.items()}
    refused = {entry.control_id for entry in answers if entry.answer == "AR"}

    print("\nwhat became of them")
    summary.line("received", len(by_control_id), counts["received"], f"{again} twice: the kill took the answer" if again else "")
    summary.line("answered", len(answered) + in_files, counts["received"])
    summary.line("filed at the EHR", sum(state == {"done"} for state in states.values()), counts["filed"])
    summary.line("routed to review as well", len(clinic.review()), counts["review"])
    doubles_parked = sum(len(by_control_id[message.control_id]) - 1 for feed in all_feeds for message in feed.messages
                         if message.unmapped)
    summary.line("parked, and released by the row", parked, counts["unmapped"] + doubles_parked)
    summary.line("refused at the door", len(refused), counts["refused"])
    summary.line("rejected by the script", sum(state == {"rejected"} for name, state in states.items() if name not in refused),
                 counts["rejected"])
    summary.line("dead, or still waiting", clinic.count("dead", "parked", "accepted", "queued"), 0)

    print("\nwhat the EHR has, asked itself")
    everything = {kind: clinic.everything(kind) for kind in clinic_proof.KINDS}
    for kind, wanted in zip(clinic_proof.KINDS, (expected.patients, expected.visits, expected.results, expected.reports)):
        summary.line(kind, len(everything[kind]), len(wanted))
    ehr = clinic.ehr_counts()
    summary.line("identifiers of two resources", ehr["doubled"], 0)
    differences = clinic_proof.examine(expected, everything)
    summary.line("lost, invented or not the last", len(differences), 0, "values, statuses, patients and references compared")
    print(f"  on the way it failed {ehr['failed']} times because it was asked to, and saw {ehr['repeated']} requests a second "
          "time, by their Idempotency-Key")
    return summary.broken + differences


def every_message(clinic):
    """Riverside's messages by their control id."""
    found, before = {}, []
    while True:
        page = cannula_json("msg", "list", clinic.site, "--limit", 500, *before)["messages"]
        for message in page:
            found.setdefault(message["control_id"], []).append(message)
        if len(page) < 500:
            return found
        before = ["--before", page[-1]["id"]]


def show_one(clinic):
    critical = next(item for item in clinic.review().values() if item.get("urgency") == "critical")
    print(f"\na critical result, from the received bytes to the EHR's answer: cannula msg show {critical['message']}\n")
    for line in cannula("msg", "show", critical["message"], clinic.site).splitlines():
        print(line if len(line) <= WIDEST else f"{line[:WIDEST]} … {len(line)} characters")


def where_to_look_next(clinic):
    folder = os.path.relpath(clinic.folder)
    print(f"""
where to look next
  build/cannula status {folder}/riverside          messages and deliveries by state
  build/cannula msg list {folder}/riverside        the messages themselves
  {folder}/riverside/review/                       what a person has to see
  build/cannula test samples/riverside                every channel, from what comes in to what goes out
  build/cannula try lab-results samples/riverside/messages/lab-critical-potassium.hl7 --site samples/riverside
  docs/tutorials/lab-feed-to-fhir.md                  how such a channel is made""")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cannula", required=True, type=pathlib.Path, help="the program to run")
    parser.add_argument("--folder", type=pathlib.Path, default=REPOSITORY / "build" / "demo", help="where to run")
    parser.add_argument("--stay", action="store_true", help="leave riverside and the EHR running until Enter")
    options = parser.parse_args()
    os.environ["CANNULA"] = str(options.cannula.resolve())

    all_feeds = feeds()
    expected = Expected.of(all_feeds)
    with Clinic(options.folder) as clinic:
        parked = run(clinic, all_feeds, expected)
        broken = summarize(clinic, all_feeds, expected, parked)
        for sentence in broken[:20]:
            print(f"  BROKEN: {sentence}")
        show_one(clinic)
        where_to_look_next(clinic)
        if options.stay:
            print(f"\nthe EHR: curl http://{clinic.address('127.0.0.1:8081')}/fhir/Patient")
            print("running until you press Enter", flush=True)
            sys.stdin.readline()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
