// log, phi, secret, state, time, require, check and the generated reference.
#include "engine/script/error_codes.h"
#include "engine/script/reference.h"
#include "tests/unit/engine/script/script_fixture.h"

namespace cannula::script {
namespace {

using testing::HasSubstr;
using testing::Not;

class LibraryTest : public ScriptTest {
 protected:
  std::string value(const std::string& expression) {
    return sent("send('ehr', tostring(" + expression + "))");
  }
  std::string trace(const std::string& body) {
    const Conclusion conclusion = work("function main(msg)\n" + body + "\nend");
    EXPECT_EQ(conclusion.kind, Conclusion::Kind::finished) << conclusion.reason;
    return conclusion.trace;
  }
};

TEST_F(LibraryTest, LogLinesAreJsonLines) {
  EXPECT_EQ(trace("log.info('routed', { ward = 'W1', n = 2, f = 1.5, ok = true, list = {1, 'b'} })")
                .find("{\"at\":\"2026-01-15T09:30:42.123456Z\",\"level\":\"info\",\"text\":"
                      "\"routed\",\"fields\":{"),
            0u);
  EXPECT_THAT(trace("log.info('x', { list = {1, 'b'} })"), HasSubstr("\"list\":[1,\"b\"]"));
  EXPECT_EQ(trace("log.debug('a\\n\"b\"\\1')"),
            "{\"at\":\"2026-01-15T09:30:42.123456Z\",\"level\":\"debug\",\"text\":"
            "\"a\\n\\\"b\\\"\\u0001\"}\n");
  EXPECT_THAT(trace("log.warn('\\xff\\xfe\\xc3\\xbc')"),
              HasSubstr("\"\xEF\xBF\xBD\xEF\xBF\xBD\xC3\xBC\""));
  EXPECT_THAT(trace("log.error('x', { f = print, m = msg, nan = 0/0 })"), HasSubstr("(function)"));
  EXPECT_THAT(trace("print('a', 1, nil)"), HasSubstr("\"text\":\"a\\t1\\tnil\""));
  EXPECT_THAT(failure("log.info('x', 'y')"), HasSubstr("[L227]"));
}

TEST_F(LibraryTest, TheLogOfAFailedRunIsKept) {
  const Conclusion conclusion = work("function main(msg) log.info('before') error('x') end");
  EXPECT_EQ(conclusion.kind, Conclusion::Kind::failed);
  EXPECT_THAT(conclusion.trace, HasSubstr("before"));
}

TEST_F(LibraryTest, AFloodOfLogLinesIsCut) {
  const std::string lines = trace("for i = 1, 20000 do log.info('line ' .. i) end");
  EXPECT_LT(lines.size(), 300u << 10);
  EXPECT_THAT(lines, HasSubstr("further lines of this message were dropped"));
}

TEST_F(LibraryTest, ACyclicTableInALogLineEnds) {
  EXPECT_THAT(trace("local t = {} t.t = t log.info('x', t)"), HasSubstr("\"t\""));
}

TEST_F(LibraryTest, PhiIsMaskedWhereverItIsPrinted) {
  EXPECT_THAT(trace("log.info('x', { mrn = phi(msg['PID-3.1']), deep = { phi('777001') } })"),
              testing::AllOf(HasSubstr("\"mrn\":\"***\""), HasSubstr("[\"***\"]"),
                             Not(HasSubstr("777001"))));
  EXPECT_THAT(trace("log.info(phi('777001')) log.info('MRN ' .. tostring(phi('777001')))"),
              Not(HasSubstr("777001")));
  EXPECT_THAT(trace("log.info('MRN ' .. phi('777001')) print(phi('777001'))"),
              Not(HasSubstr("777001")));
  EXPECT_EQ(value("phi(nil)"), "nil");
  EXPECT_EQ(value("phi('a') == phi('a')"), "true");
  EXPECT_EQ(value("phi('a') == phi('b')"), "false");
}

TEST_F(LibraryTest, PhiIsUsedLikeItsValue) {
  EXPECT_THAT(sent("msg['PID-5.1'] = phi('Secret') send('ehr', msg)"), HasSubstr("|Secret^Anna"));
  EXPECT_EQ(sent("send('ehr', 'MRN ' .. phi('1') .. '!')"), "MRN 1!");
  const Conclusion conclusion =
      work("function main(msg) send('ehr', msg, { key = phi('777001') }) end");
  EXPECT_EQ(conclusion.sends.at(0).key, "777001");
}

TEST_F(LibraryTest, SecretsAreOpaque) {
  EXPECT_EQ(value("secret('ehr')"), "***");
  EXPECT_THAT(failure("local s = secret('nothing')"), HasSubstr("there is no secret 'nothing'"));
  EXPECT_THAT(failure("send('ehr', secret('ehr'))"), HasSubstr("[L213]"));
  EXPECT_THAT(failure("local s = 'x' .. secret('ehr')"),
              HasSubstr("attempt to concatenate a secret value"));
  EXPECT_THAT(failure("local s = secret('ehr').value"), HasSubstr("has no members"));
  EXPECT_THAT(failure("msg['PID-3'] = secret('ehr')"), Not(HasSubstr("open sesame")));
  EXPECT_THAT(trace("log.info('x', { s = secret('ehr') })"), HasSubstr("\"s\":\"***\""));
}

TEST_F(LibraryTest, StateIsReadFromTheHost) {
  host_.kept = {{"count", "41"},
                {"float", "1.0"},
                {"name", "\"N\xC3\xBC\""},
                {"flag", "true"},
                {"list", "[1,[2,{\"a\":null}],\"x\"]"},
                {"object", "{\"a\":{\"b\":[true]}}"}};
  EXPECT_EQ(value("state['count'] + 1"), "42");
  EXPECT_EQ(value("state.float"), "1.0");
  EXPECT_EQ(value("state.get('name')"), "N\xC3\xBC");
  EXPECT_EQ(value("state.flag"), "true");
  EXPECT_EQ(value("state.list[2][1] .. state.list[3]"), "2x");
  EXPECT_EQ(value("state.object.a.b[1]"), "true");
  EXPECT_EQ(value("state['nothing']"), "nil");
  EXPECT_EQ(value("state.get('nothing', 7)"), "7");
}

TEST_F(LibraryTest, StateWritesTravelWithTheConclusion) {
  host_.kept = {{"old", "1"}};
  const Conclusion conclusion = work(R"(function main(msg)
    state["count"] = (state["count"] or 0) + 1
    state.set("table", { b = { 1, 2.5, "x" }, e = {} })
    state["old"] = nil
    send("ehr", tostring(state["count"]) .. tostring(state["old"]) .. state.table.b[3])
  end)");
  ASSERT_EQ(conclusion.kind, Conclusion::Kind::finished) << conclusion.reason;
  EXPECT_EQ(*conclusion.sends.at(0).payload, "1nilx");
  ASSERT_EQ(conclusion.state_writes.size(), 3u);
  EXPECT_EQ(conclusion.state_writes[0].key, "count");
  EXPECT_EQ(conclusion.state_writes[0].value, "1");
  EXPECT_EQ(conclusion.state_writes[1].value, std::nullopt);
  EXPECT_THAT(*conclusion.state_writes[2].value, HasSubstr("\"b\":[1,2.5,\"x\"]"));
  EXPECT_EQ(host_.kept.size(), 1u);
}

TEST_F(LibraryTest, OnlyAFinishedRunWritesState) {
  for (const char* end : {"error('x')", "skip('x')", "park('x')", "reject('x')"}) {
    EXPECT_TRUE(
        work("function main(msg) state.a = 1 " + std::string(end) + " end").state_writes.empty());
  }
}

TEST_F(LibraryTest, WhatIsSentAlwaysGoesHoweverTheRunEnds) {
  for (const char* end : {"", "error('x')", "skip('x')", "park('x')", "reject('x')",
                          "local t = {} while true do t[#t + 1] = ('x'):rep(1 << 20) .. #t end"}) {
    const Conclusion conclusion = work(
        "function main(msg)\n"
        "  send('ehr', msg)\n"
        "  send('archive', 'look at this', { always = true, key = 'k' })\n" +
        std::string(end) + "\nend");
    const bool finished = conclusion.kind == Conclusion::Kind::finished;
    ASSERT_EQ(conclusion.sends.size(), finished ? 2u : 1u) << end;
    EXPECT_EQ(*conclusion.sends.back().payload, "look at this");
    EXPECT_EQ(conclusion.sends.back().key, "k");
  }
  EXPECT_EQ(
      work("function main(msg) send('ehr', msg, { always = false }) park('x') end").sends.size(),
      0u);
  EXPECT_THAT(failure("send('ehr', msg, { always = 'yes' })"), HasSubstr("true or false"));
}

TEST_F(LibraryTest, StateRefusesWhatItCannotKeep) {
  for (const auto& [expression, text] :
       {std::pair{"print", "not a function"}, std::pair{"msg", "not a Message"},
        std::pair{"0/0", "not finite"}, std::pair{"'\\xff'", "not UTF-8"},
        std::pair{"phi('x')", "not a phi"}, std::pair{"{[1.5] = 1}", "keys are neither"},
        std::pair{"{1, nil, 3, x = 1}", "keys are neither"},
        std::pair{"('x'):rep(300000)", "256 KB"}}) {
    EXPECT_THAT(failure("state.a = " + std::string(expression)), HasSubstr(text));
    EXPECT_EQ(code_, "L223");
  }
  EXPECT_THAT(failure("local t = {} t.t = t state.a = t"), HasSubstr("16 levels"));
  EXPECT_THAT(failure("local t = {} for i = 1, 100000 do t[i] = 'xxxx' end state.a = t"),
              HasSubstr("256 KB"));
  EXPECT_THAT(failure("state[1] = 1"), HasSubstr("a key of state is a string"));
  EXPECT_THAT(failure("state.get = 1"), HasSubstr("state.set(\"get\", value)"));
  EXPECT_THAT(failure("for k in pairs(state) do end"), HasSubstr("cannot be walked"));
  EXPECT_THAT(failure("for i = 1, 2000 do state['k' .. i] = i end"), HasSubstr("1,000"));
}

TEST_F(LibraryTest, AllThatStateKeepsComesBackAsItWas) {
  for (const char* json : {"1", "-9223372036854775808", "0.1", "1e+300", "true", "\"\\u0000\\\"\"",
                           "[1,2]", "{\"a\":[{}]}"}) {
    host_.kept = {{"a", json}};
    const Conclusion conclusion = work("function main(msg) state.b = state.a end");
    ASSERT_EQ(conclusion.state_writes.size(), 1u) << conclusion.reason;
    EXPECT_EQ(conclusion.state_writes[0].value, json);
  }
}

TEST_F(LibraryTest, TimeStandsStillDuringARun) {
  ASSERT_TRUE(load("function main(msg) local a = time.now() for i = 1, 300000 do end send('ehr', "
                   "tostring(time.now() == a)) end")
                  .empty());
  const auto run = runtime_->begin(input());
  run->resume(std::chrono::microseconds(10));
  host_.time += 5'000'000;
  EXPECT_EQ(*finish(*run).sends.at(0).payload, "true");
  EXPECT_EQ(value("time.format(time.now())"), "20260115093047+0000");
}

TEST_F(LibraryTest, TimesAreFormattedAndRead) {
  EXPECT_EQ(value("time.format(0)"), "19700101000000+0000");
  EXPECT_EQ(value("time.format(0, '%Y-%m-%dT%H:%M:%S.%L%Z', '-0530')"),
            "1969-12-31T18:30:00.000-05:30");
  EXPECT_EQ(value("time.format(1.25, '%S.%f %%')"), "01.250000 %");
  EXPECT_EQ(value("time.parse('20260115093042+0100')"), "1768465842");
  EXPECT_EQ(value("time.parse('20260115093042', '+0100')"), "1768465842");
  EXPECT_EQ(value("time.parse('2026-01-15T09:30:42+01:00')"), "1768465842");
  EXPECT_EQ(value("time.parse('20260115093042.5')"), "1768469442.5");
  EXPECT_EQ(value("time.parse('1961')"), "-283996800");
  EXPECT_EQ(value("time.parse('19610615')"), "-269740800");
  EXPECT_EQ(value("time.parse('2024-02-29')"), "1709164800");
  EXPECT_EQ(value("time.parse('0001')"), "-62135596800");
  EXPECT_EQ(value("time.parse(msg['PID-7'])"), "-269740800");
  for (const char* text :
       {"''", "'x'", "'2026013'", "'20260230'", "'20261301'", "'20260115256000'", "'2026-1-5'",
        "'20260115093042+1'", "'20260115 0930'", "nil", "'20260100'"}) {
    EXPECT_EQ(value("select('#', time.parse(" + std::string(text) + "))"), "2") << text;
  }
  EXPECT_THAT(failure("time.format(0, '%q')"), HasSubstr("not %q"));
  EXPECT_THAT(failure("time.format(1/0)"), HasSubstr("[L224]"));
  EXPECT_THAT(failure("time.format(0, '%Y', 'PDT')"), HasSubstr("America/New_York"));
}

TEST_F(LibraryTest, TimesTakeZonesByTheirIanaNames) {
  EXPECT_EQ(value("time.format(1768469442, '%H:%M %z', 'Europe/Vienna')"), "10:30 +0100");
  EXPECT_EQ(value("time.format(1784107842, '%H:%M %Z', 'Europe/Vienna')"), "11:30 +02:00");
  EXPECT_EQ(value("time.parse('20260115103042', 'Europe/Vienna')"), "1768469442");
  EXPECT_EQ(value("time.parse('20260715113042', 'Europe/Vienna')"), "1784107842");
  EXPECT_EQ(value("time.parse('20260715093042Z', 'Europe/Vienna')"), "1784107842");
  EXPECT_EQ(value("time.parse('20261025023000', 'Europe/Vienna')"), "1792888200") << "the first";
  EXPECT_THAT(failure("time.parse('2026', 'Europe/Vienn')"),
              HasSubstr("did you mean 'Europe/Vienna'"));
}

TEST_F(LibraryTest, TimesWithoutAnOffsetAreInTheChannelsZone) {
  timezone_ = "America/New_York";
  EXPECT_EQ(value("time.parse('20260115043042')"), "1768469442");
  EXPECT_EQ(value("time.parse('20260715053042')"), "1784107842");
  EXPECT_EQ(value("time.parse('20260715053042-0400')"), "1784107842");
  EXPECT_EQ(value("time.parse('20260715093042', 'UTC')"), "1784107842");
  EXPECT_EQ(value("time.format(0)"), "19700101000000+0000") << "writing is in UTC unless asked";
}

TEST_F(LibraryTest, AChannelWithAnUnknownZoneDoesNotLoad) {
  timezone_ = "America/NewYork";
  const auto findings = load("function main() end");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].code, "D101");
  EXPECT_THAT(findings[0].message, HasSubstr("America/New_York"));
}

