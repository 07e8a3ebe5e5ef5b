#include "parsers/fhir/primitive.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "parsers/tree/document.h"

namespace cannula::fhir {
namespace {

constexpr std::array<std::string_view, 21> kNames = {
    "",         "boolean", "integer", "decimal",  "positiveInt", "unsignedInt", "string",
    "markdown", "xhtml",   "code",    "id",       "uri",         "url",         "canonical",
    "oid",      "uuid",    "date",    "dateTime", "instant",     "time",        "base64Binary"};

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}
bool is_blank(char letter) {
  // Nearly every letter is behind the blank, so one look does.
  return static_cast<unsigned char>(letter) <= ' ' &&
         (letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r');
}
bool is_hexadecimal(char letter) {
  return is_digit(letter) || ((letter | 0x20) >= 'a' && (letter | 0x20) <= 'f');
}

// Reads the parts of dates and times from the front of a text.
class Clock {
 public:
  explicit Clock(std::string_view text) : left_(text) {}

  bool done() const { return left_.empty(); }
  bool skip(char letter) {
    if (left_.empty() || left_.front() != letter) return false;
    left_.remove_prefix(1);
    return true;
  }
  // Exactly so many digits, from `least` to `most`.
  bool number(std::size_t digits, int least, int most) {
    if (left_.size() < digits) return false;
    value_ = 0;
    for (std::size_t at = 0; at < digits; ++at) {
      if (!is_digit(left_[at])) return false;
      value_ = value_ * 10 + (left_[at] - '0');
    }
    left_.remove_prefix(digits);
    return value_ >= least && value_ <= most;
  }

  // YYYY, YYYY-MM or YYYY-MM-DD; `whole` when it went to the day.
  bool date(bool& whole) {
    whole = false;
    if (!number(4, 1, 9999)) return false;
    const int year = value_;
    if (!skip('-')) return true;
    if (!number(2, 1, 12)) return false;
    const int month = value_;
    if (!skip('-')) return true;
    constexpr int kDays[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    whole = number(2, 1, month == 2 && !leap ? 28 : kDays[month - 1]);
    return whole;
  }
  bool time() {
    if (!number(2, 0, 23) || !skip(':') || !number(2, 0, 59) || !skip(':') || !number(2, 0, 60)) {
      return false;
    }
    if (!skip('.')) return true;
    if (done() || !is_digit(left_.front())) return false;
    while (!done() && is_digit(left_.front())) left_.remove_prefix(1);
    return true;
  }
  bool offset() {
    if (skip('Z')) return true;
    return (skip('+') || skip('-')) && number(2, 0, 14) && skip(':') && number(2, 0, 59);
  }

 private:
  std::string_view left_;
  int value_ = 0;
};

bool is_date(std::string_view text) {
  Clock clock(text);
  bool whole = false;
  return clock.date(whole) && clock.done();
}

bool is_moment(std::string_view text, bool date_suffices) {
  Clock clock(text);
  bool whole = false;
  if (!clock.date(whole)) return false;
  if (clock.done()) return date_suffices;
  return whole && clock.skip('T') && clock.time() && clock.offset() && clock.done();
}

bool is_time(std::string_view text) {
  Clock clock(text);
  return clock.time() && clock.done();
}

bool is_integer(std::string_view text, std::int64_t least) {
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size() && tree::is_number(text) &&
         value >= least && value <= 2147483647;
}

// Eight letters at a time: nearly every text has none up to the blank.
bool has_no_blanks(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    if (((word - kOnes * 0x21) & ~word & kHighs) != 0) break;
  }
  return std::none_of(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(),
                      [](char letter) { return is_blank(letter); });
}

// No blank at either end, and no two together.
bool is_code(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (is_blank(text[at]) && (at == 0 || at + 1 == text.size() || is_blank(text[at - 1]))) {
      return false;
    }
  }
  return true;
}

bool is_id(std::string_view text) {
  return text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char letter) {
           return is_digit(letter) || ((letter | 0x20) >= 'a' && (letter | 0x20) <= 'z') ||
                  letter == '-' || letter == '.';
         });
}

bool is_oid(std::string_view text) {
  if (!text.starts_with("urn:oid:")) return false;
  text.remove_prefix(8);
  if (text.empty() || text[0] < '0' || text[0] > '2' || text.size() < 3) return false;
  for (std::size_t at = 1; at < text.size();) {
    if (text[at] != '.') return false;
    const std::size_t begin = ++at;
    while (at < text.size() && is_digit(text[at])) ++at;
    if (at == begin || (text[begin] == '0' && at > begin + 1)) return false;
  }
  return true;
}

