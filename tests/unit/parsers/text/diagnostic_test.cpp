#include "parsers/text/diagnostic.h"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cannula {
namespace {

using testing::HasSubstr;

Diagnostic finding_in(std::string text, Span span) {
  Diagnostic finding;
  finding.code = "C103";
  finding.message = "the key is not known";
  finding.source = std::make_shared<const Source>("site.toml", std::move(text));
  finding.span = span;
  return finding;
}

// The column, from 0, in which the caret stands, and the width of the mark.
std::pair<std::size_t, std::size_t> mark_of(const std::string& rendered) {
  const std::size_t line = rendered.find("      | ");
  const std::size_t caret = rendered.find('^', line);
  const std::size_t end = rendered.find('\n', caret);
  return {caret - line - 8, end - caret};
}

TEST(Render, PrintsAsCompilersDo) {
  Diagnostic finding = finding_in("a = 1\nlissten = 2\n", {6, 13});
  finding.hint = "did you mean listen?";
  EXPECT_EQ(render(finding),
            "site.toml:2:1: error[C103]: the key is not known\n"
            "    2 | lissten = 2\n"
            "      | ^~~~~~~\n"
            "      = hint: did you mean listen?\n");
}

TEST(Render, NeedsNeitherSourceNorCode) {
  Diagnostic finding;
  finding.severity = Severity::warning;
  finding.message = "odd";
  EXPECT_EQ(render(finding), "warning: odd\n");
  finding.path = "PID-3[2].1";
  finding.code = "H201";
  EXPECT_EQ(render(finding), "warning[H201]: PID-3[2].1: odd\n");
  finding.source = std::make_shared<const Source>("feed.hl7", "PID");
  EXPECT_EQ(render(finding), "feed.hl7: warning[H201]: PID-3[2].1: odd\n");
}

TEST(Render, TheCaretStandsUnderItsCharacter) {
  EXPECT_EQ(mark_of(render(finding_in("abc = x", {6, 7}))),
            std::make_pair(std::size_t{6}, std::size_t{1}));
  EXPECT_EQ(mark_of(render(finding_in("\t\tx = 1", {2, 3}))),
            std::make_pair(std::size_t{2}, std::size_t{1}));
}

TEST(Render, ACharacterOfSeveralBytesIsOneColumn) {
  EXPECT_EQ(mark_of(render(finding_in("n = \"Müller\" x", {14, 15}))).first, 13U);
  EXPECT_EQ(mark_of(render(finding_in("ü = 1", {0, 2}))).second, 1U);
}

TEST(Render, ASpanAtTheEndOrOverSeveralLinesMarksItsFirstLine) {
  EXPECT_EQ(mark_of(render(finding_in("abc", {3, 3}))),
            std::make_pair(std::size_t{3}, std::size_t{1}));
  EXPECT_EQ(mark_of(render(finding_in("abc\ndef", {1, 6}))),
            std::make_pair(std::size_t{1}, std::size_t{2}));
  EXPECT_THAT(render(finding_in("", {0, 0})), HasSubstr("site.toml:1:1:"));
  EXPECT_THAT(render(finding_in("ab", {90, 99})), HasSubstr("site.toml:1:3:"));
}

TEST(Render, ALongLineIsCutAroundTheCaret) {
  std::string text(5000, 'x');
  text[3000] = '!';
  const std::string rendered = render(finding_in(text, {3000, 3001}));
  EXPECT_LT(rendered.size(), 500U);
  EXPECT_THAT(rendered, HasSubstr("…"));
  EXPECT_THAT(rendered, HasSubstr("!"));
  EXPECT_THAT(rendered, HasSubstr(":1:3001:"));
}

TEST(Render, ControlCharactersAreShownAsBlanks) {
  const std::string rendered = render(finding_in("a\x1b[31mb\x07", {0, 1}));
  EXPECT_EQ(rendered.find('\x1b'), std::string::npos);
  EXPECT_EQ(rendered.find('\x07'), std::string::npos);
}

TEST(Render, NothingThatATerminalObeysComesOutOfNamesAndTexts) {
  Diagnostic finding = finding_in("a = 1", {0, 1});
  finding.source = std::make_shared<const Source>("a\x1b[2J\n.toml", "a = 1");
  finding.message =
      "there is no \x1b]0;x\x07\r\nerror: forged \xC2\x9B"
      "31m";
  finding.path = "PID\x1b";
  finding.hint = "see\t\x7F";
  EXPECT_EQ(render(finding),
            "a?[2J / .toml:1:1: error[C103]: PID?: there is no ?]0;x?? / error: forged ?31m\n"
            "    1 | a = 1\n"
            "      | ^\n"
            "      = hint: see??\n");
}

TEST(Render, BytesOfOtherCharacterSetsAreShownAsQuestionMarks) {
  const std::string rendered = render(finding_in("M\xFCller \xC3\xBC \xB1 x\xE2\x82", {12, 13}));
  EXPECT_THAT(rendered, HasSubstr("| M?ller \xC3\xBC ? x??\n"));
  EXPECT_TRUE(rendered.ends_with("|            ^\n")) << rendered;
}

TEST(Render, SegmentsOfAMessageAreLines) {
  EXPECT_THAT(render(finding_in("MSH|^~\\&|A\rPID|1", {15, 16})), HasSubstr("site.toml:2:5:"));
}

TEST(Render, ListsAreRenderedOneAfterTheOther) {
  Diagnostic one;
  one.message = "one";
  Diagnostic two;
  two.message = "two";
  two.severity = Severity::note;
  EXPECT_EQ(render(std::array{one, two}), "error: one\nnote: two\n");
}

TEST(Diagnostic, OnlyErrorsAreErrors) {
  Diagnostic warning;
  warning.severity = Severity::warning;
  EXPECT_FALSE(has_errors(std::array{warning}));
  EXPECT_FALSE(has_errors({}));
  EXPECT_TRUE(has_errors(std::array{warning, Diagnostic{}}));
}

TEST(Nearest, FindsTheLikelyMeaning) {
  constexpr std::array<std::string_view, 4> keys = {"listen", "partner", "type", "ack"};
  EXPECT_EQ(nearest("lissten", keys), "listen");
  EXPECT_EQ(nearest("patrner", keys), "partner");  // two letters changed places: one step
  EXPECT_EQ(nearest("tipe", keys), "type");
  EXPECT_EQ(nearest("listen", keys), "listen");
}

TEST(Nearest, DoesNotGuessWildly) {
  constexpr std::array<std::string_view, 2> keys = {"listen", "partner"};
  EXPECT_EQ(nearest("certificate", keys), std::nullopt);
  EXPECT_EQ(nearest("", keys), std::nullopt);
  EXPECT_EQ(nearest("listen", {}), std::nullopt);
  EXPECT_EQ(nearest(std::string(10000, 'a'), keys), std::nullopt);
}

}  // namespace
}  // namespace cannula
