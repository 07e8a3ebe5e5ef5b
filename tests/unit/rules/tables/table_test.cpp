#include "rules/tables/table.h"

#include "tests/unit/rules/tables/read_table.h"

namespace cannula::tables {
namespace {

TEST(Table, RowsAreFoundByTheFirstColumn) {
  const auto table = good_table("code,text,loinc\nK,Kalium,2823-3\nNA,Natrium,2951-2\n");
  EXPECT_EQ(table->size(), 2U);
  EXPECT_EQ(at(*table, "K", "loinc"), "2823-3");
  EXPECT_EQ(at(*table, "NA", "text"), "Natrium");
  EXPECT_EQ(at(*table, "CA", "text"), "(none)");
  EXPECT_EQ(at(*table, "", "text"), "(none)");
  EXPECT_EQ(at(*table, "K", "unit"), "(no column)");
  EXPECT_EQ(table->row(1).line(), 3U);
}

TEST(Table, ACellWithoutTextIsEmptyAndNotMissing) {
  const auto table = good_table("code,text,loinc\nK,,2823-3\n");
  EXPECT_EQ(table->row(0).get("text"), std::string_view());
  EXPECT_EQ(table->row(0).get("texts"), std::nullopt);
}

TEST(Table, SeveralColumnsMakeAKey) {
  const auto table =
      good_table("lab,code,target\nA,BC,1-1\nAB,C,2-2\nA,,3-3\n", {.keys = {"lab", "code"}});
  const std::string_view first[] = {"A", "BC"}, second[] = {"AB", "C"}, third[] = {"A", ""};
  EXPECT_EQ(table->find(first, kToday)->get("target"), "1-1");
  EXPECT_EQ(table->find(second, kToday)->get("target"), "2-2");
  EXPECT_EQ(table->find(third, kToday)->get("target"), "3-3");
  EXPECT_EQ(at(*table,
               "AB\x1f"
               "C",
               "target"),
            "2-2");
  EXPECT_EQ(at(*table, "ABC", "target"), "(none)");
  const std::string_view too_many[] = {"A", "BC", "D"};
  EXPECT_FALSE(table->find(too_many, kToday));
}

TEST(Table, TheKeyMayStandInAnyColumn) {
  const auto table = good_table("text,code\nKalium,K\n", {.keys = {"code"}});
  EXPECT_EQ(at(*table, "K", "text"), "Kalium");
  EXPECT_EQ(at(*table, "Kalium", "text"), "(none)");
}

TEST(Table, CaseMattersUnlessTheSettingsSayOtherwise) {
  EXPECT_EQ(at(*good_table("code,target\nKa,1-1\n"), "KA", "target"), "(none)");
  const auto table =
      good_table("code,target\nKa,1-1\n" + std::string(300, 'X') + ",2-2\n", {.ignore_case = true});
  EXPECT_EQ(at(*table, "kA", "target"), "1-1");
  EXPECT_EQ(at(*table, std::string(300, 'x'), "target"), "2-2");
}

TEST(Table, AKeyOfAnyLengthIsFoundAndNoOther) {
  for (const bool ignore_case : {false, true}) {
    std::string text = "code,target\n";
    for (std::size_t size = 1; size <= 40; ++size) {
      text += std::string(size, 'K') + "," + std::to_string(size) + "\n";
    }
    const auto table = good_table(text, {.ignore_case = ignore_case});
    for (std::size_t size = 1; size <= 40; ++size) {
      EXPECT_EQ(at(*table, std::string(size, 'K'), "target"), std::to_string(size));
      EXPECT_EQ(at(*table, std::string(size - 1, 'K') + "L", "target"), "(none)");
    }
    EXPECT_EQ(at(*table, std::string(41, 'K'), "target"), "(none)");
  }
}

TEST(Table, BlanksAroundKeysDoNotMatter) {
  const auto table = good_table("code, loinc\n  K\xC2\xA0,\" 2823-3 \" \n");
  EXPECT_EQ(at(*table, " K ", "loinc"), "2823-3");
}

TEST(Table, ARowIsFoundOnItsDaysOnly) {
  const auto table = good_table(
      "code,ward,active_from,active_to\n"
      "K,new,2026-07-01,\n"
      "K,old,,2026-03-31\n"
      "K,spring,2026-04-01,2026-06-30\n"
      "NA,only,2026-01-01,2026-01-01\n");
  EXPECT_EQ(at(*table, "K", "ward", day(1999, 1, 1)), "old");
  EXPECT_EQ(at(*table, "K", "ward", day(2026, 3, 31)), "old");
  EXPECT_EQ(at(*table, "K", "ward", day(2026, 4, 1)), "spring");
  EXPECT_EQ(at(*table, "K", "ward", day(2026, 6, 30)), "spring");
  EXPECT_EQ(at(*table, "K", "ward", day(2026, 7, 1)), "new");
  EXPECT_EQ(at(*table, "K", "ward", day(2099, 1, 1)), "new");
  EXPECT_EQ(at(*table, "NA", "ward", day(2025, 12, 31)), "(none)");
  EXPECT_EQ(at(*table, "NA", "ward", day(2026, 1, 1)), "only");
  EXPECT_EQ(at(*table, "NA", "ward", day(2026, 1, 2)), "(none)");

  const std::string_view key[] = {"K"};
  const auto all = table->find_all(key);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].get("ward"), "old");
  EXPECT_EQ(all[0].active_from(), std::nullopt);
  EXPECT_EQ(all[0].active_to(), day(2026, 3, 31));
  EXPECT_EQ(all[2].get("ward"), "new");
}

TEST(Table, DaysThatLeaveAGapAreNotFoundInIt) {
  const auto table =
      good_table("code,ward,active_from,active_to\nK,a,2026-01-01,2026-01-31\nK,b,2026-03-01,\n");
  EXPECT_EQ(at(*table, "K", "ward", day(2026, 2, 10)), "(none)");
}

TEST(Table, EveryRowOfALargeTableIsFound) {
  std::string text = "code,value\n";
  for (int i = 0; i < 20'000; ++i) text += "C" + std::to_string(i) + "," + std::to_string(i) + "\n";
  const auto table = good_table(std::move(text));
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_EQ(at(*table, "C" + std::to_string(i), "value"), std::to_string(i));
  }
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_EQ(at(*table, "D" + std::to_string(i), "value"), "(none)");
  }
}

TEST(Table, ATableLivesWithoutTheTextItWasReadFrom) {
  std::shared_ptr<const Table> table;
  {
    auto source = std::make_shared<const Source>("t.csv", "code,text\nK,\"a \"\"b\"\"\"\n");
    table = Table::read("t", std::move(source), {}).table;
  }
  EXPECT_EQ(at(*table, "K", "text"), "a \"b\"");
}

TEST(Table, NearKeysAreNamedNearestFirst) {
  const auto table = good_table("code,n\nGLU-F,1\nGLUC,2\nGLU,3\nNA,4\nglu,5\nALBUMIN,6\n");
  const std::string_view key[] = {"Glu"};
  std::vector<std::string> keys;
  for (const Row& row : table->nearest(key, 10)) keys.emplace_back(row.at(0));
  EXPECT_EQ(keys, (std::vector<std::string>{"GLU", "glu", "GLU-F", "GLUC"}));
  EXPECT_EQ(table->nearest(key, 1).size(), 1U);
  const std::string_view misspelled[] = {"ALBUNIM"};
  ASSERT_EQ(table->nearest(misspelled, 3).size(), 1U);
  const std::string_view other[] = {"X"};
  EXPECT_TRUE(table->nearest(other, 3).empty());
}

}  // namespace
}  // namespace cannula::tables
