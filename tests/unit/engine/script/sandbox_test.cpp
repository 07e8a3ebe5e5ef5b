// Each attack on the sandbox that was measured (docs/explanation/sandbox.md), as a message that
// must end. What would hang shows as a test that does not end.
#include <ctime>

#include <malloc.h>

#include "tests/unit/engine/script/script_fixture.h"

namespace cannula::script {
namespace {

using testing::HasSubstr;

class SandboxTest : public ScriptTest {
 protected:
  SandboxTest() {
    limits_.memory = 24u << 20;
    limits_.time = limits_.unyielding = std::chrono::seconds(kEnough);
  }
#if defined(__SANITIZE_THREAD__)  // what moves megabytes of memory takes it minutes
  static constexpr int kEnough = 900;
#else
  static constexpr int kEnough = 60;
#endif

  // For attacks that would never end: what is not about time has all the time it needs.
  void limit_time() {
    limits_.time = std::chrono::milliseconds(60);
    limits_.unyielding = std::chrono::milliseconds(30);
  }

  // The message dies of a limit and the state is closed.
  void expect_limit(const std::string& body, std::string_view code) {
    const Conclusion conclusion = work(body);
    EXPECT_EQ(conclusion.kind, Conclusion::Kind::failed) << body;
    EXPECT_EQ(conclusion.code, code) << body << "\n" << conclusion.reason;
    EXPECT_TRUE(conclusion.hit_limit) << body;
    EXPECT_TRUE(runtime_->closed()) << body;
  }
  static std::string in_main(const std::string& body) {
    return "function main(msg)\n" + body + "\nend";
  }
};

struct Attack {
  const char* name;
  const char* body;
};
void PrintTo(const Attack& attack, std::ostream* out) {
  *out << attack.name;
}

class EndlessLoop : public SandboxTest, public testing::WithParamInterface<Attack> {};

TEST_P(EndlessLoop, IsSuspendedEachSliceAndStoppedByTheTimeLimit) {
  limit_time();
  expect_limit(in_main(GetParam().body), "L201");
#if !defined(__SANITIZE_THREAD__)  // it has no ticks: a slice ends by a count of instructions
  EXPECT_GT(slices_, 0);           // of twelve on a quiet machine, as far as ticks come in time
#endif
}

constexpr Attack kEndless[] = {
    // The slice always ends in a coroutine without an instruction of Lua.
    {"CoroutinesOfC", "while true do coroutine.wrap(string.rep)('x', 1000000) end"},
    {"While", "while true do end"},
    {"Goto", "::again:: goto again"},
    {"For", "for i = 1, math.huge do end"},
    {"InPcall", "while true do pcall(function() while true do end end) end"},
    {"PcallOfPcall", "while true do pcall(pcall, function() while true do end end) end"},
    {"Xpcall",
     "while true do xpcall(function() while true do end end, function() while true do end end) "
     "end"},
    {"TailCalls", "local function f() return f() end f()"},
    {"InCoroutine",
     "coroutine.resume(coroutine.create(function() while true do end end)) while true do end"},
    {"InWrap",
     "local f = coroutine.wrap(function() while true do coroutine.yield() end end) while true do "
     "f() end"},
    {"InNestedCoroutines", R"(
      local function nest(n) if n == 0 then while true do end end coroutine.wrap(nest)(n - 1) end
      nest(20))"},
    {"NewCoroutines",
     "while true do pcall(coroutine.wrap(function() for i = 1, 900 do end end)) end"},
    {"InClose",
     "do local x <close> = setmetatable({}, {__close = function() while true do end end}) end"},
    {"InSortOrder", "table.sort({3, 2, 1}, function() while true do end end)"},
    {"InGsubFunction", "local s = ('abc'):gsub('.', function() while true do end end)"},
    {"InTostring", "tostring(setmetatable({}, {__tostring = function() while true do end end}))"},
    {"InPairs",
     "for k in pairs(setmetatable({}, {__pairs = function() while true do end end})) do end"},
    {"InIndex", "local x = setmetatable({}, {__index = function() while true do end end}).x"},
    {"InNewindex", "setmetatable({}, {__newindex = function() while true do end end}).x = 1"},
    {"InEquality",
     "local m = {__eq = function() while true do end end} local x = setmetatable({}, m) == "
     "setmetatable({}, m)"},
    {"InLess",
     "local m = {__lt = function() while true do end end} local x = setmetatable({}, m) < "
     "setmetatable({}, m)"},
    {"InConcat",
     "local x = setmetatable({}, {__concat = function() while true do end end}) .. 'x'"},
    {"InLength", "local x = #setmetatable({}, {__len = function() while true do end end})"},
    {"InCall", "setmetatable({}, {__call = function() while true do end end})()"},
    {"InLoad", "load('while true do end')()"},
    {"ManyLoads", "while true do load('local a = 1 ' .. ('a = a + 1 '):rep(3000)) end"},
    {"ManyMessages", "while true do local x = msg['PID-5.1'] end"},
    {"ManyMatches", "while true do local x = ('aaa'):find('a-b') end"},
    {"Gmatch", "while true do for word in ('a b c'):gmatch('%a+') do end end"},
    {"TimeAndLog", "while true do log.info(time.format(time.now())) end"},
};
INSTANTIATE_TEST_SUITE_P(Sandbox, EndlessLoop, testing::ValuesIn(kEndless),
                         [](const auto& attack) { return attack.param.name; });

class UnyieldingLoop : public SandboxTest, public testing::WithParamInterface<Attack> {};

TEST_P(UnyieldingLoop, IsStoppedByALimit) {
  limit_time();
  const Conclusion conclusion = work(in_main(GetParam().body));
  EXPECT_EQ(conclusion.kind, Conclusion::Kind::failed);
  EXPECT_TRUE(conclusion.hit_limit) << conclusion.reason;
  EXPECT_THAT(conclusion.code, testing::AnyOf("L201", "L209", "L219", "L202")) << conclusion.reason;
  EXPECT_TRUE(runtime_->closed());
}

constexpr Attack kUnyielding[] = {
    {"FormatTostring",
     "string.format('%s', setmetatable({}, {__tostring = function() while true do end end}))"},
    {"PrintTostring", "print(setmetatable({}, {__tostring = function() while true do end end}))"},
    {"CoroutineInFormat", R"(string.format('%s', setmetatable({}, {__tostring = function()
      coroutine.wrap(function() while true do end end)() end})))"},
    {"PcallInFormat", R"(string.format('%s', setmetatable({}, {__tostring = function()
      while true do pcall(function() while true do end end) end end})))"},
    {"CloseInCoroutineClose", R"(
      local co = coroutine.create(function()
        local x <close> = setmetatable({}, {__close = function() while true do end end})
        coroutine.yield() end)
      coroutine.resume(co) coroutine.close(co))"},
    {"BacktrackingOptional", "string.find(('a'):rep(26), ('a?'):rep(26) .. ('a'):rep(26))"},
    {"BacktrackingLazy", "('a'):rep(1200):find('.-.-.-.-b')"},
    {"BacktrackingMatch", "('a'):rep(1200):match('.-.-.-.-b')"},
    {"BacktrackingGsub", "('a'):rep(1200):gsub('.-.-.-.-b', '')"},
    {"BacktrackingGsubFunction", "('a'):rep(1200):gsub('.-.-.-.-b', print)"},
    {"BacktrackingGmatch", "for x in ('a'):rep(1200):gmatch('.-.-.-.-b') do end"},
    {"BacktrackingInPcall", "while true do pcall(string.find, ('a'):rep(1200), '.-.-.-.-b') end"},
    {"BacktrackingInLastPcall", "return pcall(string.find, ('a'):rep(1200), '.-.-.-.-b')"},
    {"BalancedQuadratic", "('('):rep(200000):find('%b()x')"},
    {"TableMove", "table.move({}, 1, 2^40, 2)"},
    {"TableMoveToOther", "table.move({}, 1, 2^40, 2, {})"},
    {"SparseInsert",
     "local t = {} for i = 0, 50 do t[2^i] = 1 end table.insert(t, 1, 'x') while true do "
     "table.insert(t, 1, 2) end"},
    {"LargeConcat", "local s = ('x'):rep(4000000) while true do local t = s .. 'y' end"},
    {"LargeUpper", "local s = ('x'):rep(4000000) while true do local t = s:upper() end"},
    {"GrowingArguments", "local function f(...) return f(1, ...) end f()"},
    {"LargeCompare",
     "local s, t = ('x'):rep(8000000) .. 'a', ('x'):rep(8000000) .. 'b' while true do local e = s "
     "== t or s < t end"},
    {"LargeUtf8", "local s = ('x'):rep(8000000) while true do utf8.len(s) end"},
    {"LargeTonumber", "local s = ('1'):rep(8000000) while true do tonumber(s) end"},
    {"LargeArithmetic",
     "local s = ('1'):rep(8000000) while true do pcall(function() return s + 1 end) end"},
    {"EmptiedTable",
     "local t = {} for i = 1, 300000 do t[i] = i end for i = 1, 300000 do t[i] = nil end while "
     "true do next(t) end"},
    {"CollidingKeys", R"(
      local step = (1 << 14) - 1
      while true do
        local t = {}
        for i = 1, 8193 do t[i * step] = true end
      end)"},
};
INSTANTIATE_TEST_SUITE_P(Sandbox, UnyieldingLoop, testing::ValuesIn(kUnyielding),
                         [](const auto& attack) { return attack.param.name; });

