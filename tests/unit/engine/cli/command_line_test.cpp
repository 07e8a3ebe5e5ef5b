#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/engine/cli/run_cannula.h"

namespace cannula::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

TEST(CommandLine, AnUnknownVerbSuggestsTheNearest) {
  const Outcome outcome = run_cannula({"chekc"});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("error[U101]: there is no verb `chekc`"));
  EXPECT_THAT(outcome.err, HasSubstr("did you mean `check`?"));
}

TEST(CommandLine, AVerbThatIsOnlyBegunOrWhoseGroupIsMisspeltIsSuggested) {
  EXPECT_THAT(run_cannula({"stat"}).err, HasSubstr("did you mean `status`?"));
  EXPECT_THAT(run_cannula({"mgs"}).err, HasSubstr("did you mean `msg`?"));
  EXPECT_THAT(run_cannula({"mgs", "list"}).err, HasSubstr("did you mean `msg list`?"));
  const Outcome second = run_cannula({"msg", "lsit", "my-site"});
  EXPECT_EQ(second.code, kUsage);
  EXPECT_THAT(second.err, HasSubstr("there is no verb `msg lsit`"));
  EXPECT_THAT(second.err, HasSubstr("did you mean `msg list`?"));
}

TEST(CommandLine, WhatAVerbCannotDoWithoutIsNamedWithTheExample) {
  const Outcome outcome = run_cannula({"channel", "pause", "results", "my-site"});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("error[U102]: `cannula channel pause` needs --reason TEXT\n"));
  EXPECT_THAT(outcome.err, HasSubstr("for example: cannula channel pause lab-results my-site"));
  EXPECT_THAT(run_cannula({"channel", "pause"}).err, HasSubstr("needs CHANNEL and --reason TEXT"));
  EXPECT_EQ(run_cannula({"channel", "pause", "results", "my-site", "--reason", " "}).code, kUsage);
  EXPECT_THAT(run_cannula({"channel", "pause", "--help"}).out,
              HasSubstr("cannula channel pause CHANNEL [SITE] --reason TEXT [OPTION"));
}

// A folder `clinic` that is a site, beside nothing else.
class Sites : public testing::Test {
 protected:
  Sites() {
    std::filesystem::create_directories(folder_ / "clinic/channels");
    std::filesystem::create_directories(folder_ / "clinic/tables");
    std::ofstream(folder_ / "clinic/site.toml") << "";
    std::ofstream(folder_ / "clinic/tables/labs.csv") << "code,text\nK,Kalium\n";
  }
  Folder folder_;
};

TEST_F(Sites, OneThatIsNotThereGetsTheSameAnswerOfEveryVerb) {
  const std::vector<std::vector<std::string>> verbs{
      {"status"},
      {"msg", "list"},
      {"msg", "show", "0K2H8ZQ4R7T1C"},
      {"check"},
      {"store", "stats"},
      {"store", "check"},
      {"store", "prune"},
      {"keys", "list"},
      {"audit", "list"},
      {"table", "list"},
      {"table", "check"},
      {"table", "unmapped"},
      {"rules", "test"},
      {"rules", "check"},
      {"test"},
      {"run"},
      {"channel", "pause", "lab", "--reason", "a look"}};
  for (std::vector<std::string> words : verbs) {
    words.push_back(folder_ / "clinik");
    const Outcome outcome = run_cannula(words);
    EXPECT_EQ(outcome.code, kUsage) << words[0] << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("error[U103]: there is no such site folder: ")) << words[0];
    EXPECT_THAT(outcome.err, HasSubstr("did you mean " + (folder_ / "clinic") + "?")) << words[0];
  }
}

TEST_F(Sites, AFolderThatIsNoneSaysWhichOneIsMeant) {
  const Outcome inside = run_cannula({"status", folder_ / "clinic/channels"});
  EXPECT_EQ(inside.code, kUsage);
  EXPECT_THAT(inside.err, HasSubstr("is not a site: it has no site.toml"));
  EXPECT_THAT(inside.err, HasSubstr("the site is the folder around it: " + (folder_ / "clinic")));
  EXPECT_THAT(run_cannula({"status", folder_ / "another"}).err,
              HasSubstr("`cannula new " + (folder_ / "another") + "` makes a site"));
}

TEST_F(Sites, AChannelOrTableInItsPlaceIsSaidToBeOne) {
  std::filesystem::create_directories(folder_ / "clinic/channels/results");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_ / "clinic/channels");
  const Outcome channel = run_cannula({"msg", "list", "results"});
  const Outcome table = run_cannula({"table", "unmapped", "labs"});
  const Outcome neither = run_cannula({"msg", "list", "elsewhere"});
  std::filesystem::current_path(before);
  EXPECT_EQ(channel.code, kUsage);
  EXPECT_THAT(channel.err, HasSubstr("results is a channel of the site here"));
  EXPECT_THAT(table.err, HasSubstr("labs is a table of the site here"));
  EXPECT_THAT(neither.err, HasSubstr("`cannula new elsewhere` makes a site"));
}

