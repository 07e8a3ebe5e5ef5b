#include "engine/config/hidden_secrets.h"

#include <gtest/gtest.h>

namespace cannula::config {
namespace {

const std::set<std::string, std::less<>> kNames{"pin", "secret", "password"};

// What a person sees of a finding about `about` in the TOML file `text`.
std::string shown(const std::string& text, const std::string& about,
                  const std::string& code = "C101") {
  auto source = std::make_shared<const Source>("site.toml", text);
  Diagnostic finding;
  finding.code = code;
  finding.message = "wrong";
  finding.source = source;
  const std::size_t at = text.find(about);
  finding.span = Span{at, at + about.size()};
  hide_secrets(finding, kNames);
  return render(finding);
}

TEST(HiddenSecrets, TheValueOfASecretKeyIsNotShown) {
  for (const std::string text :
       {"pin = \"hunter2\"", "keys.pin = 'hunter2'", "tls = { cert = \"x\", pin = \"hunter2\" }",
        "pni = \"hunter2\"", "\"pin\" = \"hunter2\"", "pin = hunter2", "pin=hunter2 oops"}) {
    const std::string seen = shown(text, "hunter2");
    EXPECT_EQ(seen.find("hunter"), std::string::npos) << seen;
    EXPECT_NE(seen.find("site.toml:1:"), std::string::npos) << seen;
  }
}

TEST(HiddenSecrets, NothingIsShownOfWhatStandsUnderSecretTables) {
  for (const std::string table : {"keys", "secrets", "audit"}) {
    const std::string seen = shown("[" + table + "]\nanything = \"hunter2\"\n", "hunter2");
    EXPECT_EQ(seen.find("hunter"), std::string::npos) << seen;
  }
  EXPECT_NE(shown("[secrets]\nx = \"1\"\n[store]\ndirectory = \"place\"\n", "place").find("place"),
            std::string::npos)
      << "another table";
}

TEST(HiddenSecrets, HeadersOfHttpThatAuthenticateAreNotShown) {
  const std::string seen =
      shown("headers = [\n  \"Authorization: Bearer hunter2\",\n]\n", "Bearer hunter2");
  EXPECT_EQ(seen.find("hunter"), std::string::npos) << seen;
  EXPECT_NE(shown("headers = [\"Accept: text/plain\"]", "Accept").find("text/plain"),
            std::string::npos);
}

TEST(HiddenSecrets, WhatTheFindingSaysIsASecretIsNotShown) {
  const std::string seen = shown("colour = \"hunter2\"", "hunter2", "C123");
  EXPECT_EQ(seen.find("hunter"), std::string::npos) << seen;
}

TEST(HiddenSecrets, OtherLinesAreShownWhole) {
  EXPECT_NE(shown("listen = \"0.0.0.0:2575\"", "0.0.0.0").find("listen = \"0.0.0.0:2575\""),
            std::string::npos);
}

TEST(HiddenSecrets, ColumnsStay) {
  const std::string text = "a = 1\n  pin = \"hunter2\"";
  EXPECT_NE(shown(text, "pin").find("site.toml:2:3"), std::string::npos) << shown(text, "pin");
  EXPECT_NE(shown(text, "hunter2").find("site.toml:2:10"), std::string::npos)
      << shown(text, "hunter2");
}

}  // namespace
}  // namespace cannula::config
