#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/config/error_codes.h"
#include "engine/config/schema.h"
#include "tests/unit/engine/config/site_folder.h"

namespace cannula::config {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kChannel = R"([source]
type = "wire"
listen = "127.0.0.1:0"
)";

Site load(const SiteFolder& folder) {
  LoadedSite loaded = load_site(folder.root(), test_transports());
  EXPECT_THAT(render(loaded.findings), IsEmpty());
  return loaded.site.value_or(Site{});
}

TEST(LoadSite, AnEmptySiteTomlIsASiteWithDefaults) {
  SiteFolder folder;
  const Site site = load(folder);
  EXPECT_EQ(site.root, folder.root());
  EXPECT_EQ(site.store.directory, folder.root() / "state");
  EXPECT_EQ(site.store.segment_size, 64u << 20);
  EXPECT_FALSE(site.admin.listen.has_value());
  EXPECT_EQ(site.engine.workers, 0u);
  EXPECT_EQ(site.engine.script_memory, 512u << 20);
  EXPECT_TRUE(site.channels.empty());
}

TEST(LoadSite, AKeyOfEndlesslyManyPartsIsAFindingAndNoCrash) {
  std::string key = "a";
  for (int i = 0; i < 300'000; ++i) key += ".a";
  for (const std::string& text : {key + " = 1", "[" + key + "]", "x = { " + key + " = 1 }"}) {
    SiteFolder folder;
    folder.write("site.toml", text);
    const LoadedSite loaded = load_site(folder.root(), test_transports());
    ASSERT_FALSE(loaded.findings.empty());
    EXPECT_EQ(loaded.findings[0].code, "C101");
  }
}

TEST(LoadSite, DotsInTextsAreNoPartsOfKeys) {
  const std::string dots(400, '.');
  SiteFolder folder;
  folder.channel("lab", "# " + dots + "\ndescription = \"\\\\\\\"" + dots + "\" # " + dots + "\n" +
                            std::string(kChannel));
  folder.channel(
      "other", "description = \"\"\"\n" + dots + "\"" + dots + "\"\"\"\n" + std::string(kChannel));
  load(folder);
}

TEST(LoadSite, EverythingWrittenIsRead) {
  SiteFolder folder;
  folder.write("site.toml", R"(
[store]
directory = "data/store"
segment_size = "8MB"
[admin]
listen = "127.0.0.1:8080"
[engine]
workers = 3
io_threads = 2
script_memory = "100MB"
[secrets]
path = "env:PATH"
)");
  for (const char* file : {"tls/server.pem", "tls/ca.pem", "out/kept"}) folder.write(file, "");
  folder.write("partners/reference-lab.toml", R"(
name = "Reference Laboratory"
from = ["10.1.0.0/16", "127.0.0.1", "2001:db8::/32"]
certificate = "reference-lab.example"
may = ["ORU^R01", "ADT^*"]
[agreement]
document = "BAA-0042"
signed = 2026-01-15
expires = 2099-01-15
)");
  folder.channel("lab-results", R"(
description = "Results from the reference laboratory"
[source]
type = "wire"
listen = "0.0.0.0:2575"
partner = "reference-lab"
ack = "delivered:ehr"
max_size = "2MB"
tls = { certificate = "tls/server.pem", key = "env:PATH", client_ca = "tls/ca.pem" }
[order]
by = ["PID-3.1", "MRG-1.1"]
on_hold = "hold_key"
[script]
time = "500ms"
memory = "32MB"
[[destination]]
name = "ehr"
type = "wire"
address = "ehr.example:2575"
[destination.retry]
first = "2s"
max = "1m"
give_up_after = "1d"
[[destination]]
name = "archive"
type = "folder"
directory = "out"
)");
  folder.write("lib/names.lua", "return {}\n");
  const Site site = load(folder);

  EXPECT_EQ(site.store.directory, folder.root() / "data/store");
  EXPECT_EQ(site.store.segment_size, 8u << 20);
  EXPECT_EQ(site.admin.listen->text(), "127.0.0.1:8080");
  EXPECT_EQ(site.engine.workers, 3u);
  EXPECT_EQ(site.engine.io_threads, 2u);
  EXPECT_EQ(site.secrets.at("path").name, "PATH");

  const PartnerConfig& partner = site.partners.at("reference-lab");
  EXPECT_EQ(partner.name, "reference-lab");
  EXPECT_EQ(partner.title, "Reference Laboratory");
  EXPECT_THAT(partner.from, ElementsAre("10.1.0.0/16", "127.0.0.1", "2001:db8::/32"));
  EXPECT_EQ(partner.certificate, "reference-lab.example");
  EXPECT_THAT(partner.may, ElementsAre("ORU^R01", "ADT^*"));
  EXPECT_EQ(partner.agreement->signed_on, "2026-01-15");

  const ChannelConfig& channel = site.channels.at("lab-results");
  EXPECT_EQ(channel.source_type, "wire");
  EXPECT_EQ(channel.source.endpoint("listen").text(), "0.0.0.0:2575");
  EXPECT_EQ(channel.source.integer("max_size"), 2 << 20);
  EXPECT_EQ(channel.source.duration("idle"), milliseconds(300'000));
  EXPECT_EQ(channel.source.integer("limit"), 7);
  EXPECT_EQ(channel.source.text("mode"), "strict");
  EXPECT_EQ(channel.source.table("tls")->text("certificate"), "tls/server.pem");
  EXPECT_EQ(channel.ack.when, AckConfig::When::delivered);
  EXPECT_EQ(channel.ack.destination, "ehr");
  EXPECT_EQ(channel.order.by, OrderConfig::By::paths);
  ASSERT_EQ(channel.order.paths.size(), 2u);
  EXPECT_EQ(channel.order.paths[1].text(), "MRG-1.1");
  EXPECT_EQ(channel.order.on_hold, OrderConfig::OnHold::hold_key);
  EXPECT_EQ(channel.script_time, milliseconds(500));
  EXPECT_EQ(channel.script_memory, 32u << 20);
  ASSERT_EQ(channel.destinations.size(), 2u);
  EXPECT_EQ(channel.destinations[0].retry.first, milliseconds(2000));
  EXPECT_EQ(channel.destinations[0].values.endpoint("address").host, "ehr.example");
  EXPECT_EQ(channel.destinations[1].retry.give_up_after, milliseconds(3 * 86'400'000LL));
  EXPECT_THAT(channel.script->text(), StartsWith("function main"));
  EXPECT_EQ(site.modules.at("names")->text(), "return {}\n");
}

TEST(LoadSite, AllFindingsOfAllFilesAreReportedInOrder) {
  SiteFolder folder;
  folder.write("site.toml", "[stor]\nx = 1\n[engine]\nworkers = \"many\"\n");
  folder.channel("b", "[source]\ntype = \"wire\"\nlisten = 2575\n[oder]\n");
  folder.channel("a", "[source\n");
  EXPECT_EQ(
      findings_of(folder),
      R"(channels/a/channel.toml:1:8: error[C101]: this is not TOML: expected ']', saw the end of the line
    1 | [source
      |        ^
      = hint: see https://toml.io for the syntax
channels/b/channel.toml:3:10: error[C108]: `listen` must be "host:port" such as "127.0.0.1:2575", not `2575`
    3 | listen = 2575
      |          ^~~~
      = hint: say the address too: "127.0.0.1:2575"
channels/b/channel.toml:4:2: error[C103]: a channel has no key `oder`
    4 | [oder]
      |  ^~~~
      = hint: did you mean `order`?
site.toml:1:2: error[C103]: site.toml has no key `stor`
    1 | [stor]
      |  ^~~~
      = hint: did you mean `store`?
site.toml:4:11: error[C104]: `workers` must be a whole number, not a string `many`
    4 | workers = "many"
      |           ^~~~~~
)");
}

struct Wrong {
  std::string name;
  std::string toml;
  std::string finding;  // part of what is printed
  std::string hint = {};
};

class AWrongChannel : public testing::TestWithParam<Wrong> {};

TEST_P(AWrongChannel, IsReportedAtItsPlace) {
  SiteFolder folder;
  folder.write("partners/reference-lab.toml", "");
  folder.channel("c", GetParam().toml);
  for (const char* file : {"a", "b", "x"}) folder.write(file, "");  // those that they name
  const std::string findings = findings_of(folder);
  EXPECT_THAT(findings, HasSubstr(GetParam().finding));
  EXPECT_THAT(findings, HasSubstr(GetParam().hint));
  EXPECT_EQ(std::count(findings.begin(), findings.end(), '^'),
            1 + std::count(GetParam().toml.begin(), GetParam().toml.end(), '^'))
      << "one thing is wrong, so one thing is found:\n"
      << findings;
}

std::string source_with(const std::string& line) {
  return std::string(kChannel) + line + "\n";
}

INSTANTIATE_TEST_SUITE_P(
    LoadSite, AWrongChannel,
    testing::Values(
        Wrong{"duration", source_with("idle = \"5 minutes\""),
              "4:8: error[C108]: `idle` must be a duration"},
        Wrong{"duration_without_unit", source_with("idle = 30"), "4:8: error[C108]",
              "\"30s\" or \"30ms\""},
        Wrong{"size", source_with("max_size = \"big\""),
              "4:12: error[C108]: `max_size` must be a size"},
        Wrong{"negative_size", source_with("max_size = -1"), "4:12: error[C104]"},
        Wrong{"range", source_with("limit = 101"),
              "4:9: error[C107]: `limit` must be from 1 to 100, not 101"},
        Wrong{"choice", source_with("mode = \"strickt\""),
              "4:8: error[C106]: `mode` must be one of \"strict\", \"lenient\"",
              "did you mean `strict`?"},
        Wrong{"list_item", source_with("tags = [\"a\", 7]"),
              "4:14: error[C104]: `tags` must hold strings only"},
        Wrong{"unknown_key", source_with("listn = \"x\""),
              "4:1: error[C103]: [source] has no key `listn`", "did you mean `listen`?"},
        Wrong{"nested_unknown_key",
              source_with("tls = { certificate = \"a\", kay = \"env:PATH\" }"),
              "4:28: error[C103]: `tls` has no key `kay`", "did you mean `key`?"},
        Wrong{"nested_missing_key", source_with("tls = { key = \"env:PATH\" }"),
              "4:7: error[C105]: `tls` needs the key `certificate`"},
        Wrong{"missing_key", "[source]\ntype = \"wire\"\n",
              "1:1: error[C105]: [source] needs the key `listen`"},
        Wrong{"missing_type", "[source]\nlisten = \"127.0.0.1:1\"\n",
              "1:1: error[C105]: [source] needs the key `type`"},
        Wrong{"unknown_type", "[source]\ntype = \"wir\"\nanything = 1\n",
              "2:8: error[C111]: there is no source of type `wir`", "did you mean `wire`?"},
        Wrong{"not_a_source", "[source]\ntype = \"folder\"\n",
              "2:8: error[C112]: `folder` cannot be a source", "these can: wire"},
        Wrong{"ipv6_without_brackets", "[source]\ntype = \"wire\"\nlisten = \"::1:2575\"\n",
              "3:10: error[C108]", "\"[::1]:2575\""},
        Wrong{"unknown_partner", source_with("partner = \"reference-lob\""),
              "4:11: error[C113]: there is no partner `reference-lob`",
              "did you mean `reference-lab`?"},
        Wrong{"exposed", "[source]\ntype = \"wire\"\nlisten = \"0.0.0.0:2575\"\n",
              "3:10: error[C119]: anyone who reaches `0.0.0.0:2575` could send here",
              "open = true"},
        Wrong{"ack_form", source_with("ack = \"store\""), "4:7: error[C115]",
              "did you mean `stored`?"},
        Wrong{"ack_destination",
              source_with(
                  "ack = \"delivered:ehr\"\n[[destination]]\nname = \"ehs\"\ntype = \"folder\"\n"
                  "directory = \"x\""),
              "4:18: error[C115]: the channel has no destination `ehr`", "did you mean `ehs`?"},
        Wrong{"order_path", source_with("[order]\nby = \"PID-x\""),
              "5:11: error[C116]: cannot read the path"},
        Wrong{"order_segment_only", source_with("[order]\nby = [\"PID-3\", \"MRG\"]"),
              "5:17: error[C116]: `MRG` does not name a field"},
        Wrong{"order_empty", source_with("[order]\nby = []"), "5:6: error[C116]"},
        Wrong{"on_hold", source_with("[order]\non_hold = \"hold\""), "5:11: error[C106]"},
        Wrong{"destination_table", source_with("[destination]\nname = \"x\""), "4:1: error[C104]",
              "[[destination]]"},
        Wrong{"destination_twice",
              source_with("[[destination]]\nname = \"x\"\ntype = \"folder\"\ndirectory = \"a\"\n"
                          "[[destination]]\nname = \"x\"\ntype = \"folder\"\ndirectory = \"b\""),
              "9:8: error[C114]: there is a destination `x` already, in line 5"},
        Wrong{"destination_name",
              source_with("[[destination]]\nname = \"a b\"\ntype = \"folder\"\ndirectory = \"a\""),
              "5:8: error[C110]"},
        Wrong{"destination_type",
              source_with("[[destination]]\nname = \"a\"\ntype = \"mlpp\"\nother = 1"),
              "6:8: error[C111]: there is no destination of type `mlpp`", "there is: folder, wire"},
        Wrong{"retry",
              source_with("[[destination]]\nname = \"a\"\ntype = \"folder\"\ndirectory = "
                          "\"a\"\n[destination.retry]\n"
                          "first = \"2m\"\nmax = \"1m\""),
              "10:7: error[C127]: `max` (1m) is shorter than `first` (2m)"},
        Wrong{"retry_key",
              source_with("[[destination]]\nname = \"a\"\ntype = \"folder\"\ndirectory = "
                          "\"a\"\n[destination.retry]\n"
                          "frist = \"2m\""),
              "9:1: error[C103]: [destination.retry] has no key `frist`"},
        Wrong{"secret_literal",
              source_with("[[destination]]\nname = \"a\"\ntype = \"wire\"\naddress = "
                          "\"x:1\"\ntoken = \"hunter2\""),
              "8:9: error[C123]"},
        Wrong{"script_time", source_with("[script]\ntime = \"0s\""), "5:8: error[C107]"},
        Wrong{"after_text_beyond_ascii", source_with("mode = \"größe\""), "4:8: error[C106]"}),
    [](const auto& wrong) { return wrong.param.name; });

TEST(LoadSite, ASecretWrittenOutIsNotRepeatedInTheMessage) {
  SiteFolder folder;
  folder.write("site.toml", "[secrets]\nehr = \"hunter2\"\n");
  const LoadedSite loaded = load_site(folder.root(), test_transports());
  ASSERT_EQ(loaded.findings.size(), 1u);
  EXPECT_EQ(loaded.findings[0].code, "C123");
  EXPECT_THAT(loaded.findings[0].message, Not(HasSubstr("hunter2")));
  EXPECT_THAT(loaded.findings[0].hint, Not(HasSubstr("hunter2")));
  EXPECT_THAT(render(loaded.findings),
              AllOf(Not(HasSubstr("hunter2")), HasSubstr("site.toml:2:7: error[C123]"),
                    HasSubstr("    2 | ehr = …\n      |       ^\n")));
}

// What `check` prints of a site.toml, and of a channel that is fine but for `destination`.
std::string printed(const std::string& site, const std::string& destination = "") {
  SiteFolder folder;
  folder.write("site.toml", site);
  if (!destination.empty()) folder.write("channels/lab/channel.toml", destination);
  return render(load_site(folder.root(), test_transports()).findings);
}

TEST(LoadSite, NoSecretIsShownInTheLineThatAFindingPointsInto) {
  const std::string pkcs11 = "pkcs11:token=clinic;object=cannula?pin-value=4711SECRET";
  for (const std::string& site : {
           std::string("[keys]\npin = \"4711SECRET\"\n"),
           std::string("[keys]\npin = '4711SECRET'  # \"file:x\"\n"),
           std::string("[keys]\npni = \"4711SECRET\"\n"),
           std::string("keys.pin = \"4711SECRET\"\n"),
           std::string("keys = { pin = \"4711SECRET\" }\n"),
           std::string("keys = { x = 1, \"pin\" = \"4711SECRET\" }\n"),
           std::string("[ \"keys\" ]\npin = \"4711SECRET\"\n"),
           std::string("[keys]\npin = \"4711SECRET\n"),
           std::string("[keys]\npin = 4711SECRET\n"),
           std::string("[keys]\npin = [\"4711SECRET\"]\n"),
           std::string("[keys]\npin = \"\"\"4711SECRET\"\"\"\n"),
           "[keys]\nmaster = \"" + pkcs11 + "\"\n",
           "[keys]\nmaster = \"PKCS11" + pkcs11.substr(6) + "\"\n",
           "[keys]\nmaster = \" " + pkcs11 + "\"\n",
           "[store]\nmaster = \"" + pkcs11 + "\"\n",
           "[keys]\nformer = [\"env:A\", \"" + pkcs11 + "\"]\n",
           "[keys]\nformer = [\n  \"env:A\",\n  \"" + pkcs11 + "\",\n]\n",
           std::string("[keys]\nformer = [\n  [\"4711SECRET\"],\n  \"4711SECRET=\"\n]\n"),
           std::string("[keys]\nformer = [\n  \"file:x\", \"4711SECRET\"]\n"),
           std::string("[secrets]\nehr = \"4711SECRET\"\n"),
           std::string("secrets.ehr = \"4711SECRET\"\n"),
           std::string("[secrets]\n\"a b\" = \"4711SECRET\"\n"),
           std::string("[audit]\nkey = \"4711SECRET\"\n"),
           std::string("[audit]\nkye = \"4711SECRET\"\n"),
       }) {
    EXPECT_THAT(printed(site), AllOf(HasSubstr("site.toml"), Not(HasSubstr("SECRET")))) << site;
  }
  for (const std::string number : {"4711001", "4711001.5"}) {
    for (const std::string key : {"pin", "master", "former"}) {
      EXPECT_THAT(printed("[keys]\n" + key + " = " + number + "\n"),
                  AllOf(HasSubstr("C104"), Not(HasSubstr("4711001"))));
    }
    EXPECT_THAT(printed("[keys]\nformer = [" + number + "]\n"),
                AllOf(HasSubstr("C104"), Not(HasSubstr("4711001"))));
  }
  for (const std::string line :
       {"token = \"4711SECRET\"", "tokn = \"4711SECRET\"", "\"token\" = \"4711SECRET\"",
        "headers = [\"Authorization: Bearer 4711SECRET\"]",
        "x = [\"x-Api-Key: 4711SECRET\", \"Accept: a/b\"]", "x = ['X-Auth-Token: 4711SECRET']",
        "url = \"https://ehr.example/in?v=1&sig=4711SECRET\""}) {
    const std::string shown =
        printed("[store]\n",
                "[source]\ntype = \"wire\"\nlisten = \"127.0.0.1:0\"\n[[destination]]\nname = "
                "\"a\"\ntype = \"wire\"\naddress = \"x:1\"\n" +
                    line + "\n");
    EXPECT_THAT(shown, AllOf(HasSubstr("channel.toml:8"), Not(HasSubstr("SECRET")))) << line;
  }
}

TEST(LoadSite, WhatIsNoSecretIsShown) {
  EXPECT_THAT(printed("[keys]\npin = \"file:/nowhere\"\n[store]\ndirectry = \"here\"\n"),
              AllOf(HasSubstr("    4 | directry = \"here\"\n      | ^~~~~~~~\n"),
                    HasSubstr("the secret file /nowhere cannot be read")));
  EXPECT_THAT(printed("[kyes]\n"), HasSubstr("    1 | [kyes]\n"));
}

TEST(LoadSite, TheAddressOfATokenIsPointedAtWhereItStands) {
  EXPECT_THAT(
      printed(
          "[keys]\nmaster = \"env:PATH\"\nformer = [\n  \"env:PATH\",\n  \"pkcs11:token=a\"\n]\n"),
      HasSubstr("site.toml:5:3: error[C147]"));
}

TEST(LoadSite, AMasterKeyMayLieInAToken) {
  SiteFolder folder;
  folder.write("pin", "87654321\n");
  folder.write("old.key", "x");
  for (const char* name : {"pin", "old.key"}) ::chmod((folder.root() / name).c_str(), 0600);
  folder.write("site.toml",
               "[keys]\nmaster = \"pkcs11:token=clinic;object=cannula\"\n"
               "former = [\"file:old.key\", \"pkcs11:token=clinic;object=old\"]\n"
               "pin = \"file:pin\"\n");
  const LoadedSite loaded = load_site(folder.root(), test_transports());
  ASSERT_TRUE(loaded.site) << render(loaded.findings);
  EXPECT_EQ(render(loaded.findings), "");
  EXPECT_EQ(loaded.site->keys.master->token, "pkcs11:token=clinic;object=cannula");
  ASSERT_EQ(loaded.site->keys.former.size(), 2u);
  EXPECT_EQ(loaded.site->keys.former[0].written->name, (folder.root() / "old.key").string());
  EXPECT_EQ(loaded.site->keys.former[1].token, "pkcs11:token=clinic;object=old");
  EXPECT_EQ(loaded.site->keys.pin->name, (folder.root() / "pin").string());
}

TEST(LoadSite, APinInTheAddressOfATokenIsRefusedAndNotShown) {
  SiteFolder folder;
  folder.write("site.toml",
               "[keys]\nmaster = \"pkcs11:token=clinic;object=cannula?pin-value=87654321\"\n");
  const LoadedSite loaded = load_site(folder.root(), test_transports());
  EXPECT_FALSE(loaded.site);
  ASSERT_EQ(loaded.findings.size(), 1u);
  EXPECT_EQ(loaded.findings[0].code, "C147");
  EXPECT_THAT(render(loaded.findings), Not(HasSubstr("87654321")));
}

TEST(LoadSite, AMasterKeyWrittenOutIsNotRepeatedInTheMessage) {
  SiteFolder folder;
  folder.write("site.toml", "[keys]\nmaster = \"" + std::string(64, '7') + "\"\n");
  const LoadedSite loaded = load_site(folder.root(), test_transports());
  ASSERT_EQ(loaded.findings.size(), 1u);
  EXPECT_EQ(loaded.findings[0].code, "C123");
  EXPECT_THAT(loaded.findings[0].message, Not(HasSubstr("7777")));
}

TEST(LoadSite, ASecretWrittenOutInAHeaderIsAWarning) {
  SiteFolder folder;
  folder.write("site.toml", "");
  folder.channel("lab",
                 "[source]\ntype = \"wire\"\nlisten = \"127.0.0.1:2575\"\ntags = [\"X-Facility: "
                 "GENERAL\",\n\"X-Api-Key: hunter2\"]\n");
  const LoadedSite loaded = load_site(folder.root(), test_transports());
  EXPECT_TRUE(loaded.site);
  EXPECT_THAT(render(loaded.findings),
              AllOf(HasSubstr("channel.toml:5:1: warning[C148]: the value of `X-Api-Key`"),
                    Not(HasSubstr("hunter2"))));
}

TEST(LoadSite, ASecretThatIsNotThereIsAWarning) {
  SiteFolder folder;
  folder.write(
      "site.toml",
      "[secrets]\na = \"env:CANNULA_TEST_NOT_SET\"\nb = \"file:keys/b\"\nc = \"file:keys/c\"\n");
  folder.write("keys/c", "x");
  ::chmod((folder.root() / "keys/c").c_str(), 0644);
  const LoadedSite loaded = load_site(folder.root(), test_transports());
  ASSERT_EQ(loaded.findings.size(), 3u);
  EXPECT_EQ(loaded.findings[0].code, "C124");
  EXPECT_EQ(loaded.findings[1].code, "C124");
  EXPECT_EQ(loaded.findings[2].code, "C129");
  ASSERT_TRUE(loaded.site.has_value());
  EXPECT_EQ(loaded.site->secrets.at("b").name, (folder.root() / "keys/b").string());
}

TEST(LoadSite, APortBelongsToOneChannel) {
  SiteFolder folder;
  folder.write("site.toml", "[admin]\nlisten = \"127.0.0.1:1001\"\n");
  folder.channel("a", "[source]\ntype = \"wire\"\nlisten = \"127.0.0.1:1001\"\n");
  folder.channel("b", "[source]\ntype = \"wire\"\nopen = true\nlisten = \"0.0.0.0:1001\"\n");
  folder.channel("c", "[source]\ntype = \"wire\"\nlisten = \"127.0.0.2:1001\"\n");
  folder.channel("d", "enabled = false\n[source]\ntype = \"wire\"\nlisten = \"127.0.0.1:1001\"\n");
  const std::string findings = findings_of(folder);
  EXPECT_THAT(findings, HasSubstr("channels/a/channel.toml:3:10: error[C120]: port 1001 is already "
                                  "listened on by the admin interface (site.toml:2)"));
  EXPECT_THAT(findings, HasSubstr("channels/b/channel.toml:4:10: error[C120]"));
  EXPECT_THAT(findings, HasSubstr("channels/c/channel.toml:3:10: error[C120]: port 1001 is already "
                                  "listened on by channel `b`"));
  EXPECT_THAT(findings, Not(HasSubstr("channels/d")));
}

TEST(LoadSite, PortZeroAndDifferentAddressesDoNotMeet) {
  SiteFolder folder;
  folder.channel("a", "[source]\ntype = \"wire\"\nlisten = \"127.0.0.1:0\"\n");
  folder.channel("b", "[source]\ntype = \"wire\"\nlisten = \"127.0.0.1:0\"\n");
  folder.channel("c", "[source]\ntype = \"wire\"\nlisten = \"127.0.0.1:1001\"\n");
  folder.channel("d", "[source]\ntype = \"wire\"\nlisten = \"127.0.0.2:1001\"\n");
  EXPECT_EQ(findings_of(folder), "");
}

TEST(LoadSite, OpenLetsASourceListenBeyondThisMachine) {
  SiteFolder folder;
  folder.channel("a", "[source]\ntype = \"wire\"\nlisten = \"0.0.0.0:2575\"\nopen = true\n");
  EXPECT_EQ(findings_of(folder), "");
}

TEST(LoadSite, APartnerWhoMayBeAnybodyIsNoneUnlessThatIsSaid) {
  const std::string channel =
      "[source]\ntype = \"wire\"\nlisten = \"0.0.0.0:2575\"\npartner = \"lab\"\n";
  SiteFolder folder;
  folder.write("partners/lab.toml", "may = [\"ORU^R01\"]\n");
  folder.channel("a", channel);
  EXPECT_THAT(findings_of(folder),
              AllOf(StartsWith("channels/a/channel.toml:4:11: error[C119]: anyone who reaches"),
                    HasSubstr("partners/lab.toml says neither `from`")));
  folder.channel("a", channel + "open = true\n");
  EXPECT_EQ(findings_of(folder), "");
  folder.channel("a", channel);
  folder.write("partners/lab.toml", "from = [\"10.1.0.0/16\"]\n");
  EXPECT_EQ(findings_of(folder), "");
}

TEST(LoadSite, OpenBesideAPartnerWhoSaysWhoMaySendIsAWarning) {
  SiteFolder folder;
  folder.write("partners/lab.toml", "from = [\"10.1.0.0/16\"]\n");
  folder.channel(
      "a",
      "[source]\ntype = \"wire\"\nlisten = \"0.0.0.0:2575\"\nopen = true\npartner = \"lab\"\n");
  EXPECT_THAT(findings_of(folder), StartsWith("channels/a/channel.toml:4:8: warning[C128]"));
}

TEST(LoadSite, ACertificateThatTheSourceDoesNotAskForWouldShutEveryoneOut) {
  SiteFolder folder;
  folder.write("partners/lab.toml", "certificate = \"lab.example\"\n");
  folder.channel("a", std::string(kChannel) + "partner = \"lab\"\n");
  EXPECT_THAT(findings_of(folder), StartsWith("channels/a/channel.toml:4:11: error[C131]"));
}

TEST(LoadSite, TheAdminInterfaceStaysOnThisMachine) {
  SiteFolder folder;
  folder.write("site.toml", "[admin]\nlisten = \"0.0.0.0:8080\"\n");
  EXPECT_THAT(findings_of(folder), StartsWith("site.toml:2:10: error[C121]"));
}

TEST(LoadSite, AddressesAndEventsOfAPartnerAreChecked) {
  SiteFolder folder;
  folder.write("partners/lab.toml",
               R"(from = ["10.1.2.3/16", "lab.example", "10.0.0.0/33", "::1/128"]
may = ["ORU R01", "ADT^*", "*^R01", "ORU^R01"]
)");
  const std::string findings = findings_of(folder);
  EXPECT_THAT(findings, HasSubstr("1:9: error[C122]"));
  EXPECT_THAT(findings,
              HasSubstr("write \"10.1.0.0/16\" for the block or \"10.1.2.3\" for the address"));
  EXPECT_THAT(findings, HasSubstr("1:24: error[C122]: `lab.example`"));
  EXPECT_THAT(findings, HasSubstr("1:39: error[C122]: `10.0.0.0/33`"));
  EXPECT_THAT(findings, Not(HasSubstr("`::1/128`")));
  EXPECT_THAT(findings, HasSubstr("2:8: error[C126]: `ORU R01`"));
  EXPECT_THAT(findings, HasSubstr("2:28: error[C126]: `*^R01`"));
}

TEST(LoadSite, AnExpiredAgreementIsAWarningFromTheDayAfter) {
  using namespace std::chrono_literals;
  SiteFolder folder;
  folder.write(
      "partners/lab.toml",
      "[agreement]\ndocument = \"BAA-1\"\nsigned = 2026-01-15\nexpires = \"2027-01-15\"\n");
  EXPECT_EQ(findings_of(folder, std::chrono::sys_days(2027y / 1 / 15)), "");
  EXPECT_THAT(
      findings_of(folder, std::chrono::sys_days(2027y / 1 / 16)),
      StartsWith(
          "partners/lab.toml:4:11: warning[C125]: the agreement `BAA-1` expired on 2027-01-15"));
}

TEST(LoadSite, DatesOfAnAgreementAreDays) {
  SiteFolder folder;
  folder.write("partners/a.toml", "[agreement]\ndocument = \"x\"\nsigned = \"2026-02-30\"\n");
  folder.write("partners/b.toml",
               "[agreement]\ndocument = \"x\"\nsigned = 2099-02-03\nexpires = 2098-01-01\n");
  const std::string findings = findings_of(folder);
  EXPECT_THAT(findings, HasSubstr("partners/a.toml:3:10: error[C130]"));
  EXPECT_THAT(findings, HasSubstr("partners/b.toml:4:11: error[C130]"));
}

TEST(LoadSite, MissingFilesAreNamed) {
  SiteFolder folder;
  folder.write("channels/a/main.lua", "");
  folder.write("channels/b/channel.toml", std::string(kChannel));
  folder.write("channels/.draft/notes", "");
  EXPECT_EQ(findings_of(folder).substr(0, 66),
            "channels/a: error[C118]: this channel has no channel.toml\n      = ");
  EXPECT_THAT(findings_of(folder), HasSubstr("channels/b/main.lua: error[C117]"));
  EXPECT_THAT(findings_of(folder), Not(HasSubstr(".draft")));
}

TEST(LoadSite, AFolderWithoutSiteTomlIsNotASite) {
  SiteFolder folder;
  std::filesystem::remove(folder.root() / "site.toml");
  const LoadedSite loaded = load_site(folder.root(), test_transports());
  ASSERT_EQ(loaded.findings.size(), 1u);
  EXPECT_EQ(loaded.findings[0].code, "C109");
  EXPECT_FALSE(loaded.site.has_value());
  EXPECT_EQ(load_site(folder.root() / "no-such", test_transports()).findings.at(0).message,
            "there is no such site folder");
}

TEST(LoadSite, LinksAreFollowedAndDanglingOnesReported) {
  SiteFolder folder;
  folder.write("elsewhere/lab", "name = \"Lab\"\n");
  std::filesystem::create_directories(folder.root() / "partners");
  std::filesystem::create_symlink("../elsewhere/lab", folder.root() / "partners/lab.toml");
  EXPECT_EQ(load(folder).partners.at("lab").title, "Lab");
  std::filesystem::create_symlink("nowhere", folder.root() / "partners/gone.toml");
  std::filesystem::create_symlink("self.toml", folder.root() / "partners/self.toml");
  const std::string findings = findings_of(folder);
  EXPECT_THAT(
      findings,
      HasSubstr(
          "partners/gone.toml: error[C102]: this file cannot be read: it is a link to `nowhere`"));
  EXPECT_THAT(findings, HasSubstr("partners/self.toml: error[C102]: this file cannot be read: it "
                                  "is a link that leads to itself"));
}

TEST(LoadSite, WhatIsNotARegularFileIsReportedAndDoesNotHold) {
  SiteFolder folder;
  std::filesystem::create_directories(folder.root() / "partners/folder.toml");
  ASSERT_EQ(::mkfifo((folder.root() / "partners/pipe.toml").c_str(), 0600), 0);
  const std::string findings = findings_of(folder);
  EXPECT_THAT(
      findings,
      HasSubstr("partners/folder.toml: error[C102]: this file cannot be read: it is a folder"));
  EXPECT_THAT(
      findings,
      HasSubstr(
          "partners/pipe.toml: error[C102]: this file cannot be read: it is not a regular file"));
}

TEST(LoadSite, AFileThatMayNotBeReadIsReported) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  SiteFolder folder;
  folder.write("partners/lab.toml", "");
  ::chmod((folder.root() / "partners/lab.toml").c_str(), 0);
  EXPECT_THAT(findings_of(folder), HasSubstr("partners/lab.toml: error[C102]"));
}

TEST(LoadSite, FindingsNameFilesAsTheFolderWasNamed) {
  SiteFolder folder;
  folder.write("site.toml", "x = 1\n");
  const auto relative = std::filesystem::relative(folder.root());
  EXPECT_EQ(load_site(relative, test_transports()).findings.at(0).source->name(),
            (relative / "site.toml").string());
}

TEST(LoadSite, WhatIsWrittenOfATableChangesWithItsMeaningOnly) {
  SiteFolder folder;
  folder.channel("a", "[source]\ntype = \"wire\"\nlisten = \"127.0.0.1:0\"\n");
  folder.channel("b", "# moved\n[source]\nlisten = \"127.0.0.1:0\"  # here\ntype = \"wire\"\n");
  folder.channel("c", "[source]\ntype = \"wire\"\nlisten = \"127.0.0.1:0\"\nlimit = 8\n");
  const Site site = load(folder);
  EXPECT_EQ(site.channels.at("a").source_written, site.channels.at("b").source_written);
  EXPECT_NE(site.channels.at("a").source_written, site.channels.at("c").source_written);
}

TEST(LoadSite, NoBytesMakeItThrow) {
  SiteFolder folder;
  for (const std::string& text :
       {std::string("\xff\xfe", 2), std::string(100000, '['), std::string("a\0b=1", 5),
        std::string("a = ") + std::string(5000, '['), std::string("\xEF\xBB\xBF[x]\n")}) {
    folder.write("site.toml", text);
    EXPECT_FALSE(load_site(folder.root(), test_transports()).findings.empty());
  }
}

// Cut at every place and with a byte changed at every place: findings point into their text, and
// nothing throws.
TEST(LoadSite, ADamagedFileGivesFindingsInsideOfIt) {
  const std::string whole = R"([source]
type = "wire"
listen = "127.0.0.1:0"
tls = { certificate = "a", key = "env:PATH" }
[order]
by = ["PID-3.1", "MRG-1.1"]
[[destination]]
name = "a\u00e9"
type = "folder"
directory = '''x'''
[destination.retry]
first = "1s"
)";
  SiteFolder folder;
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    texts.push_back(whole.substr(0, i));
    texts.push_back(whole);
    texts.back()[i] = "[]{}\"\n=.\xC3\\"[i % 10];
  }
  for (const std::string& text : texts) {
    folder.channel("c", text);
    for (const Diagnostic& finding : load_site(folder.root(), test_transports()).findings) {
      ASSERT_TRUE(finding.source != nullptr);
      EXPECT_FALSE(finding.message.empty());
      if (!finding.span) continue;
      EXPECT_LE(finding.span->begin, finding.span->end) << text;
      EXPECT_LE(finding.span->end, finding.source->text().size()) << text;
    }
  }
}

TEST(FindSite, LooksUpward) {
  SiteFolder folder;
  std::filesystem::create_directories(folder.root() / "channels/a");
  EXPECT_EQ(find_site(folder.root() / "channels/a"), folder.root());
  EXPECT_EQ(find_site(folder.root()), folder.root());
  EXPECT_EQ(find_site("/"), std::nullopt);
}

TEST(ReferencePage, NamesEveryKeyOfEveryTable) {
  const std::string page = reference_page(test_transports());
  for (const char* key :
       {"`store.directory`", "`admin.listen`", "`agreement.expires`", "`retry.give_up_after`",
        "`max_size`", "`tls.certificate`", "## type = \"folder\"", "`order.on_hold`"}) {
    EXPECT_THAT(page, HasSubstr(key));
  }
}

TEST(ErrorCodes, AreDistinctAndExplained) {
  std::vector<std::string_view> seen;
  for (const ErrorCode& code : error_codes()) {
    EXPECT_THAT(seen, Not(testing::Contains(code.code)));
    EXPECT_FALSE(code.explanation.empty());
    seen.push_back(code.code);
  }
}

}  // namespace
}  // namespace cannula::config
