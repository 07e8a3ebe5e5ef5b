// Tables that are saved while messages wait for their rows.
#include "engine/pipeline/resource_keeper.h"

#include <filesystem>
#include <fstream>

#include "engine/config/resource_files.h"
#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::pipeline {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class TableTest : public EngineTest {
 protected:
  void save_table(const std::string& csv) {
    std::filesystem::create_directories(folder_.path() / "tables");
    std::ofstream(folder_.path() / "tables" / "codes.csv.new") << csv;
    std::filesystem::rename(folder_.path() / "tables" / "codes.csv.new",
                            folder_.path() / "tables" / "codes.csv");
  }
  std::shared_ptr<config::Site> mapped_site() {
    auto mapped = site(R"(
      function main(msg)
        msg["MSH-4"] = lookup.must("codes", msg["PID-3.1"]).name
        send("ehr", msg)
      end)");
    mapped->resources = config::load_resources(folder_.path()).resources;
    return mapped;
  }
};

TEST_F(TableTest, AMessageWithoutItsRowWaitsAndGoesWhenTheRowIsSaved) {
  save_table("code,name\nA,ALPHA\n");
  auto engine = start(mapped_site());
  const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "B")});
  wait_for(*engine, receipts[0].id, store::MessageState::done);
  wait_for(*engine, receipts[1].id, store::MessageState::parked);
  EXPECT_EQ(engine->store().unmapped("codes", 10)->at(0).key, "B");
  EXPECT_EQ(engine->store().unmapped("codes", 10)->at(0).waiting, 1u);

  save_table("code,name\nA,ALPHA\nB,BETA\n");
  wait_for(*engine, receipts[1].id, store::MessageState::done);
  EXPECT_THAT(wires_.delivered(2)[1].payload, HasSubstr("|BETA|"));
  EXPECT_THAT(*engine->store().awaiting({}, 10), IsEmpty());
}

TEST_F(TableTest, ARowSavedWhileTheEngineWasDownReleasesAtStart) {
  save_table("code,name\n");
  MessageId id;
  {
    auto engine = start(mapped_site());
    id = wires_.offer("lab", {oru(1, "B")})[0].id;
    wait_for(*engine, id, store::MessageState::parked);
    engine->stop();
  }
  save_table("code,name\nB,BETA\n");
  auto engine = start(mapped_site());
  wait_for(*engine, id, store::MessageState::done);
}

TEST_F(TableTest, ATableWithAMistakeLeavesTheLastGoodOneInUse) {
  save_table("code,name\nA,ALPHA\n");
  auto engine = start(mapped_site());
  save_table("code,name\nA,ALPHA\nA,ALPHA AGAIN\nB,BETA\n");
  for (int i = 0; i < 6000 && !engine->refused_files(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(engine->refused_files());
  const auto receipts = wires_.offer("lab", {oru(1, "A"), oru(2, "B")});
  wait_for(*engine, receipts[0].id, store::MessageState::done);
  EXPECT_THAT(wires_.delivered(1)[0].payload, HasSubstr("|ALPHA|"));
  wait_for(*engine, receipts[1].id, store::MessageState::parked);
}

TEST_F(TableTest, RulesOfWhichATestFailsAreNotTakenInUntilItPasses) {
  const auto save_rules = [&](const std::string& limit) {
    std::filesystem::create_directories(folder_.path() / "rules");
    std::ofstream(folder_.path() / "labs.rules.new")
        << "term potassium is loinc \"2823-3\" measured in mmol/L\n"
           "rule high version 1 effective 2026-01-01 source \"s\" on result potassium\n"
           "  when value > " +
               limit +
               " mmol/L then critical \"K\"\n"
               "  test \"7.1\" given potassium 7.1 mmol/L expect critical\n";
    std::filesystem::rename(folder_.path() / "labs.rules.new",
                            folder_.path() / "rules" / "labs.rules");
  };
  const auto wait_until = [](const auto& is_so) {
    for (int i = 0; i < 6000 && !is_so(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return is_so();
  };
  save_table("code,name\nA,ALPHA\n");
  save_rules("6.2");
  auto engine = start(mapped_site());
  const auto before = engine->resources();
  ASSERT_TRUE(before->rule_sets.contains("labs"));
  EXPECT_FALSE(engine->refused_files());

  save_rules("62");
  ASSERT_TRUE(wait_until([&] { return engine->refused_files().has_value(); }));
  EXPECT_EQ(engine->resources()->rule_sets.at("labs"), before->rule_sets.at("labs"));
  ASSERT_EQ(engine->refused_files()->findings.size(), 1u);
  EXPECT_EQ(engine->refused_files()->findings[0].code, "R230");

  save_rules("6.5");
  ASSERT_TRUE(wait_until([&] { return !engine->refused_files(); }));
  EXPECT_NE(engine->resources()->rule_sets.at("labs"), before->rule_sets.at("labs"));
}

}  // namespace
}  // namespace cannula::pipeline
