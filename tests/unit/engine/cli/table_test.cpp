// The verbs about tables, as a person sees them.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/engine/cli/run_cannula.h"

namespace cannula::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// A site with the tables `labs` (by code) and `wards` (by two columns, with days).
class TableVerbs : public testing::Test {
 protected:
  TableVerbs() {
    write("site.toml", "");
    write("tables/labs.csv", "code,text,loinc\nK,Kalium,2823-3\nNA,\"Natrium, frei\",2951-2\n");
    write("tables/labs.table.toml", "description = \"Codes as LOINC\"\n");
    write("tables/wards.csv",
          "site,ward,name,active_from,active_to\nN,1,old,,2026-06-30\nN,1,new,2026-07-01,\n");
    write("tables/wards.table.toml", "keys = [\"site\", \"ward\"]\n");
  }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  Outcome lookup(std::vector<std::string> words) {
    words.insert(words.begin(), {"table", "lookup"});
    words.insert(words.end(), {"--site", site()});
    return run_cannula(words);
  }
  std::string site() const { return folder_ / ""; }

  Folder folder_;
};

TEST_F(TableVerbs, LookupPrintsTheRow) {
  const Outcome outcome = lookup({"labs", "NA"});
  EXPECT_EQ(outcome.code, kFine) << outcome.err;
  EXPECT_EQ(outcome.out, "code   NA\ntext   Natrium, frei\nloinc  2951-2\n");
  EXPECT_EQ(json::parse(lookup({"labs", "K", "--json"}).out)["row"]["loinc"], "2823-3");
}

TEST_F(TableVerbs, LookupTakesADay) {
  EXPECT_THAT(lookup({"wards", "N", "1", "--day", "2026-06-30"}).out,
              HasSubstr("name         old\n"));
  EXPECT_THAT(lookup({"wards", "N", "1", "--day", "2026-07-01"}).out,
              HasSubstr("name         new\n"));
  const Outcome wrong = lookup({"wards", "N", "1", "--day", "2026-02-30"});
  EXPECT_EQ(wrong.code, kUsage);
  EXPECT_THAT(wrong.err, HasSubstr("not `2026-02-30`"));
}

TEST_F(TableVerbs, AMissNamesTheNearestKeys) {
  const Outcome outcome = lookup({"labs", "na"});
  EXPECT_EQ(outcome.code, kFailed);
  EXPECT_THAT(outcome.err, HasSubstr("error[U142]: the table `labs` has no row for `na` on "));
  EXPECT_THAT(outcome.err, HasSubstr("near are `NA`"));
  const Outcome machine = lookup({"labs", "na", "--json"});
  EXPECT_EQ(machine.code, kFailed);
  EXPECT_EQ(json::parse(machine.out)["found"], false);
}

TEST_F(TableVerbs, AMissOnThatDayNamesTheDays) {
  write("tables/short.csv", "code,active_from,active_to\nK,2026-01-01,2026-01-31\n");
  EXPECT_THAT(lookup({"short", "K", "--day", "2026-03-01"}).err,
              HasSubstr("it has one from 2026-01-01 to 2026-01-31 (line 2)"));
}

TEST_F(TableVerbs, AnUnknownTableAndAWrongKeyAreWrongUsage) {
  const Outcome unknown = lookup({"lab", "K"});
  EXPECT_EQ(unknown.code, kUsage);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean `labs`?"));
  const Outcome parts = lookup({"wards", "N"});
  EXPECT_EQ(parts.code, kUsage);
  EXPECT_THAT(parts.err, HasSubstr("a key of the table `wards` has 2 parts: site, ward"));
}

TEST_F(TableVerbs, ATableWithErrorsIsNotUsed) {
  write("tables/labs.csv", "code,text,loinc\nK,Kalium\n");
  EXPECT_THAT(lookup({"labs", "K"}).err, HasSubstr("the table `labs` has errors"));
  const Outcome list = run_cannula({"table", "list", site()});
  EXPECT_EQ(list.code, kFailed);
  EXPECT_THAT(list.out, StartsWith("wards"));
}

TEST_F(TableVerbs, ListTellsRowsKeysAndDescription) {
  EXPECT_EQ(run_cannula({"table", "list", site()}).out,
            "labs         2 rows by code  Codes as LOINC\n"
            "wards        2 rows by site, ward\n");
}

TEST_F(TableVerbs, CheckIsSilentWhenAllIsWell) {
  const Outcome outcome = run_cannula({"table", "check", site()});
  EXPECT_EQ(outcome.code, kFine);
  EXPECT_THAT(outcome.out, IsEmpty());
}

TEST_F(TableVerbs, CheckOfAFileSaysNothingOfOthers) {
  write("tables/labs.csv", "code,text,loinc\nK,Kalium\n");
  write("tables/bad.csv", "");
  const Outcome outcome = run_cannula({"table", "check", folder_ / "tables/labs.csv"});
  EXPECT_EQ(outcome.code, kFailed);
  EXPECT_THAT(outcome.out, HasSubstr("labs.csv:2:9: error[R105]"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("bad.csv")));
  EXPECT_EQ(run_cannula({"table", "check", folder_ / "tables/wards.csv"}).code, kFine);
  EXPECT_EQ(json::parse(run_cannula({"table", "check", site(), "--json"}).out)["findings"].size(),
            2U);
}

// A channel that is wrong does not keep anyone from checking a table.
TEST_F(TableVerbs, OtherMistakesOfTheSiteDoNotMatter) {
  write("channels/results/channel.toml", "nonsense = true\n");
  EXPECT_EQ(run_cannula({"table", "check", site()}).code, kFine);
  EXPECT_EQ(lookup({"labs", "K"}).code, kFine);
}

TEST_F(TableVerbs, CheckOfAFileInNoSiteTakesTheFirstColumnAsKey) {
  write("elsewhere.csv", "code,text\nK,a\nK,b\n");
  const Outcome outcome = run_cannula({"table", "check", folder_ / "elsewhere.csv"});
  EXPECT_EQ(outcome.code, kFailed);
  EXPECT_THAT(outcome.out, HasSubstr("error[R109]"));
  EXPECT_EQ(run_cannula({"table", "check", folder_ / "missing.csv"}).code, kUsage);
}

}  // namespace
}  // namespace cannula::cli
