// The clinical view of a message: what rules see instead of segments and elements, so that the same
// rule runs on HL7 v2, and later on FHIR and C-CDA.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cannula::hl7v2 {
class Message;
}

namespace cannula::facts {

// A code and the system it is of, by the name rules use: "loinc", "snomed", "icd10", "rxnorm",
// "ucum", or else the local system's own name ("99LAB", "L"); empty when the message names none.
struct Code {
  std::string system;
  std::string code;
  std::string text;
  friend bool operator==(const Code&, const Code&) = default;
};

// The name rules use for a code system, by any of those that messages use (HL7 table 0396, OIDs):
// "LN" is "loinc". A system that nobody knows keeps the name it has.
std::string code_system(std::string written);

// A moment as a message gave it. `precision` says how much of it was written.
struct Moment {
  enum class Precision : std::uint8_t { year, month, day, hour, minute, second, fraction };
  std::int64_t microseconds = 0;  // since 1970-01-01 UTC, of the earliest instant that it can mean
  Precision precision = Precision::day;
  std::chrono::year_month_day local_day{};  // as written, where it was written
};

// A number as written: "7.10" keeps its digits.
struct Decimal {
  std::string text;
  double value = 0;
};

enum class Comparator : std::uint8_t { equal, less, less_or_equal, greater, greater_or_equal };

// What was observed. Absent means that the message does not say, which is not the same as "no".
struct Observation {
  std::size_t ordinal = 0;                    // counts the observations of the message from 1
  std::string place;                          // for people: "OBX[3]"
  std::vector<Code> codes;                    // OBX-3, also its alternate
  std::optional<Decimal> value;               // of NM and SN, and of text that is a number
  Comparator comparator = Comparator::equal;  // "<5" is less, 5
  std::vector<Code> coded_values;             // of CE, CWE
  std::string text;                           // of anything else, as plain text
  std::string unit;                           // as the message has it: OBX-6.1
  std::string reference_range;
  std::vector<std::string> flags;  // OBX-8: "H", "LL" …
  // The meaning of OBX-11 (HL7 table 0085).
  enum class Status : std::uint8_t {
    unknown,
    preliminary,
    final,
    corrected,
    cancelled,
    wrong,
    partial,
    pending
  } status = Status::unknown;
  std::optional<Moment> time;             // OBX-14, else of the order, else of the specimen
  std::vector<Code> specimen_conditions;  // SPM-24, SPM-21 (why rejected), OBR-15.3: hemolyzed …
};

struct Patient {
  std::optional<Moment> born;
  enum class Sex : std::uint8_t { unknown, female, male, other } sex = Sex::unknown;
};

struct Case {
  Patient patient;
  std::vector<Observation> observations;
  std::optional<Moment> message_time;
};

// `timezone`: IANA name for times without an offset; empty: UTC is taken. Never fails: what cannot
// be read is absent. `charset` conversion is the caller's: texts are taken as they stand.
Case from_hl7v2(const hl7v2::Message& message, std::string_view timezone);

}  // namespace cannula::facts