TEST_F(Sites, OneInThePlaceOfAnotherArgumentIsSaidToBeSwapped) {
  const std::string site = folder_ / "clinic";
  const Outcome shown = run_cannula({"msg", "show", site, "0K2H8ZQ4R7T1C"});
  EXPECT_EQ(shown.code, kUsage);
  EXPECT_THAT(shown.err, HasSubstr("is a site, and 0K2H8ZQ4R7T1C is none: the two are swapped"));
  EXPECT_THAT(shown.err, HasSubstr("ID comes first: cannula msg show 0K2H8ZQ4R7T1C " + site));
  EXPECT_THAT(run_cannula({"channel", "pause", site, "results", "--reason", "x"}).err,
              HasSubstr("CHANNEL comes first: cannula channel pause results " + site));
  EXPECT_THAT(run_cannula({"test", "results", site}).err,
              HasSubstr("cannula test " + site + " results"));
  EXPECT_THAT(run_cannula({"table", "lookup", "labs", "K", site}).err,
              HasSubstr("cannula table lookup labs K --site " + site));
}

TEST_F(Sites, AMistakeElsewhereIsANoteForThoseWhoAskTheStore) {
  std::ofstream(folder_ / "clinic/tables/labs.csv") << "code,text\nK,Kalium,more\n";
  const std::string site = folder_ / "clinic";
  for (std::vector<std::string> words : {std::vector<std::string>{"status"},
                                         {"store", "stats"},
                                         {"table", "unmapped", "--table", "labs"}}) {
    words.push_back(site);
    const Outcome outcome = run_cannula(words);
    EXPECT_THAT(outcome.err, HasSubstr("note: the site's files have 1 mistake, with which"));
    EXPECT_THAT(outcome.err, HasSubstr("`cannula check " + site + "` shows it"));
    EXPECT_THAT(outcome.err, HasSubstr("error[U205]"))
        << "it came to the store, which is not there";
  }
}

TEST_F(Sites, AMistakeAboutTheStoreKeepsItShutUnlessAnEngineAnswers) {
  for (const char* toml :
       {"[store]\ndirectry = \"elsewhere\"\n", "[keys]\nmaster = 7\n", "[store\n"}) {
    std::ofstream(folder_ / "clinic/site.toml") << toml;
    const Outcome outcome = run_cannula({"status", folder_ / "clinic"});
    EXPECT_EQ(outcome.code, kInvalidSite) << toml;
    EXPECT_THAT(outcome.err, HasSubstr("error[U110]: no engine answers")) << toml;
    EXPECT_FALSE(std::filesystem::exists(folder_ / "clinic/state")) << toml;
  }
}

TEST(CommandLine, AGroupOfVerbsHasHelp) {
  const Outcome outcome = run_cannula({"table", "--help"});
  EXPECT_EQ(outcome.code, kFine) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("usage: cannula table VERB"));
  EXPECT_EQ(run_cannula({"help", "table"}).out, outcome.out);
  EXPECT_THAT(run_cannula({"table", "-h"}).out, HasSubstr("table lookup"));
  EXPECT_EQ(run_cannula({"table"}).code, kUsage);
}

TEST(CommandLine, NothingThatATerminalObeysComesOutOfAnError) {
  const Outcome outcome = run_cannula({"che\x1b[2J\ncannula: error: forged"});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("there is no verb `che?[2J / cannula: error: forged`\n"));
}

TEST(CommandLine, WhatAVerbThrowsIsSaidAndEndsWith1) {
  const auto run = [](std::function<int(const Context&)> body) {
    char* err = nullptr;
    std::size_t size = 0;
    Context context;
    context.err = open_memstream(&err, &size);
    const Verb verbs[] = {
        {.name = "fall", .summary = "", .example = "", .declare = {}, .run = std::move(body)}};
    const char* argv[] = {"cannula", "fall"};
    const int code = run_command_line(2, argv, verbs, context);
    std::fclose(context.err);
    std::string said(err, size);
    std::free(err);
    EXPECT_EQ(code, kFailed);
    return said;
  };
  EXPECT_THAT(run([](const Context&) -> int { throw std::bad_alloc(); }),
              HasSubstr("error[U109]: there was not enough memory"));
  EXPECT_THAT(run([](const Context&) -> int { throw std::out_of_range("at 7"); }),
              HasSubstr("error[U109]: this should not have happened: at 7\n"));
}

TEST(CommandLine, AnUnknownOptionSuggestsTheNearest) {
  const Outcome outcome = run_cannula({"send", "127.0.0.1:1", "--cuont", "3"});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean `--count`?"));
}

TEST(CommandLine, AWrongValueSaysWhatTheOptionTakes) {
  EXPECT_THAT(run_cannula({"send", "127.0.0.1:1", "--count", "0"}).err,
              HasSubstr("takes a whole number of 1 or more, not `0`"));
  EXPECT_THAT(run_cannula({"send", "127.0.0.1:1", "--timeout", "5"}).err,
              HasSubstr("takes a duration such as"));
  EXPECT_THAT(run_cannula({"listen", "127.0.0.1:0", "--answer", "OK"}).err,
              HasSubstr("takes one of AA|AE|AR|CA|CE|CR|none, not `OK`"));
  EXPECT_EQ(run_cannula({"send"}).code, kUsage);
}

