#include "channels/transport/options.h"

#include <stdexcept>

#include <gtest/gtest.h>

#include "channels/transport/error_codes.h"
#include "channels/transport/tls.h"

namespace cannula {

namespace {

using std::chrono::milliseconds;

TEST(Durations, AreReadInTheirUnits) {
  EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(parse_duration("30s"), milliseconds(30'000));
  EXPECT_EQ(parse_duration("5m"), milliseconds(300'000));
  EXPECT_EQ(parse_duration("2h"), milliseconds(7'200'000));
  EXPECT_EQ(parse_duration("3d"), milliseconds(259'200'000));
  EXPECT_EQ(parse_duration("0s"), milliseconds(0));
}

TEST(Durations, AreRefusedWithoutAUnitOrBeyondACentury) {
  for (const char* text : {"", "5", "s", "-5s", "5 minutes", "1.5h", "5S", "36501d",
                           "99999999999999999999s", "9223372036854775807d"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Durations, AreWrittenInTheLargestUnitThatFits) {
  for (const char* text : {"0s", "250ms", "30s", "5m", "2h", "3d", "90s", "36h", "1500ms"}) {
    EXPECT_EQ(duration_text(parse_duration(text).value()), text);
  }
  EXPECT_EQ(duration_text(milliseconds(60'000)), "1m");
}

TEST(Sizes, AreReadInPowersOf1024) {
  EXPECT_EQ(parse_size("64MB"), 64 << 20);
  EXPECT_EQ(parse_size("512KB"), 512 << 10);
  EXPECT_EQ(parse_size("2GB"), std::int64_t{2} << 30);
  EXPECT_EQ(parse_size("17"), 17);
  EXPECT_EQ(parse_size("17B"), 17);
  for (const char* text : {"", "MB", "-1", "64mb", "64M", "1.5MB", "9223372036854775807GB"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

TEST(Endpoint, IsReadAndWritten) {
  for (const char* text : {"localhost:2575", "127.0.0.1:0", "[::1]:65535", "a-b.example:1"}) {
    const auto endpoint = Endpoint::parse(text);
    ASSERT_TRUE(endpoint) << text;
    EXPECT_EQ(endpoint->text(), text);
  }
  EXPECT_EQ(Endpoint::parse("[::1]:80")->host, "::1");
}

TEST(Endpoint, IsRefusedWithoutHostOrPort) {
  for (const char* text :
       {"", ":", "localhost", "localhost:", ":2575", "::1:80", "[::1]", "[]:80", "[x]:80", "a b:1",
        "localhost:65536", "localhost:-1", "localhost:80x", "http://host:80"}) {
    EXPECT_FALSE(Endpoint::parse(text)) << text;
  }
}

TEST(Values, GiveWhatWasSet) {
  Values values;
  values.set("name", std::string("x"));
  values.set("count", std::int64_t{3});
  values.set("wait", milliseconds(5));
  auto inner = std::make_shared<Values>();
  inner->set("name", std::string("y"));
  values.set("tls", std::shared_ptr<const Values>(inner));
  EXPECT_EQ(values.text("name"), "x");
  EXPECT_EQ(values.integer("count"), 3);
  EXPECT_EQ(values.duration("wait"), milliseconds(5));
  EXPECT_EQ(values.text_or("other", "z"), "z");
  EXPECT_EQ(values.table("tls")->text("name"), "y");
  EXPECT_EQ(values.table("other"), nullptr);
}

TEST(Values, AskedForWhatTheSchemaDoesNotHaveIsABug) {
  Values values;
  values.set("count", std::int64_t{3});
  EXPECT_THROW(values.text("name"), std::logic_error);
  EXPECT_THROW(values.text("count"), std::logic_error);
}

TEST(TlsOptions, AreAllDescribed) {
  for (const auto options : {tls_server_options(), tls_client_options()}) {
    for (const Option& option : options) {
      EXPECT_TRUE(option.description.ends_with('.')) << option.name;
    }
  }
}

TEST(ErrorCodes, OfTransportsAreDistinctAndExplained) {
  std::string_view last;
  for (const ErrorCode& code : transport::error_codes()) {
    EXPECT_LT(last, code.code);
    EXPECT_FALSE(code.title.empty());
    EXPECT_GT(code.explanation.size(), 40u) << code.code;
    last = code.code;
  }
}

}  // namespace

}  // namespace cannula
