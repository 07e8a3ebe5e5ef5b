#include "parsers/fhir/arrange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula::fhir {
namespace {

using testing::HasSubstr;

struct Arranged {
  std::string json;
  Error error;
};

Arranged arranged(std::string_view type, std::string text) {
  auto document = tree::Document::parse(make_bytes(std::move(text)));
  EXPECT_TRUE(document) << document.error().text();
  const auto done = arrange(*document, document->root().id(), *Model::r4().find(type));
  return done ? Arranged{document->encode(), {}} : Arranged{"", done.error()};
}

std::string json_of(std::string_view type, std::string text) {
  const Arranged result = arranged(type, std::move(text));
  EXPECT_TRUE(result.error.code.empty()) << result.error.text();
  return result.json;
}

Error error_of(std::string_view type, std::string text) {
  const Arranged result = arranged(type, std::move(text));
  EXPECT_FALSE(result.error.code.empty()) << result.json;
  return result.error;
}

TEST(Arrange, PutsResourceTypeFirstAndElementsInTheOrderOfR4) {
  EXPECT_EQ(
      json_of("Patient",
              R"({"birthDate":"1961-06-15","name":[{"given":["Anna"],"family":"Muster",)"
              R"("use":"official"}],"identifier":[{"value":"1","system":"urn:x"}],"id":"a"})"),
      R"({"resourceType":"Patient","id":"a","identifier":[{"system":"urn:x","value":"1"}],)"
      R"("name":[{"use":"official","family":"Muster","given":["Anna"]}],)"
      R"("birthDate":"1961-06-15"})");
}

TEST(Arrange, PutsASingleValueInAListWhereR4WantsOne) {
  EXPECT_EQ(json_of("Patient", R"({"name":{"family":"Muster","given":"Anna"}})"),
            R"({"resourceType":"Patient","name":[{"family":"Muster","given":["Anna"]}]})");
}

TEST(Arrange, DecimalsBecomeNumbersOfTheSameText) {
  EXPECT_EQ(json_of("Observation", R"({"valueQuantity":{"unit":"mmol/L","value":"7.10"}})"),
            R"({"resourceType":"Observation","valueQuantity":{"value":7.10,"unit":"mmol/L"}})");
}

TEST(Arrange, NumbersBecomeTextsWhereR4HasTexts) {
  EXPECT_EQ(json_of("Patient", R"({"identifier":{"value":777001}})"),
            R"({"resourceType":"Patient","identifier":[{"value":"777001"}]})");
}

TEST(Arrange, LeavesOutWhatIsEmpty) {
  EXPECT_EQ(json_of("Patient",
                    R"({"gender":"","name":[{}, {"family":""}],"telecom":[],"contact":{"name":{}},)"
                    R"("active":null,"birthDate":"1961"})"),
            R"({"resourceType":"Patient","birthDate":"1961"})");
}

TEST(Arrange, KeepsSiblingsOfPrimitivesWithTheirNulls) {
  EXPECT_EQ(
      json_of("Patient",
              R"({"_birthDate":{"extension":{"url":"http://e.org","valueString":"x"}},)"
              R"("birthDate":"1961","name":{"_given":[null,{"id":"b"}],"given":["A",null]}})"),
      R"({"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"id":"b"}]}],)"
      R"("birthDate":"1961","_birthDate":{"extension":[{"url":"http://e.org",)"
      R"("valueString":"x"}]}})");
}

TEST(Arrange, ResourcesInsideAreOfTheirOwnType) {
  EXPECT_EQ(
      json_of("Bundle", R"({"entry":{"resource":{"name":{"family":"M"},"resourceType":"Patient"}},)"
                        R"("type":"transaction"})"),
      R"({"resourceType":"Bundle","type":"transaction","entry":[{"resource":)"
      R"({"resourceType":"Patient","name":[{"family":"M"}]}}]})");
  EXPECT_EQ(error_of("Patient", R"({"contained":{"id":"x"}})").code, "E103");
  EXPECT_EQ(error_of("Patient", R"({"contained":{"resourceType":"Pacient"}})").hint,
            "did you mean 'Patient'?");
}

