// What a Message is made of: the received bytes with their tables, and the fields that were edited.
// Internal to the room.
#pragma once

#include <atomic>

#include "parsers/hl7v2/message.h"
#include "parsers/hl7v2/tables.h"

namespace cannula::hl7v2 {

// A number for a state of the texts of a message, never given twice.
inline std::uint64_t next_serial() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// Shared by all copies of a message and never changed.
struct Message::Received {
  Bytes bytes;
  Delimiters delimiters;
  Tables tables;
  std::uint32_t
      trailer;  // offset behind the terminator of the last segment: blank bytes, kept at the end
  std::uint64_t serial = next_serial();

  std::string_view text(std::uint32_t begin, std::uint32_t end) const {
    return std::string_view(*bytes).substr(begin, end - begin);
  }
};

// One field by its text number (0 is the segment's name), as it now stands.
struct EditedText {
  std::uint32_t number;
  std::string text;
};

struct Part;  // parts.h

struct EditedSegment {
  SegmentId id;
  std::uint32_t separators;  // how many field separators it has now
  std::vector<EditedText>
      texts;  // ordered by number; what is not here stands as received, or is empty

  const EditedText* find(std::uint32_t number) const;
  EditedText* find(std::uint32_t number);
  void put(std::uint32_t number, std::string text);
  // Puts `encoded` in the place of a part of text `number`, which stands as `text` now. Of what was
  // edited before, in its own string, which has room for a few more components.
  void put(std::uint32_t number, std::string_view text, const Part& part,
           const Delimiters& delimiters, std::string_view encoded);
};

struct Message::Edits {
  static constexpr std::uint32_t kUnedited = 0xFFFFFFFF;
  static constexpr std::uint32_t kRemoved = 0xFFFFFFFE;

  explicit Edits(std::uint32_t received_segments) : slots(received_segments, kUnedited) {}

  std::vector<std::uint32_t> slots;  // by segment id: where in `segments`, or one of the above
  std::vector<EditedSegment> segments;
  std::vector<SegmentId> order;          // empty as long as no segment was added or removed
  std::uint64_t serial = next_serial();  // a new one whenever a text is written
};

// -- The small ones, which are called for every place that is read.

inline bool Message::exists(SegmentId segment) const {
  if (!edits_) return segment < received_->tables.size();
  return segment < edits_->slots.size() && edits_->slots[segment] != Edits::kRemoved;
}

inline std::uint32_t Message::key_of(SegmentId segment) const {
  return segment < received_->tables.size() ? received_->tables.name_key(segment)
                                            : name_key(name_of(segment));
}

}  // namespace cannula::hl7v2
