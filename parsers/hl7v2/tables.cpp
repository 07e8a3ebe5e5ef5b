#include "parsers/hl7v2/tables.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "parsers/hl7v2/block_scan.h"

namespace cannula::hl7v2 {
namespace {

bool is_blank(std::string_view text) {
  for (char c : text) {
    if (static_cast<unsigned char>(c) > ' ') return false;
  }
  return true;
}

}  // namespace

Tables::Tables(std::string_view bytes, std::size_t begin, char field_separator) {
  // A segment has some fifty bytes, a field some eight. Both tables grow where a message has more;
  // a large one may be one document and have few.
  constexpr std::size_t kMostExpected = 1u << 18;
  const std::size_t expected = std::min(bytes.size(), kMostExpected);
  segments_.reserve(expected / 64 + 8);
  resize_marks(expected / 6 + 2 * kScanBlock);
  open_begin_ = static_cast<std::uint32_t>(begin);

  constexpr std::size_t kChunk = 32;  // blocks
  std::uint64_t separators[kChunk];
  std::uint64_t line_ends[kChunk];
  const BlockScan scan = best_block_scan();
  std::size_t at = begin;
  while (bytes.size() - at >= kScanBlock) {
    const std::size_t blocks = std::min((bytes.size() - at) / kScanBlock, kChunk);
    scan(bytes.data() + at, blocks, field_separator, separators, line_ends);
    for (std::size_t block = 0; block < blocks; ++block, at += kScanBlock) {
      read_block(bytes, at, separators[block], line_ends[block]);
    }
  }
  if (at < bytes.size()) {
    char last_block[kScanBlock] = {};
    std::memcpy(last_block, bytes.data() + at, bytes.size() - at);
    scan(last_block, 1, field_separator, separators, line_ends);
    read_block(bytes, at, separators[0], line_ends[0]);
  }
  if (open_begin_ < bytes.size()) {
    if (mark_capacity_ == mark_count_) resize_marks(mark_count_ + 1);
    marks_[mark_count_++] = static_cast<std::uint32_t>(bytes.size());
    close_segment(bytes, static_cast<std::uint32_t>(bytes.size()));
  }
  segments_.push_back(
      {static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(mark_count_), 0});
  shrink();
}

// Takes over the marks of the 64 bytes from `at` on.
inline void Tables::read_block(std::string_view bytes, std::size_t at, std::uint64_t separators,
                               std::uint64_t line_ends) {
  if (mark_capacity_ - mark_count_ < kScanBlock + 1) resize_marks(2 * mark_capacity_);
  const auto offset = static_cast<std::uint32_t>(at);
  std::uint32_t* next = marks_.get() + mark_count_;
  while (line_ends != 0) {
    const auto bit = static_cast<std::uint32_t>(std::countr_zero(line_ends));
    for (; separators != 0; separators &= separators - 1) {
      const auto mark = static_cast<std::uint32_t>(std::countr_zero(separators));
      if (mark > bit) break;
      *next++ = offset + mark;
    }
    *next++ = offset + bit;
    mark_count_ = static_cast<std::size_t>(next - marks_.get());
    close_segment(bytes, offset + bit);
    next = marks_.get() + mark_count_;
    line_ends &= line_ends - 1;
  }
  for (; separators != 0; separators &= separators - 1) {
    *next++ = offset + static_cast<std::uint32_t>(std::countr_zero(separators));
  }
  mark_count_ = static_cast<std::size_t>(next - marks_.get());
}

// The line that ends here is a segment, unless it is blank: then it and its end belong to the bytes
// between segments.
inline void Tables::close_segment(std::string_view bytes, std::uint32_t end) {
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

// Large blocks are moved by the system without being copied: realloc, not new.
void Tables::resize_marks(std::size_t capacity) {
  auto* const resized =
      static_cast<std::uint32_t*>(std::realloc(marks_.get(), capacity * sizeof(std::uint32_t)));
  if (resized == nullptr) throw std::bad_alloc();
  static_cast<void>(marks_.release());  // NOLINT(bugprone-unused-return-value): realloc took it
  marks_.reset(resized);
  mark_capacity_ = capacity;
}

// A large embedded document has few fields: what was reserved for it is given back.
void Tables::shrink() {
  constexpr std::size_t kWorthwhile = 16 * 1024;
  if (mark_capacity_ - mark_count_ >= kWorthwhile) resize_marks(mark_count_);
}

}  // namespace cannula::hl7v2
