"""The channel tests of the sample sites are green, and each goes red when the script, table or rule behind it is broken.

Every mutation below breaks one thing in a copy of the site and says which tests have to notice. A test that no mutation
reddens could not fail, so that is an error too.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "samples"

LIB, TABLES, RULES = "lib/", "tables/", "rules/critical-labs.rules"

# (file, what stands there, what is put there, the tests that go red)
RIVERSIDE = [
    # results.lua
    (LIB + "results.lua", '{ until_mapped = true }', '{}',
     {"lab-results/unmapped-code", "lab-results/unmapped-beside-critical", "lab-files/county-unmapped"}),
    (LIB + "results.lua", 'if msg.type ~= "ORU^R01"', 'if msg.type == "ORU^R01"', {"lab-results/not-a-result"}),
    (LIB + "results.lua", "if not patient_number then", "if false then",
     {"lab-results/rejected-no-patient-number", "lab-results/number-of-another"}),
    (LIB + "results.lua", 'if msg:count("PID") > 1 then', "if false then", {"lab-results/two-patients"}),
    (LIB + "results.lua", 'if not key then return nil, "" end', "if not key then return nil end",
     {"lab-results/rejected-no-code"}),
    (LIB + "results.lua", 'if is_unreadable(msg["PID-5"]) then', "if false then", {"lab-results/names-in-mislabelled-utf-8"}),
    (LIB + "results.lua", "always = true", "always = false",
     {"lab-results/unmapped-beside-critical", "lab-results/two-patients", "lab-results/rejected-critical-without-order"}),
    (LIB + "results.lua", 'verdict.critical and "stat" or nil', "nil",
     {"lab-results/critical-potassium", "lab-results/critical-troponin", "lab-portal/critical"}),
    (LIB + "results.lua", 'if obx["3.6"] == "LN" then', 'if obx["3.6"] == "XX" then', {"lab-results/loinc-as-alternate"}),
    (LIB + "results.lua", 'if system == "LN" and code then', "if false then", {"lab-results/loinc-already"}),
    (LIB + "results.lua", 'return status == "W"', 'return status == "w"', {"lab-results/wrong-patient"}),
    (LIB + "results.lua", "agreed ~= (known and known.ucum or unit)", "false", {"lab-results/other-unit", "lab-results/odd-numbers"}),
    (LIB + "results.lua", "or verdict.doubtful or", "or", {"lab-results/no-unit"}),
    # observations.lua and what it stands on
    (LIB + "observations.lua", 'return obx["2"] == "ED"', "return false", {"lab-results/embedded-pdf"}),
    (LIB + "observations.lua", "and TEXT[item.obx", "and not TEXT[item.obx", {"lab-results/microbiology"}),
    (LIB + "observations.lua", 'if obx["11"] == "U"', "if false", {"lab-results/final-without-value"}),
    (LIB + "observations.lua", "last and last.notes or found.notes", "found.notes",
     {"lab-results/cancelled", "lab-results/hemolyzed-potassium", "lab-results/several-orders"}),
    (LIB + "observations.lua", "next(value) == nil and NO_VALUE or nil", "nil",
     {"lab-results/cancelled", "lab-results/null-value"}),
    (LIB + "observations.lua", 'fhir.datetime(obx["14"]) or report.taken', "report.taken",
     {"lab-results/critical-troponin", "lab-results/times"}),
    (LIB + "observations.lua", 'subject = source.subject', 'subject = nil', {"lab-results/normal-panel"}),
    (LIB + "observations.lua", "then last = nil end", "then end", {"lab-results/comment-of-not-asked"}),
    (LIB + "observations.lua", 'document.status == "entered-in-error" and', "false and", {"lab-results/withdrawn-pdf"}),
    (LIB + "standard.lua", '  O = false,', '', {"lab-results/order-detail"}),
    (LIB + "standard.lua", 'I = "registered"', 'I = "preliminary"', {"lab-results/pending"}),
    (LIB + "standard.lua", 'P = "preliminary"', 'P = "final"', {"lab-results/preliminary-final-corrected"}),
    (LIB + "standard.lua", 'C = "corrected"', 'C = "final"', {"lab-results/preliminary-final-corrected"}),
    (LIB + "standard.lua", 'X = "cancelled"', 'X = "final"', {"lab-results/cancelled"}),
    (LIB + "standard.lua", 'W = "entered-in-error"', 'W = "final"', {"lab-results/wrong-patient"}),
    (LIB + "observations.lua", "local value, doubt = fhir.value(obx)", 'local value, doubt = { valueString = obx["5.1"] }',
     {"lab-results/structured-numbers", "lab-results/coded-values", "lab-results/below-limit-as-text",
      "lab-results/no-value-type", "lab-results/null-value", "lab-results/odd-numbers", "lab-results/normal-blood-count",
      "lab-results/number-that-is-none"}),
    (LIB + "observations.lua", "  }, obx)", "  })", {"lab-results/normal-panel"}),
    (LIB + "observations.lua", "  }, obx)", "    referenceRange = { text = 'none' },\n  }, obx)", {"lab-results/normal-panel"}),
    (LIB + "observations.lua", "  }, obx)", "    interpretation = { text = 'none' },\n  }, obx)", {"lab-results/normal-panel"}),
    # attachments.lua, house.lua, reports.lua
    (LIB + "attachments.lua", 'PDF = "application/pdf"', 'PDF = "text/plain"', {"lab-results/embedded-pdf"}),
    (LIB + "house.lua", 'repetition[5]:is("MR") and', "", {"lab-results/numbers-of-several"}),
    (LIB + "house.lua", 'and authority(repetition) == "RIVERSIDE"', "",
     {"lab-results/number-of-another", "lab-results/numbers-of-several"}),
    (LIB + "house.lua", "name = house.each(pid[5], fhir.name),", "",
     {f"lab-results/names-in-{name}" for name in ("latin-1", "latin-2", "utf-8", "mislabelled-utf-8", "unlabelled-latin-1")}
     | {"lab-results/escapes", "admissions/no-visit"}),
    (LIB + "house.lua", 'birthDate = fhir.date(pid["7"]),', "", {"lab-results/normal-panel", "admissions/merge"}),
    (LIB + "reports.lua", "if not number then return nil", "if false then return nil", {"lab-results/rejected-no-order-number"}),
    (LIB + "reports.lua", "if not order.OBR:exists() then return nil", "if false then return nil",
     {"lab-results/rejected-no-order", "lab-results/rejected-critical-without-order"}),
    (LIB + "reports.lua", "if #read == 0 then return nil", "if false then return nil", {"lab-results/rejected-nothing-reported"}),
    (LIB + "reports.lua", 'found[#found + 1] = { reference = "Observation?" .. query }', "",
     {"lab-results/preliminary-final-corrected"}),
    (LIB + "reports.lua", "filed.at > received_at", "false", {"lab-results/released-late"}),
    (LIB + "reports.lua", "house.append(doubts, report.found.doubts)", "",
     {"lab-results/number-that-is-none", "lab-results/final-without-value"}),
    (LIB + "reports.lua", "if times[key] > 1 then", "if false then", {"lab-results/order-twice"}),
    (LIB + "reports.lua", "filed.patient ~= patient_number", "false", {"lab-results/same-number-other-patient"}),
    (LIB + "reports.lua", "STAGE[item.status] < STAGE[before.status]", "false", {"lab-results/out-of-turn"}),
    (LIB + "reports.lua", "now < then_", "false", {"lab-results/older-result"}),
    (LIB + "reports.lua", 'conclusion = #found.notes > 0 and', "conclusion = false and",
     {"lab-results/several-orders", "lab-results/embedded-pdf"}),
    (LIB + "reports.lua", 'issued = fhir.instant(order["OBR-22"])', "issued = nil",
     {"lab-results/times", "lab-results/normal-panel"}),
    # tables
    (TABLES + "lab-to-loinc.csv", "GLU,Glucose,2345-7", "GLU,Glucose,9999-4",
     {"lab-results/z-segments", "lab-results/normal-panel", "lab-results/order-detail"}),
    (TABLES + "lab-to-loinc.csv", "MG,Magnesium,19123-9", "MG,Magnesium,9999-4", {"lab-results/specimen"}),
    (TABLES + "lab-to-loinc.csv", "A1C,Hemoglobin A1c,4548-4", "A1X,Hemoglobin A1c,4548-4", {"lab-portal/accepted"}),
    (TABLES + "units-to-ucum.csv", "x10E3/uL,10*3/uL", "x10E3/uL,10*9/L", {"lab-results/normal-blood-count"}),
    (TABLES + "report-status.csv", "I,registered", "I,final", {"lab-results/pending"}),
    (TABLES + "patient-class.csv", "E,EMER", "E,AMB", {"admissions/stay"}),
    # rules
    (RULES, "years and value > 6.2 mmol/L", "years and value > 7.2 mmol/L", {"lab-results/critical-potassium", "lab-portal/critical"}),
    (RULES, "years and value < 2.8 mmol/L", "years and value < 1.8 mmol/L", {"lab-results/hemolyzed-low-potassium"}),
    (RULES, "years and value > 6.5 mmol/L", "years and value > 6.9 mmol/L", {"lab-results/critical-potassium-child"}),
    (RULES, "years and value > 6.5 mmol/L", "years and value > 6.2 mmol/L", {"lab-results/high-potassium-child"}),
    (RULES, 'flag is "HH" or "LL" or "AA"', 'flag is "H"', {"lab-results/flagged-by-the-laboratory"}),
    (RULES, "when value > 100 ng/L", "when value > 1000 ng/L", {"lab-results/critical-troponin"}),
    (RULES, "when value <= 7 g/dL", "when value <= 6 g/dL", {"lab-results/critical-blood-count"}),
    (RULES, "when value > 6.2 mmol/L and specimen is hemolyzed", "when value > 7.2 mmol/L and specimen is hemolyzed",
     {"lab-results/hemolyzed-potassium"}),
    # channels
    ("channels/lab-portal/main.lua", 'if msg.type ~= "ORU^R01" then', "if false then", {"lab-portal/refused"}),
    ("channels/lab-portal/main.lua", "status = 202", "status = 200", {"lab-portal/accepted"}),
    ("channels/lab-results/channel.toml", '"America/New_York"', '"Europe/Vienna"',
     {"lab-results/times", "lab-results/critical-troponin"}),
    ("channels/admissions/main.lua", 'link = { { other = survivor, type = "replaced-by" } },', "", {"admissions/merge"}),
    ("channels/admissions/main.lua", "or known.ended", "", {"admissions/stay"}),
    ("channels/admissions/main.lua", "or known.disposition", "", {"admissions/stay"}),
    ("channels/admissions/main.lua", 'if event == "A13" then return visit end', "", {"admissions/discharge-cancelled", "admissions/cancelled-of-nobody"}),
    ("channels/admissions/main.lua", "if event == \"A11\" and known.registered", "if false", {"admissions/admission-cancelled"}),
    ("channels/admissions/main.lua", 'visit.cancelled and "cancelled" or', "",
     {"admissions/admission-cancelled", "admissions/cancelled-admission-of-nobody"}),
    ("channels/admissions/main.lua", "or known.cancelled and not STARTS[event]", "", {"admissions/admission-cancelled"}),
    ("channels/admissions/main.lua", 'if event == "A11" and known.finished', "if false", {"admissions/cancelled-after-discharge"}),
    ("channels/admissions/main.lua", "if known.cancelled and (", "if false and (", {"admissions/cancelled-and-discharged"}),
    ("channels/admissions/main.lua", "elseif CANCELS[event] then", "elseif false then", {"admissions/cancelled-without-visit"}),
    ("channels/admissions/main.lua", "A40 = true }", "A40 = true, A02 = true }", {"admissions/transfer"}),
    ("channels/admissions/main.lua", "(msg.PID[3])\n  if not number then reject", "(msg.PID[3])\n  if not number then skip",
     {"admissions/no-patient-number"}),
    ("channels/admissions/main.lua", 'lookup.must("patient-class"', 'lookup("patient-class"', {"admissions/class-not-known"}),
    ("channels/admissions/main.lua", 'state["merged " .. old],', "local none,", {"admissions/two-merged"}),
    ("channels/admissions/main.lua", "if not old then reject", "if not old then skip", {"admissions/merge-of-nobody"}),
    ("channels/admissions/main.lua", "if visit then", "if true then", {"admissions/no-visit"}),
]

EHR_STAND_IN = [
    (LIB + "transaction.lua", "step.write = step.id == nil", "step.write = true", {"fhir/transaction", "fhir/one-resource"}),
    (LIB + "transaction.lua", "found = urls[target]", "found = target", {"fhir/bad-reference", "fhir/transaction"}),
    (LIB + "transaction.lua", "if #ids > 1 then", "if false then", {"fhir/several-found"}),
    (LIB + "transaction.lua", 'bundle:get("resourceType") ~= "Bundle" or bundle:get("type") ~= "transaction"', "false",
     {"fhir/no-bundle"}),
    (LIB + "answer.lua", "if not before then return nil end", "if true then return nil end", {"fhir/transaction", "fhir/trouble"}),
    (LIB + "answer.lua", "answer.problem(400,", "answer.problem(500,", {"fhir/bad-json"}),
    (LIB + "check.lua", "if rule.status and not", "if false and not", {"fhir/bad-status"}),
    (LIB + "keep.lua", "state[place] = without(state[place] or {}, id)\n    end\n  elseif", "end\n  elseif", {"fhir/one-resource"}),
    (LIB + "trouble.lua", "asked.times = asked.times - 1", "", {"fhir/trouble"}),
    ("channels/fhir/main.lua", "if not resource then return answer.problem(404", "if not resource then return answer.problem(410",
     {"fhir/not-there"}),
    ("channels/fhir/main.lua", "if not keep.types[kind] then return answer.problem(404", "if false then return answer.problem(404",
     {"fhir/unknown-kind"}),
]


def run_tests(site):
    """What `cannula test` says of a site: (exit code, names that passed, names that failed, all it printed)."""
    done = subprocess.run([os.environ["CANNULA"], "test", str(site), "--json"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=120)
    tests = json.loads(done.stdout)["tests"] if done.stdout.startswith("{") else []
    names = {f"{test['channel']}/{test['name']}": test["passed"] for test in tests}
    return (done.returncode, {name for name, passed in names.items() if passed},
            {name for name, passed in names.items() if not passed}, done.stdout + done.stderr)


class SampleSite:
    site, mutations = None, []

    def test_is_green(self):
        code, passed, failed, printed = run_tests(SAMPLES / self.site)
        self.assertEqual((code, failed), (0, set()), printed)
        self.assertTrue(passed)

    def test_each_test_goes_red_when_what_it_tests_is_broken(self):
        reddened = set()
        for file, before, after, expected in self.mutations:
            with self.subTest(file=file, broken=before), tempfile.TemporaryDirectory(prefix="cannula-mutant-") as folder:
                mutant = pathlib.Path(folder) / self.site
                shutil.copytree(SAMPLES / self.site, mutant, ignore=shutil.ignore_patterns("state"))
                text = (mutant / file).read_text(encoding="utf-8")
                self.assertIn(before, text, "there is nothing to break any more")
                (mutant / file).write_text(text.replace(before, after, 1), encoding="utf-8")
                code, _, failed, printed = run_tests(mutant)
                self.assertEqual(code, 1, printed)
                self.assertLessEqual(expected, failed, "these tests did not notice")
                reddened |= failed
        _, passed, _, _ = run_tests(SAMPLES / self.site)
        self.assertEqual(passed - reddened, set(), "no mutation reddens these tests: could they fail?")


class Riverside(SampleSite, unittest.TestCase):
    site, mutations = "riverside", RIVERSIDE


class EhrStandIn(SampleSite, unittest.TestCase):
    site, mutations = "ehr-stand-in", EHR_STAND_IN


class Rules(unittest.TestCase):
    def test_the_tests_beside_the_rules_are_green(self):
        done = subprocess.run([os.environ["CANNULA"], "rules", "test", str(SAMPLES / "riverside" / RULES)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
