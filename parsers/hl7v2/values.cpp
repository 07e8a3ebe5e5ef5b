#include "parsers/hl7v2/values.h"

#include <charconv>

namespace cannula::hl7v2 {
namespace {

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Takes digits with at most one point among them off the front.
std::string_view take_digits(std::string_view& text) {
  std::size_t size = 0;
  bool point = false;
  std::size_t digits = 0;
  while (size < text.size() && (is_digit(text[size]) || (text[size] == '.' && !point))) {
    point = point || text[size] == '.';
    digits += is_digit(text[size]);
    ++size;
  }
  if (digits == 0) return "";
  const std::string_view taken = text.substr(0, size);
  text.remove_prefix(size);
  return taken;
}

}  // namespace

std::optional<Number> read_number(std::string_view text) {
  text = trimmed(text);
  Number number;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    if (text.front() == '-') number.text = "-";
    text.remove_prefix(1);
  }
  std::string_view digits = take_digits(text);
  if (digits.empty() || !text.empty()) return std::nullopt;
  while (digits.size() > 1 && digits[0] == '0' && is_digit(digits[1])) digits.remove_prefix(1);
  if (digits.front() == '.') number.text += '0';
  if (digits.back() == '.') digits.remove_suffix(1);
  number.text += digits;
  const char* end = number.text.data() + number.text.size();
  if (std::from_chars(number.text.data(), end, number.value).ptr != end) return std::nullopt;
  return number;
}

std::optional<Sn> read_structured_number(std::string_view text) {
  text = trimmed(text);
  Sn value;
  for (const std::string_view comparator : {">=", "<=", "<>", "=>", "=<", ">", "<", "="}) {
    if (!text.starts_with(comparator)) continue;
    value.comparator = comparator == "=>" ? ">=" : comparator == "=<" ? "<=" : comparator;
    text = trimmed(text.substr(comparator.size()));
    break;
  }
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    value.first = text.substr(0, 1);
    text.remove_prefix(1);
  }
  const std::string_view first = take_digits(text);
  if (first.empty()) return std::nullopt;
  value.first += first;
  text = trimmed(text);
  if (text.empty()) return value;
  if (std::string_view("-+/:").find(text[0]) == std::string_view::npos) return std::nullopt;
  value.separator = text.substr(0, 1);
  text = trimmed(text.substr(1));
  const std::string_view second = take_digits(text);
  if (!text.empty() || (second.empty() && value.separator != "+")) return std::nullopt;
  value.second = second;
  return value;
}

Encoded encoded_at(const Message& message, const Place& place) {
  return {message.raw(place), message.delimiters(), place.component != 0};
}

std::string_view part_of(std::string_view text, char separator, std::uint32_t number) {
  return detail::PartReader(text, separator).take(number);
}

namespace detail {

std::string_view PartReader::take(std::uint32_t number) {
  const auto end_of_next = [this] {
    return separator_ == 0 ? std::string_view::npos : rest_.find(separator_);
  };
  for (; next_ < number; ++next_) {
    const std::size_t end = end_of_next();
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (rest_.empty()) return "";
  }
  return rest_.substr(0, end_of_next());
}

Place part_place(Place place, std::uint32_t number, std::uint32_t subpart) {
  if (place.component != 0) {
    place.subcomponent = number;
    return place;
  }
  place.component = number;
  place.subcomponent = subpart;
  return place;
}

Result<void> write_leaf(Message& message, const Place& place, std::string_view text) {
  const std::string_view standing = message.raw(place);
  if (text.empty()) {
    return standing.empty() ? Result<void>() : message.set(place, std::nullopt);
  }
  if (unescape(standing, message.delimiters()) == text) return {};
  return message.set_raw(place, escape(text, message.delimiters()));
}

void append_part(std::string& out, std::uint32_t& written, std::uint32_t number, char separator,
                 std::string_view encoded) {
  if (encoded.empty()) return;
  if (number > written && separator == 0) return;
  for (; written < number; ++written) out += separator;
  out += encoded;
}

}  // namespace detail
}  // namespace cannula::hl7v2