TEST_F(SandboxTest, TheHookComesByTimeAndNotByInstructions) {
  // A thousand instructions of these take seconds: seen only then, the first look would end them.
  // Sanitizers look at every byte of them besides.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  limits_.time = std::chrono::seconds(20);
#else
  limits_.time = std::chrono::seconds(6);  // the strings are made in it as well
#endif
  limits_.memory = 300u << 20;
  const std::string strings =
      "local s, t = ('x'):rep(60000000) .. 'a', ('x'):rep(60000000) .. 'b' ";
  for (const char* body :
       {"while true do local e = s < t end", "while true do local u = s .. 'y' end"}) {
    slices_ = 0;
    expect_limit(strings + in_main(body), "L201");
    EXPECT_GE(slices_, 2) << body;
  }
}

// Setting the hook walks all calls under way. On a slow machine it took longer than a tick, so that
// the script came on by an instruction a walk and was stopped after minutes.
TEST_F(SandboxTest, ALoopBehindADeepRecursionIsStoppedLikeOthers) {
  limits_.memory = 256u << 20;
  limits_.time = limits_.unyielding = std::chrono::milliseconds(300);
  const std::string deep = "local function f(n) if n > 0 then return 1 + f(n - 1) end ";
  expect_limit(in_main(deep + "while true do end end f(150000)"), "L201");
  expect_limit(in_main(deep + "return 1 end while true do f(150000) end"), "L201");
  expect_limit(in_main(deep + "return 1 end f(150000) while true do end"), "L201");
}

