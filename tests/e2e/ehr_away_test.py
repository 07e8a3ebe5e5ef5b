"""The EHR away, busy, refusing, closing connections, forgetting and answering late: what is said is retried, is retried; what
is said is dead, is dead; all in the order of the patient, and nothing is doubled. Real other ends: python-hl7 as the
laboratory, curl as the one that posts."""

import json
import subprocess
import tempfile
import time
import unittest

import hl7.client

from clinic import ADMISSIONS, LAB_PORTAL, LAB_RESULTS, MESSAGES, Clinic
from ehr_proxy import EhrProxy
from engine import cannula, cannula_json

# Preliminary, final, corrected: three messages of one report. What the EHR has in the end is the last.
A_REPORT = ["lab-preliminary.hl7", "lab-then-final.hl7", "lab-then-corrected.hl7"]
A_STAY = [f"adt-stay-{step}.hl7" for step in ("1-registered", "2-admitted", "3-changed", "4-discharged")]


class EhrTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cannula-ehr-")
        self.addCleanup(folder.cleanup)
        self.proxy = EhrProxy()
        self.enterContext(self.proxy)
        self.clinic = Clinic(f"{folder.name}/clinic", ehr_address=self.proxy.address)
        self.enterContext(self.clinic)
        self.proxy.ehr = self.clinic.address("127.0.0.1:8081")
        self.clinic.edit("channels/*/channel.toml", 'max           = "5s"', 'max           = "500ms"')

    def start(self):
        self.clinic.start_ehr()
        self.clinic.start_engine()

    def send(self, names, address=LAB_RESULTS):
        return self.clinic.send(address, *[MESSAGES / name for name in names])

    def deliveries(self, channel):
        destination = cannula_json("status", self.clinic.site)["channels"][channel].get("destinations", {}).get("ehr", {})
        return {state: number for state, number in destination.items() if isinstance(number, int) and number}

    def wait_until_seen(self, count):
        self.clinic.wait(lambda: len(self.proxy.seen) >= count, lambda: f"only {len(self.proxy.seen)} requests")

    def potassium(self):
        """Value, status and version of the report's potassium, and that it is there once."""
        _, found, _ = self.clinic.fhir("/Observation?identifier=https://riverside.example/id/observation%7Creference-lab/AC2012/BMP/K")
        self.assertEqual(found["total"], 1)
        observation = found["entry"][0]["resource"]
        return observation["valueQuantity"]["value"], observation["status"], observation["meta"]["versionId"]

    def assert_filed_once(self):
        """The three messages arrived, in order, each carried out once."""
        self.assertEqual(self.potassium(), (4.2, "corrected", "3"))
        self.assertEqual(len(self.proxy.keys()), 3)
        counts = self.clinic.ehr_counts()
        self.assertEqual((counts["transactions"], counts["doubled"]), (3, 0))
        self.assertEqual(counts["resources"], {"Patient": 1, "Encounter": 0, "Observation": 5, "DiagnosticReport": 1,
                                               "DocumentReference": 0})


class AnEhrThatIsAway(EhrTest):
    def test_what_came_meanwhile_is_delivered_in_order_when_it_is_back(self):
        self.proxy.mode = "close"
        self.clinic.start_engine()
        self.send(A_REPORT)
        self.wait_until_seen(4)
        self.assertEqual(len(self.proxy.keys()), 1, "the second message of a patient waits for the first")
        self.clinic.start_ehr()
        self.proxy.mode = "pass"
        self.clinic.wait_until_finished()
        self.assert_filed_once()

    def test_nobody_listens_at_all(self):
        self.clinic.edit("channels/*/channel.toml", self.proxy.address, self.clinic.address("127.0.0.1:8081"))
        self.clinic.start_engine()
        self.send(A_REPORT)
        self.clinic.wait(lambda: self.deliveries("lab-results").get("retrying"), lambda: "nothing is retried")
        self.clinic.start_ehr()
        self.clinic.wait_until_finished()
        self.assertEqual(self.potassium(), (4.2, "corrected", "3"))


class AnEhrThatIsBusy(EhrTest):
    def test_503_is_tried_again_until_it_is_done(self):
        self.start()
        self.clinic.ehr_fails(answer=503, times=5)
        self.send(A_REPORT)
        self.clinic.wait_until_finished()
        self.assert_filed_once()
        self.assertEqual(len(self.proxy.seen), 8)

    def test_503_after_all_was_stored_doubles_nothing(self):
        self.start()
        self.clinic.ehr_fails(answer=503, times=3, after_storing=True)
        self.send(A_REPORT)
        self.clinic.wait_until_finished()
        self.assert_filed_once()
        self.assertEqual(self.clinic.ehr_counts()["repeated"], 3)

    def test_429_is_tried_again_not_before_retry_after(self):
        self.start()
        self.clinic.ehr_fails(answer=429, times=1, retry_after=2)
        self.send(A_REPORT[:1])
        self.clinic.wait_until_finished()
        first, second = self.proxy.seen
        self.assertEqual(first["key"], second["key"])
        self.assertGreaterEqual(second["at"] - first["at"], 2.0)


