#include "channels/transport/message_id.h"

#include <array>

namespace cannula {

namespace {

constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kLength = 13;  // 13 digits of 5 bits hold 64; the first is at most F
constexpr std::uint8_t kNoDigit = 0xFF;

constexpr std::array<std::uint8_t, 256> digit_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNoDigit);
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    const auto digit = static_cast<unsigned char>(kDigits[i]);
    values[digit] = static_cast<std::uint8_t>(i);
    if (digit >= 'A') values[digit + 32] = static_cast<std::uint8_t>(i);
  }
  for (const unsigned char letter : {'O', 'o'}) values[letter] = 0;
  for (const unsigned char letter : {'I', 'i', 'L', 'l'}) values[letter] = 1;
  return values;
}

constexpr auto kValues = digit_values();

}  // namespace

std::string MessageId::text() const {
  std::string text(kLength, '0');
  std::uint64_t rest = value;
  for (std::size_t i = kLength; i-- > 0; rest >>= 5) text[i] = kDigits[rest & 31];
  return text;
}

std::optional<MessageId> MessageId::parse(std::string_view text) {
  if (text.size() != kLength) return std::nullopt;
  MessageId id;
  for (const char letter : text) {
    const std::uint8_t digit = kValues[static_cast<unsigned char>(letter)];
    if (digit == kNoDigit || id.value >> 59 != 0) return std::nullopt;
    id.value = id.value << 5 | digit;
  }
  return id;
}

}  // namespace cannula