// While a script ends, the hook comes at the first instruction of each __close. Each one used to
// walk all calls again, and nothing limits what a script does then: it took minutes.
TEST_F(SandboxTest, ManyVariablesCloseOverADeepRecursion) {
  limits_.memory = 256u << 20;
  const auto cpu_of_depth = [this](const char* depth) {
    const std::string script = in_main(R"(
      local closes = setmetatable({}, {__close = function() local x = 1 end})
      local function inner(n)
        local c <close> = closes
        if n > 0 then return 1 + inner(n - 1) end
        skip("enough")
      end
      local function outer(n)
        if n > 0 then return 1 + outer(n - 1) end
        return pcall(inner, 60000)
      end
      outer()" + std::string(depth) + ")");
    const std::clock_t begun = std::clock();
    const Conclusion conclusion = work(script);
    EXPECT_EQ(conclusion.kind, Conclusion::Kind::skipped) << conclusion.reason;
    return std::clock() - begun;
  };
  const std::clock_t shallow = cpu_of_depth("0");
  EXPECT_LT(cpu_of_depth("60000"), 20 * shallow);  // it was 100 times as long
}

class MemoryEater : public SandboxTest, public testing::WithParamInterface<Attack> {};

TEST_P(MemoryEater, IsStoppedAtTheLimit) {
  expect_limit(in_main(GetParam().body), "L202");
}