TEST(Arrange, ElementsThatReferToOthersHaveTheirElements) {
  EXPECT_EQ(json_of("Observation", R"({"component":{"referenceRange":{"text":"3-5"}}})"),
            R"({"resourceType":"Observation","component":[{"referenceRange":[{"text":"3-5"}]}]})");
}

TEST(ArrangeErrors, NameTheElementAndTheNearestName) {
  const Error error = error_of("Patient", R"({"name":[{"family":"M"},{"famly":"x"}]})");
  EXPECT_EQ(error.code, "E102");
  EXPECT_EQ(error.message, "Patient.name[2]: HumanName has no element 'famly'");
  EXPECT_EQ(error.hint, "did you mean 'family'?");
  EXPECT_EQ(error_of("Observation", R"({"value":1})").code, "E102");
}

TEST(ArrangeErrors, ValuesOfAWrongFormAreRefused) {
  const Error date = error_of("Patient", R"({"birthDate":"19610615"})");
  EXPECT_EQ(date.code, "E104");
  EXPECT_THAT(date.message, HasSubstr("Patient.birthDate: '19610615' is not a date: YYYY"));
  EXPECT_EQ(error_of("Patient", R"({"active":"true"})").code, "E103");
  EXPECT_EQ(error_of("Patient", R"({"gender":{"x":1}})").code, "E103");
  EXPECT_EQ(error_of("Observation", R"({"code":"2823-3"})").hint,
            "write { text = … } or fhir.concept(…)");
  EXPECT_EQ(error_of("Observation", R"({"valueQuantity":{"value":"7,1"}})").code, "E104");
  EXPECT_EQ(error_of("Observation", R"({"valueInteger":3.0})").code, "E104");
}

TEST(ArrangeErrors, SeveralWhereR4HasOneAreRefused) {
  EXPECT_EQ(error_of("Patient", R"({"gender":["male"]})").code, "E106");
  EXPECT_EQ(error_of("Observation", R"({"valueString":"x","valueInteger":3})").code, "E105");
  EXPECT_EQ(error_of("Patient", R"({"gender":"male","gender":"female"})").code, "E105");
  EXPECT_EQ(error_of("Patient", R"({"resourceType":"Observation"})").code, "E103");
}

TEST(ArrangeErrors, DepthIsLimited) {
  std::string text = R"({"url":"http://e.org"})";
  for (int level = 0; level < 120; ++level) {
    text = R"({"url":"http://e.org","extension":)" + text + "}";
  }
  EXPECT_EQ(error_of("Patient", R"({"extension":)" + text + "}").code, "E108");
}

