// What a script sees of an HL7 v2 message, and what it can do to it.
#include "tests/unit/engine/script/script_fixture.h"

namespace cannula::script {
namespace {

using testing::HasSubstr;
using testing::Not;

class MessageTest : public ScriptTest {
 protected:
  // The value of a Lua expression over msg, as text.
  std::string value(const std::string& expression) {
    return sent("send('ehr', tostring(" + expression + "))");
  }
  std::string edited(const std::string& body) { return sent(body + "\nsend('ehr', msg)"); }
};

TEST_F(MessageTest, PathsReadStringsOrNil) {
  EXPECT_EQ(value("msg['PID-3.1']"), "777001");
  EXPECT_EQ(value("msg['PID-3[2].4']"), "CITY");
  EXPECT_EQ(value("msg['PID-5']"), "Muster^Anna^B");
  EXPECT_EQ(value("msg['OBX[2]-5']"), "140");
  EXPECT_EQ(value("msg['PID-99']"), "nil");
  EXPECT_EQ(value("msg['ZZZ-1']"), "nil");
  EXPECT_EQ(value("msg['ZPI-2.1']"), "kept");
  EXPECT_EQ(value("type(msg['OBX-5'])"), "string");
}

TEST_F(MessageTest, PropertiesDescribeTheMessage) {
  EXPECT_EQ(value("msg.type"), "ORU^R01");
  EXPECT_EQ(value("msg.structure"), "ORU_R01");
  EXPECT_EQ(value("msg.id"), "01JTEST");
  EXPECT_EQ(value("msg.partner"), "north");
  EXPECT_EQ(value("msg.received_at"), "1768469442.0");
  EXPECT_EQ(value("msg.raw"), kResult);
  EXPECT_EQ(value("msg"), kResult);
  EXPECT_EQ(value("msg:copy().id"), "nil");
  EXPECT_EQ(value("type(msg)"), "userdata");
}

TEST_F(MessageTest, PathsWriteAndNilClears) {
  EXPECT_THAT(edited("msg['PID-3[1].4'] = 'GEN'"), HasSubstr("777001^^^GEN^MR~888^^^CITY^PI"));
  EXPECT_THAT(edited("msg['PID-8'] = nil"), HasSubstr("|19610615||||12 Elm St"));
  EXPECT_THAT(edited("msg['OBX[2]-5'] = 141.5"), HasSubstr("Sodium^LN||141.5|mmol/L"));
  EXPECT_THAT(edited("msg['OBX[2]-5'] = 141"), HasSubstr("Sodium^LN||141|mmol/L"));
  EXPECT_THAT(edited("msg['ZNW-2'] = 'made'"), HasSubstr("ZNW||made\r"));
  EXPECT_THAT(edited("msg['PID-5.1'] = 'O|Brien'"), HasSubstr("|O\\F\\Brien^Anna"));
  EXPECT_THAT(edited("msg['OBX[*]-11'] = 'C'"), Not(HasSubstr("|F\r")));
}

TEST_F(MessageTest, TheReceivedBytesNeverChange) {
  EXPECT_EQ(sent("msg['PID-5'] = 'X' send('ehr', msg.raw)"), kResult);
  const Bytes body = make_bytes(std::string(kResult));
  ASSERT_TRUE(load("function main(msg) msg['PID-5'] = 'X' send('ehr', msg) end").empty());
  Input given = input();
  given.body = body;
  given.parsed = std::make_shared<const hl7v2::Message>(*hl7v2::Message::parse(body));
  const auto parsed = given.parsed;
  EXPECT_THAT(*finish(*runtime_->begin(std::move(given))).sends.at(0).payload,
              HasSubstr("||X||19610615"));
  EXPECT_FALSE(parsed->edited());
  EXPECT_EQ(*body, kResult);
}

TEST_F(MessageTest, WhatIsSentIsTheMessageAtThatMoment) {
  const Conclusion conclusion = work(R"(function main(msg)
    msg["PID-8"] = "M"
    send("ehr", msg)
    msg["PID-8"] = "U"
    send("review", msg)
  end)");
  ASSERT_EQ(conclusion.sends.size(), 2u) << conclusion.reason;
  EXPECT_THAT(*conclusion.sends[0].payload, HasSubstr("|M|"));
  EXPECT_THAT(*conclusion.sends[1].payload, HasSubstr("|U|"));
}

TEST_F(MessageTest, NodesReachEachPart) {
  EXPECT_EQ(value("msg.PID[5][1]"), "Muster");
  EXPECT_EQ(value("msg.PID[5][1]:text()"), "Muster");
  EXPECT_EQ(value("msg.PID[8]:is('F')"), "true");
  EXPECT_EQ(value("msg.PID[8]:is('M')"), "false");
  EXPECT_EQ(value("msg.PID[8] == 'F'"), "false");
  EXPECT_EQ(value("msg.OBX[3][2]"), "Potassium");
  EXPECT_EQ(value("msg['OBX[2]'][3][2]"), "Sodium");
  EXPECT_EQ(value("msg.PID.name .. msg.PID['3.1']"), "PID777001");
  EXPECT_EQ(value("msg.PID[5][1]:path()"), "PID-5.1");
  EXPECT_EQ(value("msg.NTE"), "NTE|1||repeat");
}

TEST_F(MessageTest, AMissingNodeIsEmptyAllTheWayDown) {
  EXPECT_EQ(value("msg.ZZZ[5][1][2]:text()"), "");
  EXPECT_EQ(value("msg.PID[99][1]:isempty()"), "true");
  EXPECT_EQ(value("msg.PID[5][1]:isempty()"), "false");
  EXPECT_EQ(value("msg.ZZZ:exists()"), "false");
  EXPECT_EQ(value("msg.ZZZ['5.1']"), "nil");
  EXPECT_EQ(value("msg.ZZZ.name"), "ZZZ");
  EXPECT_EQ(value("msg.ZZZ[1]:is(nil)"), "true");
  EXPECT_EQ(
      sent("local n = 0 for r in msg.ZZZ[3]:each() do n = n + 1 end send('ehr', tostring(n))"),
      "0");
}

TEST_F(MessageTest, NodesWrite) {
  EXPECT_THAT(edited("msg.PID[5][1]:set('Other')"), HasSubstr("|Other^Anna^B|"));
  EXPECT_THAT(edited("msg.PID[5][1] = 'Other'"), HasSubstr("|Other^Anna^B|"));
  EXPECT_THAT(edited("msg.PID[8] = nil"), HasSubstr("|19610615||||12 Elm"));
  EXPECT_THAT(edited("msg.PID['3[2].1'] = '999'"), HasSubstr("~999^^^CITY"));
  EXPECT_THAT(edited("msg.ZZZ[2][1] = 'made'"), HasSubstr("ZZZ||made\r"));
  EXPECT_THAT(edited("msg.ZZZ['2.1'] = 'made'"), HasSubstr("ZZZ||made\r"));
  EXPECT_THAT(edited("for r in msg.PID[3]:each() do r[4] = 'X' end"),
              HasSubstr("777001^^^X^MR~888^^^X^PI"));
}

TEST_F(MessageTest, EachWalksRepetitionsComponentsAndSegments) {
  EXPECT_EQ(sent("local s = '' for r in msg.PID[3]:each() do s = s .. r[1]:text() .. ';' end "
                 "send('ehr', s)"),
            "777001;888;");
  EXPECT_EQ(sent("local s = '' for r in msg.PID[5]:each() do for c in r:each() do s = s .. "
                 "c:text() .. ';' end end send('ehr', s)"),
            "Muster;Anna;B;");
  EXPECT_EQ(sent("local s = '' for obx in msg:each('OBX') do s = s .. obx['3.1'] .. ';' end "
                 "send('ehr', s)"),
            "2823-3;2951-2;718-7;");
  EXPECT_EQ(sent("local s = '' for x in msg:each() do s = s .. x.name .. ' ' end send('ehr', s)"),
            "MSH PID OBR OBX NTE OBX OBR OBX ZPI ");
  EXPECT_EQ(value("msg:count('OBX')"), "3");
  EXPECT_EQ(value("table.concat(msg:all('OBX[*]-5'), ',')"), "7.1,140,13.2");
}

TEST_F(MessageTest, GroupsFollowTheStructure) {
  EXPECT_EQ(sent(R"(
    local s = ''
    for order in msg:groups('ORDER_OBSERVATION') do
      s = s .. order['OBR-4.1'] .. '(' .. order.OBR[2]:text()
      for obx in order:each('OBX') do s = s .. ' ' .. obx['3.1'] end
      for result in order:groups('OBSERVATION') do s = s .. '.' .. #result['OBX-5'] end
      s = s .. ')'
    end
    send('ehr', s))"),
            "24323-8(A1 2823-3 2951-2.3.3)58410-2(A2 718-7.4)");
  EXPECT_THAT(edited("for order in msg:groups('ORDER_OBSERVATION') do order['OBR-25'] = 'F' "
                     "for obx in order:each('OBX') do obx['3.3'], obx['11'] = 'L', 'C' end end"),
              HasSubstr("OBR|2|A2|F2|58410-2^CBC^LN|||||||||||||||||||||F\rOBX|1|NM|718-7^"
                        "Hemoglobin^L||13.2|g/dL|||||C"));
}

TEST_F(MessageTest, HL7NullIsNotAbsent) {
  EXPECT_EQ(value("msg:isnull('PID-19')"), "false");
  EXPECT_EQ(value("msg:isnull('PID-18')"), "true");
  EXPECT_EQ(value("msg['PID-18']"), "\"\"");
  EXPECT_EQ(value("msg.PID[18]:isnull()"), "true");
  EXPECT_EQ(value("msg.PID:isnull('18')"), "true");
}

TEST_F(MessageTest, SegmentsAreAddedAndRemoved) {
  EXPECT_THAT(edited("local nte = msg:add('NTE|2||note', msg.NTE) nte[4] = 'RE'"),
              HasSubstr("NTE|1||repeat\rNTE|2||note|RE\rOBX|2|"));
  EXPECT_THAT(edited("msg:add('ZZZ')"), testing::EndsWith("ZPI|1|kept^as is\rZZZ\r"));
  EXPECT_THAT(edited("for nte in msg:each('NTE') do msg:remove(nte) end"), Not(HasSubstr("NTE")));
  EXPECT_THAT(failure("msg:remove(msg.MSH)"), HasSubstr("[L222]"));
  EXPECT_THAT(failure("msg:remove(msg.ZZZ)"), HasSubstr("no such segment: ZZZ"));
  EXPECT_THAT(failure("msg:remove(msg:copy().PID)"), HasSubstr("another message"));
}

TEST_F(MessageTest, CopiesAndParsedMessagesAreMessagesOfTheirOwn) {
  EXPECT_EQ(sent("local c = msg:copy() c['PID-8'] = 'M' send('ehr', msg['PID-8'] .. c['PID-8'])"),
            "FM");
  EXPECT_EQ(
      sent("local m = hl7.parse('MSH|^~\\\\&|A|B\\rPID|1||5\\r') m['PID-3'] = '6' send('ehr', m)"),
      "MSH|^~\\&|A|B\rPID|1||6\r");
  EXPECT_EQ(sent("send('ehr', msg:copy())"), kResult);
  EXPECT_EQ(sent("send('ehr', hl7.parse(msg.raw):encode())"), kResult);
  EXPECT_THAT(failure("hl7.parse('<xml/>')"), HasSubstr("the text is not an HL7 v2 message"));
  EXPECT_EQ(code_, "L211");
}

TEST_F(MessageTest, AMessageThatIsNotHL7IsAnEmptyDocument) {
  EXPECT_EQ(sent("send('ehr', tostring(msg['PID-3']) .. msg:kind())", "not a message"),
            "nilmissing");
  EXPECT_EQ(sent("send('ehr', msg.raw)", "not a message"), "not a message");
  EXPECT_EQ(sent("send('ehr', msg)", "not a message"), "(as received)");
}

TEST_F(MessageTest, MistakesSayWhatToDo) {
  EXPECT_THAT(failure("local x = msg['PID-0']"), HasSubstr("count from 1"));
  EXPECT_EQ(code_, "L220");
  EXPECT_THAT(failure("local x = msg['3.1']"),
              HasSubstr("needs a segment in front here: \"PID-3.1\""));
  EXPECT_THAT(failure("local x = msg.PID['PID-3']"), HasSubstr("begins with the field"));
  EXPECT_THAT(failure("local x = msg.typ"), HasSubstr("a Message has no 'typ'"));
  EXPECT_THAT(failure("local x = msg.strcture"), HasSubstr("did you mean 'structure'?"));
  EXPECT_THAT(failure("local x = msg.PID[8].txt"), HasSubstr("did you mean 'text'?"));
  EXPECT_THAT(failure("local x = msg[1]"), HasSubstr("a message is read by path"));
  EXPECT_THAT(failure("local x = msg.PID[0]"), HasSubstr("numbered from 1"));
  EXPECT_THAT(failure("msg.each('OBX')"), HasSubstr("with a colon"));
  EXPECT_THAT(failure("msg['PID-5'] = {}"),
              HasSubstr("a path takes a string, a number or nil, not a table"));
  EXPECT_THAT(failure("msg['PID-5'] = msg.PID[5]"), HasSubstr("read its text with :text()"));
  EXPECT_THAT(failure("msg.PID = 'x'"), HasSubstr("cannot be assigned"));
  EXPECT_THAT(failure("msg['MSH-1'] = 'x'"), HasSubstr("[L222]"));
  EXPECT_THAT(failure("for g in msg:groups('ORDER_OBSERVATIONS') do end"),
              HasSubstr("did you mean 'ORDER_OBSERVATION'?"));
  EXPECT_THAT(failure("for g in msg:each('OBSERVATION') do end"), HasSubstr("three characters"));
  EXPECT_THAT(failure("local x = msg.PID[5][1][1][1]"), HasSubstr("a subcomponent has no parts"));
  EXPECT_THAT(failure("local x = msg['OBX[*]']"), HasSubstr("msg:each(\"OBX\")"));
}

TEST_F(MessageTest, SendChecksWhatItIsGiven) {
  EXPECT_THAT(failure("send('er', msg)"),
              HasSubstr("there is no destination 'er' (did you mean 'ehr'?); this channel has: "
                        "ehr, review, archive"));
  EXPECT_EQ(code_, "L212");
  EXPECT_THAT(failure("send('ehr', {})"),
              HasSubstr("send takes a message, a document or a string as payload, not table"));
  EXPECT_THAT(failure("send('ehr', nil)"), HasSubstr("not nil"));
  EXPECT_THAT(failure("send('ehr', msg, { prio = 'stat' })"),
              HasSubstr("send has no option 'prio'"));
  EXPECT_THAT(failure("send('ehr', msg, { priority = 'high' })"), HasSubstr("\"stat\" or absent"));
  EXPECT_THAT(failure("send('ehr', msg, { key = {} })"),
              HasSubstr("the option 'key' of send takes a string"));
  EXPECT_THAT(failure("send('ehr', msg, 'stat')"), HasSubstr("as a table"));
  EXPECT_THAT(failure("skip()"), HasSubstr("skip needs a reason"));
}

TEST_F(MessageTest, ObjectsOfAnEndedRunSaySo) {
  ASSERT_TRUE(load(R"(
    local kept = {}
    function main(msg)
      if kept.use then
        for _, use in ipairs(kept.use) do
          local ok, why = pcall(use)
          log.info(tostring(ok) .. ' ' .. tostring(why))
        end
        return
      end
      local pid, node, group, each = msg.PID, msg.PID[5], msg:groups('ORDER_OBSERVATION')(), msg:each('OBX')
      kept.use = { function() return msg.type end, function() return pid['3'] end, function() return node:text() end,
                   function() return group.name end, function() return each() end, function() msg['PID-3'] = 1 end,
                   function() return tostring(msg) end, function() send('ehr', msg) end, function() return msg:copy() end }
    end)")
                  .empty());
  EXPECT_EQ(finish(*runtime_->begin(input())).kind, Conclusion::Kind::finished);
  const Conclusion second = finish(*runtime_->begin(input()));
  EXPECT_EQ(second.kind, Conclusion::Kind::finished) << second.reason;
  std::size_t lines = 0;
  for (auto at = second.trace.find("whose run has ended"); at != std::string::npos;
       at = second.trace.find("whose run has ended", at + 1)) {
    ++lines;
  }
  EXPECT_EQ(lines, 9u) << second.trace;
}

TEST_F(MessageTest, AResponseIsHandled) {
  ASSERT_TRUE(load(R"(
    function main(msg) end
    function on_response(msg, destination, response)
      if response.text == nil then return park('no answer from ' .. destination) end
      if response.message['MSA-1'] ~= 'AA' then send('review', response.message, { key = msg['PID-3.1'] }) end
      log.info('answered', { ordinal = response.ordinal, from = response.destination })
    end)")
                  .empty());
  EXPECT_TRUE(runtime_->has_response_handler());
  Input refused = input();
  const std::string answer = "MSH|^~\\&|EHR|WEST|LAB|NORTH|20260115||ACK|9|P|2.5.1\rMSA|AE|L0001\r";
  refused.response = Response{2, "ehr", make_bytes(answer)};
  const Conclusion conclusion = finish(*runtime_->begin(std::move(refused)));
  ASSERT_EQ(conclusion.sends.size(), 1u) << conclusion.reason;
  EXPECT_EQ(*conclusion.sends[0].payload, answer);
  EXPECT_EQ(conclusion.sends[0].key, "777001");
  EXPECT_THAT(conclusion.trace, HasSubstr("\"ordinal\":3"));
  Input silent = input();
  silent.response = Response{0, "ehr", nullptr};
  const Conclusion parked = finish(*runtime_->begin(std::move(silent)));
  EXPECT_EQ(parked.kind, Conclusion::Kind::parked);
  EXPECT_EQ(parked.reason, "no answer from ehr");
}

TEST_F(MessageTest, WithoutAHandlerThereIsNone) {
  ASSERT_TRUE(load("function main(msg) end").empty());
  EXPECT_FALSE(runtime_->has_response_handler());
}

TEST_F(MessageTest, ThePathCacheForgetsWithoutHarm) {
  EXPECT_EQ(sent(R"(
    local sum = 0
    for round = 1, 3 do
      for i = 1, 2000 do if msg['OBX[' .. i .. ']-5'] then sum = sum + 1 end end
      collectgarbage('count')
      local junk for i = 1, 20000 do junk = 'x' .. i end
    end
    send('ehr', tostring(sum)))"),
            "9");
}

}  // namespace
}  // namespace cannula::script