constexpr Attack kEaters[] = {
    {"Doubling", "local s = 'x' while true do s = s .. s end"},
    {"DoublingInPcall", "local s = 'x' while true do pcall(function() s = s .. s end) end"},
    {"TableGrowth", "local t = {} while true do t[#t + 1] = {} end"},
    {"HashGrowth", "local t, i = {}, 0 while true do i = i + 1 t['k' .. i] = i end"},
    {"RepBelowTheCap", "local t = {} while true do t[#t + 1] = ('x'):rep(1000000) end"},
    {"ConcatList", "local t = {} for i = 1, 100000 do t[i] = ('x'):rep(1000) end table.concat(t)"},
    {"GsubGrowth", "('x'):rep(10000):gsub('x', ('y'):rep(10000))"},
    {"Closures",
     "local list = nil while true do local before = list list = function() return before end end"},
    {"Coroutines", "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end"},
    {"ParsedMessages", "while true do hl7.parse(msg.raw) end"},
    {"Copies", "while true do local copy = msg:copy() copy['PID-5'] = 'x' end"},
    {"Sends", "while true do send('ehr', ('x'):rep(10000)) end"},
    {"Segments", "while true do msg:add('NTE|1||text') end"},
    {"Values", "local i = 0 while true do i = i + 1 state['k' .. i % 900] = ('x'):rep(10000) end"},
};
INSTANTIATE_TEST_SUITE_P(Sandbox, MemoryEater, testing::ValuesIn(kEaters),
                         [](const auto& attack) { return attack.param.name; });

// -- Refused, and the script goes on

struct Refusal {
  const char* name;
  const char* body;  // gives the error
  const char* text;
};
void PrintTo(const Refusal& refusal, std::ostream* out) {
  *out << refusal.name;
}
class Refused : public SandboxTest, public testing::WithParamInterface<Refusal> {
 protected:
  Refused() { limits_.memory = 256u << 20; }
};

TEST_P(Refused, WithAnErrorThatSaysWhy) {
  const std::string text = sent("local ok, why = pcall(function() " + std::string(GetParam().body) +
                                " end) send('ehr', tostring(ok) .. ' ' .. tostring(why))");
  EXPECT_THAT(text, testing::StartsWith("false "));
  EXPECT_THAT(text, HasSubstr(GetParam().text));
  EXPECT_FALSE(runtime_->closed());
}

