"""Invented messages for the demo of the laboratory workflow, the same at every run, and what must become of each.

Each connection has patients of its own, so that the order of a patient's messages is the order of one connection.
"""

import random
from collections import Counter
from dataclasses import dataclass, field

FAMILY = ["Muster", "Testperson", "Example", "Specimen", "Placeholder", "Núñez", "Sjöström", "Dvořák", "Nobody", "Sample"]
GIVEN = ["Anna", "Tunde", "Grace", "Oleg", "Rania", "José", "Åsa", "Božena", "Haruka", "Jonas"]
TESTS = [  # code, name, LOINC, unit, range, lowest, highest: nothing here is critical
    ("NA", "Sodium", "2951-2", "mmol/L", "136-145", 134, 147),
    ("K", "Potassium", "2823-3", "mmol/L", "3.5-5.1", 3.1, 5.4),
    ("CREA", "Creatinine", "2160-0", "mg/dL", "0.7-1.3", 0.6, 1.9),
    ("GLU", "Glucose", "2345-7", "mg/dL", "70-99", 72, 180),
    ("HGB", "Hemoglobin", "718-7", "g/dL", "12.0-15.5", 10.1, 16.2),
    ("CRP", "C-reactive protein", "1988-5", "mg/L", "<5", 1, 60),
]
CRITICAL = [("K", "6.8"), ("K", "2.4"), ("NA", "117.0"), ("GLU", "38.0"), ("HGB", "6.2")]
# What a laboratory sends, and how often in a hundred.
KINDS = {"normal": 63, "critical": 7, "no unit": 4, "preliminary": 8, "correction": 10, "unmapped": 5, "withdrawn": 2,
         "no patient": 1}
UNMAPPED = ("VANCT", "Vancomycin, trough", "4092-3", "ug/mL")
UNMAPPED_ROW = "VANCT,\"Vancomycin, trough\",4092-3,Vancomycin [Mass/volume] in Serum or Plasma --trough,\n"


@dataclass(frozen=True)
class Result:
    """What the EHR must have of one observation in the end."""

    patient: str
    loinc: str
    status: str
    value: str


@dataclass
class Message:
    """A message, and what must become of it."""

    control_id: str
    text: bytes
    fate: str = "filed"  # refused (at the door), rejected (by the script), or filed
    review: bool = False
    unmapped: bool = False
    results: dict = field(default_factory=dict)  # Result by identifier
    report: tuple = None  # identifier and status of the DiagnosticReport
    patient: tuple = None  # identifier and whether active, by admissions
    visit: tuple = None  # identifier and status of the Encounter


@dataclass
class Feed:
    """What comes in by one door, in this order: door is lab-results, admissions, lab-files or lab-portal."""

    door: str
    name: str
    messages: list

    def bytes(self):
        return b"".join(message.text for message in self.messages)


@dataclass
class Expected:
    """The end of the story, computed from the messages alone."""

    results: dict
    reports: dict
    patients: dict
    visits: dict
    counts: Counter

    @staticmethod
    def of(feeds):
        results, reports, patients, visits, counts = {}, {}, {}, {}, Counter()
        for message in (message for feed in feeds for message in feed.messages):
            counts[message.fate] += 1
            counts["review"] += message.review
            counts["unmapped"] += message.unmapped
            if message.fate != "filed":
                continue
            results.update(message.results)
            reports.update([message.report] if message.report else [])
            for result in message.results.values():
                patients.setdefault(result.patient, True)
            for number, active in message.patient or ():
                patients[number] = active
            visits.update([message.visit] if message.visit else [])
        counts["received"] = sum(len(feed.messages) for feed in feeds)
        return Expected(results, reports, patients, visits, counts)


def feeds(laboratories=5, size=100):
    """About six hundred messages by all of the clinic's doors."""
    made = [Laboratory("lab-results", f"lab-{number}", number).feed(size) for number in range(1, laboratories + 1)]
    made.append(Laboratory("lab-files", "county", 8).feed(24))
    made.append(Laboratory("lab-portal", "walk-in", 9).feed(12))
    made.append(Registration().feed(24))
    made.append(Feed("lab-results", "wrong-events", [_wrong_event(number) for number in range(1, 9)]))
    return made


