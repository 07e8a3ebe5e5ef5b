"""Invented messages for the demo: results and admissions of patients who do not exist, the same at every run.

Each connection feeds patients of its own, so that the order of a patient's messages is the order of one connection.
"""

import random
from dataclasses import dataclass

FAMILY = ["Lindqvist", "Oyelaran", "Haddad", "Kowalczyk", "Mwangi", "Ferreira", "Sjöström", "Núñez", "Tanaka", "Grigoryan"]
GIVEN = ["Maja", "Tunde", "Rania", "Zofia", "Grace", "Inês", "Åsa", "José", "Haruka", "Anahit"]
TESTS = [  # code, name, unit, range, lowest, highest
    ("NA", "Sodium", "mmol/L", "136-145", 128, 150),
    ("K", "Potassium", "mmol/L", "3.5-5.1", 2.6, 6.9),
    ("CREA", "Creatinine", "mg/dL", "0.7-1.3", 0.5, 4.0),
    ("GLU", "Glucose", "mmol/L", "3.9-5.5", 2.8, 18.0),
    ("HGB", "Haemoglobin", "g/L", "120-155", 70, 170),
    ("CRP", "C-reactive protein", "mg/L", "<5", 1, 210),
]
EVENTS = ["A01", "A02", "A08", "A08", "A08", "A03"]


@dataclass(frozen=True)
class Message:
    """What the proof has to know of a message, and its bytes."""

    control_id: str
    patient: str  # PID-3.1, the order key
    passed_on: bool  # whether the channel's script sends it to the EHR
    text: bytes


@dataclass(frozen=True)
class Feed:
    """What goes over one connection, in this order."""

    channel: str
    name: str
    messages: tuple


def feeds(total=2000, laboratories=5, registrations=3, patients=40):
    """`total` messages, three quarters of them results, shared out over the connections."""
    results = total * 3 // 4
    shares = [("lab-results", _result, results, laboratories), ("admissions", _admission, total - results, registrations)]
    made = []
    for channel, make, count, connections in shares:
        for number in range(1, connections + 1):
            size = count // connections + (1 if number <= count % connections else 0)
            name = f"{channel}-{number}"
            chance = random.Random(name)
            people = [f"{len(made) + 1:02}{person:04}" for person in range(patients)]
            made.append(Feed(channel, name, tuple(make(chance, number, n, people) for n in range(1, size + 1))))
    return made


def _header(event, control_id, application, second):
    when = f"20261123{8 + second // 3600:02}{second // 60 % 60:02}{second % 60:02}+0100"
    return f"MSH|^~\\&|{application}|REFLAB|EHR|GENERAL|{when}||{event}|{control_id}|P|2.5.1||||||UNICODE UTF-8"


def _patient(patient):
    number = int(patient)
    name = f"{FAMILY[number % 10]}^{GIVEN[number // 10 % 10]}"
    return f"PID|1||{patient}^^^GENERAL^MR||{name}||19{40 + number % 60}0{1 + number % 9}15|{'FM'[number % 2]}"


def _result(chance, connection, n, people):
    control_id, patient = f"LAB{connection}-{n:05}", chance.choice(people)
    is_result = chance.random() < 0.98  # the others are R30, which the channel filters
    segments = [
        _header("ORU^R01^ORU_R01" if is_result else "ORU^R30^ORU_R30", control_id, "LABSYS", n),
        _patient(patient),
        f"ORC|RE|ORD{connection}{n:05}|ACC{connection}{n:05}||CM",
        f"OBR|1|ORD{connection}{n:05}|ACC{connection}{n:05}|BMP^Basic metabolic panel^L|||20261123074000+0100",
    ]
    for index, (code, name, unit, normal, low, high) in enumerate(chance.sample(TESTS, chance.randint(1, 6)), 1):
        value = f"{chance.uniform(low, high):.1f}"
        segments.append(f"OBX|{index}|NM|{code}^{name}^L||{value}|{unit}|{normal}|||F|||20261123074000+0100")
    if n % 7 == 0:
        segments.append("NTE|1|L|Seen by R\\T\\D, rack 3\\F\\4; ratio 1\\S\\2")
    segments.append(f"ZLB|{n}|kept as it is^^~|")
    return Message(control_id, patient, is_result, _bytes(segments))


def _admission(chance, connection, n, people):
    control_id, patient = f"ADT{connection}-{n:05}", chance.choice(people)
    event = chance.choice(EVENTS)
    segments = [
        _header(f"ADT^{event}", control_id, "ADTSYS", n),
        f"EVN|{event}|20261123085900+0100",
        _patient(patient),
        f"PV1|1|I|W{chance.randint(1, 9)}^{chance.randint(1, 30)}^A^GENERAL||||4711^Okafor^Ngozi",
    ]
    return Message(control_id, patient, True, _bytes(segments))


def _bytes(segments):
    return "".join(f"{segment}\r" for segment in segments).encode("utf-8")
