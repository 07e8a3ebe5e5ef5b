// Where segments and fields stand in the bytes of a message: what one pass over them finds.
// Internal to the room.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

namespace cannula::hl7v2 {

// Four bytes a field and twelve a segment, beside the message itself. Offsets are from the start of
// the bytes.
//
// The marks of segment i are marks[first_mark(i)] up to marks[first_mark(i + 1) - 1]: each of its
// field separators, then its end. Text n of the segment, counted from 0 for its name, stands
// between mark n - 1 and mark n.
class Tables {
 public:
  // Bytes before `begin` belong to no segment. Neither do blank lines: they stand between the end
  // of one segment and the begin of the next. bytes.size() < 2^32.
  Tables(std::string_view bytes, std::size_t begin, char field_separator);

  std::uint32_t size() const { return static_cast<std::uint32_t>(segments_.size() - 1); }
  std::uint32_t begin(std::uint32_t segment) const { return segments_[segment].begin; }
  std::uint32_t end(std::uint32_t segment) const {
    return marks_[segments_[segment + 1].first_mark - 1];
  }
  std::uint32_t separators(std::uint32_t segment) const {
    return segments_[segment + 1].first_mark - segments_[segment].first_mark - 1;
  }
  // The name as a number, for quick comparison; 0 unless it has three characters.
  std::uint32_t name_key(std::uint32_t segment) const { return segments_[segment].name_key; }
  // Text n from 0 (the name) to separators(segment).
  std::uint32_t text_begin(std::uint32_t segment, std::uint32_t n) const {
    return n == 0 ? segments_[segment].begin : marks_[segments_[segment].first_mark + n - 1] + 1;
  }
  std::uint32_t text_end(std::uint32_t segment, std::uint32_t n) const {
    return marks_[segments_[segment].first_mark + n];
  }

 private:
  struct Segment {
    std::uint32_t begin;
    std::uint32_t first_mark;
    std::uint32_t name_key;
  };

  void resize_marks(std::size_t capacity);
  void read_block(std::string_view bytes, std::size_t at, std::uint64_t separators,
                  std::uint64_t line_ends);
  void close_segment(std::string_view bytes, std::uint32_t end);
  void shrink();

  std::vector<Segment> segments_;  // and one past the last, whose first_mark ends the marks
  struct Free {
    void operator()(std::uint32_t* block) const { std::free(block); }
  };
  std::unique_ptr<std::uint32_t[], Free> marks_;
  std::size_t mark_count_ = 0;
  std::size_t mark_capacity_ = 0;
  std::uint32_t open_begin_ = 0;  // of the segment being read
  std::uint32_t open_mark_ = 0;
};

// The key of a name of three characters.
constexpr std::uint32_t name_key(std::string_view name) {
  if (name.size() != 3) return 0;
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(name[i]));
  };
  return byte(0) | byte(1) << 8 | byte(2) << 16 | 1U << 24;
}

}  // namespace cannula::hl7v2
