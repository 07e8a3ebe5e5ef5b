// Collects findings up to a limit. Internal to the room.
#pragma once

#include <array>

#include <fmt/format.h>

#include "parsers/hl7v2/validation/validation.h"

namespace cannula::hl7v2 {

// A code with what goes with it wherever it is found.
struct Kind {
  std::string_view code;
  Severity severity;
  std::string_view condition;  // of table 0357
};

namespace kinds {
inline constexpr Kind kFieldMissing{"H701", Severity::error, "101"};
inline constexpr Kind kComponentMissing{"H702", Severity::warning, "101"};
inline constexpr Kind kTooLong{"H703", Severity::warning, "102"};
inline constexpr Kind kUnknownCode{"H704", Severity::error, "103"};
inline constexpr Kind kWrongType{"H705", Severity::error, "102"};
inline constexpr Kind kTooManyRepetitions{"H706", Severity::warning, "102"};
inline constexpr Kind kUnknownSegment{"H707", Severity::warning, "100"};
inline constexpr Kind kNotInStructure{"H708", Severity::warning, "100"};
inline constexpr Kind kOutOfOrder{"H709", Severity::warning, "100"};
inline constexpr Kind kSegmentMissing{"H710", Severity::error, "100"};
inline constexpr Kind kWithdrawn{"H711", Severity::note, "0"};
inline constexpr Kind kBeyond{"H712", Severity::note, "0"};
inline constexpr Kind kUnknownVersion{"H713", Severity::error, "203"};
inline constexpr Kind kUnknownStructure{"H714", Severity::note, "200"};
inline constexpr Kind kValueType{"H715", Severity::error, "102"};
inline constexpr Kind kMore{"H719", Severity::note, "0"};
}  // namespace kinds

class Findings {
 public:
  Findings(const Message& message, std::size_t limit) : message_(message), limit_(limit) {}

  // Beyond the limit a finding takes the place of a lesser one: no sender hides an error behind
  // notes.
  void add(const Kind& kind, const Place& place, std::string text);
  // The same with another severity.
  void add(Kind kind, Severity severity, const Place& place, std::string text) {
    kind.severity = severity;
    add(kind, place, std::move(text));
  }
  // A segment that should stand behind that of `place`; its path is its name.
  void add_missing_segment(Kind kind, Severity severity, const Place& place, std::string_view name,
                           std::string text);
  std::vector<Finding> take() &&;

  // "PID-3[2].1" of a place, in time that does not grow with the message.
  Path path_of(const Place& place);
  // The n-th of its name, from 1.
  std::uint32_t number_of(SegmentId segment);

 private:
  // Where a finding of that severity goes; null when it is left out.
  Finding* room_for(Severity severity);
  Finding* add_finding(const Kind& kind, const Place& place, std::string text);

  const Message& message_;
  const std::size_t limit_;
  std::size_t left_out_ = 0;
  std::vector<Finding> found_;
  std::array<std::size_t, 3> kept_{};   // by severity
  std::vector<std::uint32_t> numbers_;  // by segment id, filled when first asked for
};

}  // namespace cannula::hl7v2