TEST_F(LibraryTest, ModulesRunOnceInAState) {
  modules_["wards"] = "local loads = 0 loads = loads + 1 return { loads = loads, name = ... }";
  modules_["nothing"] = "seen = true";
  ASSERT_TRUE(load(R"(
    local wards = require("wards")
    local other = require("nothing")
    function main(msg)
      assert(wards == require("wards"))
      send("ehr", wards.name .. wards.loads .. tostring(other) .. tostring(seen))
    end)")
                  .empty());
  EXPECT_EQ(*finish(*runtime_->begin(input())).sends.at(0).payload, "wards1truetrue");
}

TEST_F(LibraryTest, ModulesAreSharedByTheirNameOnly) {
  modules_["a"] = "return require('b')";
  modules_["b"] = "return require('a')";
  auto findings = load("require('a')\nfunction main() end");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_THAT(findings[0].message, HasSubstr("is required while it is being loaded"));
  EXPECT_THAT(
      failure("require('gone')"),
      HasSubstr(
          "there is no module 'gone'; modules are the files lib/NAME.lua of the site, here: a, b"));
  EXPECT_THAT(failure("require('/etc/passwd')"), HasSubstr("[L217]"));
}

TEST_F(LibraryTest, AModuleMayBeSuspended) {
  modules_["slow"] = "local n = 0 for i = 1, 2000000 do n = n + 1 end return n";
  const Conclusion conclusion =
      work("function main(msg) send('ehr', tostring(require('slow'))) end");
  ASSERT_EQ(conclusion.sends.size(), 1u) << conclusion.reason;
  EXPECT_EQ(*conclusion.sends[0].payload, "2000000");
}

