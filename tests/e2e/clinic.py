"""Copies of the sample sites riverside and ehr-stand-in on free ports, started, killed and asked: what the demo and the
tests of the laboratory workflow share."""

import json
import pathlib
import re
import shutil
import time
import urllib.error
import urllib.request

from engine import Program, cannula, cannula_json, free_port

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SAMPLES = REPOSITORY / "samples"
MESSAGES = SAMPLES / "riverside" / "messages"

# What the samples listen on.
LAB_RESULTS, ADMISSIONS, LAB_PORTAL, EHR = "127.0.0.1:2675", "127.0.0.1:2676", "127.0.0.1:8680", "127.0.0.1:8081"
SECONDS_OF_PATIENCE = 300
FINISHED = {"done", "filtered", "parked", "rejected", "dead", "discarded"}


class Clinic:
    """Lives in `folder`, which is emptied first. Use as a context: everything it started has ended after it.

    `ehr_address`: where riverside finds its EHR, when something stands between the two."""

    def __init__(self, folder, ehr_address=None):
        self.folder, self.ehr_address = pathlib.Path(folder), ehr_address
        self.site, self.ehr_site = self.folder / "riverside", self.folder / "ehr-stand-in"
        self.addresses, self.engine, self.ehr, self.others = {}, None, None, []
        self.sent = 0  # files by send(): at least as many messages are on record

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        for site in (self.site, self.ehr_site):
            shutil.copytree(SAMPLES / site.name, site, ignore=shutil.ignore_patterns("state"))
            for file in site.rglob("*.toml"):
                file.write_text(re.sub(r"127\.0\.0\.1:\d+", lambda found: self.address(found[0]), file.read_text()))
        if self.ehr_address:
            self.edit("channels/*/channel.toml", self.address(EHR), self.ehr_address)
        return self

    def __exit__(self, *_):
        for program in [*self.others, self.engine, self.ehr]:
            if program and program.process.poll() is None:
                program.stop()

    def edit(self, pattern, before, after):
        """Replaces a text in files of riverside."""
        for file in self.site.glob(pattern):
            file.write_text(file.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")

    def address(self, in_the_samples):
        """The free address that stands for one of the samples'."""
        return self.addresses.setdefault(in_the_samples, f"127.0.0.1:{free_port()}")

    def start_ehr(self):
        self.ehr = Program(self.folder / "ehr-stand-in.log", "run", self.ehr_site)
        self.ehr.wait_until_said("ready in")

    def start_engine(self):
        """Milliseconds until it was ready."""
        begun = time.monotonic()
        self.engine = Program(self.folder / "riverside.log", "run", self.site)
        self.engine.wait_until_said("ready in")
        return (time.monotonic() - begun) * 1000

    def start(self, *arguments, log):
        program = Program(self.folder / log, *arguments)
        self.others.append(program)
        return program

    def send(self, address, *files, check=True):
        """Sends files by MLLP; what `cannula send` printed."""
        sent = cannula("send", self.address(address), *files, check=check)
        self.sent += len(files) if check else 0
        return sent

    # -- Asking riverside.

    def messages(self):
        """How many messages of riverside are in each state, by channel."""
        channels = cannula_json("status", self.site)["channels"]
        return {name: channel.get("messages", {}) for name, channel in channels.items()}

    def count(self, *states):
        return sum(number for channel in self.messages().values() for state, number in channel.items()
                   if state in states)

    def wait_until_finished(self, total=None):
        """Until nothing more will happen to any message by itself: of `total`, or of as many as send() sent."""
        def all_finished():
            counts = [(state, number) for channel in self.messages().values() for state, number in channel.items()]
            finished = sum(number for state, number in counts if state in FINISHED)
            return finished == sum(number for _, number in counts) and finished >= (total or self.sent)

        self.wait(all_finished, lambda: f"not finished: {self.messages()}")

    def review(self):
        """The files in front of the people who review, by the control id of their message."""
        items = [json.loads(file.read_text(encoding="utf-8")) for file in (self.site / "review").glob("*.json")]
        return {item["control_id"]: item for item in items}

    # -- Asking the EHR.

    def fhir(self, path, body=None, method=None, headers=None):
        """(status, document, headers) of a request to the EHR."""
        request = urllib.request.Request(f"http://{self.address(EHR)}/fhir{path}", method=method,
                                         data=body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode(),
                                         headers={"content-type": "application/fhir+json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read()), answer.headers
        except urllib.error.HTTPError as refused:
            text = refused.read()
            return refused.code, json.loads(text) if text else None, refused.headers

    def ehr_counts(self):
        return self.fhir("/$counts")[1]

    def ehr_fails(self, **how):
        """Makes the next requests to the EHR fail: answer=503, times=20, and so on."""
        status, document, _ = self.fhir("/$control", how)
        assert status == 200, document

    def everything(self, kind):
        """All resources of a kind that the EHR has."""
        found = []
        while True:
            _, page, _ = self.fhir(f"/{kind}?_count=200&_offset={len(found)}")
            found += [entry["resource"] for entry in page.get("entry", [])]
            if len(found) >= page["total"]:
                return found

    def wait(self, holds, otherwise, pause=0.05):
        begun = time.monotonic()
        while not holds():
            if time.monotonic() - begun > SECONDS_OF_PATIENCE:
                raise RuntimeError(f"after {SECONDS_OF_PATIENCE} s: {otherwise()}; riverside said:\n"
                                   f"{self.engine.said()[-2000:] if self.engine else ''}")
            time.sleep(pause)
