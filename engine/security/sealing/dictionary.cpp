#include "engine/security/sealing/dictionary.h"

#include <algorithm>
#include <string_view>

namespace cannula::security {
namespace {

// One resource or one line of a log a line.
constexpr std::string_view kFhir =
    R"json({"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:","resource":{"resourceType":"Patient","id":"","meta":{"profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]},"identifier":[{"use":"usual","type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR","display":"Medical record number"}]},"system":"urn:oid:2.16.840.1.113883.","value":""}],"active":true,"name":[{"use":"official","family":"","given":[""],"prefix":[""]}],"telecom":[{"system":"phone","value":"","use":"home"},{"system":"email","value":""}],"gender":"female","birthDate":"1970-01-01","address":[{"use":"home","line":[""],"city":"","state":"","postalCode":"","country":"US"}]},"request":{"method":"PUT","url":"Patient?identifier="}},
{"fullUrl":"urn:uuid:","resource":{"resourceType":"Encounter","status":"in-progress","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"IMP","display":"inpatient encounter"},"subject":{"reference":"Patient/"},"participant":[{"individual":{"reference":"Practitioner/","display":""}}],"period":{"start":"2026-01-01T00:00:00+00:00"},"location":[{"location":{"reference":"Location/"}}],"serviceProvider":{"reference":"Organization/"}},"request":{"method":"POST","url":"Encounter"}},
{"fullUrl":"urn:uuid:","resource":{"resourceType":"DiagnosticReport","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0074","code":"LAB","display":"Laboratory"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"24323-8","display":"Comprehensive metabolic panel"}],"text":""},"subject":{"reference":"urn:uuid:"},"effectiveDateTime":"2026-01-01T00:00:00+00:00","issued":"2026-01-01T00:00:00+00:00","performer":[{"display":""}],"result":[{"reference":"urn:uuid:"},{"reference":"urn:uuid:"}],"specimen":[{"reference":"urn:uuid:"}],"conclusion":""},"request":{"method":"POST","url":"DiagnosticReport","ifNoneExist":"identifier="}},
{"fullUrl":"urn:uuid:","resource":{"resourceType":"Observation","identifier":[{"system":"","value":""}],"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory","display":"Laboratory"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"2823-3","display":"Potassium"}],"text":"Potassium"},"subject":{"reference":"urn:uuid:"},"encounter":{"reference":"urn:uuid:"},"effectiveDateTime":"2026-01-01T00:00:00+00:00","valueQuantity":{"value":4.1,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"},"interpretation":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"N","display":"Normal"}]}],"note":[{"text":""}],"referenceRange":[{"low":{"value":3.5,"unit":"mmol/L"},"high":{"value":5.1,"unit":"mmol/L"},"text":"3.5-5.1"}]},"request":{"method":"POST","url":"Observation"}}]}
{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid","details":{"text":""},"diagnostics":"","expression":[""]}]}
{"status":200,"headers":{"content-type":"application/fhir+json","etag":"W/\"1\"","location":"http://","last-modified":"","date":""}})json";

// One segment a line. What zstd finds nearest to the end is cheapest to name: the most frequent
// segments stand last.
constexpr std::string_view kSegments =
    R"hl7(MSH|^~\&|ADT|HOSPITAL|EHR|GENERAL|20260101000000||ADT^A01^ADT_A01||P|2.5.1|||AL|NE||UNICODE UTF-8
EVN|A01|20260101000000||||20260101000000
PID|1||100000^^^GENERAL^MR~000-00-0000^^^USA^SS||Muster^Erika^M^^Ms.||19700101|F||2106-3^White^HL70005|1 Main Street^^Anytown^NY^00000^USA^H||(555)555-0100^PRN^PH|(555)555-0101^WPN^PH|EN|M|CHR|100000^^^GENERAL^AN|000-00-0000
PD1|||GENERAL HOSPITAL^^00000|1234^Doctor^Dora^^^Dr.^MD
NK1|1|Muster^Max|SPO^Spouse^HL70063|1 Main Street^^Anytown^NY^00000|(555)555-0100|EC
PV1|1|I|WARD^101^1^GENERAL^^BED||||1234^Doctor^Dora^^^Dr.^MD^^NPI|5678^Referrer^Robert|9012^Consultant^Carla|MED||||1|A0||1234^Doctor^Dora|INP|V100000|||||||||||||||||||||||||20260101000000
PV2|||^Chest pain||||20260101||||||||||||||||N
GT1|1||Muster^Erika||1 Main Street^^Anytown^NY^00000|(555)555-0100
IN1|1|PPO^Preferred Provider|INS001|Insurance Company|PO Box 1^^Anytown^NY^00000|||GROUP||||20250101|20261231||PPO|Muster^Erika|SELF|19700101
AL1|1|DA|PEN^Penicillin^L|MO|Rash
DG1|1|ICD10|R07.9^Chest pain, unspecified^I10||20260101|A
MSH|^~\&|EHR|GENERAL|LAB|NORTH|20260101000000||ORM^O01^ORM_O01||P|2.3
MSH|^~\&|EHR|GENERAL|LAB|NORTH|20260101000000||OML^O21^OML_O21||P|2.5.1
MSH|^~\&|SCHED|GENERAL|EHR|GENERAL|20260101000000||SIU^S12^SIU_S12||P|2.3.1
SCH|100000|100000|||||CHECKUP^Check-up|OFFICE|30|MIN|^^30^20260101000000^20260101003000||||||||||||||BOOKED
RGS|1|A
AIS|1|A|OFFICE^Office visit|20260101000000|||30|MIN
AIP|1|A|1234^Doctor^Dora|ATTENDING
MSH|^~\&|TRANS|GENERAL|EHR|GENERAL|20260101000000||MDM^T02^MDM_T02||P|2.5
TXA|1|DS^Discharge summary|TX|20260101000000|1234^Doctor^Dora||20260101000000|||||100000||||LA
MSH|^~\&|PHARM|GENERAL|EHR|GENERAL|20260101000000||RDE^O11^RDE_O11||P|2.5
RXE|1^TAB^BID^^20260101|00000-0000-00^Aspirin 81 MG Oral Tablet^NDC|81||MG|TAB|||30|TAB|3
RXA|0|1|20260101||08^Hepatitis B vaccine^CVX|0.5|mL^^UCUM||00^New immunization record^NIP001
MSH|^~\&|BILL|GENERAL|EHR|GENERAL|20260101000000||DFT^P03^DFT_P03||P|2.3
FT1|1|||20260101|20260101|CG|99213^Office visit^CPT|||1|||GENERAL||||||R07.9^Chest pain^I10|1234^Doctor^Dora
MSH|^~\&|RAD|GENERAL|EHR|GENERAL|20260101000000+0000||ORU^R01^ORU_R01||P|2.5.1
OBR|1|100000^EHR|100000^RAD|71046^Chest X-ray 2 views^CPT|||20260101000000|||||||||1234^Doctor^Dora||||||20260101000000||RAD|F
OBX|1|TX|71046^Chest X-ray^CPT||FINDINGS: The lungs are clear. No pleural effusion or pneumothorax. The heart is normal in size.||||||F
OBX|2|TX|IMPRESSION||No acute cardiopulmonary disease.||||||F
OBX|1|FT|11502-2^Laboratory report^LN||\.br\||||||F
OBX|1|ED|PDF^Report^L||^application^pdf^Base64^JVBERi0xLjQK||||||F
MSH|^~\&|LAB|NORTH|EHR|GENERAL|20260101000000||ORU^R01|100000|P|2.3
ORC|RE|100000^EHR|100000^LAB|||CM||||||1234^Doctor^Dora^^^^MD^^NPI
OBR|1|100000^EHR|100000^LAB|58410-2^CBC panel - Blood by Automated count^LN|||20260101000000|20260101000000||||||20260101000000|BLD^Blood|1234^Doctor^Dora||||||20260101000000||HM|F
OBX|1|NM|6690-2^Leukocytes [#/volume] in Blood by Automated count^LN||7.2|10*3/uL|4.0-11.0|N|||F|||20260101000000
OBX|2|NM|789-8^Erythrocytes [#/volume] in Blood by Automated count^LN||4.61|10*6/uL|4.20-5.40|N|||F
OBX|3|NM|718-7^Hemoglobin [Mass/volume] in Blood^LN||13.8|g/dL|12.0-16.0|N|||F
OBX|4|NM|4544-3^Hematocrit^LN||41.2|%|36.0-46.0|N|||F
OBX|5|NM|787-2^MCV^LN||89.4|fL|80-100|N|||F
OBX|6|NM|777-3^Platelets^LN||245|10*3/uL|150-400|N|||F
OBX|7|NM|770-8^Neutrophils^LN||58.1|%||N|||F
OBX|1|NM|4548-4^Hemoglobin A1c^LN||5.6|%|4.0-5.6|H|||F
OBX|1|NM|3016-3^TSH^LN||2.1|mIU/L|0.4-4.0|N|||F
OBX|1|NM|2093-3^Cholesterol^LN||182|mg/dL|<200|N|||F
OBX|2|NM|2571-8^Triglyceride^LN||110|mg/dL|<150|N|||F
OBX|3|NM|2085-9^HDL Cholesterol^LN||52|mg/dL|>40|N|||F
OBX|4|NM|13457-7^LDL Cholesterol^LN||108|mg/dL|<130|N|||F
OBX|1|NM|1988-5^C reactive protein^LN||3.1|mg/L|<5|N|||F
OBX|1|NM|6301-6^INR^LN||1.1||0.9-1.1|N|||F
OBX|1|NM|6598-7^Troponin T^LN||0.01|ng/mL|<0.04|N|||F
OBX|1|CE|600-7^Bacteria identified in Blood by Culture^LN||112283007^Escherichia coli^SCT||||||F
OBX|1|ST|5778-6^Color of Urine^LN||Yellow||||||F
OBX|2|CWE|94500-6^SARS-CoV-2 RNA NAA+probe Ql (Resp)^LN||260415000^Not detected^SCT|||N|||F
SPM|1|100000&LAB||119297000^Blood specimen^SCT|||||||||||||20260101000000
NTE|1|L|Specimen slightly hemolyzed. Result called to and read back.
MSH|^~\&|LAB|REFERENCE|EHR|GENERAL|20260101000000+0000||ORU^R01^ORU_R01|MSG100000|P|2.5.1
PID|1||100000^^^GENERAL^MR||Muster^Erika^Q||19700101|M|||1 Main Street^^Anytown^ST^00000||555-0100
PV1|1|O|WARD^1^2||||1234^Doctor^Dora
OBR|1|100000|100000|24323-8^Comprehensive metabolic panel^LN|||20260101000000+0000
OBX|1|NM|2951-2^Sodium [Moles/volume] in Serum or Plasma^LN||140|mmol/L|136-145|N|||F|||20260101000000
OBX|2|NM|2823-3^Potassium [Moles/volume] in Serum or Plasma^LN||4.1|mmol/L|3.5-5.1|N|||F|||20260101000000
OBX|3|NM|2075-0^Chloride^LN||104|mmol/L|98-107|N|||F|||20260101000000
OBX|4|NM|2028-9^Carbon dioxide^LN||25|mmol/L|22-29|N|||F|||20260101000000
OBX|5|NM|3094-0^Urea nitrogen^LN||14|mg/dL|7-20|N|||F|||20260101000000
OBX|6|NM|2160-0^Creatinine^LN||77|umol/L|45-84|N|||F|||20260101000000
OBX|7|NM|2345-7^Glucose^LN||5.4|mmol/L|3.9-5.6|N|||F|||20260101000000
OBX|8|NM|17861-6^Calcium^LN||2.31|mmol/L|2.15-2.50|N|||F|||20260101000000
OBX|9|NM|1742-6^ALT^LN||22|U/L|<41|N|||F|||20260101000000
OBX|10|NM|1920-8^AST^LN||24|U/L|<40|N|||F|||20260101000000
OBX|11|NM|6768-6^Alkaline phosphatase^LN||70|U/L|40-129|N|||F|||20260101000000
OBX|12|NM|1975-2^Bilirubin.total^LN||0.6|mg/dL|0.2-1.2|N|||F|||20260101000000
OBX|13|NM|1751-7^Albumin^LN||4.2|g/dL|3.5-5.2|N|||F|||20260101000000
OBX|14|NM|2885-2^Protein^LN||7.1|g/dL|6.4-8.3|N|||F|||20260101000000
OBX|15|NM|33914-3^eGFR^LN||90|mL/min/{1.73_m2}|>60|N|||F|||20260101000000
MSH|^~\&|EHR|GENERAL|LAB|NORTH|20260101000000+0000||ACK^A08^ACK|100000|P|2.5.1
MSA|AE|100000|
ERR||PID^1^3|101^Required field missing^HL70357|E||||
MSH|^~\&|EHR|GENERAL|LAB|NORTH|20260101000000.000+0000||ACK^R01^ACK|100000|P|2.5.1
MSA|AA|100000
)hl7";

// What ZDICT_finalizeDictionary (zstd 1.5.4, level 1, number 2) puts before the text, from
// messages, FHIR bundles and traces of the sample clinic: codes for the letters, offsets and
// lengths that compressing those against it leaves over (RFC 8878, 5).
constexpr unsigned char kCodes[] = {
    0x37, 0xa4, 0x30, 0xec, 0x02, 0x00, 0x00, 0x00, 0x3f, 0x10, 0xa0, 0x32, 0x63, 0x1d, 0xc3, 0x30,
    0x0c, 0xc3, 0x30, 0x0c, 0xc3, 0x30, 0x0c, 0xc3, 0x30, 0x0c, 0xc3, 0x9a, 0xf3, 0xa1, 0xc0, 0x2e,
    0x69, 0x4b, 0xec, 0x18, 0xcd, 0x52, 0x4a, 0x02, 0xa5, 0x18, 0x8e, 0x50, 0xea, 0x03, 0x77, 0x6a,
    0xc0, 0x0d, 0xc6, 0x08, 0x44, 0xbc, 0xe8, 0x53, 0x57, 0xe5, 0x96, 0xdb, 0x88, 0x8c, 0x7c, 0x48,
    0xfa, 0xb7, 0x54, 0x47, 0x07, 0xa8, 0x67, 0x13, 0x83, 0x01, 0x10, 0x0c, 0x0a, 0x0b, 0x08, 0x65,
    0x32, 0xe1, 0x58, 0x5e, 0x3b, 0x00, 0x04, 0x40, 0x01, 0x9b, 0x1c, 0x17, 0x90, 0x13, 0x4a, 0x64,
    0x21, 0x61, 0x2c, 0x12, 0x84, 0x03, 0x82, 0x40, 0x86, 0xc2, 0x30, 0x88, 0xa1, 0x18, 0x0e, 0x81,
    0x10, 0x08, 0x43, 0x21, 0x85, 0x8c, 0x82, 0x10, 0x15, 0x02, 0x00, 0x00, 0xa4, 0x70, 0x26, 0xe4,
    0x81, 0x40, 0x2a, 0x89, 0xb2, 0x18, 0x44, 0x98, 0x31, 0xd0, 0x20, 0xa2, 0x50, 0x02, 0x00, 0x00,
    0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00};

}  // namespace

const std::string& first_dictionary() {
  static const std::string text = [] {
    std::string segments(kSegments);
    std::replace(segments.begin(), segments.end(), '\n', '\r');
    return std::string(kFhir) + segments;
  }();
  return text;
}

const std::string& second_dictionary() {
  static const std::string whole =
      std::string(std::begin(kCodes), std::end(kCodes)) + first_dictionary();
  return whole;
}

}  // namespace cannula::security
