// Scripts of other engines: what their names do here.
#include "tests/unit/engine/script/script_fixture.h"

namespace cannula::script {
namespace {

using testing::HasSubstr;

class IguanaTest : public ScriptTest {
 protected:
  // The payload of a script whose main(Data) is `body`, as Iguana would run it.
  std::string pushed(const std::string& body, std::string_view message = kResult) {
    const Conclusion conclusion =
        work("local compat = require('compat.iguana')\nfunction main(Data)\n" + body +
                 "\nend\nmain = compat.main(main)\n",
             message);
    EXPECT_EQ(conclusion.kind, Conclusion::Kind::finished) << conclusion.reason;
    trace_ = conclusion.trace;
    if (conclusion.sends.size() != 1) return "";
    return conclusion.sends[0].payload ? *conclusion.sends[0].payload : "(as received)";
  }
  std::string value(const std::string& expression) {
    return pushed(
               "local Msg, Name = hl7.parse{vmd='demo.vmd', data=Data}\n"
               "queue.push{data='=' .. tostring(" +
               expression + ")}")
        .substr(1);
  }
  std::string trace_;
};

TEST_F(IguanaTest, NodesAreReadAsTheTranslatorDoes) {
  EXPECT_EQ(value("Name"), "ORU");
  EXPECT_EQ(value("Msg.MSH[9][1]:nodeValue() .. '^' .. Msg.MSH[9][2]"), "ORU^R01");
  EXPECT_EQ(value("Msg.MSH[3][1]:S()"), "LAB");
  // PID-3 and PID-5 repeat, PID-8 does not.
  EXPECT_EQ(value("Msg.PATIENT_RESULT[1].PATIENT and ''"), "");
  EXPECT_EQ(value("Msg.PID[3][2][1]"), "888");
  EXPECT_EQ(value("Msg.PID[5][1][1]"), "Muster");
  EXPECT_EQ(value("Msg.PID[5][1][2]:nodeValue():upper()"), "ANNA");
  EXPECT_EQ(value("Msg.PID[8]:nodeValue()"), "F");
  EXPECT_EQ(value("#Msg.PID[3]"), "2");
  EXPECT_EQ(value("Msg.PID[19]:isNull()"), "true");
  EXPECT_EQ(value("#Msg.ORDER_OBSERVATION"), "2");
  EXPECT_EQ(value("Msg.ORDER_OBSERVATION[1].OBSERVATION[2].OBX[5][1]"), "140");
  EXPECT_EQ(value("Msg.ORDER_OBSERVATION[2].OBR[4][2]"), "CBC");
}

TEST_F(IguanaTest, AnEditedMessageIsPushed) {
  EXPECT_THAT(pushed("local Msg = hl7.parse{vmd='demo.vmd', data=Data}\n"
                     "Msg.MSH[3][1] = 'NEW & OLD'\n"
                     "Msg.PID[5][1][1] = Msg.PID[5][1][1]:nodeValue():upper()\n"
                     "Msg.PID[8] = Msg.PID[8]:nodeValue() == 'F' and 'W' or 'M'\n"
                     "queue.push{data=Msg:S()}"),
              HasSubstr("MSH|^~\\&|NEW \\T\\ OLD|NORTH"));
  EXPECT_THAT(pushed("local In = hl7.parse{vmd='demo.vmd', data=Data}\n"
                     "local Out = hl7.message{vmd='demo.vmd', name='ADT', type='ADT^A08'}\n"
                     "Out.PID:mapTree(In.PID) Out.PID[3][1] = In.PID[3][2]\n"
                     "queue.push{data=tostring(Out)}"),
              HasSubstr("\rPID|1||888^^^CITY^PI~888^^^CITY^PI||Muster^Anna^B||19610615|F|||12 Elm "
                        "St^^Springfield|||||||\"\"\r"));
  EXPECT_EQ(pushed("queue.push{data=Data}"), "(as received)");
}

TEST_F(IguanaTest, TheLogAndHelpersAreThere) {
  EXPECT_EQ(pushed("iguana.logInfo('seen') iguana.stopOnError(false) trace(Data)\n"
                   "local Parts = ('a,b,c'):split(',')\n"
                   "local T = json.parse{data='{\"x\": 5, \"y\": [1, 2]}'}\n"
                   "queue.push{data=json.serialize{data={Parts[3], T.y[2], iguana.isTest(),\n"
                   "  ('  x '):trimWS(), iguana.channelName(), ('abc'):capitalize()}}}"),
            "[\"c\",2,false,\"x\",\"lab\",\"Abc\"]");
  EXPECT_THAT(trace_, HasSubstr("\"text\":\"seen\""));
}

TEST_F(IguanaTest, TimesAreFormattedInTheChannelsZone) {
  timezone_ = "Europe/Vienna";
  EXPECT_EQ(value("os.ts.date('%Y%m%d%H%M%S', 1768469442)"), "20260115103042");
  EXPECT_EQ(value("os.ts.gmdate('%a %d %b %Y %I:%M %p', 1768469442)"), "Thu 15 Jan 2026 09:30 AM");
  EXPECT_EQ(value("os.ts.time{year=2026, month=1, day=15, hour=10, min=30, sec=42}"), "1768469442");
  EXPECT_EQ(value("os.date('!*t', 1768469442).yday"), "15");
  EXPECT_EQ(value("os.time()"), "1768469442");
}

TEST_F(IguanaTest, WhatIsNotHereSaysWhatIsInstead) {
  const auto failed = work(
      "local compat = require('compat.iguana')\n"
      "function main(Data) db.connect{} end main = compat.main(main)");
  EXPECT_THAT(failed.reason, HasSubstr("db.connect is not here: look codes up in a table"));
}

class MirthTest : public ScriptTest {
 protected:
  // What a transformer makes of the message.
  std::string transformed(const std::string& body, std::string_view message = kResult) {
    const Conclusion conclusion = work(
        "local mirth = require('compat.mirth')\n"
        "local channelMap, logger, validate = mirth.channelMap, mirth.logger, mirth.validate\n"
        "main = mirth.channel{ destinations = { 'ehr' }, transformer = function(msg, tmp)\n" +
            body + "\nend }",
        message);
    EXPECT_EQ(conclusion.kind, Conclusion::Kind::finished) << conclusion.reason;
    trace_ = conclusion.trace;
    writes_ = conclusion.state_writes;
    if (conclusion.sends.empty()) return "";
    return conclusion.sends[0].payload ? *conclusion.sends[0].payload : "(as received)";
  }
  std::string value(const std::string& expression) {
    transformed("logger.info('=' .. tostring(" + expression + "))");
    const auto begin = trace_.find("\"=") + 2;
    return trace_.substr(begin, trace_.find('"', begin) - begin);
  }
  std::string trace_;
  std::vector<StateWrite> writes_;
};

TEST_F(MirthTest, PathsAreReadAsE4xDoes) {
  EXPECT_EQ(value("msg['PID']['PID.5']['PID.5.1']:toString()"), "Muster");
  EXPECT_EQ(value("msg['PID']['PID.3'][1]['PID.3.4']"), "CITY");
  EXPECT_EQ(value("msg['PID']['PID.3']:length()"), "2");
  EXPECT_EQ(value("msg['OBX'][1]['OBX.5']['OBX.5.1']:toString()"), "140");
  EXPECT_EQ(value("msg['OBX']:length() .. msg['NK1']:length()"), "30");
  EXPECT_EQ(value("msg['ZPI']['ZPI.2']['ZPI.2.2']:toString()"), "as is");
  EXPECT_EQ(value("msg['NK1']['NK1.2']['NK1.2.1']:toString() == ''"), "true");
}

TEST_F(MirthTest, AssignmentsEditTheMessage) {
  EXPECT_THAT(transformed("msg['PID']['PID.5']['PID.5.1'] = 'O|Neu'\n"
                          "msg['PID']['PID.3'][1]['PID.3.4']['PID.3.4.1'] = 'TOWN'\n"
                          "msg['OBX'][1]['OBX.5']['OBX.5.1'] = msg['OBX'][0]['OBX.5']"),
              HasSubstr("~888^^^TOWN^PI||O\\F\\Neu^Anna^B||"));
  EXPECT_THAT(transformed("for obx in mirth.each(msg['OBX']) do obx['OBX.11'] = 'C' end"),
              HasSubstr("g/dL|||||C\r"));
  EXPECT_THAT(transformed("local nte = mirth.createSegmentAfter('NTE', msg['PID'])\n"
                          "nte['NTE.3']['NTE.3.1'] = 'new' mirth.delete(msg['ZPI'])"),
              HasSubstr("\"\"\rNTE|||new\rOBR|1|"));
  EXPECT_EQ(transformed(""), "(as received)");
}

TEST_F(MirthTest, MapsLogAndValidateHaveTheirShapes) {
  EXPECT_EQ(value("(function() channelMap:put('mrn', msg['PID']['PID.3']['PID.3.1']) "
                  "channelMap.put('x', 1) return mirth.lookup('mrn') .. channelMap.get('x') .. "
                  "tostring(channelMap:containsKey('y')) end)()"),
            "7770011false");
  EXPECT_EQ(value("validate(msg['PID']['PID.8'], 'U', {{'F', 'female'}})"), "female");
  EXPECT_EQ(value("validate(msg['PID']['PID.22'], 'none')"), "none");
  transformed("mirth.globalChannelMap.put('last', 'A1')");
  ASSERT_EQ(writes_.size(), 1u);
  EXPECT_EQ(writes_[0].key, "globalChannelMap.last");
}

TEST_F(MirthTest, DatesFollowJavasPatterns) {
  EXPECT_EQ(value("mirth.DateUtil.convertDate('yyyyMMdd', 'dd.MM.yyyy', msg['PID']['PID.7'])"),
            "15.06.1961");
  EXPECT_EQ(value("mirth.DateUtil.convertDate('yyyyMMddHHmmss', \"yyyy-MM-dd'T'HH:mm:ssZ\", "
                  "'20260115093042')"),
            "2026-01-15T09:30:42+0000");
  EXPECT_EQ(value("mirth.DateUtil.getCurrentDate('yyyyMMddHHmmssSSS')"), "20260115093042123");
}

TEST_F(MirthTest, AFilterSkipsAndATemplateIsSent) {
  const auto skipped = work(
      "local mirth = require('compat.mirth')\n"
      "main = mirth.channel{ filter = function(msg) return msg['MSH']['MSH.9']['MSH.9.1']"
      ":toString() == 'ADT' end }");
  EXPECT_EQ(skipped.kind, Conclusion::Kind::skipped);
  const auto made = work(
      "local mirth = require('compat.mirth')\n"
      "main = mirth.channel{ template = 'MSH|^~\\\\&|A|B\\nPID|1|\\n', destinations = {'ehr'},\n"
      "transformer = function(msg, tmp) tmp['PID']['PID.3'] = msg['PID']['PID.3'] end }");
  ASSERT_EQ(made.sends.size(), 1u) << made.reason;
  EXPECT_EQ(*made.sends[0].payload, "MSH|^~\\&|A|B\rPID|1||777001^^^NORTH^MR\r");
}

TEST_F(MirthTest, AnUnknownModuleIsSuggested) {
  EXPECT_THAT(failure("require('compat.mirht')"), HasSubstr("did you mean 'compat.mirth'?"));
}

}  // namespace
}  // namespace cannula::script
