// DTM and TS, the times of HL7 v2: YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ] (2.A.22), read
// with the precision and the offset they were written with, and written back the same.
//
//   const DateTime time = TRY(DateTime::parse("20260115093042.50-0500"));
//   time.precision   // second; time.fraction is "50"
//   time.text()      // "20260115093042.50-0500"
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "parsers/text/result.h"
#include "parsers/text/time_zone.h"

namespace cannula::hl7v2 {

class Message;

struct DateTime {
  enum class Precision { year, month, day, hour, minute, second };

  // What the precision leaves out has the value it has here.
  int year = 1;          // 0 to 9999
  int month = 1;         // 1 to 12
  int day = 1;           // 1 to 31, and one that the month has
  int hour = 0;          // 0 to 23
  int minute = 0;        // 0 to 59
  int second = 0;        // 0 to 59
  std::string fraction;  // of the second, digits as written: "50"; empty when there are none
  Precision precision = Precision::year;
  // Nothing: the local time of a place that the text does not name.
  std::optional<std::chrono::minutes> offset;
  // Written -0000: UTC, at a place whose offset is not known (ISO 8601, RFC 3339 4.3).
  bool unknown_local = false;

  // Blanks at the ends are passed over. ISO 8601 is read too ("2026-01-15T09:30:42Z"), because
  // senders write it. Fails (H501) saying what is wrong with the text.
  static Result<DateTime> parse(std::string_view text);
  // TS (2.A.77) had a second component, the degree of precision (Y L D H M S): what is finer than
  // it says was filled up by the sender. Other letters are passed over.
  static Result<DateTime> parse(std::string_view text, std::string_view degree_of_precision);

  std::string text() const;      // as HL7 v2 writes it
  std::string iso_date() const;  // "2026-01-15", or to the month or year
  // Microseconds since 1970-01-01 UTC; `zone` is that of the clock when there is no offset.
  // Fractions beyond microseconds are cut.
  std::int64_t microseconds(const TimeZone& zone) const;
  // The seconds that the clock showed, counted as if it were in UTC.
  std::int64_t clock_seconds() const;

  friend bool operator==(const DateTime&, const DateTime&) = default;
};

// The offset of the times in `message` that carry none: that of MSH-7 (2.14.9.7). nullopt when
// MSH-7 is no time or has none itself: they are local times of the sender.
std::optional<std::chrono::minutes> default_offset(const Message& message);

// "year" … "second".
std::string_view name_of(DateTime::Precision precision);

}  // namespace cannula::hl7v2
