#include "parsers/text/result.h"

#include <memory>
#include <stdexcept>

#include <gtest/gtest.h>

namespace cannula {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return Error{"X001", "the number is odd", "give an even one", Span{0, 1}};
  return number / 2;
}

Result<int> quarter(int number) {
  const int once = TRY(half(number));
  return TRY(half(once));
}

Result<void> check(int number) {
  TRY(half(number));
  return {};
}

Result<std::unique_ptr<int>> boxed(int number) {
  return std::make_unique<int>(TRY(half(number)));
}
Result<int> unboxed(int number) {
  const std::unique_ptr<int> box = TRY(boxed(number));
  return *box;
}

TEST(Try, GivesTheValue) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_TRUE(check(2));
}

TEST(Try, ReturnsTheErrorAsItIs) {
  const auto result = quarter(6);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "X001");
  EXPECT_EQ(result.error().span, (Span{0, 1}));
  EXPECT_EQ(check(1).error().hint, "give an even one");
}

TEST(Try, MovesValuesThatCannotBeCopied) {
  EXPECT_EQ(*unboxed(4), 2);
  EXPECT_FALSE(unboxed(3));
}

TEST(Try, EvaluatesItsExpressionOnce) {
  int calls = 0;
  const auto counted = [&]() -> Result<int> { return ++calls; };
  const auto use = [&]() -> Result<int> { return TRY(counted()); };
  EXPECT_EQ(*use(), 1);
  EXPECT_EQ(calls, 1);
}

TEST(Error, IsOneLine) {
  EXPECT_EQ((Error{"X001", "it is odd", "give an even one", {}}.text()),
            "it is odd (give an even one) [X001]");
  EXPECT_EQ((Error{"", "it is odd", "", {}}.text()), "it is odd");
}

// value() on a failure is a bug of ours; it must not go on with rubbish.
TEST(Result, AskingAFailureForItsValueThrows) {
  EXPECT_THROW((void)half(1).value(), std::logic_error);
}

}  // namespace
}  // namespace cannula