constexpr Refusal kRefusals[] = {
    {"HugeRep", "('x'):rep(2^30)", "more bytes than this script may hold"},
    {"HugeRepSeparator", "(''):rep(2^40, 'x')", "more bytes than this script may hold"},
    {"Finalizer", "setmetatable({}, {__gc = function() end})", "__gc"},
    {"WeakTable", "setmetatable({}, {__mode = 'k'})", "__mode"},
    {"Collect", "collectgarbage()", "count"},
    {"StopCollector", "collectgarbage('stop')", "count"},
    {"Bytecode", "load('\\27Lua', 'x', 'b')", "text only"},
    {"BytecodeMode", "assert(load('\\27Lua'))", "attempt to load a binary chunk"},
    {"LoadReader", "load(function() return ' ' end)", "as a string"},
    {"LoadLarge", "load((' '):rep(70000))", "64 KB"},
    {"Dump", "string.dump(print)", "attempt to call a nil value (field 'dump')"},
    {"StringMetatable", "getmetatable('').__index = {}", "attempt to index a boolean value"},
    {"MessageMetatable", "getmetatable(msg).__index = {}", "attempt to index a boolean value"},
    {"Global", "counter = 1",
     "global 'counter' cannot be written once the script is loaded: write 'local counter"},
    {"GlobalFunction", "main = nil", "global 'main' cannot be written"},
    {"GlobalBySetting", "_G.x = 1", "global 'x' cannot be written"},
    {"GlobalByRawset", "rawset(_G, 'x', 1)", "read-only"},
    {"GlobalByInsert", "table.insert(_G, 1)", "read-only"},
    {"GlobalByMove", "table.move({1}, 1, 1, 1, _G)", "read-only"},
    {"GlobalMetatable", "setmetatable(_G, {})", "protected metatable"},
    {"Library", "string.format = print", "'format' of 'string' cannot be written"},
    {"LibraryByRawset", "rawset(string, 'format', print)", "read-only"},
    {"LibraryMetatable", "setmetatable(string, nil)", "protected metatable"},
    {"UnknownGlobal", "assert(load([[local x = mesage]]))()", "unknown name 'mesage'"},
    {"UnknownGlobalSuggestion", "assert(load([[local x = tostrin(1)]]))()",
     "did you mean 'tostring'?"},
    {"Io", "assert(load([[io.open('/etc/passwd')]]))()", "unknown name 'io'"},
    {"Os", "assert(load([[os.execute('true')]]))()", "unknown name 'os'"},
    {"Debug", "assert(load([[debug.getregistry()]]))()", "unknown name 'debug'"},
    {"Package", "assert(load([[package.loadlib('x', 'y')]]))()", "unknown name 'package'"},
    {"Dofile", "assert(load([[dofile('/etc/passwd')]]))()", "unknown name 'dofile'"},
    {"Loadfile", "assert(load([[loadfile('/etc/passwd')]]))()", "unknown name 'loadfile'"},
    {"DeepRecursion", "local function f() return 1 + f() end f()", "stack overflow"},
    {"DeepPcall",
     "local function f() return pcall(f) end local ok, why = f() while why == true or why == false "
     "do break end error('C stack overflow')",
     "C stack overflow"},
    {"DeepPattern", "(('('):rep(33) .. (')'):rep(33)):find(('('):rep(33) .. (')'):rep(33))",
     "too many captures"},
    {"Unpack", "table.unpack({}, 1, 1e8)", "too many results to unpack"},
    {"IndexLoop",
     "local t = {} setmetatable(t, {__index = t}) t.__index = t local a, b = setmetatable({}, t), "
     "{} getmetatable(t).__index = setmetatable({}, getmetatable(t)) local x = t.y.z",
     ""},
    {"YieldOutside", "coroutine.yield(1)", "attempt to yield from outside a coroutine"},
    {"ByteRange", "local a = #{('x'):rep(3000000):byte(1, -1)}", "string slice too long"},
    {"FakeElements",
     "table.concat(setmetatable({}, {__index = function() return 'x' end}), '', 1, 2^40)",
     "invalid value (nil) at index 1"},
    {"FakeLength", "table.insert(setmetatable({}, {__len = function() return 2^40 end}), 5, 'x')",
     "position out of bounds"},
};
INSTANTIATE_TEST_SUITE_P(Sandbox, Refused, testing::ValuesIn(kRefusals),
                         [](const auto& attack) { return attack.param.name; });

TEST_F(SandboxTest, RepeatingNothingManyTimesIsNothing) {
  EXPECT_EQ(sent("send('ehr', '[' .. (''):rep(2^40) .. ']')"), "[]");
}