TEST(CommandLine, EveryVerbHasHelpWithAnExample) {
  for (const std::string verb :
       {"new", "check", "send", "listen", "explain", "version", "reference"}) {
    const Outcome outcome = run_cannula({verb, "--help"});
    EXPECT_EQ(outcome.code, kFine);
    EXPECT_THAT(outcome.out, HasSubstr("example:\n  cannula " + verb));
    EXPECT_THAT(outcome.out, HasSubstr("--json"));
    EXPECT_EQ(run_cannula({"help", verb}).out, outcome.out);
  }
}

TEST(CommandLine, VersionIsPrintedEitherWay) {
  EXPECT_THAT(run_cannula({"--version"}).out, StartsWith("cannula "));
  EXPECT_TRUE(nlohmann::json::parse(run_cannula({"version", "--json"}).out).contains("version"));
}

TEST(CommandLine, WithoutAVerbTheOverviewIsAnError) {
  const Outcome outcome = run_cannula({});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("usage: cannula VERB"));
  EXPECT_EQ(run_cannula({"--help"}).code, kFine);
}

TEST(CommandLine, VerbsOfTwoWordsAreFoundAndExplained) {
  const Verb verbs[] = {
      {.name = "msg show",
       .summary = "Show.",
       .example = "cannula msg show X",
       .declare = {},
       .run = [](const Context&) { return 7; }},
  };
  const char* argv[] = {"cannula", "msg", "show"};
  Context quiet;
  quiet.err = std::fopen("/dev/null", "w");
  EXPECT_EQ(run_command_line(3, argv, verbs, quiet), 7);
  EXPECT_EQ(run_command_line(2, argv, verbs, quiet), kUsage);
  std::fclose(quiet.err);
}

TEST(Explain, PrintsTheCodeInEitherCase) {
  EXPECT_THAT(run_cannula({"explain", "c103"}).out, StartsWith("C103: Unknown key\n"));
  EXPECT_EQ(run_cannula({"explain", "C999"}).code, kUsage);
}

TEST(NewSite, PassesItsOwnCheckInSilence) {
  Folder folder;
  EXPECT_EQ(run_cannula({"new", folder / "site"}).code, kFine);
  const Outcome outcome = run_cannula({"check", folder / "site"});
  EXPECT_EQ(outcome.code, kFine);
  EXPECT_THAT(outcome.out + outcome.err, IsEmpty());
}

TEST(NewSite, NeverOverwrites) {
  Folder folder;
  std::filesystem::create_directories(folder / "site");
  std::ofstream(folder / "site/README.md") << "mine";
  const Outcome outcome = run_cannula({"new", folder / "site"});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("README.md is there already"));
  EXPECT_FALSE(std::filesystem::exists(folder / "site/site.toml"));
  std::string kept;
  std::ifstream(folder / "site/README.md") >> kept;
  EXPECT_EQ(kept, "mine");
}

TEST(Check, PrintsFindingsAndEndsWith78) {
  Folder folder;
  run_cannula({"new", folder / "site"});
  std::ofstream(folder / "site/site.toml") << "[stroe]\n";
  const Outcome outcome = run_cannula({"check", folder / "site"});
  EXPECT_EQ(outcome.code, kInvalidSite);
  EXPECT_THAT(outcome.out, StartsWith(folder / "site/site.toml:1:2: error[C103]"));

  const Outcome json = run_cannula({"check", folder / "site", "--json"});
  EXPECT_EQ(json.code, kInvalidSite);
  const auto parsed = nlohmann::json::parse(json.out);
  EXPECT_EQ(parsed["valid"], false);
  EXPECT_EQ(parsed["findings"][0]["code"], "C103");
  EXPECT_EQ(parsed["findings"][0]["line"], 1);
  EXPECT_EQ(parsed["findings"][0]["column"], 2);
}

TEST(Check, FindsScriptErrorsBesideOthers) {
  Folder folder;
  run_cannula({"new", folder / "site"});
  std::ofstream(folder / "site/site.toml") << "[stroe]\n";
  std::ofstream(folder / "site/channels/results/main.lua") << "function main(msg\n";
  const Outcome outcome = run_cannula({"check", folder / "site"});
  EXPECT_THAT(outcome.out, HasSubstr("main.lua:"));
  EXPECT_THAT(outcome.out, HasSubstr("error[L"));
}

TEST(Reference, PagesNameVerbsKeysAndCodes) {
  EXPECT_THAT(run_cannula({"reference", "cli"}).out, HasSubstr("## send\n"));
  EXPECT_THAT(run_cannula({"reference", "cli"}).out, Not(HasSubstr("## reference")));
  EXPECT_THAT(run_cannula({"reference", "config"}).out, HasSubstr("`order.by`"));
  EXPECT_THAT(run_cannula({"reference", "errors"}).out, HasSubstr("### C103: Unknown key"));
  EXPECT_EQ(run_cannula({"reference", "nothing"}).code, kUsage);
}

}  // namespace
}  // namespace cannula::cli