// -- check

TEST_F(LibraryTest, SyntaxErrorsAreFoundWithTheirPlace) {
  const auto at = [&](const std::string& text) {
    const auto findings = load(text);
    if (findings.size() != 1 || findings[0].code != "L101") return std::string("no single L101");
    const std::string shown = render(findings);
    return shown.substr(0, shown.find(": error"));
  };
  EXPECT_EQ(at("function main(msg)\n  local x = = 1\nend"), "channels/lab/main.lua:2:13");
  EXPECT_EQ(at("x = 1 )"), "channels/lab/main.lua:1:7");
  EXPECT_EQ(at("f(a, b) (c d)"), "channels/lab/main.lua:1:12");
  EXPECT_EQ(at("local end = 1"), "channels/lab/main.lua:1:7");
  EXPECT_EQ(at("function main(msg)\n"), "channels/lab/main.lua:2:1");
  EXPECT_EQ(at("local s = \"open\nmain()"), "channels/lab/main.lua:1:11");
  EXPECT_EQ(at("if a == b then if a == c then x() end end end"), "channels/lab/main.lua:1:43");
}

TEST_F(LibraryTest, CheckFindsErrorsInEveryFileAndRunsNothing) {
  Program program;
  program.main = std::make_shared<Source>("main.lua", "while true do end function main() end");
  program.modules["a"] = std::make_shared<Source>("lib/a.lua", "local = 1");
  program.modules["b"] = std::make_shared<Source>("lib/b.lua", "return 1 1");
  const auto findings = check(program);
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].source->name(), "lib/a.lua");
  EXPECT_EQ(findings[1].source->name(), "lib/b.lua");
}

