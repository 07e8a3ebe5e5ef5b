// The name of a place in a message: "PID-3[1].4.2".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "parsers/text/result.h"

namespace cannula::hl7v2 {

// Segment, field, repetition, component, subcomponent, counted from 1 as the standard does; 0 = not
// named. Forms read:
//   PID · PID-3 · PID-3.1 · PID-3[2].1 · PID-3[*].4.2 · OBX[2]-5 · OBX[*]-3.1
// and, relative to a segment, without its name: 3 · 3.1 · 3[2].4.2. A field without [n] means its
// first repetition. As people coming from other engines write it, PID.3.1 and PID-3-1 are read too.
// Numbers go up to 65535, segments to 9999999. Segment names are three of A-Z and 0-9; small
// letters are read as capitals.
struct Path {
  static constexpr std::uint32_t kAll = 0xFFFFFFFF;  // [*]

  char segment[3] = {0, 0, 0};      // all zero: relative to a segment
  std::uint32_t segment_index = 1;  // the n-th of that name, or kAll
  std::uint32_t field = 0;
  std::uint32_t repetition = 0;  // 0: not written, read as the first; kAll
  std::uint32_t component = 0;
  std::uint32_t subcomponent = 0;

  // Fails (H001) with the position in `text` as span.
  static Result<Path> parse(std::string_view text);
  std::string text() const;  // the shortest form that parse() reads as the same path
  std::string_view segment_name() const {
    return segment[0] ? std::string_view(segment, 3) : std::string_view();
  }
  friend bool operator==(const Path&, const Path&) = default;
};

}  // namespace cannula::hl7v2
