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

// The beginnings of the names of months, in small letters.
struct MonthName {
  std::string_view begin;
  unsigned month;
};
constexpr MonthName kMonthNames[] = {
    {"jan", 1},  {"ene", 1},      {"gen", 1},  {"feb", 2},      {"f\u00e9v", 2}, {"mar", 3},
    {"mrz", 3},  {"m\u00e4r", 3}, {"mrt", 3},  {"apr", 4},      {"abr", 4},      {"avr", 4},
    {"may", 5},  {"mai", 5},      {"mag", 5},  {"mei", 5},      {"jun", 6},      {"jui", 6},
    {"giu", 6},  {"jul", 7},      {"lug", 7},  {"aug", 8},      {"ago", 8},      {"ao\u00fb", 8},
    {"sep", 9},  {"set", 9},      {"oct", 10}, {"okt", 10},     {"ott", 10},     {"nov", 11},
    {"dec", 12}, {"dez", 12},     {"dic", 12}, {"d\u00e9c", 12}};
constexpr std::size_t kLongestMonth = 12;  // bytes

// 0 when the text is no month's name.
unsigned month_of(std::string_view text) {
  std::string small(text);
  for (char& c : small) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (small.size() > kLongestMonth || small.find_first_of("0123456789") != std::string::npos)
    return 0;
  if (small.starts_with("juil")) return 7;
  for (const MonthName& name : kMonthNames) {
    if (small.starts_with(name.begin)) return name.month;
  }
  return 0;
}

// Pieces between - . / , and blanks; none when there are more than three. A time behind the day is
// left out.
std::vector<std::string_view> pieces_of_date(std::string_view text) {
  if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    text = text.substr(0, text.find_last_of(" T", colon));
  }
  std::vector<std::string_view> pieces;
  constexpr std::string_view kMarks = "-./, ";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(kMarks, at), text.size());
    if (end > at) pieces.push_back(text.substr(at, end - at));
    if (pieces.size() > 3) return {};
    at = end + 1;
  }
  return pieces;
}

unsigned number_of(std::string_view digits) {
  unsigned number = 0;
  for (const char c : digits) number = number * 10 + static_cast<unsigned>(c - '0');
  return number;
}

void add_if_right(std::vector<std::string>& codes, std::string_view digits, unsigned check) {
  const std::string_view all =
      digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
  if (check == 0 || check > 9 || all.empty()) return;
  if (loinc_check_digit(all) != static_cast<char>('0' + check)) return;
  codes.push_back(with_check_digit(all));
}

// Year and month: 2028 and 9 are of 2028-9. Of 28 the century is lost; spreadsheets know days from
// 1900 to 9999.
void add_codes_of_year(std::vector<std::string>& codes, std::string_view year, unsigned month) {
  if (year.size() == 4) return add_if_right(codes, year, month);
  if (year.size() != 2) return;
  for (unsigned century = 19; century <= 99; ++century) {
    add_if_right(codes, std::to_string(century) + std::string(year), month);
  }
}

}  // namespace

bool is_shaped_like_loinc(std::string_view text) {
  if (text.size() < 3 || text[text.size() - 2] != '-' || !are_digits(text.substr(text.size() - 1)))
    return false;
  const std::string_view body = text.substr(0, text.size() - 2);
  return std::all_of(body.begin(), body.end(),
                     [](char c) {
                       return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                              (c >= 'a' && c <= 'z');
                     }) &&
         body.find_first_of("0123456789") != std::string_view::npos;
}

std::optional<std::vector<std::string>> loinc_before_spreadsheet(std::string_view text) {
  const std::vector<std::string_view> pieces = pieces_of_date(text);
  if (pieces.size() < 2) return std::nullopt;
  unsigned named_month = 0;
  std::vector<std::string_view> numbers;
  for (const std::string_view piece : pieces) {
    if (are_digits(piece) && (piece.size() <= 2 || piece.size() == 4)) {
      numbers.push_back(piece);
    } else if (named_month != 0 || (named_month = month_of(piece)) == 0) {
      return std::nullopt;
    }
  }
  std::vector<std::string> codes;
  if (named_month != 0) {  // Sep-28, 28-Sep, 1-Sep-28
    if (numbers.size() == 1) {
      add_codes_of_year(codes, numbers[0], named_month);
      if (numbers[0].size() > 2) return codes;
      add_if_right(codes, numbers[0], named_month);                             // 30-7
      add_if_right(codes, std::to_string(named_month), number_of(numbers[0]));  // 8-3
    } else {
      if (number_of(numbers[0]) == 1) add_codes_of_year(codes, numbers[1], named_month);
      add_if_right(codes, numbers[0], named_month);
      add_if_right(codes, std::to_string(named_month), number_of(numbers[0]));
    }
    return codes;
  }
  if (numbers[0].size() == 4) {  // 2028-09, 2028-09-01
    if (numbers[1].size() > 2 || (numbers.size() == 2 && numbers[1].size() != 2))
      return std::nullopt;
    add_codes_of_year(codes, numbers[0], number_of(numbers[1]));
    return codes;
  }
  if (numbers.size() != 3 || numbers[1].size() > 2) return std::nullopt;
  // 01.09.2028, 9/1/2028: day and month either way round
  const unsigned a = number_of(numbers[0]), b = number_of(numbers[1]);
  if (a == 1) add_codes_of_year(codes, numbers[2], b);
  if (b == 1 && a != 1) add_codes_of_year(codes, numbers[2], a);
  add_if_right(codes, numbers[0], b);
  if (numbers[0] != numbers[1]) add_if_right(codes, numbers[1], a);
  return codes;
}

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
