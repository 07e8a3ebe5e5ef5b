// The fhir library: constructors, transactions, and HL7 v2 values as FHIR.
#include "tests/unit/engine/script/script_fixture.h"

namespace cannula::script {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class FhirTest : public ScriptTest {
 protected:
  // Loads with a timezone, unlike ScriptTest.
  std::string sent_in(const std::string& zone, const std::string& body,
                      std::string_view message = kResult) {
    auto program = std::make_shared<Program>();
    program->channel = "lab";
    program->main = std::make_shared<Source>("main.lua", "function main(msg)\n" + body + "\nend");
    program->destinations = {"ehr"};
    program->timezone = zone;
    auto loaded = Runtime::load(program, limits_, host_, pool_);
    EXPECT_EQ(loaded.index(), 0u);
    const auto runtime = std::get<std::unique_ptr<Runtime>>(std::move(loaded));
    const auto run = runtime->begin(input(message));
    const Conclusion conclusion = finish(*run);
    EXPECT_EQ(conclusion.sends.size(), 1u) << conclusion.reason;
    return conclusion.sends.empty() ? std::string() : *conclusion.sends[0].payload;
  }
};

TEST_F(FhirTest, ConstructorsGiveR4sForm) {
  EXPECT_EQ(sent(R"(send('ehr', fhir.Patient{ gender = 'female', name = { family = 'Muster',
      given = 'Anna' }, identifier = { { value = '1', system = 'urn:x' } } }))"),
            R"({"resourceType":"Patient","identifier":[{"system":"urn:x","value":"1"}],)"
            R"("name":[{"family":"Muster","given":["Anna"]}],"gender":"female"})");
  EXPECT_EQ(sent("send('ehr', fhir.Observation{ valueQuantity = { value = '7.10' } })"),
            R"({"resourceType":"Observation","valueQuantity":{"value":7.10}})");
}

TEST_F(FhirTest, MistakesNameTheElement) {
  EXPECT_THAT(failure("fhir.Patient{ nam = {} }"), HasSubstr("did you mean 'name'?"));
  EXPECT_EQ(code_, "L240");
  EXPECT_THAT(failure("fhir.Patient{ birthDate = '19610615' }"),
              HasSubstr("Patient.birthDate: '19610615' is not a date"));
  EXPECT_THAT(failure("fhir.Pacient{}"), HasSubstr("fhir has no 'Pacient' (did you mean "
                                                   "'Patient'?)"));
  EXPECT_THAT(failure("fhir.Patient('x')"), HasSubstr("takes a table of elements"));
  EXPECT_THAT(failure("fhir.x = 1"), HasSubstr("read-only"));
}

TEST_F(FhirTest, AResourceThatWasEditedGetsItsFormAgain) {
  EXPECT_EQ(sent(R"(local p = fhir.Patient{ gender = 'male' }
    p['name.family'] = 'Muster' p.id = 'x' send('ehr', p))"),
            R"({"resourceType":"Patient","id":"x","name":[{"family":"Muster"}],"gender":"male"})");
  EXPECT_THAT(failure("local p = fhir.Patient{} p['name.famly'] = 'x' send('ehr', p)"),
              HasSubstr("did you mean 'family'?"));
}

TEST_F(FhirTest, TransactionsWireReferences) {
  const std::string script = R"(
    local t = fhir.transaction()
    local patient = t:update(fhir.Patient{ gender = 'female' }, 'Patient?identifier=urn:x|1')
    local seen = t:create(fhir.Observation{ status = 'final', subject = patient },
                          { unless_exists = 'identifier=urn:y|2' })
    t:add{ method = 'DELETE', url = 'Flag/7' }
    send('ehr', t)
    send('review', patient.reference .. seen.reference .. t:count() .. #t)
  )";
  const Conclusion first = work("function main(msg)" + script + "end");
  ASSERT_EQ(first.sends.size(), 2u) << first.reason;
  const std::string references = *first.sends[1].payload;
  const std::string patient = references.substr(0, 45);
  const std::string seen = references.substr(45, 45);
  EXPECT_THAT(patient, StartsWith("urn:uuid:"));
  EXPECT_EQ(patient[23], '8') << patient;  // the version
  EXPECT_NE(patient, seen);
  EXPECT_EQ(references.substr(90), "33");
  EXPECT_EQ(*first.sends[0].payload,
            R"({"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":")" + patient +
                R"(","resource":{"resourceType":"Patient","gender":"female"},"request":)"
                R"({"method":"PUT","url":"Patient?identifier=urn:x|1"}},{"fullUrl":")" +
                seen +
                R"(","resource":{"resourceType":"Observation","status":"final","subject":)"
                R"({"reference":")" +
                patient +
                R"("}},"request":{"method":"POST","url":"Observation","ifNoneExist":)"
                R"("identifier=urn:y|2"}},{"request":{"method":"DELETE","url":"Flag/7"}}]})");
  // A repeat of the run gives the same; another message does not.
  EXPECT_EQ(*finish(*runtime_->begin(input())).sends[0].payload, *first.sends[0].payload);
  Input other = input();
  other.id = "01JOTHER";
  EXPECT_NE(*finish(*runtime_->begin(std::move(other))).sends[0].payload, *first.sends[0].payload);
}

