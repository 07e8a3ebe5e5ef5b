#include "engine/config/resource_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/config/site_folder.h"

namespace cannula::config {
namespace {

using testing::HasSubstr;

// A rule that fires above `limit`, with a test at 7.1.
std::string rules(const std::string& limit, const std::string& version = "1",
                  const std::string& tests = "") {
  return "term potassium is loinc \"2823-3\" measured in mmol/L\n"
         "rule high version " +
         version +
         " effective 2026-01-01 source \"s\"\n"
         "  on result potassium when value > " +
         limit +
         " mmol/L then critical \"K\"\n"
         "  test \"7.1\" given potassium 7.1 mmol/L expect critical\n" +
         tests;
}

// Codes of errors and warnings.
std::vector<std::string> codes_of(const LoadedResources& loaded) {
  std::vector<std::string> codes;
  for (const Diagnostic& finding : loaded.findings) {
    if (finding.severity != Severity::note) codes.push_back(finding.code);
  }
  return codes;
}

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ResourceFiles, RulesOfWhichATestFailsAreNotAmongThem) {
  SiteFolder folder;
  folder.write("rules/labs.rules", rules("62"));
  const LoadedResources loaded = load_resources(folder.root());
  EXPECT_THAT(codes_of(loaded), ElementsAre("R230"));
  EXPECT_TRUE(has_errors(loaded.findings));
  EXPECT_FALSE(loaded.resources->rule_sets.contains("labs"));
  EXPECT_THAT(render(load_site(folder.root(), test_transports()).findings),
              HasSubstr("rules/labs.rules:4:8: error[R230]"));
}

TEST(ResourceFiles, RulesAreReadWithoutTheirTestsWhereThatIsAskedFor) {
  SiteFolder folder;
  folder.write("rules/labs.rules", rules("62"));
  const LoadedSite loaded = load_site(folder.root(), test_transports(), {.test_rules = false});
  ASSERT_TRUE(loaded.site) << render(loaded.findings);
  EXPECT_TRUE(loaded.site->resources->rule_sets.contains("labs"));
}

TEST(ResourceFiles, RulesOfWhichATestFailsLeaveTheLastGoodOnesInUse) {
  SiteFolder folder;
  folder.write("rules/labs.rules", rules("6.2"));
  const LoadedResources good = load_resources(folder.root());
  EXPECT_THAT(codes_of(good), IsEmpty());
  folder.write("rules/labs.rules", rules("62", "2"));
  const LoadedResources loaded = load_resources(folder.root(), good.resources.get());
  EXPECT_THAT(codes_of(loaded), ElementsAre("R230"));
  EXPECT_EQ(loaded.resources->rule_sets.at("labs"), good.resources->rule_sets.at("labs"));
}

TEST(ResourceFiles, OfManyTestsThatFailTheFirstAreShownAndTheOthersCounted) {
  SiteFolder folder;
  std::string tests;
  for (int i = 0; i < 99; ++i)
    tests +=
        "  test \"more " + std::to_string(i) + "\" given potassium 7.1 mmol/L expect critical\n";
  folder.write("rules/labs.rules", rules("62", "1", tests));
  const LoadedResources loaded = load_resources(folder.root());
  ASSERT_EQ(loaded.findings.size(), 21u);
  EXPECT_EQ(loaded.findings.back().message, "this test and 79 more of the file fail");
}

TEST(ResourceFiles, RulesWhoseTextIsTheSameAreTakenFromThoseInUse) {
  SiteFolder folder;
  folder.write("rules/labs.rules", rules("6.2"));
  const LoadedResources first = load_resources(folder.root());
  const LoadedResources second = load_resources(folder.root(), first.resources.get());
  EXPECT_EQ(second.resources->rule_sets.at("labs"), first.resources->rule_sets.at("labs"));
}

TEST(ResourceFiles, ARuleThatChangedUnderItsVersionIsWarnedOfAndTaken) {
  SiteFolder folder;
  folder.write("rules/labs.rules", rules("6.2"));
  const LoadedResources first = load_resources(folder.root());
  folder.write("rules/labs.rules", rules("6.5"));
  const LoadedResources changed = load_resources(folder.root(), first.resources.get());
  EXPECT_THAT(codes_of(changed), ElementsAre("R231"));
  EXPECT_FALSE(has_errors(changed.findings));
  EXPECT_NE(changed.resources->rule_sets.at("labs"), first.resources->rule_sets.at("labs"));
  // A version of its own, another test or a comment is no cause to warn.
  folder.write("rules/labs.rules", rules("6.5", "2"));
  EXPECT_THAT(codes_of(load_resources(folder.root(), first.resources.get())), IsEmpty());
  folder.write("rules/labs.rules",
               rules("6.2", "1", "  test \"low\" given potassium 4 mmol/L expect nothing\n"));
  EXPECT_THAT(codes_of(load_resources(folder.root(), first.resources.get())), IsEmpty());
}

}  // namespace
}  // namespace cannula::config
