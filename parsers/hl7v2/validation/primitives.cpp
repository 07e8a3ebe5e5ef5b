#include "parsers/hl7v2/validation/primitives.h"

#include <algorithm>

namespace cannula::hl7v2 {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Takes digits off the front of a text.
class Digits {
 public:
  explicit Digits(std::string_view text) : rest_(text) {}

  // Exactly `count` of them, and their number within the range.
  bool number(std::size_t count, int lowest, int highest) {
    if (rest_.size() < count) return false;
    int value = 0;
    for (const char c : rest_.substr(0, count)) {
      if (!is_digit(c)) return false;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    last_ = value;
    return value >= lowest && value <= highest;
  }
  bool has_digit() const { return !rest_.empty() && is_digit(rest_.front()); }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // One to four digits behind the point.
  bool fraction() {
    std::size_t count = 0;
    while (has_digit()) {
      rest_.remove_prefix(1);
      ++count;
    }
    return count >= 1 && count <= 4;
  }
  bool done() const { return rest_.empty(); }
  int last() const { return last_; }

 private:
  std::string_view rest_;
  int last_ = 0;
};

int days_in(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

// YYYY[MM[DD]]; `whole` tells whether the day was there.
bool read_date(Digits& digits, bool& whole) {
  whole = false;
  if (!digits.number(4, 0, 9999)) return false;
  const int year = digits.last();
  if (!digits.has_digit()) return true;
  if (!digits.number(2, 1, 12)) return false;
  const int month = digits.last();
  if (!digits.has_digit()) return true;
  whole = true;
  return digits.number(2, 1, days_in(year, month));
}

// HH[MM[SS[.S[S[S[S]]]]]]; 24 and 60 are not hours and seconds of the standard (2.A.75), though
// 23:59:60 is a leap second in the world.
bool read_time(Digits& digits) {
  if (!digits.number(2, 0, 23)) return false;
  if (!digits.has_digit()) return true;
  if (!digits.number(2, 0, 59)) return false;
  if (!digits.has_digit()) return true;
  if (!digits.number(2, 0, 60)) return false;
  return !digits.take('.') || digits.fraction();
}

bool read_offset(Digits& digits) {
  if (!digits.take('+') && !digits.take('-')) return true;
  return digits.number(2, 0, 14) && digits.number(2, 0, 59);
}

bool is_date(std::string_view text) {
  Digits digits(text);
  bool whole = false;
  return read_date(digits, whole) && digits.done();
}

bool is_time(std::string_view text) {
  Digits digits(text);
  return read_time(digits) && read_offset(digits) && digits.done();
}

bool is_date_time(std::string_view text) {
  Digits digits(text);
  bool whole = false;
  if (!read_date(digits, whole)) return false;
  if (whole && digits.has_digit() && !read_time(digits)) return false;
  return read_offset(digits) && digits.done();
}

bool is_number(std::string_view text) {
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) text.remove_prefix(1);
  const auto point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view part =
      point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  return !(whole.empty() && part.empty()) && std::all_of(whole.begin(), whole.end(), is_digit) &&
         std::all_of(part.begin(), part.end(), is_digit);
}

}  // namespace

bool has_form(std::string_view type) {
  return type == "NM" || type == "SI" || type == "DT" || type == "TM" || type == "DTM";
}

std::string_view wrong_with(std::string_view type, std::string_view text) {
  if (type == "NM") {
    return is_number(text) ? "" : "is no number: a sign, digits and a decimal point are expected";
  }
  if (type == "SI") {
    const bool fine = !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
    return fine ? "" : "is no sequence number: digits are expected";
  }
  if (type == "DT") return is_date(text) ? "" : "is no date: YYYY[MM[DD]] is expected";
  if (type == "TM") {
    return is_time(text) ? "" : "is no time: HH[MM[SS[.SSSS]]][+/-ZZZZ] is expected";
  }
  if (type == "DTM") {
    return is_date_time(text)
               ? ""
               : "is no date and time: YYYY[MM[DD[HH[MM[SS[.SSSS]]]]]][+/-ZZZZ] is expected";
  }
  return "";
}

}  // namespace cannula::hl7v2
