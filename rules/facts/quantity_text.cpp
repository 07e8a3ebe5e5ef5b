#include "rules/facts/quantity_text.h"

#include <charconv>

namespace cannula::facts {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

struct Sign {
  std::string_view written;
  Comparator comparator;
};

// The longer first.
constexpr Sign kSigns[] = {
    {"<=", Comparator::less_or_equal},
    {">=", Comparator::greater_or_equal},
    {"=<", Comparator::less_or_equal},
    {"=>", Comparator::greater_or_equal},
    {"\u2264", Comparator::less_or_equal},
    {"\u2265", Comparator::greater_or_equal},
    {"<", Comparator::less},
    {">", Comparator::greater},
    {"=", Comparator::equal},
};

}  // namespace

std::optional<Decimal> read_decimal(std::string_view text) {
  text = trimmed(text);
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  const std::string_view unsigned_digits =
      digits.starts_with('-') && digits.data() == text.data() ? digits.substr(1) : digits;
  // from_chars reads "inf" and "nan" too.
  if (unsigned_digits.empty() || unsigned_digits.size() > 40) return std::nullopt;
  const char first = unsigned_digits.front();
  if (!(first >= '0' && first <= '9') && first != '.') return std::nullopt;
  Decimal decimal;
  const char* const end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, decimal.value);
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  decimal.text = std::string(text);
  return decimal;
}

std::optional<Comparator> read_comparator(std::string_view text) {
  text = trimmed(text);
  for (const Sign& sign : kSigns) {
    if (sign.written == text) return sign.comparator;
  }
  return std::nullopt;
}

std::optional<WrittenNumber> read_number(std::string_view text) {
  text = trimmed(text);
  WrittenNumber written;
  for (const Sign& sign : kSigns) {
    if (!text.starts_with(sign.written)) continue;
    written.comparator = sign.comparator;
    text.remove_prefix(sign.written.size());
    break;
  }
  auto number = read_decimal(text);
  if (!number) return std::nullopt;
  written.number = std::move(*number);
  return written;
}

std::optional<WrittenRange> read_range(std::string_view text) {
  text = trimmed(text);
  WrittenRange range;
  if (const auto bound = read_number(text); bound && bound->comparator != Comparator::equal) {
    const Comparator comparator = bound->comparator;
    const bool upper = comparator == Comparator::less || comparator == Comparator::less_or_equal;
    (upper ? range.high : range.low) = bound->number.value;
    range.high_excluded = comparator == Comparator::less;
    range.low_excluded = comparator == Comparator::greater;
    return range;
  }
  // The hyphen behind the first number: "-2-3" has one at 2.
  const std::size_t hyphen = text.find('-', 1);
  if (hyphen == std::string_view::npos) return std::nullopt;
  const auto low = read_decimal(text.substr(0, hyphen));
  const auto high = read_decimal(text.substr(hyphen + 1));
  if (!low || !high || low->value > high->value) return std::nullopt;
  range.low = low->value;
  range.high = high->value;
  return range;
}

}  // namespace cannula::facts