TEST(Primitives, HaveTheFormsOfR4) {
  const auto fits = [](Primitive type, std::string_view text) { return !wrong_form(type, text); };
  for (const char* text : {"2026", "2026-01", "2024-02-29"}) {
    EXPECT_TRUE(fits(Primitive::date, text)) << text;
  }
  for (const char* text : {"2026-1", "2026-02-29", "2026-13", "26", "2026-01-15T09:00:00Z"}) {
    EXPECT_FALSE(fits(Primitive::date, text)) << text;
  }
  for (const char* text : {"2026-01-15", "2026-01-15T09:00:00Z", "2026-01-15T09:00:00.123+01:00"}) {
    EXPECT_TRUE(fits(Primitive::date_time, text)) << text;
  }
  for (const char* text : {"2026-01-15T09:00Z", "2026-01-15T09:00:00", "2026-01T09:00:00Z",
                           "2026-01-15T24:00:00Z", "2026-01-15T09:00:00+0100"}) {
    EXPECT_FALSE(fits(Primitive::date_time, text)) << text;
  }
  EXPECT_FALSE(fits(Primitive::instant, "2026-01-15"));
  EXPECT_TRUE(fits(Primitive::instant, "2026-01-15T09:00:00.1-05:00"));
  EXPECT_TRUE(fits(Primitive::time, "09:00:00"));
  EXPECT_FALSE(fits(Primitive::time, "09:00"));
  EXPECT_TRUE(fits(Primitive::code, "a b"));
  EXPECT_FALSE(fits(Primitive::code, " a"));
  EXPECT_FALSE(fits(Primitive::code, "a  b"));
  EXPECT_TRUE(fits(Primitive::id, "a-1.B"));
  EXPECT_FALSE(fits(Primitive::id, "a_1"));
  EXPECT_FALSE(fits(Primitive::id, std::string(65, 'a')));
  EXPECT_TRUE(fits(Primitive::oid, "urn:oid:2.16.840.1"));
  EXPECT_FALSE(fits(Primitive::oid, "2.16.840.1"));
  EXPECT_FALSE(fits(Primitive::oid, "urn:oid:2.016"));
  EXPECT_TRUE(fits(Primitive::uuid, "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"));
  EXPECT_FALSE(fits(Primitive::uuid, "c757873d-ec9a-4326-a141-556f43239520"));
  EXPECT_TRUE(fits(Primitive::base64_binary, "QUJD RA=="));
  EXPECT_FALSE(fits(Primitive::base64_binary, "QUJ"));
  EXPECT_TRUE(fits(Primitive::positive_int, "1"));
  EXPECT_FALSE(fits(Primitive::positive_int, "0"));
  EXPECT_TRUE(fits(Primitive::integer, "-2147483648"));
  EXPECT_FALSE(fits(Primitive::integer, "2147483648"));
  EXPECT_FALSE(fits(Primitive::unsigned_int, "1.0"));
  EXPECT_FALSE(fits(Primitive::url, "http://a b"));
}

TEST(Model, KnowsTheResourcesOfClinicalMessages) {
  for (const char* name :
       {"Patient",   "Observation",      "DiagnosticReport",  "Encounter",     "ServiceRequest",
        "Specimen",  "Practitioner",     "PractitionerRole",  "Organization",  "Location",
        "Bundle",    "OperationOutcome", "DocumentReference", "Communication", "Flag",
        "Task",      "Provenance",       "MessageHeader",     "Parameters",    "AllergyIntolerance",
        "Condition", "Immunization",     "MedicationRequest"}) {
    const Type* type = Model::r4().find(name);
    ASSERT_NE(type, nullptr) << name;
    EXPECT_TRUE(type->is_resource()) << name;
    EXPECT_NE(type->find("id"), nullptr) << name;
  }
  EXPECT_EQ(Model::r4().find("Pacient"), nullptr);
}

TEST(Model, KnowsTypeCardinalityAndChoices) {
  const Type& observation = *Model::r4().find("Observation");
  EXPECT_TRUE(observation.find("status")->required);
  EXPECT_TRUE(observation.find("category")->list);
  EXPECT_EQ(observation.find("valueQuantity")->type->name(), "Quantity");
  EXPECT_EQ(observation.find("valueDateTime")->primitive, Primitive::date_time);
  EXPECT_EQ(observation.find("valueQuantity")->choice, observation.find("valueString")->choice);
  EXPECT_NE(observation.find("valueQuantity")->choice,
            observation.find("effectiveDateTime")->choice);
  EXPECT_TRUE(observation.find("_valueString")->sibling);
  EXPECT_EQ(observation.find("value"), nullptr);
  EXPECT_EQ(observation.find("_valueQuantity"), nullptr);
  EXPECT_NE(Model::r4().find("Age")->find("value"), nullptr);
  EXPECT_NE(Model::r4().find("Extension")->find("valueCodeableConcept"), nullptr);
}

}  // namespace
}  // namespace cannula::fhir
