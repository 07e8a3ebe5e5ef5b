// What an OBX says, as FHIR: fhir.value, fhir.range, fhir.interpretation; and fhir.by_identifier.
#include <cstring>

#include "tests/unit/engine/script/script_fixture.h"

namespace cannula::script {
namespace {

using testing::HasSubstr;

class FhirObservationTest : public ScriptTest {
 protected:
  // The Observation that fhir.value makes of an OBX with these fields from OBX-2 on.
  std::string value(std::string_view type, std::string_view text, std::string_view unit = "") {
    return sent(
        "local value, doubt = fhir.value(msg.OBX)\n"
        "if doubt then value.note = { text = doubt } end\n"
        "send('ehr', fhir.Observation(value))",
        obx(type, text, unit));
  }

  // What FHIR makes of OBX-7.
  std::string range(std::string_view text, std::string_view unit = "mmol/L") {
    return sent(
        "send('ehr', fhir.Observation{ referenceRange = fhir.range(msg.OBX[7], msg.OBX[6]) })",
        obx("NM", "4", unit, text));
  }

  static std::string obx(std::string_view type, std::string_view text, std::string_view unit = "",
                         std::string_view range = "", std::string_view flags = "") {
    std::string message =
        "MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||1\rOBR|1|1\rOBX|"
        "1|";
    for (const std::string_view field :
         {type, std::string_view("K^Potassium^L"), std::string_view(), text, unit, range, flags}) {
      message += std::string(field) + "|";
    }
    return message + "||F\r";
  }
};

constexpr std::string_view kHead = R"({"resourceType":"Observation")";

// What stands beside the value of an OBX is the same whichever way it is asked for: by the second
// argument, quickly or the long way (an element with a sibling), or by the converters.
TEST_F(FhirObservationTest, WhatStandsBesideTheValueIsTakenFromTheSegment) {
  constexpr std::string_view kRanges[] = {"3.5-5.1", "<5",    ">= 60",   "-2 - 2",
                                          "",        "  ",    "\"\"",    "see text",
                                          "3,5-5.1", "1-2-3", "A\\T\\B", "0.7-1.3^x~2-3"};
  constexpr std::string_view kFlags[] = {
      "H", "HH~A", "", "\"\"", "odd", " L ", "H^high^HL70078~~N"};
  constexpr std::string_view kUnits[] = {"mmol/L", "", "MG/DL", "blobs", "10*3/uL^x^UCUM^K/uL"};
  for (const std::string_view range : kRanges) {
    for (const std::string_view flags : kFlags) {
      for (const std::string_view unit : kUnits) {
        const std::string message = obx("NM", "4", unit, range, flags);
        const std::string by_converters = sent(
            "local obx = msg.OBX\n"
            "send('ehr', fhir.Observation{ status = 'final', _status = { id = 'x' },\n"
            "  interpretation = fhir.interpretation(obx[8]), referenceRange = fhir.range(obx[7], "
            "obx[6]) })",
            message);
        EXPECT_EQ(sent("send('ehr', fhir.Observation({ status = 'final', _status = { id = 'x' } }, "
                       "msg.OBX))",
                       message),
                  by_converters);
        std::string without_sibling = by_converters;
        const std::string_view sibling = R"(,"_status":{"id":"x"})";
        ASSERT_NE(without_sibling.find(sibling), std::string::npos) << by_converters;
        without_sibling.erase(without_sibling.find(sibling), sibling.size());
        EXPECT_EQ(sent("send('ehr', fhir.Observation({ status = 'final' }, msg.OBX))", message),
                  without_sibling);
      }
    }
  }
}

TEST_F(FhirObservationTest, WhatTheTableSaysIsNotTakenFromTheSegment) {
  EXPECT_EQ(
      sent("send('ehr', fhir.Observation({ interpretation = { text = 'mine' }, referenceRange "
           "= { text = 'none' } }, msg.OBX))",
           obx("NM", "4", "mmol/L", "3.5-5.1", "H")),
      std::string(kHead) +
          R"(,"interpretation":[{"text":"mine"}],"referenceRange":[{"text":"none"}]})");
  EXPECT_EQ(sent("send('ehr', fhir.Observation({ status = 'final' }, msg.OBX))",
                 "MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||1\r"),
            std::string(kHead) + R"(,"status":"final"})");
}

TEST_F(FhirObservationTest, WhatTheTableCallsEmptyIsNotTakenFromTheSegmentEither) {
  const std::string message = obx("NM", "4", "mmol/L", "3.5-5.1", "H");
  const std::string empty = "interpretation = {}, referenceRange = {}";
  EXPECT_EQ(
      sent("send('ehr', fhir.Observation({ status = 'final', " + empty + " }, msg.OBX))", message),
      std::string(kHead) + R"(,"status":"final"})");
  EXPECT_EQ(sent("send('ehr', fhir.Observation({ status = 'final', _status = { id = 'x' }, " +
                     empty + " }, msg.OBX))",
                 message),
            std::string(kHead) + R"(,"status":"final","_status":{"id":"x"}})");
}

TEST_F(FhirObservationTest, ManyInterpretationsComeAsFewDo) {
  std::string flags = "H";
  for (int i = 0; i < 300; ++i) flags += "~A";
  const std::string made = sent("send('ehr', fhir.Observation({ status = 'final' }, msg.OBX))",
                                obx("NM", "4", "mmol/L", "", flags));
  EXPECT_EQ(made, sent("send('ehr', fhir.Observation{ status = 'final', interpretation = "
                       "fhir.interpretation(msg.OBX[8]) })",
                       obx("NM", "4", "mmol/L", "", flags)));
  EXPECT_GT(made.size(), 300u * 50);
}

TEST_F(FhirObservationTest, OnlyAnObxCanStandBesideTheTableAndOnlyOfAnObservation) {
  const std::string message = obx("NM", "4");
  EXPECT_THAT(failure("fhir.Patient({}, msg.OBX)", message), HasSubstr("[L240]"));
  EXPECT_THAT(failure("fhir.Observation({}, msg.PID)", message), HasSubstr("not PID"));
  EXPECT_THAT(failure("fhir.Observation(nil, msg.OBX)", message), HasSubstr("takes a table"));
  EXPECT_THAT(failure("fhir.Observation(fhir.Observation(), msg.OBX)", message),
              HasSubstr("before the OBX"));
  EXPECT_THAT(failure("fhir.Observation({}, 'OBX')", message), HasSubstr("[L210]"));
}

TEST_F(FhirObservationTest, ANumberIsAQuantityWithItsDigits) {
  EXPECT_EQ(value("NM", "+7.10", "mmol/L"),
            std::string(kHead) + R"(,"valueQuantity":{"value":7.10,"unit":"mmol/L",)"
                                 R"("system":"http://unitsofmeasure.org","code":"mmol/L"}})");
  EXPECT_EQ(value("NM", "007"), std::string(kHead) + R"(,"valueQuantity":{"value":7}})");
  EXPECT_EQ(value("NM", "4", "blobs"),
            std::string(kHead) + R"(,"valueQuantity":{"value":4,"unit":"blobs"}})");
}

TEST_F(FhirObservationTest, AUnitInUcumIsShownAsTheLaboratoryWritesIt) {
  EXPECT_THAT(value("NM", "4", "10*3/uL^10*3/uL^UCUM^K/uL^^L"),
              HasSubstr(R"("unit":"K/uL","system":"http://unitsofmeasure.org","code":"10*3/uL")"));
  EXPECT_THAT(value("NM", "4", "MG/DL^milligrams per deciliter^L"),
              HasSubstr(R"("unit":"milligrams per deciliter","system":"http://unitsofmeasure.org",)"
                        R"("code":"mg/dL")"));
}

TEST_F(FhirObservationTest, AUnitIsCodedAsTheLaboratoryMeansIt) {
  const std::pair<const char*, const char*> units[] = {
      {"Mg/dL", "mg/dL"}, {"G/dL", "g/dL"}, {"ML/min", "mL/min"}, {"u/L", "U/L"}, {"mM", "mmol/L"}};
  for (const auto& [written, code] : units) {
    EXPECT_THAT(value("NM", "4", written),
                HasSubstr(std::string(R"("unit":")") + written +
                          R"(","system":"http://unitsofmeasure.org","code":")" + code + R"("})"))
        << written;
  }
}

TEST_F(FhirObservationTest, AUnitWithTwoReadingsOrFalselyOfUcumIsText) {
  for (const char* unit : {"MU/L", "G/L", "MU/L^^UCUM", "MG/dL^^UCUM", "G/L^^UCUM", "K/uL^^UCUM",
                           "mM^^UCUM", "mIU/L^^UCUM", "blobs^^UCUM"}) {
    const std::string shown(unit, std::strcspn(unit, "^"));
    EXPECT_EQ(value("NM", "4", unit),
              std::string(kHead) + R"(,"valueQuantity":{"value":4,"unit":")" + shown + R"("}})")
        << unit;
  }
  EXPECT_THAT(value("NM", "4", "mg/dL^^UCUM"), HasSubstr(R"("code":"mg/dL")"));
}

TEST_F(FhirObservationTest, ANumberWithAComparatorIsOneAlsoAsText) {
  EXPECT_THAT(value("ST", "< 0.010", "ng/mL"), HasSubstr(R"({"value":0.010,"comparator":"<")"));
  EXPECT_THAT(value("", ">=100", "U/L"), HasSubstr(R"({"value":100,"comparator":">=")"));
  EXPECT_EQ(value("ST", "<5"), std::string(kHead) + R"(,"valueString":"<5"})");
  EXPECT_EQ(value("ST", "<>5", "U/L"), std::string(kHead) + R"(,"valueString":"<>5"})");
}

TEST_F(FhirObservationTest, WhatIsSentAsANumberAndIsNoneIsTextAndDoubtful) {
  EXPECT_EQ(value("NM", "hemolyzed", "mmol/L"),
            std::string(kHead) +
                R"(,"valueString":"hemolyzed",)"
                R"("note":[{"text":"'hemolyzed' is sent as a number and is none"}]})");
}

TEST_F(FhirObservationTest, StructuredNumbersAreQuantitiesRangesAndRatios) {
  EXPECT_EQ(value("SN", ">^100", "U/L"),
            std::string(kHead) + R"(,"valueQuantity":{"value":100,"comparator":">","unit":"U/L",)"
                                 R"("system":"http://unitsofmeasure.org","code":"U/L"}})");
  EXPECT_EQ(value("SN", "^3^-^5"),
            std::string(kHead) + R"(,"valueRange":{"low":{"value":3},"high":{"value":5}}})");
  EXPECT_EQ(value("SN", "^1^:^128"), std::string(kHead) +
                                         R"(,"valueRatio":{"numerator":{"value":1},)"
                                         R"("denominator":{"value":128}}})");
  EXPECT_EQ(value("SN", "^2^+"), std::string(kHead) + R"(,"valueString":"2+"})");
  EXPECT_EQ(value("SN", "<>^5"), std::string(kHead) + R"(,"valueString":"<>5"})");
  EXPECT_EQ(value("SN", "=^5"), std::string(kHead) + R"(,"valueQuantity":{"value":5}})");
  EXPECT_EQ(value("SN", ""), std::string(kHead) + "}");
}

TEST_F(FhirObservationTest, CodesTimesAndTexts) {
  EXPECT_EQ(value("CWE", "112283007^Escherichia coli^SCT"),
            std::string(kHead) + R"(,"valueCodeableConcept":{"coding":[{"system":)"
                                 R"("http://snomed.info/sct","code":"112283007",)"
                                 R"("display":"Escherichia coli"}],"text":"Escherichia coli"}})");
  EXPECT_EQ(value("DT", "20260114"), std::string(kHead) + R"(,"valueDateTime":"2026-01-14"})");
  EXPECT_EQ(value("DT", "soon"), std::string(kHead) + R"(,"valueString":"soon"})");
  EXPECT_EQ(value("TX", "first~second\\.br\\third\\H\\!\\N\\"),
            std::string(kHead) + R"(,"valueString":"first\nsecond\nthird!"})");
}

// R4: Observation.value[x] is one.
TEST_F(FhirObservationTest, SeveralCodesOrNumbersAreLinesAndDoubtful) {
  EXPECT_EQ(
      value("CWE", "112283007^E. coli^SCT~56415008^Klebsiella^SCT~K12^^L"),
      std::string(kHead) +
          R"(,"valueString":"E. coli\nKlebsiella\n[K12]","note":[{"text":"OBX-5 has 3 values )"
          R"(of type CWE, and an Observation can have one: they are given as text"}]})");
  EXPECT_THAT(value("CE", "A^a~B^b"), HasSubstr(R"("valueString":"a\nb")"));
  EXPECT_THAT(value("SN", ">^100~^3^-^5", "mg/dL"),
              HasSubstr(R"("valueString":">100 mg/dL\n3-5 mg/dL","note")"));
  EXPECT_THAT(value("NM", "4.1~4.2", "mmol/L"),
              HasSubstr(R"("valueString":"4.1 mmol/L\n4.2 mmol/L","note")"));
  EXPECT_THAT(value("DT", "20260114~20260115"),
              HasSubstr(R"("valueString":"20260114\n20260115","note")"));
}

TEST_F(FhirObservationTest, OneCodeOrNumberAmongEmptyRepetitionsIsTheValue) {
  EXPECT_THAT(value("CWE", "~112283007^E. coli^SCT~\"\""),
              testing::AllOf(HasSubstr("valueCodeableConcept"), testing::Not(HasSubstr("note"))));
  EXPECT_THAT(value("NM", "~4.1~", "mmol/L"), HasSubstr(R"("valueQuantity":{"value":4.1,)"));
  EXPECT_EQ(value("CWE", "^^SCT"), std::string(kHead) + "}");
  EXPECT_EQ(value("CWE", "~"), std::string(kHead) + "}");
}

TEST_F(FhirObservationTest, NothingNullAndBlanksAreNoValue) {
  for (const char* text : {"", "\"\"", "  ", "~"}) {
    EXPECT_EQ(value("ST", text), std::string(kHead) + "}") << text;
  }
  EXPECT_EQ(sent("send('ehr', tostring(next(fhir.value(msg.ZZZ))))"), "nil");
}

TEST_F(FhirObservationTest, ReferenceRangesHaveTheirLimits) {
  EXPECT_EQ(range("3.5-5.1", ""), std::string(kHead) +
                                      R"(,"referenceRange":[{"low":{"value":3.5},)"
                                      R"("high":{"value":5.1},"text":"3.5-5.1"}]})");
  EXPECT_THAT(range("-2 - 2", ""), HasSubstr(R"("low":{"value":-2},"high":{"value":2})"));
  EXPECT_THAT(range("-5--2", ""), HasSubstr(R"("low":{"value":-5},"high":{"value":-2})"));
  EXPECT_THAT(range("<5"), HasSubstr(R"({"high":{"value":5,"unit":"mmol/L",)"));
  EXPECT_THAT(range(">= 60", ""), HasSubstr(R"({"low":{"value":60},"text":">= 60"})"));
  for (const char* text : {"negative", "5", "3.5-", "-", "3-4-5", "a-b"}) {
    EXPECT_EQ(range(text), std::string(kHead) + R"(,"referenceRange":[{"text":")" + text + "\"}]}");
  }
  for (const char* text : {"", "\"\"", " "})
    EXPECT_EQ(range(text), std::string(kHead) + "}") << text;
}

TEST_F(FhirObservationTest, InterpretationsOfAllRepetitions) {
  const std::string script =
      "send('ehr', fhir.Observation{ interpretation = fhir.interpretation(msg.OBX[8]) })";
  constexpr std::string_view kSystem =
      "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
  EXPECT_EQ(sent(script, obx("NM", "4", "", "", "HH~doubtful")),
            std::string(kHead) + R"(,"interpretation":[{"coding":[{"system":")" +
                std::string(kSystem) +
                R"(","code":"HH","display":"Critical high"}]},{"text":"doubtful"}]})");
  EXPECT_EQ(sent(script, obx("NM", "4", "", "", "N^normal^HL70078")),
            std::string(kHead) + R"(,"interpretation":[{"coding":[{"system":")" +
                std::string(kSystem) + R"(","code":"N","display":"Normal"}]}]})");
  EXPECT_EQ(sent(script, obx("NM", "4", "", "", "\"\"")), std::string(kHead) + "}");
}

TEST_F(FhirObservationTest, ASearchByIdentifierMeansThatOneIdentifier) {
  EXPECT_EQ(sent("send('ehr', fhir.by_identifier('https://x.example/id', 'A/1 2'))"),
            "identifier=https://x.example/id|A%2F1%202");
  // A comma would ask for either, & for another condition.
  EXPECT_EQ(sent("send('ehr', fhir.by_identifier('urn:x', 'A,B|C$D\\\\&e=\\u{FC}'))"),
            "identifier=urn:x|A%5C%2CB%5C%7CC%5C%24D%5C%5C%26e%3D%C3%BC");
  EXPECT_THAT(failure("fhir.by_identifier('urn:x', nil)"), HasSubstr("no value to search for"));
}

}  // namespace
}  // namespace cannula::script
