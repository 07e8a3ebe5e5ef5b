// `cannula parse`: messages as people read them.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/engine/cli/run_cannula.h"

namespace cannula::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kResult =
    "MSH|^~\\&|LAB|NORTH|EHR|WEST|20260115||ORU^R01|M1|P|2.5.1\r"
    "PID|1||777001^^^NORTH^MR~777002||Muster^Anna||\"\"|F\r"
    "OBR|1||F1|PANEL\r"
    "OBX|1|NM|K^Potassium||7.10|mmol/L\r"
    "OBX|2|ST|TXT^Note||A \\T\\ B\r"
    "ZFZ|1|x&y\r";

class Parse : public testing::Test {
 protected:
  std::string file(const std::string& name, std::string_view text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  Outcome parse(std::string_view text, std::vector<std::string> options = {}) {
    options.insert(options.begin(), {"parse", file("input", text)});
    return run_cannula(options);
  }
  Folder folder_;
};

TEST_F(Parse, ValuesStandBesideThePathsThatScriptsUse) {
  const Outcome outcome = parse(kResult);
  EXPECT_EQ(outcome.code, kFine) << outcome.err;
  for (const auto* line :
       {"ORU^R01, control id M1, version 2.5.1, 6 segments\n",
        "PID-3[1].1    777001  [Patient Identifier List, ID Number]\n", "PID-3[2].1    777002  ",
        "PID-7         \"\"  (null: the sender deletes the value)  [",
        "PID-8         F = Female  [Administrative Sex]\n", "OBX[1]-5    7.10  [",
        "OBX[2]-5    A & B  [", "ZFZ-2.1.1  x\n"}) {
    EXPECT_THAT(outcome.out, HasSubstr(line));
  }
}

TEST_F(Parse, SegmentsStandInTheirGroups) {
  EXPECT_THAT(
      parse(kResult).out,
      HasSubstr("\nPATIENT_RESULT\n  PATIENT\n    PID  Patient Identification\n      PID-1"));
  EXPECT_THAT(
      parse(kResult).out,
      HasSubstr("\n    OBSERVATION[2]\n      OBX[2]  Observation/Result\n        OBX[2]-1"));
}

TEST_F(Parse, JsonHasPathsAndValues) {
  const json answer = json::parse(parse(kResult, {"--json"}).out);
  const json& segment = answer["files"][0]["messages"][0]["segments"][1];
  EXPECT_EQ(segment["segment"], "PID");
  EXPECT_EQ(segment["groups"], json({"PATIENT_RESULT", "PATIENT"}));
  EXPECT_EQ(segment["values"][1], json({{"path", "PID-3[1].1"}, {"text", "777001"}}));
}

TEST_F(Parse, RawIsALineASegment) {
  const Outcome outcome = parse(kResult, {"--raw"});
  EXPECT_THAT(outcome.out, HasSubstr("\nOBX|1|NM|K^Potassium||7.10|mmol/L\nOBX|2"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("\r")));
}

TEST_F(Parse, FindingsHaveCarets) {
  const Outcome outcome = parse("MSH|^~\\&|LAB||||||ORU^R01||P|2.5.1\rOBX|1||K||4.1\r");
  EXPECT_EQ(outcome.code, kFine);
  EXPECT_THAT(outcome.out, HasSubstr("input:1:"));
  EXPECT_THAT(outcome.out, HasSubstr("warning[H202]: MSH-10: "));
  EXPECT_THAT(outcome.out, HasSubstr("| "));
}

TEST_F(Parse, EachMessageOfABatchIsShown) {
  const std::string two = std::string(kResult) + std::string(kResult);
  const Outcome outcome = parse("FHS|^~\\&\rBHS|^~\\&\r" + two + "BTS|2\rFTS|1\r");
  EXPECT_EQ(outcome.code, kFine);
  EXPECT_THAT(outcome.out, HasSubstr("message 1 of 2: ORU^R01"));
  EXPECT_THAT(outcome.out, HasSubstr("message 2 of 2: ORU^R01"));
  EXPECT_EQ(json::parse(parse(two, {"--json"}).out)["files"][0]["messages"].size(), 2U);
}

TEST_F(Parse, TheEnvelopeOfABatchIsShownWithWhatDoesNotAgree) {
  const std::string batch =
      "FHS|^~\\&|LAB\rBHS|^~\\&|LAB\r" + std::string(kResult) + "BTS|3\rFTS|1\r";
  const Outcome outcome = parse(batch);
  EXPECT_THAT(outcome.out, HasSubstr("batch of 1 messages\n\n  FHS|^~\\&|LAB\n  BHS|^~\\&|LAB\n"));
  EXPECT_THAT(outcome.out, HasSubstr("warning[H501]: BTS-1 announces 3 messages and 1 came"));
  const json answer = json::parse(parse(batch, {"--json"}).out)["files"][0]["batch"];
  EXPECT_EQ(answer["segments"].size(), 4U);
  EXPECT_EQ(answer["findings"][0]["code"], "H501");
  EXPECT_THAT(parse(batch, {"--raw"}).out, Not(HasSubstr("BTS")));
}

TEST_F(Parse, AMessageInUtf16IsRead) {
  std::string wide = "\xFF\xFE";
  for (const char c :
       std::string_view("MSH|^~\\&|LAB||||||ADT^A01|1|P|2.5.1\rPID|1||1||M\xFCller\r")) {
    (wide += c) += '\0';
  }
  EXPECT_THAT(parse(wide).out, HasSubstr("PID-5.1.1  Müller  ["));
  EXPECT_EQ(run_cannula({"path", "PID-5", file("wide", wide)}).out, "Müller\n");
  EXPECT_THAT(run_cannula({"validate", file("wide", wide)}).out, HasSubstr("1 message: "));
}

TEST_F(Parse, OtherCharacterSetsAreShownAsUtf8) {
  EXPECT_THAT(parse("MSH|^~\\&|LAB||||||ADT^A01|1|P|2.5.1||||||8859/1\rPID|1||1||M\xFCller\r").out,
              HasSubstr("Müller"));
}

TEST_F(Parse, NothingThatATerminalObeysIsPrinted) {
  EXPECT_THAT(parse("MSH|^~\\&|\x1B[2J|||||ADT^A01|1|P|2.5.1\r").out, Not(HasSubstr("\x1B")));
}

TEST_F(Parse, JsonDocumentsAreIndentedAndKeepTheirNumbers) {
  EXPECT_EQ(parse("{\"a\":[1.10,{\"b\":null}]}").out,
            "{\n  \"a\": [\n    1.10,\n    {\n      \"b\": null\n    }\n  ]\n}\n");
  const json answer = json::parse(parse("{\"a\":[1.10]}", {"--json"}).out);
  EXPECT_EQ(answer["files"][0]["values"][0],
            json({{"path", "a[1]"}, {"kind", "number"}, {"text", "1.10"}}));
}

TEST_F(Parse, ABrokenDocumentIsPointedAt) {
  const Outcome outcome = parse("{\"a\": [1, 2\n}");
  EXPECT_EQ(outcome.code, kFailed);
  EXPECT_THAT(outcome.out, HasSubstr("input:2:1: error[N"));
}

TEST_F(Parse, WhatIsNeitherIsNamedForWhatItLooksLike) {
  EXPECT_THAT(parse("GET / HTTP/1.1\r\n").err, HasSubstr("error[U131]"));
  EXPECT_THAT(parse("GET / HTTP/1.1\r\n").err, HasSubstr("it begins with `GET / HTTP/1.1`"));
  EXPECT_THAT(parse("").err, HasSubstr("it is empty"));
  EXPECT_THAT(parse("<a/>").err, HasSubstr("looks like XML"));
  EXPECT_EQ(parse("").code, kFailed);
  EXPECT_THAT(run_cannula({"parse", folder_ / "missing"}).err, HasSubstr("error[U106]"));
}

// One bad file does not keep the others from being shown.
TEST_F(Parse, EveryFileIsShown) {
  const Outcome outcome = run_cannula({"parse", file("bad", "nothing"), file("good", kResult)});
  EXPECT_EQ(outcome.code, kFailed);
  EXPECT_THAT(outcome.out, HasSubstr("good: ORU^R01"));
}

}  // namespace
}  // namespace cannula::cli
