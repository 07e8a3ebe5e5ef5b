#include "channels/http/target.h"

#include <gtest/gtest.h>

namespace cannula::http {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;

TEST(Target, IsTakenApartIntoPathAndQuery) {
  const auto target = Target::parse("/fhir/Patient?name=M%C3%BCller+Example&_count=5&flag");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/fhir/Patient");
  EXPECT_EQ(target->query,
            (Query{{"name", "M\xC3\xBCller Example"}, {"_count", "5"}, {"flag", ""}}));
  EXPECT_EQ(target->text, "/fhir/Patient?name=M%C3%BCller+Example&_count=5&flag");
}

TEST(Target, PathsAreDecodedButNoSlashIsMade) {
  EXPECT_EQ(Target::parse("/hooks/%6Cab")->path, "/hooks/lab");
  EXPECT_EQ(Target::parse("/a%2Fb%25c")->path, "/a%2Fb%25c");
}

TEST(Target, TheAuthorityOfAnAbsoluteFormIsLeftOut) {
  EXPECT_EQ(Target::parse("http://example.org:80/hooks?a=1")->text, "/hooks?a=1");
  EXPECT_EQ(Target::parse("HTTPS://example.org")->path, "/");
}

TEST(Target, WhatReadersUnderstandDifferentlyIsRefused) {
  for (const char* written : {"", "*", "hooks", "example.org:443", "/a/../b", "/a/%2e%2E/b", "/./a",
                              "/a%00b", "/a%0d%0ab", "/a%2", "/a%zz", "/a#b"}) {
    EXPECT_FALSE(Target::parse(written)) << written;
  }
}

TEST(Target, SecretsInTheQueryAreMasked) {
  const auto target = Target::parse("/hook?api_key=hidden&a=1&access_token=hidden");
  EXPECT_EQ(target->text, "/hook?api_key=***&a=1&access_token=***");
  EXPECT_EQ(target->query, (Query{{"api_key", "***"}, {"a", "1"}, {"access_token", "***"}}));
}

TEST(PathPattern, MatchesItsPathAlone) {
  const auto pattern = PathPattern::parse("/hooks/lab").value();
  EXPECT_TRUE(pattern.matches("/hooks/lab"));
  for (const char* path : {"/hooks/lab/", "/hooks/labs", "/hooks", "/", "/Hooks/lab"}) {
    EXPECT_FALSE(pattern.matches(path)) << path;
  }
}

TEST(Target, RefusesADotSegmentThatTheNextReaderWouldSee) {
  for (const char* written : {"/hooks/..%2fx", "/hooks/%2E%2E%2Fx", "/a/%252e%252e/b", "/a/..%5Cb",
                              "/a/..%252Fb", "/a%2F./b", "/a\\..\\b"}) {
    EXPECT_FALSE(Target::parse(written)) << written;
  }
  EXPECT_TRUE(Target::parse("/a%2Fb..c/100%25"));
}

TEST(PathPattern, WithAStarMatchesAllBelow) {
  const auto pattern = PathPattern::parse("/fhir/*").value();
  for (const char* path : {"/fhir", "/fhir/", "/fhir/Patient/1"}) {
    EXPECT_TRUE(pattern.matches(path)) << path;
  }
  EXPECT_FALSE(pattern.matches("/fhirs"));
  EXPECT_TRUE(PathPattern::parse("/*")->matches("/anything/at/all"));
  EXPECT_EQ(pattern.text(), "/fhir/*");
}

TEST(PathPattern, RefusesWhatNoRequestCanAskFor) {
  for (const char* written : {"", "hooks", "*", "/a*", "/*/b", "/a?b", "/a b", "/a%20b", "/../a"}) {
    EXPECT_FALSE(PathPattern::parse(written)) << written;
  }
}

}  // namespace
}  // namespace cannula::http
