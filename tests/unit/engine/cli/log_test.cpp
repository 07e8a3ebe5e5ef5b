#include "engine/cli/log.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

namespace cannula::cli {
namespace {

std::string logged(std::string_view text) {
  std::ostringstream out;
  spdlog::logger log("test", std::make_shared<spdlog::sinks::ostream_sink_st>(out));
  log.set_formatter(log_formatter());
  log.warn("{}", text);
  return out.str();
}

TEST(Log, ShowsAnEntryInOneLineWithTimeAndLevel) {
  EXPECT_THAT(logged("channel lab: läuft"),
              testing::MatchesRegex("....-..-..T..:..:..\\....Z warning channel lab: läuft\n"));
}

TEST(Log, LetsNoTextLookLikeAnotherEntryOrReachTheTerminal) {
  const std::string line = logged(
      "a.hl7\n2026-01-01T00:00:00.000Z critical forged\r\x1b[2J\x7f\xC2\x9B"
      "31m");
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
  EXPECT_EQ(line.find_first_of("\x1b\r\x7f\xC2"), std::string::npos) << line;
  EXPECT_THAT(line, testing::HasSubstr("a.hl7 / 2026-01-01"));
}

}  // namespace
}  // namespace cannula::cli
