#include "engine/ops/prometheus.h"

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/unit/engine/pipeline/engine_fixture.h"

namespace cannula::ops {
namespace {

class PrometheusTest : public pipeline::EngineTest {
 protected:
  // Its samples by their name and labels; what is no line of the format is a failure.
  static std::map<std::string, std::string> samples(const std::string& page) {
    static const std::regex kComment(R"(# (HELP|TYPE) [a-z_]+ .+)");
    static const std::regex kSample(
        R"(([a-z_]+(?:\{[a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*\})?) ([-+0-9.e]+|\+Inf))");
    std::map<std::string, std::string> found;
    std::istringstream lines(page);
    for (std::string line; std::getline(lines, line);) {
      std::smatch parts;
      if (std::regex_match(line, kComment)) continue;
      EXPECT_TRUE(std::regex_match(line, parts, kSample)) << line;
      if (parts.empty()) continue;
      EXPECT_TRUE(found.emplace(parts[1], parts[2]).second) << "twice: " << line;
    }
    return found;
  }
};

TEST_F(PrometheusTest, EachLineIsOfTheFormatAndStandsOnce) {
  auto engine = start(site(pipeline::kRelay));
  const auto found = samples(prometheus_page(*engine));
  EXPECT_EQ(found.at("cannula_messages_received_total{channel=\"lab\"}"), "0");
  EXPECT_EQ(found.at("cannula_backup_age_seconds"), "+Inf");
  EXPECT_EQ(found.at("cannula_destination_breaker{channel=\"lab\",destination=\"ehr\"}"), "0");
}

TEST_F(PrometheusTest, WhatHappenedIsCounted) {
  auto engine = start(site(pipeline::kRelay));
  const auto receipts = wires_.offer("lab", {pipeline::oru(1, "A"), pipeline::oru(2, "B")});
  for (const Receipt& receipt : receipts) wait_for(*engine, receipt.id, store::MessageState::done);
  const auto found = samples(prometheus_page(*engine));
  EXPECT_EQ(found.at("cannula_messages_received_total{channel=\"lab\"}"), "2");
  EXPECT_EQ(found.at("cannula_script_outcomes_total{channel=\"lab\",outcome=\"finished\"}"), "2");
  EXPECT_EQ(
      found.at(
          "cannula_deliveries_total{channel=\"lab\",destination=\"ehr\",result=\"delivered\"}"),
      "2");
  EXPECT_EQ(found.at("cannula_messages{channel=\"lab\",state=\"done\"}"), "2");
}

// Each bucket counts what the smaller ones do; the last one counts all.
TEST_F(PrometheusTest, TheBucketsOfATimeRise) {
  auto engine = start(site(pipeline::kRelay));
  const auto receipts = wires_.offer("lab", {pipeline::oru(1, "A"), pipeline::oru(2, "B")});
  for (const Receipt& receipt : receipts) wait_for(*engine, receipt.id, store::MessageState::done);
  const std::string page = prometheus_page(*engine);
  static const std::regex kBucket(
      R"re(cannula_script_seconds_bucket\{channel="lab",le="([^"]+)"\} (\d+))re");
  double bound = 0;
  std::uint64_t count = 0;
  std::size_t buckets = 0;
  for (std::sregex_iterator at(page.begin(), page.end(), kBucket), end; at != end; ++at) {
    const double next_bound = std::stod((*at)[1]);
    const std::uint64_t next_count = std::stoull((*at)[2]);
    EXPECT_GT(next_bound, bound);
    EXPECT_GE(next_count, count);
    bound = next_bound;
    count = next_count;
    ++buckets;
  }
  EXPECT_EQ(buckets, pipeline::Histogram::kBuckets + 1);
  EXPECT_EQ(count, 2u);
  EXPECT_EQ(samples(page).at("cannula_script_seconds_count{channel=\"lab\"}"), "2");
}

// A family that is not in the reference, or the other way round, is found out by its test.
TEST_F(PrometheusTest, TheReferenceNamesEachFamily) {
  auto engine = start(site(pipeline::kRelay));
  const std::string page = prometheus_page(*engine), reference = metrics_reference_page();
  static const std::regex kType(R"(# TYPE ([a-z_]+) )");
  for (std::sregex_iterator at(page.begin(), page.end(), kType), end; at != end; ++at) {
    EXPECT_NE(reference.find("| `" + (*at)[1].str() + "` |"), std::string::npos) << (*at)[1];
  }
}

}  // namespace
}  // namespace cannula::ops
