// Where the repetitions, components and subcomponents of a field stand in its text. Internal to the
// room.
//
// Fields are short and are read again and again, so this is where reading spends its time: up to 64
// bytes are looked at at once, as one bit a byte and delimiter; longer texts go by memchr. No byte
// outside of the text is touched.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "parsers/hl7v2/delimiters.h"
#include "parsers/hl7v2/message.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace cannula::hl7v2 {

// A part of a text, and what is missing before it could stand there: so many delimiters of each
// level, in this order.
struct Part {
  std::size_t begin;
  std::size_t end;
  std::uint32_t repetitions = 0;
  std::uint32_t components = 0;
  std::uint32_t subcomponents = 0;

  bool is_there() const { return (repetitions | components | subcomponents) == 0; }
};

// One bit a byte of a text of at most 64 bytes, for one character at a time.
class ShortText {
 public:
  static constexpr std::size_t kLongest = 64;

#if defined(__SSE2__)
  explicit ShortText(std::string_view text) : data_(text.data()), size_(text.size()) {
    if (size_ < 16) block_ = padded(text);
  }

  std::uint64_t find(char wanted) const {
    const __m128i all = _mm_set1_epi8(wanted);
    if (size_ < 16) return equal(block_, all) & ((std::uint64_t{1} << size_) - 1);
    std::uint64_t bits = 0;
    for (std::size_t at = 0; at + 16 <= size_; at += 16) bits |= equal(load(at), all) << at;
    return bits | equal(load(size_ - 16), all) << (size_ - 16);
  }

 private:
  static std::uint64_t equal(__m128i block, __m128i wanted) {
    return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(block, wanted)));
  }
  __m128i load(std::size_t at) const {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(data_ + at));
  }

  // Fewer than 16 bytes, put together from loads that overlap.
  static __m128i padded(std::string_view text) {
    const char* const at = text.data();
    const std::size_t size = text.size();
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    if (size >= 8) {
      std::memcpy(&low, at, 8);
      if (size > 8) {
        std::memcpy(&high, at + size - 8, 8);
        high >>= 8 * (16 - size);
      }
    } else if (size >= 4) {
      std::uint32_t first = 0;
      std::uint32_t last = 0;
      std::memcpy(&first, at, 4);
      std::memcpy(&last, at + size - 4, 4);
      low = first | static_cast<std::uint64_t>(last) << (8 * (size - 4));
    } else if (size > 0) {
      const auto byte = [&](std::size_t n) {
        return static_cast<std::uint64_t>(static_cast<unsigned char>(at[n])) << (8 * n);
      };
      low = byte(0) | byte(size / 2) | byte(size - 1);
    }
    return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
  }

  const char* data_;
  std::size_t size_;
  __m128i block_;
#else
  explicit ShortText(std::string_view text) : text_(text) {}

  std::uint64_t find(char wanted) const {
    std::uint64_t bits = 0;
    for (std::size_t at = 0; at < text_.size(); ++at) {
      bits |= static_cast<std::uint64_t>(text_[at] == wanted) << at;
    }
    return bits;
  }

 private:
  std::string_view text_;
#endif
};

inline bool holds(std::string_view text, char wanted) {
  if (wanted == 0) return false;
  if (text.size() <= ShortText::kLongest) return ShortText(text).find(wanted) != 0;
  return text.find(wanted) != std::string_view::npos;
}

// Narrows begin and end to part n, from 1, of what stands between them; gives how many delimiters
// are missing. A `delimiter` of 0 divides nothing.
inline std::uint32_t narrow(const ShortText& text, std::size_t& begin, std::size_t& end,
                            char delimiter, std::uint32_t n) {
  std::uint64_t marks = 0;
  if (delimiter != 0 && begin != end) {
    marks = text.find(delimiter) & (~std::uint64_t{0} << begin);
    if (end < ShortText::kLongest) marks &= (std::uint64_t{1} << end) - 1;
  }
  for (; n > 1; --n) {
    if (marks == 0) {
      begin = end;
      return n - 1;
    }
    begin = static_cast<std::size_t>(std::countr_zero(marks)) + 1;
    marks &= marks - 1;
  }
  if (marks != 0) end = static_cast<std::size_t>(std::countr_zero(marks));
  return 0;
}

inline std::uint32_t narrow(std::string_view text, std::size_t& begin, std::size_t& end,
                            char delimiter, std::uint32_t n) {
  if (delimiter == 0) {
    if (n > 1) begin = end;
    return n - 1;
  }
  const auto next = [&] {
    const void* found = std::memchr(text.data() + begin, delimiter, end - begin);
    return found == nullptr
               ? std::string_view::npos
               : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
  };
  for (; n > 1; --n) {
    const std::size_t mark = next();
    if (mark == std::string_view::npos) {
      begin = end;
      return n - 1;
    }
    begin = mark + 1;
  }
  if (const std::size_t mark = next(); mark != std::string_view::npos) end = mark;
  return 0;
}

template <class Text>
Part find_part(const Text& text, std::size_t size, const Delimiters& delimiters,
               const Place& place) {
  Part part{0, size};
  if (place.repetition != Place::kWholeField) {
    part.repetitions = narrow(text, part.begin, part.end, delimiters.repetition, place.repetition);
  }
  if (place.component == 0) return part;
  part.components = narrow(text, part.begin, part.end, delimiters.component, place.component);
  if (place.subcomponent == 0) return part;
  part.subcomponents =
      narrow(text, part.begin, part.end, delimiters.subcomponent, place.subcomponent);
  return part;
}

// The part of a field's text that the place names: its repetition is a number or kWholeField, and
// where it names a subcomponent it names a component.
inline Part find_part(std::string_view field, const Delimiters& delimiters, const Place& place) {
  if (field.size() <= ShortText::kLongest) {
    return find_part(ShortText(field), field.size(), delimiters, place);
  }
  return find_part(field, field.size(), delimiters, place);
}

}  // namespace cannula::hl7v2
