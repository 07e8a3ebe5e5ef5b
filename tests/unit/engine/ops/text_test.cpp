#include "engine/ops/text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace cannula::ops {
namespace {

using nlohmann::json;

json shown(std::string bytes) {
  json into;
  put_bytes(into, "body", make_bytes(std::move(bytes)));
  return into;
}

TEST(PutBytes, Utf8StandsAsItIs) {
  EXPECT_EQ(shown("Łukasz"), (json{{"body", "Łukasz"}}));
}

TEST(PutBytes, MessageInAnotherCharacterSetIsShownAsItReadsBesideItsBytes) {
  const json value = shown("MSH|^~\\&|LAB||||||ORU^R01|1|P|2.5||||||8859/1\rPID|||1||M\xFCster\r");
  EXPECT_EQ(value["body_text"],
            "MSH|^~\\&|LAB||||||ORU^R01|1|P|2.5||||||8859/1\rPID|||1||Müster\r");
  EXPECT_EQ(value["body_charset"], "windows-1252");
  EXPECT_TRUE(value.contains("body_base64"));
  EXPECT_FALSE(value.contains("body"));
}

TEST(PutBytes, MessageInUtf16IsShownAsItReads) {
  const std::string ascii = "MSH|^~\\&|LAB||||||ORU^R01|1|P|2.5\r";
  std::string bytes = "\xFF\xFE";
  for (const char letter : ascii) bytes += {letter, '\0'};
  EXPECT_EQ(shown(bytes)["body_text"], "\uFEFF" + ascii);
  EXPECT_EQ(shown(bytes)["body_charset"], "UTF-16");
}

TEST(PutBytes, WhatIsNoMessageIsGivenAsBytesOnly) {
  EXPECT_EQ(shown("\xFF\xFE\xFD"), (json{{"body_base64", "//79"}}));
}

}  // namespace
}  // namespace cannula::ops