TEST_F(LibraryTest, AMissingMainIsAWarningOfCheckAndAnErrorOfLoading) {
  Program program;
  program.main = std::make_shared<Source>("main.lua", "function handle(msg) end -- domain");
  const auto findings = check(program);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].severity, Severity::warning);
  EXPECT_EQ(findings[0].code, "L102");
  const auto loading = load("local function main(msg) end");
  ASSERT_EQ(loading.size(), 1u);
  EXPECT_EQ(loading[0].severity, Severity::error);
  EXPECT_EQ(loading[0].code, "L102");
}

TEST_F(LibraryTest, AFailingTopLevelPointsToItsLine) {
  const auto findings = load("local a\n\nlocal b = a.c\nfunction main() end");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].code, "L103");
  EXPECT_THAT(render(findings), HasSubstr("channels/lab/main.lua:3:1: error[L103]"));
  const auto early = load("send('ehr', 'x')\nfunction main() end");
  ASSERT_EQ(early.size(), 1u);
  EXPECT_THAT(early[0].message, HasSubstr("there is no message yet"));
}

// -- Names that nothing defines

TEST_F(LibraryTest, AMisspelledGlobalIsAnErrorOfLoading) {
  const auto findings = load(
      "local codes = {}\nresults = { route = 'ehr' }\nfunction main(msg)\n"
      "  if codes.x then send(reslts.route, msg) end\nend");
  EXPECT_EQ(render(findings),
            "channels/lab/main.lua:4:24: error[L107]: nothing defines the name 'reslts'\n"
            "    4 |   if codes.x then send(reslts.route, msg) end\n"
            "      |                        ^~~~~~\n"
            "      = hint: did you mean 'results'?\n");
}

