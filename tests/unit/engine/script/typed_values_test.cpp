// Data types of HL7 v2 as tables, and messages that a script makes.
#include "tests/unit/engine/script/script_fixture.h"

namespace cannula::script {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

class TypedValuesTest : public ScriptTest {
 protected:
  std::string value(const std::string& expression, std::string_view message = kResult) {
    return sent("send('ehr', tostring(" + expression + "))", message);
  }
  std::string edited(const std::string& body) { return sent(body + "\nsend('ehr', msg)"); }
};

TEST_F(TypedValuesTest, AnIdentifierIsATableOfItsParts) {
  EXPECT_EQ(value("msg.PID[3]:cx().id"), "777001");
  EXPECT_EQ(value("msg.PID[3]:cx().assigning_authority.namespace_id"), "NORTH");
  EXPECT_EQ(value("msg.PID[3]:rep(2):cx().id"), "888");
  EXPECT_EQ(value("msg:node('PID-3[2]'):cx().identifier_type"), "PI");
  EXPECT_EQ(value("msg.PID:node('3[2].4'):hd().namespace_id"), "CITY");
  EXPECT_EQ(value("msg.PID[3]:cx().check_digit"), "nil");
  EXPECT_EQ(value("msg.PID[40]:cx()"), "nil");
  EXPECT_EQ(value("msg.ZZZ[3]:cx()"), "nil");
  EXPECT_EQ(value("msg.PID[5]:xpn().family.surname .. msg.PID[5]:xpn().given"), "MusterAnna");
  EXPECT_EQ(value("msg.PID[11]:xad().city"), "Springfield");
  EXPECT_EQ(value("msg.OBR[4]:cwe().system"), "LN");
}

TEST_F(TypedValuesTest, WritingWhatWasReadChangesNothing) {
  for (const char* type : {"cx", "xpn", "xcn", "xad", "xtn", "cwe", "hd", "sn"}) {
    const std::string call = std::string(":") + type + "(";
    EXPECT_EQ(sent("for _, n in ipairs{3,5,11,13} do local v = msg.PID[n]" + call +
                   ") if v then msg.PID[n]" + call + "v) end end send('ehr', msg)"),
              "(as received)")
        << type;
  }
  EXPECT_EQ(edited("msg.PID[7]:dtm(msg.PID[7]:dtm()) msg.MSH[7]:dtm(msg.MSH[7]:dtm())"),
            "(as received)");
}

TEST_F(TypedValuesTest, ATableWritesItsParts) {
  EXPECT_THAT(edited("local id = msg.PID[3]:cx() id.id = 'A|1' "
                     "id.assigning_authority.universal_id = '1.2.3' msg.PID[3]:cx(id)"),
              HasSubstr("||A\\F\\1^^^NORTH&1.2.3^MR~888^^^CITY^PI||"));
  EXPECT_THAT(edited("msg.PID[5]:xpn{ family = 'Neu', given = 'Eva' }"), HasSubstr("||Neu^Eva^||"));
  EXPECT_THAT(edited("msg.PV1[7]:xcn{ id = 17, family = { surname = 'Arzt' } }"),
              HasSubstr("PV1|||||||17^Arzt\r"));
  EXPECT_THAT(edited("msg.PID[7]:dtm{ year = 1961, month = 6 }"), HasSubstr("||196106|F"));
  EXPECT_THAT(edited("msg.OBX[5]:sn{ comparator = '<', first = 5 }"), HasSubstr("||<^5|mmol/L"));
}

TEST_F(TypedValuesTest, AMistakeInATableIsSaid) {
  EXPECT_THAT(failure("msg.PID[3]:cx{ idd = '1' }"),
              HasSubstr("has no 'idd' (did you mean 'id'?)"));
  EXPECT_EQ(code_, "L250");
  EXPECT_THAT(failure("msg.PID[3]:cx('1')"), HasSubstr("a table of its parts"));
  EXPECT_THAT(failure("msg.PID[7]:dtm{ year = 1961, month = 13 }"), HasSubstr("month"));
}

TEST_F(TypedValuesTest, TimesKeepPrecisionAndOffset) {
  const std::string message =
      "MSH|^~\\&|A|||B|20260115093042.50-0500||ADT^A08|1|P|2.4\rPID|1||||||196106\r"
      "PV1|1\rEVN||2026011509^H|soon\r";
  EXPECT_EQ(value("msg.MSH[7]:dtm().offset", message), "-0500");
  EXPECT_EQ(value("msg.MSH[7]:dtm().fraction", message), "50");
  EXPECT_EQ(value("msg.MSH[7]:dtm().text", message), "20260115093042.50-0500");
  EXPECT_EQ(value("msg.PID[7]:dtm().precision", message), "month");
  EXPECT_EQ(value("msg.PID[7]:dtm().day", message), "nil");
  EXPECT_EQ(value("msg.EVN[2]:dtm().hour", message), "9");
  EXPECT_THAT(value("select(2, msg.EVN[3]:dtm())", message), HasSubstr("year of four digits"));
}

TEST_F(TypedValuesTest, NumbersKeepTheirDigits) {
  EXPECT_EQ(value("msg.OBX[5]:nm() * 2"), "14.2");
  EXPECT_EQ(value("select(2, msg.OBX[5]:nm())"), "7.1");
  EXPECT_EQ(value("msg.PID[5]:nm()"), "nil");
  const std::string titre = "MSH|^~\\&|A\rOBX|1|SN|||^1^:^128\rOBX|2|ST|||<5\r";
  EXPECT_EQ(value("msg.OBX[5]:sn().second", titre), "128");
  EXPECT_EQ(value("msg:node('OBX[2]-5'):sn().comparator", titre), "<");
}

TEST_F(TypedValuesTest, DocumentsAndFormattedText) {
  const std::string message =
      "MSH|^~\\&|A\rOBX|1|ED|||^Application^PDF^Base64^JVBERi0xLjQ=\rOBX|2|FT|||one\\.br\\two\r";
  EXPECT_EQ(value("msg.OBX[5]:document()", message), "%PDF-1.4");
  EXPECT_EQ(value("select(2, msg.OBX[5]:document()).subtype", message), "PDF");
  EXPECT_EQ(value("msg:node('OBX-5.5'):base64()", message), "%PDF-1.4");
  EXPECT_EQ(value("msg:node('OBX[2]-5'):formatted()", message), "one\ntwo");
  EXPECT_THAT(value("select(2, msg:node('OBX[2]-5'):document())", message), HasSubstr("H502"));
}

TEST_F(TypedValuesTest, ANewMessageHasItsHeaderFilled) {
  const std::string made = sent("send('ehr', hl7.new('ADT^A08'))");
  EXPECT_THAT(made,
              MatchesRegex("MSH\\|\\^~\\\\&\\|\\|\\|\\|\\|20260115093042\\+0000\\|\\|"
                           "ADT\\^A08\\^ADT_A01\\|C[0-9A-Z]*\\|P\\|2\\.5\\.1\\|\\|\\|\\|\\|\\|"
                           "UNICODE UTF-8\r"));
  EXPECT_THAT(sent("send('ehr', hl7.new('ORU^R01', { version = '2.3', sending_application = 'LAB', "
                   "control_id = 'X1', charset = '', time = 0 }))"),
              "MSH|^~\\&|LAB||||19700101000000+0000||ORU^R01^ORU_R01|X1|P|2.3\r");
  EXPECT_THAT(failure("hl7.new('A08')"), HasSubstr("is not a message type"));
  EXPECT_THAT(failure("hl7.new('ADT^A08', { verson = '2.3' })"),
              HasSubstr("did you mean 'version'?"));
  EXPECT_EQ(code_, "L251");
}

TEST_F(TypedValuesTest, ControlIdsAreUniqueInARunAndTheSameInItsReplay) {
  const std::string script =
      "function main(msg) send('ehr', hl7.new('ADT^A08')) send('ehr', hl7.new('ADT^A08')) end";
  const auto first = work(script);
  EXPECT_NE(*first.sends[0].payload, *first.sends[1].payload);
  EXPECT_EQ(*work(script).sends[1].payload, *first.sends[1].payload);
}

TEST_F(TypedValuesTest, ANewMessageIsWrittenInTheSetItNames) {
  EXPECT_THAT(sent("local m = hl7.new('ADT^A08', { charset = '8859/1' }) m['PID-5.1'] = 'Müller' "
                   "send('ehr', m)"),
              HasSubstr("PID|||||M\xFCller"));
}

TEST_F(TypedValuesTest, SegmentsAreAddedWhereTheScriptSays) {
  EXPECT_THAT(edited("local n = msg:add('NTE', { after = msg.OBX }) n['3'] = 'seen'"),
              HasSubstr("HH|||F\rNTE|||seen\rNTE|1||repeat\r"));
  EXPECT_THAT(edited("msg:add('PV1|1', { before = msg.OBR })"), HasSubstr("\"\"\rPV1|1\rOBR|1|"));
  EXPECT_THAT(edited("msg:remove(msg.NTE)"), Not(HasSubstr("NTE")));
  EXPECT_THAT(failure("msg:add('PV1', { before = msg.MSH })"), HasSubstr("before MSH"));
  EXPECT_THAT(failure("msg:add('PV1', { behind = msg.PID })"), HasSubstr("no option 'behind'"));
}

TEST_F(TypedValuesTest, WhatDiffersIsAList) {
  EXPECT_EQ(sent("local c = msg:copy() c['PID-5.2'] = 'Eva' c['MSH-7'] = '2026' c:remove(c.NTE) "
                 "local t = {} for _, d in ipairs(msg:diff(c, { ignore = { 'MSH-7' } })) do "
                 "t[#t + 1] = d.kind .. ' ' .. d.path .. ' ' .. d.before .. '>' .. d.after end "
                 "send('ehr', table.concat(t, '; '))"),
            "changed PID-5.2 Anna>Eva; removed NTE NTE|1||repeat>");
  EXPECT_EQ(sent("send('ehr', tostring(#msg:diff(msg:copy())))"), "0");
}

TEST_F(TypedValuesTest, FragmentsAreJoined) {
  EXPECT_EQ(sent("local a = hl7.parse('MSH|^~\\\\&|A\\rOBX|1|FT|||one \\rADD|\\rDSC|P1\\r') "
                 "send('ehr', hl7.join{ 'MSH|^~\\\\&|A|||||||||||P1\\rADD|two\\r', a })"),
            "MSH|^~\\&|A\rOBX|1|FT|||one two\r");
  EXPECT_THAT(failure("hl7.join{}"), HasSubstr("H503"));
}

TEST_F(TypedValuesTest, ABatchIsMadeOfMessages) {
  const std::string made = sent(
      "local a = hl7.parse('MSH|^~\\\\&|A|B|C|D|1||ADT^A08|1|P|2.5\\rPID|1|\\r') "
      "a['PID-3'] = '4711' "
      "send('ehr', hl7.batch({ a, 'MSH|^~\\\\&|A|B|C|D|1||ADT^A08|2|P|2.5' }, { file = true }))");
  EXPECT_TRUE(made.starts_with("FHS|^~\\&|A|B|C|D|")) << made;
  EXPECT_THAT(made, HasSubstr("\rMSH|^~\\&|A|B|C|D|1||ADT^A08|1|P|2.5\rPID|1||4711\r"
                              "MSH|^~\\&|A|B|C|D|1||ADT^A08|2|P|2.5\rBTS|2\rFTS|1\r"));
  EXPECT_EQ(
      sent("local a = 'MSH|^~\\\\&|A|||||||1' send('ehr', hl7.batch{ a } == hl7.batch{ a } and "
           "'same' or 'two')"),
      "two")
      << "each batch has its own id";
  EXPECT_THAT(failure("hl7.batch{}"), HasSubstr("L252"));
  EXPECT_THAT(failure("hl7.batch{ 'PID|1' }"), HasSubstr("message 1"));
  EXPECT_THAT(failure("hl7.batch({}, { fil = true })"), HasSubstr("did you mean 'file'"));
}

}  // namespace
}  // namespace cannula::script
