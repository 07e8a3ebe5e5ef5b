// The name of a message for its whole life, in the store, in logs, at destinations and on the
// telephone.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cannula {

// 44 bits of milliseconds since 1970 and 20 bits that count within one, so that ids sort by
// acceptance, keep rising when the clock is set back, and do not repeat when a store is restored
// from a backup. Assigned by the journal. Shown as 13 characters of Crockford's base 32 (no I, L,
// O, U), upper case.
struct MessageId {
  std::uint64_t value = 0;

  // The first that can be given within this millisecond since 1970.
  static constexpr MessageId first_of(std::uint64_t millisecond) {
    return {millisecond << kCountBits};
  }
  // When it was given, since 1970; later than the clock said when that had been set back.
  constexpr std::uint64_t millisecond() const { return value >> kCountBits; }

  std::string text() const;
  // Case is ignored and the letters that are easily misread are taken for what they look like (O 0,
  // I L 1).
  static std::optional<MessageId> parse(std::string_view text);

  explicit operator bool() const { return value != 0; }
  friend auto operator<=>(const MessageId&, const MessageId&) = default;

 private:
  static constexpr unsigned kCountBits = 20;
};

}  // namespace cannula

template <>
struct std::hash<cannula::MessageId> {
  std::size_t operator()(cannula::MessageId id) const noexcept {
    return std::hash<std::uint64_t>{}(id.value);
  }
};
