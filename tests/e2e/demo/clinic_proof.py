"""Compares what the EHR has in the end with what the messages say it must have. Knows nothing of Cannula."""

from collections import Counter

IDENTIFIERS = "https://riverside.example/id/"
KINDS = ("Patient", "Encounter", "Observation", "DiagnosticReport")


def examine(expected, everything):
    """Every broken promise, in words. `everything` is a list of resources for each of KINDS."""
    broken = []
    patients = _by_identifier(broken, "patient", everything["Patient"])
    visits = _by_identifier(broken, "visit", everything["Encounter"])
    observations = _by_identifier(broken, "observation", everything["Observation"])
    reports = _by_identifier(broken, "report", everything["DiagnosticReport"])
    numbers = {f"Patient/{resource['id']}": number for number, resource in patients.items()}

    _same_names(broken, "patient", expected.patients, patients)
    for number, active in expected.patients.items():
        if number in patients and patients[number].get("active") is not active:
            broken.append(f"patient {number}: active is {patients[number].get('active')}")

    _same_names(broken, "visit", expected.visits, visits)
    for number, status in expected.visits.items():
        if number in visits and visits[number]["status"] != status:
            broken.append(f"visit {number} is {visits[number]['status']} and not {status}")

    _same_names(broken, "result", expected.results, observations)
    for name, result in expected.results.items():
        if name in observations:
            _same_result(broken, name, result, observations[name], numbers)

    _same_names(broken, "report", expected.reports, reports)
    for name, status in expected.reports.items():
        if name in reports:
            _same_report(broken, name, status, reports[name], expected, observations)
    return broken


def _by_identifier(broken, kind, resources):
    found = {}
    for resource in resources:
        names = [one["value"] for one in resource["identifier"] if one["system"] == IDENTIFIERS + kind]
        if len(names) != 1:
            broken.append(f"{resource['resourceType']}/{resource['id']} has {len(names)} identifiers of Riverside")
        for name in names:
            if name in found:
                broken.append(f"{kind} {name} is there twice: {found[name]['id']} and {resource['id']}")
            found[name] = resource
    return found


def _same_names(broken, what, expected, found):
    broken += [f"{what} {name} is lost" for name in expected if name not in found]
    broken += [f"{what} {name} is there, and nobody sent it" for name in found if name not in expected]


def _same_result(broken, name, result, observation, numbers):
    value = observation.get("valueQuantity", {}).get("value")
    seen = (numbers.get(observation["subject"]["reference"]), observation["code"]["coding"][0]["code"],
            observation["status"], value)
    wanted = (result.patient, result.loinc, result.status, float(result.value))
    if seen != wanted:
        broken.append(f"result {name} is {seen} and not {wanted}")


def _same_report(broken, name, status, report, expected, observations):
    if report["status"] != status:
        broken.append(f"report {name} is {report['status']} and not {status}")
    wanted = Counter(f"Observation/{observations[result]['id']}" for result in expected.results
                     if result.startswith(name + "/") and result in observations)
    if Counter(one["reference"] for one in report.get("result", [])) != wanted:
        broken.append(f"report {name} does not list its {sum(wanted.values())} results, each once")