TEST_F(SandboxTest, AFinalizerAddedLaterNeverRuns) {
  EXPECT_EQ(sent(R"(
    local ran = false
    local m = {}
    for i = 1, 1000 do setmetatable({}, m) end
    m.__gc = function() ran = true end
    for i = 1, 1000 do setmetatable({}, {__index = m}) end
    local junk for i = 1, 20000 do junk = {i} end
    send('ehr', tostring(ran)))"),
            "false");
}

TEST_F(SandboxTest, WeakKeysAddedLaterStayStrong) {
  // With weak keys, a chain of 30,000 in random order takes one step of the collector seconds.
  EXPECT_EQ(sent(R"(
    local m = {}
    local weak = setmetatable({}, m)
    m.__mode = 'k'
    local kept = 0
    for i = 1, 500 do weak[{}] = true end
    local junk for i = 1, 50000 do junk = {i} end
    for _ in pairs(weak) do kept = kept + 1 end
    send('ehr', tostring(kept)))"),
            "500");
}

TEST_F(SandboxTest, CoroutinesThatCloseEachOtherDoNotUseUpTheStack) {
  limits_.memory = 256u << 20;
  const std::string text = sent(R"(
    local last
    for i = 1, 30000 do
      local before = last
      local co = coroutine.create(function()
        local x <close> = setmetatable({}, {__close = function() if before then assert(coroutine.close(before)) end end})
        coroutine.yield()
      end)
      coroutine.resume(co)
      last = co
    end
    local ok, why = coroutine.close(last)
    send('ehr', tostring(ok) .. ' ' .. tostring(why)))");
  EXPECT_THAT(text, HasSubstr("more than 100 coroutines"));
}

TEST_F(SandboxTest, AnErrorObjectIsNeverAskedForItsText) {
  const std::string reason =
      failure("error(setmetatable({}, {__tostring = function() while true do end end}))");
  EXPECT_THAT(reason, HasSubstr("an error that is a table"));
  EXPECT_EQ(code_, "L200");
  EXPECT_THAT(failure("error(5)"), testing::StartsWith("5\n"));
  EXPECT_THAT(failure("error()"), HasSubstr("error(nil)"));
  EXPECT_THAT(failure("error('no bed for ' .. phi('777001'))"),
              testing::StartsWith("no bed for 777001\n"))
      << "kept with the message, as the reason of park is";
  EXPECT_FALSE(runtime_->closed());
}

TEST_F(SandboxTest, AHugeErrorTextIsCut) {
  EXPECT_LT(failure("error(('x'):rep(5000000))").size(), 5000u);
}

TEST_F(SandboxTest, ErrorsInMessageHandlersEnd) {
  const std::string text = sent(R"(
    local ok, why = xpcall(error, function(e) error(e) end, 'x')
    send('ehr', tostring(ok)))");
  EXPECT_EQ(text, "false");
}

TEST_F(SandboxTest, GlobalsAreTheAllowedOnes) {
  EXPECT_EQ(
      sent(R"(
    local names = {}
    for name in pairs(_G) do names[#names + 1] = name end
    table.sort(names)
    send('ehr', table.concat(names, ' ')))"),
      "_G _VERSION ack assert collectgarbage coroutine created error fhir getmetatable hl7 ipairs "
      "json "
      "load "
      "log "
      "lookup main "
      "math next pairs park pcall phi print rawequal rawget rawlen rawset reject reply require "
      "rules secret select send setmetatable skip state string table time tonumber tostring type "
      "utf8 xpcall");
}

TEST_F(SandboxTest, RawgetAsksForAGlobalWithoutAnError) {
  EXPECT_EQ(sent("send('ehr', type(rawget(_G, 'nothing')) .. type(rawget(_G, 'main')))"),
            "nilfunction");
}

TEST_F(SandboxTest, LocalsAndUpvaluesWorkAsInLua) {
  ASSERT_TRUE(load(R"(
    local count = 0
    helpers = { double = function(x) return 2 * x end }
    function main(msg) count = count + helpers.double(1) send('ehr', tostring(count)) end)")
                  .empty());
  EXPECT_EQ(*finish(*runtime_->begin(input())).sends.at(0).payload, "2");
  EXPECT_EQ(*finish(*runtime_->begin(input())).sends.at(0).payload, "4");
}

TEST_F(SandboxTest, ALoopAtTheTopLevelIsFoundWhenLoading) {
  limit_time();
  const auto findings = load("\n\nwhile true do end\nfunction main() end");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].code, "L103");
  EXPECT_THAT(findings[0].message, HasSubstr("60 ms"));
  EXPECT_THAT(render(findings), HasSubstr("channels/lab/main.lua:3:1: error[L103]"));
}

