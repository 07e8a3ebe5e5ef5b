#include "rules/tables/loinc.h"

#include <algorithm>

#include <fmt/format.h>

#include "rules/tables/findings.h"

namespace cannula::tables {
namespace {

constexpr std::size_t kMostDigits = 7;

bool are_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Digits, a hyphen, a digit; `prefix` letters before them.
bool has_form(std::string_view text, std::size_t prefix) {
  if (text.size() < prefix + 3 || text.size() > prefix + kMostDigits + 2) return false;
  const std::string_view number = text.substr(prefix);
  return are_digits(number.substr(0, number.size() - 2)) && number[number.size() - 2] == '-' &&
         are_digits(number.substr(number.size() - 1));
}

// Codes that are not of observations: answers, parts, answer lists and groups.
bool is_of_another_kind(std::string_view text) {
  return text.size() > 2 && text[0] == 'L' &&
         std::string_view("APLG").find(text[1]) != std::string_view::npos && has_form(text, 2);
}

std::string with_check_digit(std::string_view digits) {
  return std::string(digits) + '-' + loinc_check_digit(digits);
}

// 28233, 2823, 2823–3 and 2823 3 are LOINC codes to whoever wrote them.
std::string meant_by(std::string_view text) {
  const std::size_t first = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view digits = text.substr(0, first);
  if (digits.empty() || digits.size() > kMostDigits + 1) return {};
  if (first == text.size()) {
    const std::string_view body = digits.substr(0, digits.size() - 1);
    if (!body.empty() && loinc_check_digit(body) == digits.back()) return with_check_digit(body);
    return digits.size() <= kMostDigits ? with_check_digit(digits) : std::string();
  }
  const std::size_t last = text.find_first_of("0123456789", first);
  if (last != text.size() - 1 || digits.size() > kMostDigits) return {};
  const std::string_view between = text.substr(first, last - first);
  const bool is_dash = std::none_of(between.begin(), between.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  if (!is_dash || loinc_check_digit(digits) != text.back()) return {};
  return with_check_digit(digits);
}

}  // namespace

char loinc_check_digit(std::string_view digits) {
  int sum = 0;
  bool doubled = true;  // every other digit, beginning with the last
  for (auto at = digits.rbegin(); at != digits.rend(); ++at, doubled = !doubled) {
    const int digit = *at - '0';
    sum += !doubled ? digit : digit < 5 ? 2 * digit : 2 * digit - 9;
  }
  return static_cast<char>('0' + (10 - sum % 10) % 10);
}

std::optional<LoincMistake> loinc_mistake(std::string_view text) {
  if (is_of_another_kind(text)) return std::nullopt;
  if (!has_form(text, 0)) {
    return LoincMistake{fmt::format("{} is no LOINC code, which is digits, a hyphen and a check "
                                    "digit, such as 2823-3",
                                    in_quotes(text)),
                        meant_by(text)};
  }
  const std::string_view digits = text.substr(0, text.size() - 2);
  const char right = loinc_check_digit(digits);
  if (text.back() == right) return std::nullopt;
  return LoincMistake{
      fmt::format("`{}` is no LOINC code: the check digit of {} is {}", text, digits, right),
      with_check_digit(digits)};
}

}  // namespace cannula::tables