TEST_F(FhirTest, WhatIsCreatedIsACopyInR4sForm) {
  EXPECT_EQ(sent(R"(local t = fhir.transaction()
    local p = fhir.Patient{ gender = 'male' }
    p['name.family'] = 'Muster'
    t:create(p)  p.gender = 'female'
    t:create{ birthDate = '1961', resourceType = 'Patient' }
    local d = t:document()
    send('ehr', d['entry[1].resource'] .. d['entry[2].resource']))"),
            R"({"resourceType":"Patient","name":[{"family":"Muster"}],"gender":"male"})"
            R"({"resourceType":"Patient","birthDate":"1961"})");
}

TEST_F(FhirTest, ATableAndADocumentOfTheSameComeToTheSameText) {
  // Tables go the quick way, documents the long one.
  EXPECT_EQ(sent(R"(local function observation() return {
      status = 'final', code = { coding = { { code = 'K', system = 'urn:l' }, { code = '' } } },
      valueQuantity = { value = '4.10', unit = 'mmol/L', comparator = '' }, note = { text = 'n' },
      category = { {} }, performer = { { display = 'Lab' }, {} }, resourceType = 'Observation',
      component = { { valueInteger = 7, code = { text = 'ü "x"' } } }, method = {},
      extension = { { url = 'urn:e', valueBoolean = false, valueDecimal = nil } } } end
    local quick = fhir.Observation(observation()):encode()
    local long = fhir.Observation(json.parse(json.encode(observation()))):encode()
    send('ehr', quick == long and quick or quick .. ' and ' .. long))"),
            R"({"resourceType":"Observation","extension":[{"url":"urn:e","valueBoolean":false}],)"
            R"("status":"final","code":{"coding":[{"system":"urn:l","code":"K"}]},)"
            R"("performer":[{"display":"Lab"}],"valueQuantity":{"value":4.10,"unit":"mmol/L"},)"
            R"("note":[{"text":"n"}],"component":[{"code":{"text":"ü \"x\""},"valueInteger":7}]})");
}

TEST_F(FhirTest, EachEntryOfAResourceIsACopyOfWhatItWasThen) {
  EXPECT_EQ(sent(R"(local t = fhir.transaction()
    local p = fhir.Patient{ gender = 'male', name = { { given = { 'Anna', 'Berta' } } } }
    t:create(p) t:create(p)
    p['name[1].given[2]'] = 'Clara'
    t:create(p)
    local text = p:encode()
    for i = 1, 3 do text = text .. t:document()['entry[' .. i .. '].resource.name[1].given'] end
    send('ehr', text))"),
            R"({"resourceType":"Patient","name":[{"given":["Anna","Clara"]}],"gender":"male"})"
            R"(["Anna","Berta"]["Anna","Berta"]["Anna","Clara"])");
}

TEST_F(FhirTest, TransactionsSayWhatIsWrong) {
  EXPECT_THAT(failure("fhir.transaction():create('x')"), HasSubstr("takes a resource"));
  EXPECT_THAT(failure("fhir.transaction():create{ gender = 'x' }"), HasSubstr("no resourceType"));
  EXPECT_THAT(failure("fhir.transaction():create(fhir.Flag{}, { unles_exists = 'x' })"),
              HasSubstr("did you mean 'unless_exists'"));
  EXPECT_THAT(failure("fhir.transaction():update(fhir.Flag{}, 'Patient/1')"),
              HasSubstr("\"Flag/12\""));
  EXPECT_THAT(failure("fhir.transaction():add{ method = 'GET' }"), HasSubstr("method and url"));
  EXPECT_THAT(failure("fhir.transaction():creat()"), HasSubstr("did you mean 'create'"));
}