class AnEhrThatRefuses(EhrTest):
    def test_422_is_dead_with_its_answer_kept_and_later_results_go_on(self):
        self.start()
        self.clinic.ehr_fails(answer=422, times=1)
        self.send(A_REPORT)
        self.clinic.wait_until_finished()
        self.assertEqual(self.deliveries("lab-results"), {"dead": 1, "delivered": 2})
        self.assertEqual(len(self.proxy.seen), 3, "what is refused is not tried again")
        dead = cannula_json("msg", "list", self.clinic.site, "--state", "dead")["messages"]
        self.assertEqual(len(dead), 1)
        shown = cannula("msg", "show", dead[0]["id"], self.clinic.site)
        self.assertIn("422", shown)
        self.assertIn("asked to fail", shown)

    def test_an_admission_that_is_refused_holds_those_behind_it_until_it_is_resent(self):
        self.start()
        self.clinic.ehr_fails(answer=422, times=1)
        self.send(A_STAY, ADMISSIONS)
        self.clinic.wait(lambda: self.deliveries("admissions").get("dead"), lambda: "nothing died")
        time.sleep(1)
        self.assertEqual(len(self.proxy.keys()), 1, "what came later must wait")
        dead = cannula_json("msg", "list", self.clinic.site, "--state", "dead")["messages"]
        cannula("msg", "resend", dead[0]["id"], self.clinic.site, "--reason", "the EHR takes it now")
        self.clinic.wait(lambda: self.clinic.messages()["admissions"] == {"done": 4}, lambda: f"{self.clinic.messages()}")
        visit = self.clinic.everything("Encounter")
        self.assertEqual([one["status"] for one in visit], ["finished"])
        self.assertEqual(visit[0]["meta"]["versionId"], "4")


class AnEhrOnABadLine(EhrTest):
    def test_connections_that_close_before_an_answer(self):
        self.start()
        for mode in ("close", "forget"):
            with self.subTest(mode):
                self.proxy.mode, begun = mode, len(self.proxy.seen)
                self.send([A_REPORT[0] if mode == "close" else A_REPORT[1]])
                self.wait_until_seen(begun + 3)
                self.proxy.mode = "pass"
                self.clinic.wait_until_finished()
        self.send(A_REPORT[2:])
        self.clinic.wait_until_finished()
        self.assert_filed_once()

    def test_answers_that_come_too_late(self):
        self.clinic.edit("channels/lab-results/channel.toml", 'type = "fhir"', 'type = "fhir"\ntimeout = "1s"')
        self.start()
        self.proxy.mode = "late"
        self.send(A_REPORT)
        self.wait_until_seen(2)
        self.proxy.mode = "pass"
        self.clinic.wait_until_finished()
        self.assert_filed_once()
        self.assertGreaterEqual(self.clinic.ehr_counts()["repeated"], 1)

    def test_the_order_of_each_patient_holds_through_all_of_it(self):
        self.start()
        names = A_REPORT + ["lab-critical-potassium.hl7", "lab-wrong-patient.hl7", "lab-then-final.hl7"]
        for mode in ("forget", "close", "late", "pass"):
            self.proxy.mode, self.proxy.delay = mode, 0.2
            self.send(names)
        self.clinic.wait_until_finished()
        sent = cannula_json("msg", "list", self.clinic.site, "--oldest-first", "--limit", 100)["messages"]
        order = {message["id"]: place for place, message in enumerate(sent)}
        for patient in ("880101", "880102"):
            keys = list(dict.fromkeys(one["key"] for one in self.proxy.seen if f'"{patient}"' in json.dumps(one["bundle"])))
            places = [order[message_id] for key in keys for message_id in order if message_id in key]
            self.assertEqual(len(places), len(keys))
            self.assertEqual(places, sorted(places), f"patient {patient}")


class RealOtherEnds(EhrTest):
    def test_python_hl7_is_the_laboratory(self):
        self.start()
        host, port = self.clinic.address(LAB_RESULTS).split(":")
        answers = {}
        with hl7.client.MLLPClient(host, int(port)) as laboratory:
            for name in ("lab-normal-panel", "lab-several-orders", "lab-embedded-pdf", "malformed-wrong-event"):
                text = (MESSAGES / f"{name}.hl7").read_bytes().decode()
                answers[name] = hl7.parse(laboratory.send_message(hl7.parse(text)).decode())
        codes = {name: str(answer["MSA.F1"]) for name, answer in answers.items()}
        self.assertEqual(codes, {"lab-normal-panel": "AA", "lab-several-orders": "AA", "lab-embedded-pdf": "AA",
                                 "malformed-wrong-event": "AR"})
        self.clinic.wait_until_finished(4)
        self.assertEqual(self.clinic.ehr_counts()["resources"]["DiagnosticReport"], 5)

    def curl(self, name):
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_code}",
             "--header", "content-type: text/plain", "--data-binary", f"@{MESSAGES / name}",
             f"http://{self.clinic.address(LAB_PORTAL)}/results"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, encoding="utf-8")
        body, status = done.stdout.rsplit("\n", 1)
        return int(status), body

    def test_curl_posts_results(self):
        self.start()
        status, body = self.curl("walk-in-hemoglobin-a1c.hl7")
        self.assertEqual(status, 202, body)
        message = json.loads(body)
        self.assertTrue(message["accepted"])
        self.clinic.wait_until_finished()
        self.assertEqual(self.clinic.ehr_counts()["resources"]["Observation"], 1)
        self.assertIn("A1C", cannula("msg", "show", message["message"], self.clinic.site))

        self.assertEqual(self.curl("malformed-wrong-event.hl7")[0], 403)
        status, body = self.curl("malformed-no-patient-number.hl7")
        self.assertEqual(status, 422, body)
        self.assertIn("PID-3", body)
        status, body = self.curl("lab-unmapped-code.hl7")
        self.assertEqual(status, 200, "a parked message is taken, it waits for its row")
        self.assertEqual(self.clinic.messages()["lab-portal"].get("parked"), 1)


if __name__ == "__main__":
    unittest.main()