TEST_F(LibraryTest, NamesAreFoundInEveryFunctionAndInTheModulesThatAreUsed) {
  modules_["used"] = "local m = {}\nfunction m.f() return later end\nreturn m";
  modules_["lazy"] = "return function() return function() return deeper end end";
  modules_["other"] = "return nothing_of_this_channel";
  const auto findings = load(
      "local used = require('used')\nfunction main(msg)\n  local lazy = require('lazy')\n"
      "  return (function() return inner + used.f() end)()\nend");
  std::string names;
  for (const Diagnostic& finding : findings) names += finding.message + "\n";
  EXPECT_EQ(names,
            "nothing defines the name 'inner'\nnothing defines the name 'deeper'\n"
            "nothing defines the name 'later'\n");
}

// More constants than an instruction can name: the compiler writes the read in three steps.
TEST_F(LibraryTest, NamesAreFoundInAFunctionOfManyConstants) {
  std::string text = "function main(msg)\n  local t = {\n";
  for (int i = 0; i < 400; ++i)
    text += "  k" + std::to_string(i) + " = 'v" + std::to_string(i) + "',\n";
  const auto findings = load(text + "  }\n  return reslts, _VERSION\nend");
  ASSERT_EQ(findings.size(), 1u) << render(findings);
  EXPECT_EQ(findings[0].source->position(findings[0].span->begin).line, 404u);
}

