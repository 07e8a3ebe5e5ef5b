// `cannula path`, `cannula diff` and `cannula validate`.
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

const std::string kClean =
    "MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01^ORU_R01|M1|P|2.5.1\r"
    "PID|1||777001^^^NORTH^MR~777002||Muster^Anna||19800101|F\r"
    "OBR|1||F1|PANEL\r"
    "OBX|1|NM|K^Potassium||7.10|mmol/L|||||F\r";

class MessageVerbs : public testing::Test {
 protected:
  std::string file(const std::string& name, std::string_view text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  static std::string changed(std::string_view from, std::string_view to) {
    std::string text = kClean;
    return text.replace(text.find(from), from.size(), to);
  }
  Folder folder_;
};

TEST_F(MessageVerbs, PathPrintsWhatStandsThere) {
  const std::string message = file("a.hl7", kClean);
  EXPECT_EQ(run_cannula({"path", "PID-3.1", message}).out, "777001\n");
  EXPECT_EQ(run_cannula({"path", "PID-3[*].1", message}).out, "777001\n777002\n");
  EXPECT_EQ(run_cannula({"path", "ZZZ-1", message}).code, kFailed);
  EXPECT_EQ(run_cannula({"path", "3.1", message}).code, kUsage);
  EXPECT_EQ(run_cannula({"path", "PID-", message}).code, kUsage);
  EXPECT_THAT(run_cannula({"path", message, "PID-3.1"}).err,
              HasSubstr("the path comes first: cannula path PID-3.1 " + message));
  const json values = json::parse(run_cannula({"path", "--json", "OBX-5", message}).out)["values"];
  EXPECT_EQ(values[0]["text"], "7.10");
}

TEST_F(MessageVerbs, DiffNamesWhatChanged) {
  const std::string before = file("a.hl7", kClean);
  const std::string after = file("b.hl7", changed("7.10", "7.20"));
  EXPECT_EQ(run_cannula({"diff", before, before}).code, kFine);
  EXPECT_THAT(run_cannula({"diff", before, before}).out, IsEmpty());
  const Outcome outcome = run_cannula({"diff", before, after});
  EXPECT_EQ(outcome.code, kFailed);
  EXPECT_EQ(outcome.out, "~ OBX-5 (Observation Value): 7.10 -> 7.20\n");
  EXPECT_EQ(run_cannula({"diff", "--ignore", "OBX-5", before, after}).code, kFine);
  const std::string later = file("c.hl7", changed("M1", "M2"));
  EXPECT_EQ(run_cannula({"diff", "--ignore-header", before, later}).code, kFine);
}

TEST_F(MessageVerbs, ValidateReportsAndEndsWithOneForErrors) {
  EXPECT_EQ(run_cannula({"validate", file("a.hl7", kClean)}).out,
            "1 message: 0 errors, 0 warnings, 0 notes\n");
  const Outcome outcome = run_cannula({"validate", file("b.hl7", changed("7.10", "high"))});
  EXPECT_EQ(outcome.code, kFailed);
  EXPECT_THAT(outcome.out, HasSubstr("b.hl7:4:"));
  EXPECT_THAT(outcome.out, HasSubstr("error[H705]: OBX-5: Observation Value is no number"));
  EXPECT_THAT(outcome.out, HasSubstr("1 message: 1 error, 0 warnings, 0 notes\n"));
}

TEST_F(MessageVerbs, ValidateShowsTheEnvelopeAndOtherCharacterSets) {
  const std::string batch = file("b.hl7", "BHS|^~\\&|LAB\r" + kClean + "BTS|2\r");
  EXPECT_THAT(run_cannula({"validate", batch}).out,
              HasSubstr("b.hl7: warning[H501]: BTS-1 announces 2 messages and 1 came"));
  const std::string latin = file("c.hl7", changed("||19800101|F", "||19800101|M\xFCnchen"));
  EXPECT_THAT(run_cannula({"validate", latin, "--notes"}).out, HasSubstr("||19800101|München\n"));
}

TEST_F(MessageVerbs, ValidateGoesByAProfile) {
  const std::string message = file("a.hl7", kClean);
  const std::string profile = file("lab.profile", "profile \"Lab\"\nPID-3.4 required\n");
  EXPECT_THAT(run_cannula({"validate", message, "--profile", profile}).out,
              HasSubstr("error[H721]: PID-3[2].4: the value is required and empty, says Lab"));
  const std::string broken = file("broken.profile", "PID-3 musst\n");
  const Outcome outcome = run_cannula({"validate", message, "--profile", broken});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("broken.profile:1:7: error[H731]"));
}

}  // namespace
}  // namespace cannula::cli
