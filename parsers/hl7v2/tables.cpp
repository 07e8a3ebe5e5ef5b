#include "parsers/hl7v2/tables.h"

#include <bit>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace cannula::hl7v2 {
namespace {

constexpr std::size_t kBlock = 64;

// One bit a byte: where in a block of 64 the field separators and line ends stand.
struct BlockMarks {
  std::uint64_t separators;
  std::uint64_t line_ends;
};

#if defined(__SSE2__)
std::uint64_t equal_bits(const __m128i (&block)[4], __m128i wanted) {
  std::uint64_t bits = 0;
  for (int i = 0; i < 4; ++i) {
    const auto part =
        static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(block[i], wanted)));
    bits |= static_cast<std::uint64_t>(part) << (16 * i);
  }
  return bits;
}

BlockMarks scan_block(const char* data, char separator) {
  __m128i block[4];
  for (int i = 0; i < 4; ++i)
    block[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + 16 * i));
  return {equal_bits(block, _mm_set1_epi8(separator)),
          equal_bits(block, _mm_set1_epi8('\r')) | equal_bits(block, _mm_set1_epi8('\n'))};
}
#else
BlockMarks scan_block(const char* data, char separator) {
  BlockMarks marks{0, 0};
  for (std::size_t i = 0; i < kBlock; ++i) {
    marks.separators |= static_cast<std::uint64_t>(data[i] == separator) << i;
    marks.line_ends |= static_cast<std::uint64_t>(data[i] == '\r' || data[i] == '\n') << i;
  }
  return marks;
}
#endif

bool is_blank(std::string_view text) {
  for (char c : text) {
    if (static_cast<unsigned char>(c) > ' ') return false;
  }
  return true;
}

}  // namespace

Tables::Tables(std::string_view bytes, std::size_t begin, char field_separator) {
  // A segment has some fifty bytes, a field some eight; both tables grow where a message has more.
  segments_.reserve(bytes.size() / 64 + 8);
  reserve_marks(bytes.size() / 6 + 2 * kBlock);
  open_begin_ = static_cast<std::uint32_t>(begin);

  char last_block[kBlock];
  for (std::size_t at = begin; at < bytes.size(); at += kBlock) {
    const char* data = bytes.data() + at;
    if (const std::size_t left = bytes.size() - at; left < kBlock) {
      std::memset(last_block, 0, kBlock);
      std::memcpy(last_block, data, left);
      data = last_block;
    }
    if (mark_capacity_ - mark_count_ < kBlock + 1) reserve_marks(mark_capacity_);
    const BlockMarks found = scan_block(data, field_separator);
    std::uint64_t all = found.separators | found.line_ends;
    while (all != 0) {
      const int bit = std::countr_zero(all);
      const auto offset = static_cast<std::uint32_t>(at + static_cast<std::size_t>(bit));
      marks_[mark_count_++] = offset;
      if ((found.line_ends >> bit & 1) != 0) close_segment(bytes, offset);
      all &= all - 1;
    }
  }
  if (open_begin_ < bytes.size()) {
    if (mark_capacity_ == mark_count_) reserve_marks(1);
    marks_[mark_count_++] = static_cast<std::uint32_t>(bytes.size());
    close_segment(bytes, static_cast<std::uint32_t>(bytes.size()));
  }
  segments_.push_back(
      {static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(mark_count_), 0});
  shrink();
}

// The line that ends here is a segment, unless it is blank: then it and its end belong to the bytes
// between segments.
void Tables::close_segment(std::string_view bytes, std::uint32_t end) {
  const std::uint32_t begin = open_begin_;
  open_begin_ = end + 1;
  if (begin == end || (static_cast<unsigned char>(bytes[begin]) <= ' ' &&
                       is_blank(bytes.substr(begin, end - begin)))) {
    mark_count_ = open_mark_;
    return;
  }
  const std::uint32_t name_end = marks_[open_mark_];
  segments_.push_back({begin, open_mark_, hl7v2::name_key(bytes.substr(begin, name_end - begin))});
  open_mark_ = static_cast<std::uint32_t>(mark_count_);
}

void Tables::reserve_marks(std::size_t more) {
  const std::size_t capacity = mark_capacity_ + more;
  auto grown = std::make_unique_for_overwrite<std::uint32_t[]>(capacity);
  if (mark_count_ > 0) std::memcpy(grown.get(), marks_.get(), mark_count_ * sizeof(std::uint32_t));
  marks_ = std::move(grown);
  mark_capacity_ = capacity;
}

// A large embedded document has few fields: what was reserved for it is given back.
void Tables::shrink() {
  constexpr std::size_t kWorthwhile = 16 * 1024;
  if (mark_capacity_ - mark_count_ < kWorthwhile) return;
  mark_capacity_ = 0;
  reserve_marks(mark_count_);
}

}  // namespace cannula::hl7v2