TEST_F(LibraryTest, ANameThatIsAssignedTooLateIsSaidToBe) {
  const auto findings = load("function main(msg)\n  count = 1\n  send('ehr', count)\nend");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_THAT(findings[0].hint, HasSubstr("write local count"));
}

TEST_F(LibraryTest, WhatMayBeThereIsNotRefused) {
  modules_["globals"] = "from_module = 1";
  EXPECT_THAT(load("require('globals')\n"
                   "for _, name in ipairs{'a', 'b'} do _G['made_' .. name] = 1 end\n"
                   "function helper() return other() end\nfunction other() return 1 end\n"
                   "local function inside() local _ENV = { x = 1 } return x, y end\n"
                   "function main(msg)\n  local last = rawget(_G, 'probe')\n"
                   "  return helper(), made_a, made_b, from_module, inside(), last\nend"),
              testing::IsEmpty());
  EXPECT_THAT(runtime_->warnings(), testing::IsEmpty());
}

TEST_F(LibraryTest, ANameOfAnotherLuaIsAWarning) {
  EXPECT_THAT(load("function main(msg) local unpack = table.unpack or unpack end"),
              testing::IsEmpty());
  ASSERT_EQ(runtime_->warnings().size(), 1u);
  EXPECT_EQ(runtime_->warnings()[0].severity, Severity::warning);
  EXPECT_EQ(runtime_->warnings()[0].code, "L107");
}

// -- Destinations, tables and rule sets that are not there

class NamesTest : public ScriptTest {
 protected:
  std::vector<Diagnostic> names(const std::string& text) {
    EXPECT_EQ(render(load(text)), "");
    rules::Resources resources;
    resources.tables["lab-to-loinc"] = nullptr;
    resources.rule_sets["critical-labs"] = nullptr;
    return check_names(*program_, resources);
  }
};

TEST_F(NamesTest, AMisspelledDestinationTableAndRuleSetAreFoundAtTheirPlace) {
  EXPECT_EQ(render(names("function main(msg)\n"
                         "  if msg.type == 'ADT^A01' then send('reveiw', msg) end\n"
                         "  for obx in msg:each('OBX') do\n"
                         "    local row = lookup(\"lab-to-lonic\", obx['3.1'])\n"
                         "  end\n"
                         "  return rules.evaluate('critical-lab', msg).critical\n"
                         "end")),
            "channels/lab/main.lua:2:38: error[L212]: there is no destination 'reveiw'\n"
            "    2 |   if msg.type == 'ADT^A01' then send('reveiw', msg) end\n"
            "      |                                      ^~~~~~~~\n"
            "      = hint: did you mean 'review'?\n"
            "channels/lab/main.lua:4:24: error[L230]: there is no table 'lab-to-lonic'\n"
            "    4 |     local row = lookup(\"lab-to-lonic\", obx['3.1'])\n"
            "      |                        ^~~~~~~~~~~~~~\n"
            "      = hint: did you mean 'lab-to-loinc'?\n"
            "channels/lab/main.lua:6:25: error[L233]: there is no rule set 'critical-lab'\n"
            "    6 |   return rules.evaluate('critical-lab', msg).critical\n"
            "      |                         ^~~~~~~~~~~~~~\n"
            "      = hint: did you mean 'critical-labs'?\n");
}

TEST_F(NamesTest, EveryFormOfACallIsSeen) {
  const auto findings = names(
      "local helper = function(msg) return function() send('a1', msg) end end\n"
      "function main(msg)\n"
      "  created('a2')\n"
      "  lookup.must('a3', msg['PID-8'] or (msg['PID-9'] and 'x' or 'y'))\n"
      "  send('a4', msg, { key = (function() return 'k' end)() })\n"
      "  local t = { lookup('a5', 'k'), send 'a6' }\n"
      "  if lookup('a7', 'k') and not lookup('a8', 'k') then return send('a9', msg) end\n"
      "  helper(msg)()\nend");
  std::string found;
  for (const Diagnostic& finding : findings)
    found += finding.message.substr(finding.message.find('\'')) + " ";
  EXPECT_EQ(found, "'a1' 'a2' 'a3' 'a4' 'a5' 'a6' 'a7' 'a8' 'a9' ");
}