TEST_F(FhirTest, DatesAndTimes) {
  EXPECT_EQ(sent("send('ehr', fhir.date(msg['PID-7']) .. tostring(fhir.date(nil)))"),
            "1961-06-15nil");
  EXPECT_EQ(sent("local d, why = fhir.date('soon') send('ehr', tostring(d) .. why)"),
            "nil'soon' is not a date");
  EXPECT_EQ(sent_in("Europe/Vienna", "send('ehr', fhir.datetime(msg['MSH-7']))"),
            "2026-01-15T09:30:42+01:00");
  EXPECT_EQ(sent_in("America/New_York", "send('ehr', fhir.datetime('202607150930'))"),
            "2026-07-15T09:30:00-04:00");
  EXPECT_EQ(sent("send('ehr', fhir.datetime('20260115') .. fhir.datetime('20260115093042+0000'))"),
            "2026-01-152026-01-15T09:30:42+00:00");
  EXPECT_THAT(failure("fhir.datetime('20260115093042')"), HasSubstr("has no timezone"));
  EXPECT_EQ(code_, "L241");
  EXPECT_EQ(sent("send('ehr', fhir.instant(time.now()))"), "2026-01-15T09:30:42.123456Z");
}

// HL7 v2 2.14.9.7, and the same for rules: rules/facts.
TEST_F(FhirTest, ATimeWithoutAnOffsetHasThatOfMsh7) {
  const std::string message =
      "MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115120500+0000||ORU^R01^ORU_R01|L1|P|2.5.1\r"
      "OBR|1|A1|F1|24323-8^Panel^LN|||202601151200|||||||20260115130000+0100\r"
      "OBX|1|DTM|K^When^L||202601151201||||||F|||20260115120500\r";
  const auto both = [&](const std::string& what) {
    const std::string body = "send('ehr', tostring(" + what + "))";
    const std::string with = sent_in("America/New_York", body, message);
    EXPECT_EQ(with, sent_in("", body, message)) << what;
    return with;
  };
  EXPECT_EQ(both("fhir.datetime(msg.OBX[14])"), "2026-01-15T12:05:00+00:00");
  EXPECT_EQ(both("fhir.datetime(msg['OBX-14'])"), "2026-01-15T12:05:00+00:00");
  EXPECT_EQ(both("fhir.datetime('202601151205')"), "2026-01-15T12:05:00+00:00");
  EXPECT_EQ(both("fhir.instant(msg['OBR-7'])"), "2026-01-15T12:00:00+00:00");
  EXPECT_EQ(both("fhir.instant(msg.OBR[7])"), "2026-01-15T12:00:00+00:00");
  EXPECT_EQ(both("fhir.datetime(msg['OBR-14'])"), "2026-01-15T13:00:00+01:00");
  EXPECT_EQ(both("fhir.value(msg.OBX).valueDateTime"), "2026-01-15T12:01:00+00:00");
  EXPECT_EQ(both("fhir.datetime('20260115')"), "2026-01-15");
}

TEST_F(FhirTest, ANodeHasTheOffsetOfItsOwnMessage) {
  const std::string body =
      "local other = hl7.parse('MSH|^~\\\\&|A|B|C|D|20260115+0100||ORU^R01|2|P|2.5.1\\r"
      "OBR|1|||||20260115120000\\r')\n"
      "send('ehr', fhir.datetime(other.OBR[6]) .. ' ' .. fhir.datetime(other['OBR-6']))";
  EXPECT_EQ(sent_in("America/New_York", body),
            "2026-01-15T12:00:00+01:00 2026-01-15T12:00:00-05:00");
}

