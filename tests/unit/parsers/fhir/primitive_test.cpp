#include "parsers/fhir/primitive.h"

#include <string>

#include <gtest/gtest.h>

namespace cannula::fhir {
namespace {

bool is(Primitive type, std::string_view text) {
  return !wrong_form(type, text);
}

TEST(Primitive, AUriHasNoBlankAnywhere) {
  for (std::size_t size = 1; size <= 40; ++size) {
    const std::string uri(size, '!');  // the letter behind the blank
    EXPECT_TRUE(is(Primitive::uri, uri));
    for (std::size_t at = 0; at < size; ++at) {
      for (const char blank : {' ', '\t', '\n', '\r'}) {
        std::string broken = uri;
        broken[at] = blank;
        EXPECT_FALSE(is(Primitive::uri, broken)) << size << " " << at;
      }
      std::string other = uri;
      other[at] = '\xC3';
      EXPECT_TRUE(is(Primitive::uri, other));
      other[at] = '\x01';
      EXPECT_TRUE(is(Primitive::uri, other)) << "no blank, whatever else it is";
    }
  }
}

TEST(Primitive, ATimeHasEachPartInItsBounds) {
  EXPECT_TRUE(is(Primitive::date_time, "2026-11-23T08:15:00-05:00"));
  EXPECT_TRUE(is(Primitive::date_time, "2026-11-23T08:15:60.25Z"));
  EXPECT_TRUE(is(Primitive::date_time, "2026-11"));
  EXPECT_TRUE(is(Primitive::date, "2024-02-29"));
  for (const char* wrong :
       {"2026-02-29", "2026-13-01", "2026-00-10", "0000-01-01", "202-01-01", "2026-1-01",
        "2026-11-23T08:15", "2026-11-23T24:00:00Z", "2026-11-23T08:60:00Z", "2026-11-23T08:15:61Z",
        "2026-11-23T08:15:00", "2026-11-23T08:15:00+15:00", "2026-11-23T0A:15:00Z",
        "2026-11-23T08:15:00.Z", "2026-11T08:15:00Z", "2026-11-23T08:15:00Z "}) {
    EXPECT_FALSE(is(Primitive::date_time, wrong)) << wrong;
  }
}

}  // namespace
}  // namespace cannula::fhir