// More constants than an instruction can name.
TEST_F(NamesTest, CallsAreFoundInAFunctionOfManyConstants) {
  std::string text = "function main(msg)\n  local t = {\n";
  for (int i = 0; i < 400; ++i)
    text += "  k" + std::to_string(i) + " = 'v" + std::to_string(i) + "',\n";
  const auto findings = names(text + "  }\n  send('gone', msg)\nend");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].source->position(findings[0].span->begin).line, 404u);
}

TEST_F(NamesTest, WhatIsRightOrCannotBeKnownIsLeftAlone) {
  modules_["shared"] = "local m = {}\nfunction m.f(x) send('of-another-channel', x) end\nreturn m";
  const auto findings = names(
      "local shared = require('shared')\n"
      "local mine = { send = function() end, lookup = function() end }\n"
      "local function relay(send, name) send('local', name) end\n"
      "function main(msg)\n"
      "  send('ehr', msg)\n  lookup('lab-to-loinc', 'K')\n  lookup.must('lab-to-loinc', 'K')\n"
      "  rules.evaluate('critical-labs', msg)\n"
      "  local where = msg.partner or 'ehr'\n"
      "  send(where, msg)\n"
      "  send('re' .. where, msg)\n"
      "  send(('re'):rep(2), msg)\n"
      "  send(where == 'x' and 'no-one' or 'ehr', msg)\n"
      "  mine.send('x')\n  mine.lookup('x')\n  relay(mine.send, 'y')\n"
      "  pcall(send, 'nobody', msg)\n  pcall(lookup, 'nothing')\n"
      "  local lookup = mine.lookup\n  lookup('shadowed')\n"
      "  log.info('send', { send = 'x' })\n  string.rep('send', 2)\n"
      "  shared.f(msg)\nend");
  EXPECT_EQ(render(findings), "");
}

TEST_F(NamesTest, AFunctionOfTheScriptsOwnOfThatNameIsNotOurs) {
  EXPECT_EQ(render(names("function lookup(name) return name end\n"
                         "function main(msg) send('ehr', lookup('anything')) end")),
            "");
}

// -- The reference

TEST_F(LibraryTest, TheTypesNameEveryFunctionOfOurs) {
  const std::string types = lua_types();
  EXPECT_TRUE(types.starts_with("---@meta\n"));
  for (const char* line :
       {"---@class Message", "function Message:each(name) end", "---@param name? string",
        "---@return fun(): Segment", "function send(destination, payload, options) end",
        "---@param options? SendOptions", "function log.info(text, fields) end",
        "function time.parse(text, zone) end", "---@return number?", "---@field type string"}) {
    EXPECT_THAT(types, HasSubstr(line));
  }
  EXPECT_THAT(types, Not(HasSubstr("function pcall")));
  ASSERT_TRUE(load(types + "\nfunction main() end").empty() || load("function main() end").empty());
}

TEST_F(LibraryTest, TheTypesAreLua) {
  Program program;
  program.main = std::make_shared<Source>("types.lua", lua_types() + "function main() end");
  const auto findings = check(program);
  EXPECT_TRUE(findings.empty()) << render(findings);
}

TEST_F(LibraryTest, TheReferenceShowsEveryFunction) {
  const std::string page = reference_page();
  for (const char* text :
       {"## Message", "### `:each(name?: string): fun(): Segment`", "### `.type: string`",
        "### `send(destination: string", "### `log.info(", "| `string.rep(", "## `state`"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
}

TEST_F(LibraryTest, EveryCodeIsExplainedOnce) {
  std::string_view last;
  for (const ErrorCode& code : error_codes()) {
    EXPECT_LT(last, code.code);
    EXPECT_GT(code.explanation.size(), 60u) << code.code;
    last = code.code;
  }
}

}  // namespace
}  // namespace cannula::script
