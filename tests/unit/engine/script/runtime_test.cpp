#include "tests/unit/engine/script/script_fixture.h"

namespace cannula::script {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST_F(ScriptTest, MainReadsWritesAndSends) {
  const std::string out = sent(R"(
    if msg.type ~= "ORU^R01" then return skip("not a result") end
    msg["PID-3[1].4"] = "GEN"
    send("ehr", msg, { key = msg["PID-3.1"], priority = "stat" })
  )");
  EXPECT_THAT(out, HasSubstr("777001^^^GEN^MR~888"));
}

TEST_F(ScriptTest, AnUneditedMessageIsSentAsReceived) {
  const Conclusion conclusion = work(R"(function main(msg)
    local before = msg["PID-5.1"]
    send("ehr", msg)
  end)");
  ASSERT_EQ(conclusion.sends.size(), 1u) << conclusion.reason;
  EXPECT_EQ(conclusion.sends[0].destination, "ehr");
  EXPECT_EQ(conclusion.sends[0].payload, nullptr);
  EXPECT_FALSE(conclusion.sends[0].key.has_value());
  EXPECT_FALSE(conclusion.sends[0].stat);
}

TEST_F(ScriptTest, TheSendCarriesKeyAndPriority) {
  const Conclusion conclusion = work(R"(function main(msg)
    send("ehr", "text", { key = msg["PID-3.1"], priority = "stat" })
    send("review", "more", { key = 7 })
  end)");
  ASSERT_EQ(conclusion.sends.size(), 2u) << conclusion.reason;
  EXPECT_EQ(conclusion.sends[0].key, "777001");
  EXPECT_TRUE(conclusion.sends[0].stat);
  EXPECT_EQ(*conclusion.sends[1].payload, "more");
  EXPECT_EQ(conclusion.sends[1].key, "7");
}

TEST_F(ScriptTest, SkipParkAndRejectEndTheRunWithTheirReason) {
  for (const auto& [name, kind] :
       {std::pair{"skip", Conclusion::Kind::skipped}, std::pair{"park", Conclusion::Kind::parked},
        std::pair{"reject", Conclusion::Kind::rejected}}) {
    const Conclusion conclusion = work("function main(msg) send('ehr', msg) " + std::string(name) +
                                       "('because') error('not reached') end");
    EXPECT_EQ(conclusion.kind, kind) << name;
    EXPECT_EQ(conclusion.reason, "because");
    EXPECT_TRUE(conclusion.sends.empty());
    EXPECT_FALSE(conclusion.hit_limit);
    EXPECT_FALSE(runtime_->closed());
  }
}

TEST_F(ScriptTest, NothingCatchesSkip) {
  for (const char* body : {"pcall(skip, 'out')", "xpcall(skip, function(e) return e end, 'out')",
                           "coroutine.wrap(function() skip('out') end)()",
                           "coroutine.resume(coroutine.create(function() pcall(skip, 'out') end))",
                           "table.sort({2, 1}, function() skip('out') end)",
                           "local s = ('a'):gsub('a', function() skip('out') end)",
                           R"(local sends = {__close = function() send('ehr', 'x') end}
                              local t <close> = setmetatable({}, sends)
                              skip('out'))"}) {
    const Conclusion conclusion =
        work("function main(msg) " + std::string(body) + " send('ehr', msg) end");
    EXPECT_EQ(conclusion.kind, Conclusion::Kind::skipped) << body << conclusion.reason;
    EXPECT_EQ(conclusion.reason, "out");
  }
}

TEST_F(ScriptTest, AnErrorInMainFailsTheMessageWithPlaceAndTraceback) {
  const Conclusion conclusion = work(
      "local function inner(x)\n  return x.field\nend\n"
      "function main(msg)\n  send('ehr', msg)\n  inner(nil)\n  return 1\nend");
  EXPECT_EQ(conclusion.kind, Conclusion::Kind::failed);
  EXPECT_EQ(conclusion.code, "L200");
  EXPECT_TRUE(conclusion.sends.empty());
  EXPECT_THAT(conclusion.reason,
              StartsWith("channels/lab/main.lua:2: attempt to index a nil value"));
  EXPECT_THAT(conclusion.reason, HasSubstr("\n  channels/lab/main.lua:6: in "));
  EXPECT_FALSE(conclusion.hit_limit);
  EXPECT_FALSE(runtime_->closed());
}

TEST_F(ScriptTest, OneRuntimeWorksManyMessages) {
  ASSERT_TRUE(
      load("local seen = 0\nfunction main(msg) seen = seen + 1 send('ehr', tostring(seen)) end")
          .empty());
  for (int count = 1; count <= 100; ++count) {
    const auto run = runtime_->begin(input());
    const Conclusion conclusion = finish(*run);
    ASSERT_EQ(conclusion.sends.size(), 1u) << conclusion.reason;
    EXPECT_EQ(*conclusion.sends[0].payload, std::to_string(count));
  }
}

}  // namespace
}  // namespace cannula::script
