"""The proof of the laboratory workflow sees every kind of broken promise: each test breaks one."""

import unittest

from clinic_feed import Expected, feeds
from clinic_proof import IDENTIFIERS, examine


def perfect(expected):
    """What an EHR would have that got everything once."""
    patients = {number: {"resourceType": "Patient", "id": number, "active": active,
                         "identifier": [{"system": IDENTIFIERS + "patient", "value": number}]}
                for number, active in expected.patients.items()}
    ids = {name: f"o{n}" for n, name in enumerate(expected.results)}
    observations = [{"resourceType": "Observation", "id": ids[name], "status": result.status,
                     "identifier": [{"system": IDENTIFIERS + "observation", "value": name}],
                     "code": {"coding": [{"code": result.loinc}]},
                     "subject": {"reference": f"Patient/{result.patient}"},
                     "valueQuantity": {"value": float(result.value)}} for name, result in expected.results.items()]
    reports = [{"resourceType": "DiagnosticReport", "id": name, "status": status,
                "identifier": [{"system": IDENTIFIERS + "report", "value": name}],
                "result": [{"reference": f"Observation/{ids[result]}"} for result in expected.results
                           if result.startswith(name + "/")]} for name, status in expected.reports.items()]
    visits = [{"resourceType": "Encounter", "id": name, "status": status,
               "identifier": [{"system": IDENTIFIERS + "visit", "value": name}]}
              for name, status in expected.visits.items()]
    return {"Patient": list(patients.values()), "Encounter": visits, "Observation": observations,
            "DiagnosticReport": reports}


class Proof(unittest.TestCase):
    def setUp(self):
        self.expected = Expected.of(feeds(laboratories=2, size=40))
        self.ehr = perfect(self.expected)

    def assertTold(self, words):
        told = examine(self.expected, self.ehr)
        self.assertTrue(any(words in sentence for sentence in told), told)

    def test_all_is_well(self):
        self.assertEqual(examine(self.expected, self.ehr), [])

    def test_a_lost_result(self):
        self.ehr["Observation"].pop(7)
        self.assertTold("is lost")

    def test_a_doubled_result(self):
        self.ehr["Observation"].append(dict(self.ehr["Observation"][3], id="again"))
        self.assertTold("is there twice")

    def test_a_result_that_nobody_sent(self):
        invented = [{"system": IDENTIFIERS + "observation", "value": "AC0/PANEL/K"}]
        self.ehr["Observation"].append(dict(self.ehr["Observation"][3], id="other", identifier=invented))
        self.assertTold("nobody sent it")

    def test_an_older_status(self):
        corrected = next(one for one in self.ehr["Observation"] if one["status"] == "corrected")
        corrected["status"] = "final"
        self.assertTold("'final'")

    def test_another_value(self):
        self.ehr["Observation"][5]["valueQuantity"]["value"] += 0.1
        self.assertTold("and not")

    def test_another_patient(self):
        others = [one["subject"] for one in self.ehr["Observation"]]
        self.ehr["Observation"][5]["subject"] = next(one for one in others if one != others[5])
        self.assertTold("and not")

    def test_a_report_without_one_of_its_results(self):
        self.ehr["DiagnosticReport"][2]["result"].pop()
        self.assertTold("does not list")

    def test_a_doubled_patient(self):
        self.ehr["Patient"].append(dict(self.ehr["Patient"][0], id="again"))
        self.assertTold("is there twice")

    def test_a_merged_patient_that_is_active_again(self):
        next(one for one in self.ehr["Patient"] if not one["active"])["active"] = True
        self.assertTold("active is True")

    def test_a_visit_that_goes_on(self):
        next(one for one in self.ehr["Encounter"] if one["status"] == "finished")["status"] = "in-progress"
        self.assertTold("in-progress")


if __name__ == "__main__":
    unittest.main()