class Laboratory:
    """One connection of a laboratory: makes messages and remembers what it reported, so that it can correct it."""

    def __init__(self, door, name, number):
        self.door, self.name, self.number = door, name, number
        self.partner = {"lab-results": "reference-lab", "lab-files": "county-lab", "lab-portal": "walk-in-lab"}[door]
        self.chance = random.Random(name)
        self.people = [f"7{number}{person:04}" for person in range(1, 21)]
        self.reported = []  # (patient, accession, tests) that can still be corrected

    def feed(self, size):
        kinds = self.chance.choices(list(KINDS), KINDS.values(), k=size)
        kinds[5] = "critical"  # one at least, early, in every feed
        return Feed(self.door, self.name, [self._message(n, kind) for n, kind in enumerate(kinds, 1)])

    def _message(self, n, kind):
        if kind in ("correction", "withdrawn") and not self.reported:
            kind = "normal"
        if kind in ("correction", "withdrawn"):
            patient, accession, tests = self.reported.pop(self.chance.randrange(len(self.reported)))
        else:
            patient, accession, tests = self.chance.choice(self.people), f"AC{self.number}{n:04}", self._tests(kind)
        if kind == "correction":
            tests = [self._drawn(self.chance.choice([test for test in TESTS if test[0] == tests[0][0]]))]
        status = {"preliminary": "P", "correction": "C", "withdrawn": "W"}.get(kind, "F")
        of_order = {"W": "C"}.get(status, status)  # table 0123 knows no W
        control_id = f"{self.name.upper()}-{n:04}"
        segments = [
            _header("ORU^R01^ORU_R01", control_id, n),
            _patient("" if kind == "no patient" else patient),
            f"ORC|RE|OR{accession}|{accession}||CM",
            f"OBR|1|OR{accession}|{accession}|PANEL^Panel^L|||20261123074000|||||||||||||||20261123080000|||{of_order}",
        ]
        message = Message(control_id, b"", review=kind in ("critical", "no unit", "withdrawn"), unmapped=kind == "unmapped",
                          fate="rejected" if kind == "no patient" else "filed")
        fhir_status = {"F": "final", "P": "preliminary", "C": "corrected", "W": "entered-in-error"}[status]
        report = f"{self.partner}/{accession}/PANEL"
        message.report = (report, fhir_status)
        for index, (code, name, loinc, unit, normal, value) in enumerate(tests, 1):
            segments.append(f"OBX|{index}|NM|{code}^{name}^L||{value}|{unit}|{normal}||||{status}")
            message.results[f"{report}/{code}"] = Result(patient, loinc, fhir_status, value)
        if n % 7 == 0:
            segments.append("NTE|1|L|Seen by R\\T\\D, rack 3\\F\\4; ratio 1\\S\\2")
        segments.append(f"ZLB|{n}|of no interest to the EHR")
        message.text = _bytes(segments)
        if kind in ("normal", "preliminary"):
            self.reported.append((patient, accession, tests))
        return message

    def _drawn(self, test):
        code, name, loinc, unit, normal, low, high = test
        return code, name, loinc, unit, normal, f"{self.chance.uniform(low, high):.1f}"

    def _tests(self, kind):
        tests = [self._drawn(test) for test in self.chance.sample(TESTS, self.chance.randint(1, 5))]
        if kind == "unmapped":
            code, name, loinc, unit = UNMAPPED
            tests.append((code, name, loinc, unit, "10-20", f"{self.chance.uniform(8, 22):.1f}"))
        if kind in ("critical", "no unit"):
            code, value = self.chance.choice(CRITICAL) if kind == "critical" else ("K", "6.9")
            _, name, loinc, unit, normal, *_ = next(test for test in TESTS if test[0] == code)
            judged = (code, name, loinc, unit if kind == "critical" else "", normal, value)
            tests = [test for test in tests if test[0] != code] + [judged]
        return tests


class Registration:
    """The registration desk: whole stays, and now and then two numbers that turn out to be one patient."""

    def feed(self, stays):
        messages = []
        for stay in range(1, stays + 1):
            patient, visit = f"6{stay:05}", f"V{stay:05}"
            steps = ["A04", "A08", "A03"] if stay % 3 else ["A01", "A08", "A08", "A03"]
            if stay % 5 == 0:
                steps = steps[:-1]  # still there
            for event in steps:
                messages.append(self._message(len(messages) + 1, event, patient, visit))
            if stay % 6 == 0:
                messages.append(self._merge(len(messages) + 1, patient, f"6{stay - 1:05}"))
        return Feed("admissions", "registration", messages)

    def _message(self, n, event, patient, visit):
        ended = "|20261123113000" if event == "A03" else ""
        segments = [
            _header(f"ADT^{event}^ADT_A01", f"REG-{n:04}", n),
            f"EVN|{event}|20261123085900",
            _patient(patient),
            f"PV1|1|I|WEST^{n % 30 + 1}^A^RIVERSIDE||||4711^Okafor^Ngozi|||||||||||" f"|{visit}" + "|" * 25
            + f"20261122083000{ended}",
        ]
        status = "finished" if event == "A03" else "in-progress"
        return Message(f"REG-{n:04}", _bytes(segments), patient=((patient, True),), visit=(visit, status))

    def _merge(self, n, patient, old):
        segments = [
            _header("ADT^A40^ADT_A39", f"REG-{n:04}", n),
            "EVN|A40|20261123090000",
            _patient(patient),
            f"MRG|{old}^^^RIVERSIDE^MR",
        ]
        return Message(f"REG-{n:04}", _bytes(segments), patient=((patient, True), (old, False)))


def _wrong_event(n):
    """An admission from a laboratory, which may not send any."""
    segments = [_header("ADT^A01^ADT_A01", f"WRONG-{n:04}", n), "EVN|A01|20261123085900", _patient("799999")]
    return Message(f"WRONG-{n:04}", _bytes(segments), fate="refused")


def _header(event, control_id, second):
    when = f"20261123{8 + second // 3600:02}{second // 60 % 60:02}{second % 60:02}"
    return f"MSH|^~\\&|DEMO|DEMO|EHR|RIVERSIDE|{when}||{event}|{control_id}|P|2.5.1||||||UNICODE UTF-8"


def _patient(number):
    n = int(number or 0)
    name = f"{FAMILY[n % 10]}^{GIVEN[n // 10 % 10]}"
    return f"PID|1||{number and number + '^^^RIVERSIDE^MR'}||{name}||19{40 + n % 50}0{1 + n % 9}15|{'FM'[n % 2]}"


def _bytes(segments):
    return "".join(f"{segment}\r" for segment in segments).encode("utf-8")
