#include "parsers/text/span.h"

#include <gtest/gtest.h>

namespace cannula {
namespace {

TEST(Source, CountsLinesAtEveryLineEnd) {
  const Source source("mixed", "a\rb\nc\r\nd");
  EXPECT_EQ(source.line_count(), 4U);
  EXPECT_EQ(source.line(1), "a");
  EXPECT_EQ(source.line(2), "b");
  EXPECT_EQ(source.line(3), "c");
  EXPECT_EQ(source.line(4), "d");
}

TEST(Source, ALineEndAtTheEndBeginsAnEmptyLine) {
  const Source source("one", "a\n");
  EXPECT_EQ(source.line_count(), 2U);
  EXPECT_EQ(source.line(2), "");
  EXPECT_EQ(source.position(2), (Position{2, 1}));
  EXPECT_EQ(Source("empty", "").line_count(), 1U);
}

TEST(Source, HasNoLineOutsideOfTheText) {
  const Source source("one", "a\nb");
  EXPECT_EQ(source.line(0), "");
  EXPECT_EQ(source.line(3), "");
}

TEST(Source, PositionsCountFromOne) {
  const Source source("two", "ab\ncd");
  EXPECT_EQ(source.position(0), (Position{1, 1}));
  EXPECT_EQ(source.position(1), (Position{1, 2}));
  EXPECT_EQ(source.position(2), (Position{1, 3}));  // the line end belongs to its line
  EXPECT_EQ(source.position(3), (Position{2, 1}));
  EXPECT_EQ(source.position(99), (Position{2, 3}));
}

TEST(Source, TheTwoBytesOfCrlfAreOnOneLine) {
  const Source source("crlf", "a\r\nb");
  EXPECT_EQ(source.position(1).line, 1U);
  EXPECT_EQ(source.position(2).line, 1U);
  EXPECT_EQ(source.position(3), (Position{2, 1}));
}

TEST(Source, SpanAtIsTheInverseOfPosition) {
  const Source source("text", "one\r\ntwo\nthree\rfour");
  for (std::size_t offset = 0; offset < source.text().size(); ++offset) {
    const Position at = source.position(offset);
    EXPECT_EQ(source.span_at(at.line, at.column).begin, offset);
  }
}

TEST(Source, SpanAtIsClampedIntoTheText) {
  const Source source("text", "ab\ncd");
  EXPECT_EQ(source.span_at(2, 1, 99), (Span{3, 5}));
  EXPECT_EQ(source.span_at(9, 1), (Span{5, 5}));
  EXPECT_EQ(source.span_at(2, 99), (Span{5, 5}));
  EXPECT_EQ(source.span_at(0, 0), (Span{0, 1}));
}

}  // namespace
}  // namespace cannula