TEST_F(SandboxTest, AHostileModuleIsStoppedWhereverItIsRequired) {
  limit_time();
  modules_["evil"] = "while true do end";
  const auto findings = load("require('evil')\nfunction main() end");
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].source->name(), "lib/evil.lua");
  expect_limit(in_main("require('evil')"), "L201");
  expect_limit(in_main("while true do pcall(require, 'evil') end"), "L201");
}

TEST_F(SandboxTest, ARunNextToOneThatHitALimitGoesOn) {
  limit_time();
  ASSERT_TRUE(load(R"(
    function main(msg)
      if msg['MSH-10'] == 'BAD' then while true do end end
      local n = 0
      for i = 1, 3000000 do n = n + 1 end
      send('ehr', tostring(n))
    end)")
                  .empty());
  std::string bad(kResult);
  bad.replace(bad.find("L0001"), 5, "BAD");
  const auto good = runtime_->begin(input());
  ASSERT_EQ(good->resume(std::chrono::microseconds(200)), script::Run::Step::suspended);
  const auto hostile = runtime_->begin(input(bad));
  EXPECT_TRUE(finish(*hostile).hit_limit);
  EXPECT_TRUE(runtime_->closed());
  const Conclusion conclusion = finish(*good);
  EXPECT_THAT(conclusion.kind,
              testing::AnyOf(Conclusion::Kind::finished, Conclusion::Kind::failed));
  if (conclusion.kind == Conclusion::Kind::finished) {
    EXPECT_EQ(*conclusion.sends.at(0).payload, "3000000");
  }
  const auto late = runtime_->begin(input());
  EXPECT_EQ(finish(*late).code, "L226");
}

