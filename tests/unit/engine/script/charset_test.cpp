// Character sets: UTF-8 in the script, the message's own set on the wire.
#include "tests/unit/engine/script/script_fixture.h"

namespace cannula::script {
namespace {

using testing::HasSubstr;

std::string admission(std::string_view character_set, std::string_view name) {
  return "MSH|^~\\&|LAB|NORTH|||20260115||ADT^A08|1|P|2.5.1||||||" + std::string(character_set) +
         "\rPID|1||777001||" + std::string(name) + "\r";
}

class CharsetTest : public ScriptTest {};

TEST_F(CharsetTest, EveryReadIsUtf8) {
  const std::string message = admission("8859/1", "M\xFCller^Zo\xEB");
  for (const char* read :
       {"msg['PID-5']", "msg.PID['5']", "msg.PID[5]:text()", "msg:all('PID-5')[1]",
        "msg.PID:text():match('Mü.*')", "tostring(msg):match('Mü[^\\r]*')", "msg:copy()['PID-5']",
        "hl7.parse(msg.raw)['PID-5']"}) {
    EXPECT_EQ(sent(std::string("send('ehr', ") + read + ")", message), "Müller^Zoë") << read;
  }
}

TEST_F(CharsetTest, BytesStayTheMessagesOwn) {
  const std::string message = admission("8859/1", "M\xFCller");
  EXPECT_EQ(sent("send('ehr', msg.raw)", message), message);
  EXPECT_EQ(sent("send('ehr', msg:encode())", message), message);
  EXPECT_EQ(sent("send('ehr', msg:copy())", message), message);
  EXPECT_EQ(sent("send('ehr', msg)", message), "(as received)");
}

TEST_F(CharsetTest, WhatIsWrittenLeavesInTheSetOfTheMessage) {
  const std::string wanted = admission("8859/1", "M\xFCller^Zo\xEB");
  const std::string message = admission("8859/1", "M\xFCller");
  EXPECT_EQ(sent("msg['PID-5.2'] = 'Zoë' send('ehr', msg)", message), wanted);
  EXPECT_EQ(sent("msg.PID['5.2'] = 'Zoë' send('ehr', msg:encode())", message), wanted);
  EXPECT_EQ(sent("msg.PID[5][2]:set('Zoë') send('ehr', msg:copy())", message), wanted);
  EXPECT_EQ(sent("local c = msg:copy() c['PID-5.2'] = 'Zoë' send('ehr', c)", message), wanted);
  EXPECT_EQ(sent("msg:add('NTE|1||ü') send('ehr', msg)", message), message + "NTE|1||\xFC\r");
}

TEST_F(CharsetTest, ACharacterThatTheSetDoesNotHaveIsAnErrorWhereItIsWritten) {
  const std::string message = admission("8859/1", "M\xFCller");
  for (const char* write : {"msg['PID-5.2'] = 'Łukasz'", "msg.PID[5][2]:set('Łukasz')",
                            "msg:add('NTE|1||Łukasz')", "msg.PID['5.2'] = 'Łukasz'"}) {
    const std::string reason = failure(write, message);
    EXPECT_THAT(reason, HasSubstr("main.lua:2:")) << write;
    EXPECT_THAT(reason, HasSubstr("'Ł' (U+0141)")) << write;
    EXPECT_THAT(reason, HasSubstr("UNICODE UTF-8")) << write;
    EXPECT_EQ(code_, "L222");
  }
}

TEST_F(CharsetTest, MshEighteenConvertsTheMessage) {
  EXPECT_EQ(sent("msg['MSH-18'] = 'UNICODE UTF-8' msg['PID-5.2'] = 'Łukasz' send('ehr', msg)",
                 admission("8859/1", "M\xFCller")),
            admission("UNICODE UTF-8", "Müller^Łukasz"));
}

TEST_F(CharsetTest, AMessageThatTheScriptWritesLeavesInTheSetItNames) {
  EXPECT_EQ(sent("send('ehr', hl7.parse('MSH|^~\\\\&|LAB||||||ACK|1|P|2.5.1||||||8859/1\\r"
                 "NTE|1||ü\\r'))"),
            "MSH|^~\\&|LAB||||||ACK|1|P|2.5.1||||||8859/1\rNTE|1||\xFC\r");
}

TEST_F(CharsetTest, OddCharacterSetsAreNotedInTheTrace) {
  const Conclusion conclusion =
      work("function main(msg) local name = msg['PID-5'] end", admission("8859/1", "Müller"));
  EXPECT_THAT(conclusion.trace, HasSubstr("\"level\":\"warn\""));
  EXPECT_THAT(conclusion.trace, HasSubstr("[D203]"));
  EXPECT_EQ(work("function main(msg) end", admission("8859/1", "Müller")).trace, "")
      << "nobody has read it";
}

}  // namespace
}  // namespace cannula::script