TEST_F(FhirTest, ACodeThatIsWrittenAsLoinc) {
  EXPECT_EQ(sent("send('ehr', tostring(fhir.is_loinc(msg.OBX[3])))"), "true");
  EXPECT_EQ(sent("send('ehr', tostring(fhir.is_loinc('LA6576-8')))"), "true");
  EXPECT_EQ(sent("local is, why = fhir.is_loinc('2823-4') send('ehr', tostring(is) .. why)"),
            "false`2823-4` is no LOINC code: the check digit of 2823 is 3");
  for (const char* code : {"nil", "''", "msg.ZZZ[3]", "'\"\"'"}) {
    EXPECT_EQ(sent(std::string("local is, why = fhir.is_loinc(") + code +
                   ") send('ehr', tostring(is) .. ' ' .. why)"),
              "false there is no code")
        << code;
  }
  EXPECT_THAT(sent("local is, why = fhir.is_loinc('K^Potassium^L') send('ehr', why)"),
              HasSubstr("`K` is no LOINC code"));
}

TEST_F(FhirTest, NamesIdentifiersAndAddresses) {
  EXPECT_EQ(sent("send('ehr', json.encode(fhir.name(msg.PID[5])))"),
            R"({"family":"Muster","given":["Anna","B"]})");
  EXPECT_EQ(sent("send('ehr', json.encode(fhir.name('Muster^Anna^^jun.^Dr.^^L')))"),
            R"({"family":"Muster","given":["Anna"],"prefix":["Dr."],"suffix":["jun."],)"
            R"("use":"official"})");
  EXPECT_EQ(sent("send('ehr', json.encode(fhir.identifier(msg['PID-3'])))"),
            R"({"system":"urn:id:NORTH","type":{"coding":[{"code":"MR","system":)"
            R"("http://terminology.hl7.org/CodeSystem/v2-0203"}]},"value":"777001"})");
  EXPECT_EQ(sent(R"(local all = {} for cx in msg.PID[3]:each() do
      all[#all + 1] = fhir.identifier(cx, { CITY = 'http://city.example' }).system end
      send('ehr', table.concat(all, ' ')))"),
            "urn:id:NORTH http://city.example");
  EXPECT_EQ(sent("send('ehr', json.encode(fhir.address(msg['PID-11'])))"),
            R"({"city":"Springfield","line":["12 Elm St"]})");
  EXPECT_EQ(sent("send('ehr', json.encode(fhir.telecom('555-1234^PRN^CP')))"),
            R"({"system":"phone","use":"mobile","value":"555-1234"})");
  EXPECT_EQ(sent("send('ehr', tostring(fhir.name(msg.PID[9])) .. tostring(fhir.address(nil)) .. "
                 "tostring(fhir.identifier(msg['PID-19'])))"),
            "nilnilnil");
}

TEST_F(FhirTest, ConceptsQuantitiesAndGender) {
  EXPECT_EQ(sent("send('ehr', json.encode(fhir.concept(msg.OBX[3])))"),
            R"({"coding":[{"code":"2823-3","display":"Potassium","system":"http://loinc.org"}],)"
            R"("text":"Potassium"})");
  EXPECT_EQ(sent("send('ehr', json.encode(fhir.quantity(msg['OBX-5'], msg['OBX-6'])))"),
            R"({"code":"mmol/L","system":"http://unitsofmeasure.org","unit":"mmol/L",)"
            R"("value":"7.1"})");
  EXPECT_EQ(sent("send('ehr', fhir.Observation{ valueQuantity = fhir.quantity('<0.010', 'blobs') "
                 "})"),
            R"({"resourceType":"Observation","valueQuantity":{"value":0.010,"comparator":"<",)"
            R"("unit":"blobs"}})");
  EXPECT_EQ(sent("send('ehr', tostring(fhir.quantity('negative')) .. fhir.gender(msg['PID-8']) .. "
                 "tostring(fhir.gender(nil)))"),
            "nilfemalenil");
}

TEST_F(FhirTest, ALargeUnderstandingOfWhatIsNotThere) {
  EXPECT_EQ(sent(R"(send('ehr', fhir.Patient{ name = { fhir.name(msg.PID[5]), nil },
      telecom = { fhir.telecom(msg.PID[13]) }, birthDate = fhir.date(msg['PID-77']) }))"),
            R"({"resourceType":"Patient","name":[{"family":"Muster","given":["Anna","B"]}]})");
}

}  // namespace
}  // namespace cannula::script