TEST_F(SandboxTest, ACoroutineCutByTheSliceGoesOnWhereItWas) {
  const Conclusion conclusion = work(in_main(R"(
    local function count(n) for i = 1, n do coroutine.yield(i) end return 'end' end
    local inner = coroutine.wrap(function() for i = 1, 20000 do coroutine.yield(i) end return 'done' end)
    local outer = coroutine.wrap(function() while true do local v = inner() coroutine.yield(v) if v == 'done' then return end end end)
    local sum, value = 0, nil
    repeat value = outer() if value ~= 'done' then sum = sum + value end until value == 'done'
    send('ehr', tostring(sum)))"));
  ASSERT_EQ(conclusion.sends.size(), 1u) << conclusion.reason;
  EXPECT_EQ(*conclusion.sends[0].payload, "200010000");
}

TEST_F(SandboxTest, ACoroutineOfASuspendedRunCannotBeTakenOverByAnother) {
  ASSERT_TRUE(load(R"(
    local shared, main_thread
    function main(msg)
      if not shared then
        main_thread = coroutine.running()
        shared = coroutine.create(function() for i = 1, 2000000 do end return 'mine' end)
        local ok, value = coroutine.resume(shared)
        return send('ehr', tostring(value))
      end
      local ok, why = coroutine.resume(shared)
      local ok2, why2 = coroutine.resume(main_thread)
      local ok3, why3 = pcall(coroutine.close, shared)
      send('ehr', tostring(why) .. '|' .. tostring(why2) .. '|' .. tostring(why3) .. '|' .. coroutine.status(shared))
    end)")
                  .empty());
  const auto first = runtime_->begin(input());
  ASSERT_EQ(first->resume(std::chrono::microseconds(100)), script::Run::Step::suspended);
  const auto second = runtime_->begin(input());
  EXPECT_EQ(*finish(*second).sends.at(0).payload,
            "cannot resume non-suspended coroutine|cannot resume non-suspended coroutine|"
            "cannot close a normal coroutine|normal");
  EXPECT_EQ(*finish(*first).sends.at(0).payload, "mine");
}

TEST_F(SandboxTest, ARunThatIsGivenUpLeavesTheStateUsable) {
  ASSERT_TRUE(load("function main(msg) for i = 1, 5000000 do end send('ehr', msg) end").empty());
  for (int count = 0; count < 20; ++count) {
    const auto run = runtime_->begin(input());
    ASSERT_EQ(run->resume(std::chrono::microseconds(1)), script::Run::Step::suspended);
  }
  EXPECT_EQ(finish(*runtime_->begin(input())).kind, Conclusion::Kind::finished);
}

TEST_F(SandboxTest, MemoryIsGivenBackToThePool) {
  ASSERT_TRUE(
      load("function main(msg) local s = ('x'):rep(5000000) send('ehr', s .. 'y') end").empty());
  EXPECT_GT(pool_.used(), 0u);
  EXPECT_GE(pool_.used(), runtime_->memory_used());
  for (int count = 0; count < 20; ++count) finish(*runtime_->begin(input()));
  EXPECT_LE(runtime_->memory_used(), limits_.memory);
  runtime_.reset();
  EXPECT_EQ(pool_.used(), 0u);
}

TEST_F(SandboxTest, WhatARunHeldIsGivenBack) {
  ASSERT_TRUE(
      load("function main(msg) for i = 1, 4 do send('ehr', ('x'):rep(1000000)) end end").empty());
  for (int count = 0; count < 50; ++count) {
    const Conclusion conclusion = finish(*runtime_->begin(input()));
    ASSERT_EQ(conclusion.kind, Conclusion::Kind::finished) << conclusion.reason;
  }
}

TEST_F(SandboxTest, DestructorsRunWhenALuaErrorPassesThroughOurFrames) {
  // string.rep holds a copy of its 1 MB text when Lua refuses the memory for the result. With the C
  // build of Lua each round would leak it.
  const auto round = [&] {
    const Conclusion conclusion =
        work(in_main("local s = ('x'):rep(1000000) local t = ('y'):rep(8000000) "
                     "local u = s:rep(20)"));
    EXPECT_EQ(conclusion.code, "L202") << conclusion.reason;
    runtime_.reset();
  };
  round();
  const std::size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  for (int count = 0; count < 20; ++count) round();
  EXPECT_LT(mallinfo2().uordblks + mallinfo2().hblkhd, before + 5'000'000);
}

TEST_F(SandboxTest, StatesTogetherKeepWithinThePool) {
  MemoryPool small(1u << 20);
  program_ = std::make_shared<Program>();
  program_->channel = "lab";
  program_->main = std::make_shared<Source>(
      "main.lua", "local t = {} for i = 1, 1e6 do t[i] = {} end function main() end");
  auto loaded = Runtime::load(program_, limits_, host_, small);
  auto* findings = std::get_if<std::vector<Diagnostic>>(&loaded);
  ASSERT_NE(findings, nullptr);
  EXPECT_EQ(small.used(), 0u);
  MemoryPool nothing(100);
  auto refused = Runtime::load(program_, limits_, host_, nothing);
  findings = std::get_if<std::vector<Diagnostic>>(&refused);
  ASSERT_NE(findings, nullptr);
  EXPECT_EQ(findings->at(0).code, "L106");
}

}  // namespace
}  // namespace cannula::script