bool is_uuid(std::string_view text) {
  if (!text.starts_with("urn:uuid:") || text.size() != 45) return false;
  text.remove_prefix(9);
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool dash = at == 8 || at == 13 || at == 18 || at == 23;
    if (dash ? text[at] != '-' : !is_hexadecimal(text[at])) return false;
  }
  return true;
}

bool is_base64(std::string_view text) {
  std::size_t letters = 0;
  std::size_t padding = 0;
  for (const char letter : text) {
    if (is_blank(letter)) continue;
    const bool usual = is_digit(letter) || ((letter | 0x20) >= 'a' && (letter | 0x20) <= 'z') ||
                       letter == '+' || letter == '/';
    if (letter == '=' ? ++padding > 2 : !usual || padding != 0) return false;
    ++letters;
  }
  return letters % 4 == 0;
}

bool has_form(Primitive type, std::string_view text) {
  switch (type) {
    case Primitive::boolean:
      return text == "true" || text == "false";
    case Primitive::integer:
      return is_integer(text, -2147483648);
    case Primitive::positive_int:
      return is_integer(text, 1);
    case Primitive::unsigned_int:
      return is_integer(text, 0);
    case Primitive::decimal:
      return tree::is_number(text);
    case Primitive::date:
      return is_date(text);
    case Primitive::date_time:
      return is_moment(text, true);
    case Primitive::instant:
      return is_moment(text, false);
    case Primitive::time:
      return is_time(text);
    case Primitive::code:
      return is_code(text);
    case Primitive::id:
      return is_id(text);
    case Primitive::uri:
    case Primitive::url:
    case Primitive::canonical:
      return has_no_blanks(text);
    case Primitive::oid:
      return is_oid(text);
    case Primitive::uuid:
      return is_uuid(text);
    case Primitive::base64_binary:
      return is_base64(text);
    case Primitive::xhtml:
      return text.starts_with("<div");
    case Primitive::none:
    case Primitive::string:
    case Primitive::markdown:
      return true;
  }
  return true;
}

std::string_view form_of(Primitive type) {
  switch (type) {
    case Primitive::boolean:
      return "true or false";
    case Primitive::integer:
      return "a whole number from -2147483648 to 2147483647";
    case Primitive::positive_int:
      return "a whole number from 1 to 2147483647";
    case Primitive::unsigned_int:
      return "a whole number from 0 to 2147483647";
    case Primitive::decimal:
      return "a number with a decimal point, such as 7.10";
    case Primitive::date:
      return "a date: YYYY, YYYY-MM or YYYY-MM-DD";
    case Primitive::date_time:
      return "a date, YYYY, YYYY-MM or YYYY-MM-DD, or a time to the second with its offset from "
             "UTC: YYYY-MM-DDThh:mm:ss+zz:zz";
    case Primitive::instant:
      return "a time to the second with its offset from UTC: YYYY-MM-DDThh:mm:ss+zz:zz";
    case Primitive::time:
      return "a time of the day: hh:mm:ss";
    case Primitive::code:
      return "a code, without blanks at its ends or two together";
    case Primitive::id:
      return "an id: 1 to 64 of letters, digits, '-' and '.'";
    case Primitive::uri:
    case Primitive::url:
    case Primitive::canonical:
      return "a URI, without blanks";
    case Primitive::oid:
      return "an OID: urn:oid:1.2.3";
    case Primitive::uuid:
      return "a UUID: urn:uuid:xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    case Primitive::base64_binary:
      return "base64";
    case Primitive::xhtml:
      return "XHTML that begins with <div";
    default:
      return "a text";
  }
}

}  // namespace

std::optional<Primitive> primitive_named(std::string_view name) {
  const auto found = std::find(kNames.begin() + 1, kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Primitive>(found - kNames.begin());
}

std::string_view name_of(Primitive type) {
  return kNames[static_cast<std::size_t>(type)];
}

bool is_numeric(Primitive type) {
  return type >= Primitive::integer && type <= Primitive::unsigned_int;
}

std::optional<std::string_view> wrong_form(Primitive type, std::string_view text) {
  if (has_form(type, text)) return std::nullopt;
  return form_of(type);
}

}  // namespace cannula::fhir
