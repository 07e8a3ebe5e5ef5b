#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/config/site_folder.h"

namespace cannula::config {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kChannel = R"([source]
type = "wire"
listen = "127.0.0.1:0"
)";

LoadedSite load(std::string_view site, std::string_view channel = "") {
  SiteFolder folder;
  folder.write("site.toml", std::string(site));
  folder.write("channels/lab/channel.toml", std::string(kChannel) + std::string(channel));
  folder.write("channels/lab/main.lua", "function main(msg) end\n");
  return load_site(folder.root(), test_transports());
}

TEST(RetentionPeriods, everything_is_kept_unless_the_site_says_otherwise) {
  const LoadedSite loaded = load("");
  ASSERT_TRUE(loaded.site);
  EXPECT_EQ(loaded.site->retention, RetentionConfig());
  EXPECT_EQ(loaded.site->channels.at("lab").retention, RetentionConfig());
  EXPECT_EQ(loaded.site->retention_every, 10min);
  EXPECT_EQ(loaded.site->retention_within, 24h);
}

TEST(RetentionPeriods, a_channel_says_what_differs_from_the_site) {
  const LoadedSite loaded = load("[retention]\ndone = \"1y\"\ndead = \"never\"\nbodies = \"14d\"\n",
                                 "[retention]\nbodies = \"36h\"\ndone = \"never\"\n");
  ASSERT_TRUE(loaded.site) << render(loaded.findings);
  EXPECT_EQ(loaded.site->retention.done, 365 * 24h);
  EXPECT_EQ(loaded.site->retention.dead, std::nullopt);
  const RetentionConfig& lab = loaded.site->channels.at("lab").retention;
  EXPECT_EQ(lab.bodies, 36h);
  EXPECT_EQ(lab.done, std::nullopt);
}

TEST(RetentionPeriods, nonsense_is_found_where_it_stands) {
  const auto findings = [](std::string_view site, std::string_view channel = "") {
    return render(load(site, channel).findings);
  };
  EXPECT_THAT(
      findings("[retention]\ndone = \"soon\"\n"),
      AllOf(HasSubstr("C146"), HasSubstr("`soon` is no period"), HasSubstr("site.toml:2:8")));
  EXPECT_THAT(findings("[retention]\ndone = \"30s\"\n"), HasSubstr("shorter than a minute"));
  EXPECT_THAT(findings("[retention]\ndone = \"7d\"\nbodies = \"30d\"\n"),
              AllOf(HasSubstr("bodies are to be kept for 30d"), HasSubstr("site.toml:3")));
  EXPECT_THAT(findings("[retention]\ndone = \"7d\"\n", "[retention]\nbodies = \"7d\"\n"),
              HasSubstr("channel.toml"));
  EXPECT_THAT(findings("[retention]\nqueued = \"7d\"\n"), HasSubstr("queued"));
  EXPECT_THAT(findings("[retention]\ndone = \"7d\"\nbodies = \"1d\"\n"), IsEmpty());
}

}  // namespace
}  // namespace cannula::config
